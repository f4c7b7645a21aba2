"""From the bytes of a plan to a DAG, against the DAG of the same graph written by hand."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

import yaml
from airflow.sdk import DAG

from airflow_provider_vibe.dag.loader import translate
from airflow_provider_vibe.dag.translator import PlanTranslator, configured_translator
from airflow_provider_vibe.plan.reading import examine
from benchmarks.handwritten import HANDWRITTEN, joined
from benchmarks.report import SPREAD, Report, spread, verdict
from benchmarks.shapes import SHAPES, Plan, all_nodes
from benchmarks.timing import Compared, cpu_seconds, in_turn

MOST_OF_HANDWRITTEN = 2.0
MOST_OF_CHAIN = 3.0
SMALLEST_WITH_TARGET = 100
NODES_A_SAMPLE = 1_000


@dataclass(frozen=True)
class Setting:
    """How plans are built and timed.

    :param translator: as a parse makes it, once for all plans.
    :param rounds: samples of each way.
    :param nodes_a_sample: a smaller plan is built several times for one sample.
    """

    translator: PlanTranslator
    rounds: int
    nodes_a_sample: int


def measure(rounds: int, *, quick: bool) -> list[Report]:
    """Time every shape in every size.

    :param rounds: samples of each.
    :param quick: small sizes only.
    """
    sizes = (20, 60) if quick else (100, 1_000, 2_000)
    setting = Setting(configured_translator(), rounds, 1 if quick else NODES_A_SAMPLE)
    cases = [(shape, size, "json") for shape in SHAPES for size in sizes]
    cases += [(shape, sizes[1], "yaml") for shape in ("chain", "nested")]
    rows = [_against_handwritten(*case, setting) for case in cases]
    columns = ("plan", "dependencies", "ours, ms", "by hand, ms", "ratio", SPREAD, "target")
    return [
        Report("build: bytes of a plan → DAG, against the DAG written by hand", columns, rows),
        _dense_against_others(sizes[-1], setting),
    ]


def builder(content: Plan, notation: str, translator: PlanTranslator) -> Callable[[], DAG]:
    """What turns a plan into a DAG, bytes first, as the loader does.

    :param content: the plan.
    :param notation: ``json`` or ``yaml``.
    :param translator: as a parse makes it, once for all plans.
    """
    raw = (_json if notation == "json" else _yaml)(content).encode()
    path = Path(f"bench.vibe.{notation}")

    def build() -> DAG:
        translation = translate(path, examine(raw, str(path), translator.settings.rules), translator)
        assert translation.dag is not None, translation.problems
        return translation.dag

    return build


def _json(content: Plan) -> str:
    return json.dumps(content, separators=(",", ":"))


def _yaml(content: Plan) -> str:
    text: str = yaml.dump(content, Dumper=yaml.CSafeDumper, sort_keys=False)
    return text


def _against_handwritten(shape: str, size: int, notation: str, setting: Setting) -> list[str]:
    content = SHAPES[shape](size)
    times = max(1, setting.nodes_a_sample // size)
    ours = cpu_seconds(builder(content, notation, setting.translator), times)
    by_hand = cpu_seconds(lambda: HANDWRITTEN[shape](size), times)
    compared = Compared(*in_turn([ours, by_hand], setting.rounds))
    name = f"{shape} {size:,}" + (", YAML" if notation == "yaml" else "")
    return [
        name,
        f"{_dependencies(content):,}",
        *_cells(compared, MOST_OF_HANDWRITTEN if size >= SMALLEST_WITH_TARGET else None),
    ]


def _dense_against_others(size: int, setting: Setting) -> Report:
    dense, chain = SHAPES["dense"](size), SHAPES["chain"](size)
    translated = [builder(content, "json", setting.translator) for content in (dense, chain)]
    ways = [*translated, lambda: joined(size)]
    ours, ours_chain, by_hand = in_turn([cpu_seconds(way) for way in ways], setting.rounds)
    rows = [
        [f"our chain of {size:,}", *_cells(Compared(ours, ours_chain), MOST_OF_CHAIN)],
        ["by hand with a joining task between layers", *_cells(Compared(ours, by_hand), None)],
    ]
    title = f"build: dense {size:,} of ours, {_dependencies(dense):,} dependencies, against less"
    return Report(title, ("against", "ours, ms", "other, ms", "ratio", SPREAD, "target"), rows)


def _cells(compared: Compared, most: float | None) -> list[str]:
    return [
        f"{median(compared.ours) * 1000:.1f}",
        f"{median(compared.other) * 1000:.1f}",
        f"{compared.ratio:.2f}",
        spread(compared.ratios, 2),
        verdict(compared.ratio, most) if most is not None else "",
    ]


def _dependencies(content: Plan) -> int:
    return sum(len(node["dependencies"]) for node in all_nodes(content["root_nodes"]))
