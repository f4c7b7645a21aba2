"""The labelled outputs of `tests/data/quality`: how well our checks and the original's heuristic do.

A third of them, chosen by their digest, was held out: looked at once, when the checks were done. What that
showed, and what was mended after it, stands in `docs/quality.md`.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from airflow_provider_vibe.runtime.assessment import QUALITY_THRESHOLD, quality_of
from airflow_provider_vibe.runtime.context import NodeContext
from airflow_provider_vibe.runtime.quality.verdict import Verdict, verdict_on
from tests.runtime.helpers import node

FOLDER = Path(__file__).parents[2] / "data" / "quality"


@dataclass(frozen=True)
class Labelled:
    """One output.

    :param task: the id, description and checks of its node.
    :param output: the text the node made.
    :param kind: what is bad about it; None when it is good.
    :param is_later: whether it was written when the checks were done.
    """

    task: dict[str, Any]
    output: str
    kind: str | None
    is_later: bool = False

    @property
    def is_held_out(self) -> bool:
        return int(hashlib.sha256(self.output.encode()).hexdigest(), 16) % 3 == 0

    @property
    def result(self) -> dict[str, Any]:
        """As a tool of a model leaves it."""
        return {
            "type": "tool_execution",
            "tool": "llm_generate",
            "description": self.task["description"],
            "result": {"text": self.output},
            "metadata": {},
        }

    def verdict(self) -> Verdict:
        a_node = node(
            self.task["task"], "generate", self.task["description"], checks=self.task["checks"], tool="x"
        )

        async def nobody(name: str, inputs: dict[str, Any]) -> Any:
            raise AssertionError("no judge is asked offline")

        return asyncio.run(verdict_on(a_node, self.result, NodeContext(), nobody))

    def original_says_bad(self) -> bool:
        return quality_of(self.result) < QUALITY_THRESHOLD


def labelled() -> list[Labelled]:
    found = []
    for path in sorted(FOLDER.glob("*.yaml")):
        for task in yaml.safe_load(path.read_text("utf-8")):
            about = {key: task[key] for key in ("task", "description", "checks")}
            later = path.stem == "later"
            found += [Labelled(about, output, None, later) for output in task["good"]]
            found += [Labelled(about, bad["output"], bad["kind"], later) for bad in task["bad"]]
    return found


def precision_and_recall(told: Iterable[tuple[bool, bool]]) -> tuple[float, float]:
    """Of finding bad outputs.

    :param told: for each output whether it was found bad, and whether it is.
    """
    told = list(told)
    right = sum(found and is_bad for found, is_bad in told)
    found_bad = sum(found for found, _ in told)
    return right / found_bad if found_bad else 0.0, right / sum(is_bad for _, is_bad in told)
