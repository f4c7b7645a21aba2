"""What holds a plan back, and what it promises: its work, checks, validations, and who approves a replan."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

from airflow_provider_vibe.plan.identity import canonical_json, sha256
from airflow_provider_vibe.plan.models import (
    OnFail,
    QualityCheck,
    ReplanMode,
    WorkflowNode,
)
from airflow_provider_vibe.replan import steering
from airflow_provider_vibe.replan.capabilities import Key, Level, PlanView
from airflow_provider_vibe.replan.effective import tool_of
from airflow_provider_vibe.tools.builtin import MODEL_TOOLS

STRICTNESS = {ReplanMode.AUTO: 0.0, ReplanMode.APPROVE: 1.0, ReplanMode.PROPOSE: 2.0, ReplanMode.OFF: 3.0}
CONSEQUENCE = {OnFail.SUGGEST: 0.0, OnFail.RETRY: 1.0, OnFail.FAIL: 2.0}

CHECK, MOST, WEIGHT = "check", "check of at most", "weight"
"""Kinds of safeguards: what a check asks for, and how much it counts beside the weightiest one."""

WORK, PARAM, SCHEDULE = "work", "param kept", "schedule kept"
"""Kinds of safeguards: a node, a parameter, and when the plan runs by itself, which nobody drops unasked."""

WAITS_FOR, GETS = "gates", "gets"
OF_WORK = frozenset({WAITS_FOR, GETS})
"""Kinds of safeguards that mean nothing without their node: what it waits for, and what it is given."""

WORDING, JUDGED_BY = "words behind a gate", "vibe of its judge"
WITH_ANOTHER = frozenset({WEIGHT, WORDING, JUDGED_BY})
"""Kinds of safeguards that go only where a check, a validation, a gate or a tool does, which is told."""

Safeguards = Iterator[tuple[Key, Level]]


def safeguards_of(view: PlanView) -> dict[Key, Level]:
    """What holds a plan back, each by a level."""
    return {key: level for collect in _COLLECTORS for key, level in collect(view)}


def _whole(view: PlanView) -> Safeguards:
    replan = view.plan.replan
    yield ("replan mode", ""), STRICTNESS[replan.mode]
    yield ("seconds between replans", ""), float(replan.cooldown)
    for constraint in view.plan.source_vibe.constraints:
        yield ("constraint", constraint), 1.0
    if view.plan.schedule is not None:
        said = view.plan.schedule.model_dump(mode="json", exclude_defaults=True)
        yield (SCHEDULE, ""), frozenset({canonical_json(said)})
    for name in view.plan.params:  # the one called 'simulate' keeps models from being asked
        yield (PARAM, name), 1.0


def _work(view: PlanView) -> Safeguards:
    """The nodes there are, and what each of them gets."""
    for node in view.nodes:
        yield (WORK, node.id), 1.0
        yield (GETS, node.id), frozenset(view.meanings.sources[node.id])


def _checks(view: PlanView) -> Safeguards:
    for node in view.nodes:
        if node.checks:
            yield ("on_fail", node.id), CONSEQUENCE[node.on_fail]
        is_judge = steering.refuses(node, view.settings) and tool_of(node, view.settings) in MODEL_TOOLS
        if is_judge or any(check.judge for check in node.checks):
            yield (JUDGED_BY, node.id), frozenset({sha256(canonical_json(view.vibe))})
        heaviest = max((check.weight for check in node.checks), default=1.0)
        for (kind, what), (level, weight) in _strictest(node, view).items():
            yield (kind, f"{node.id}: {what}"), level
            yield (WEIGHT, f"{node.id}: {what}"), weight / heaviest


def _strictest(node: WorkflowNode, view: PlanView) -> dict[tuple[str, str], tuple[float, float]]:
    """What the checks of a node ask for, how much, and how much that counts; the strictest one decides."""
    found: dict[tuple[str, str], tuple[float, float]] = {}
    for check in node.checks:
        for kind, what, level in _measures(check, view):
            found[kind, what] = max((level, check.weight), found.get((kind, what), (-math.inf, 0.0)))
    return found


def _measures(check: QualityCheck, view: PlanView) -> Iterator[tuple[str, str, float]]:
    """What a check asks for, and how much of it; of what has no measure, exactly that."""
    kind, asked = check.kind, getattr(check, check.kind)
    if kind == "min_words":
        yield CHECK, kind, float(asked)
    elif kind == "max_words":
        yield MOST, kind, -float(asked)
    elif kind in ("must_contain", "must_not_contain"):
        yield from ((CHECK, f"{kind} {_exactly(phrase, view)}", 1.0) for phrase in asked)
    elif kind == "readability":
        if asked.min is not None:
            yield CHECK, f"reading ease ({asked.language})", float(asked.min)
        if asked.max is not None:
            yield MOST, f"reading ease ({asked.language})", -float(asked.max)
    elif kind == "judge":
        whom = asked.model_dump(mode="json", exclude={"pass_score"}, exclude_none=True)
        scored = "" if asked.pass_score is None else " by its score"
        level = 1.0 if asked.pass_score is None else asked.pass_score
        yield CHECK, f"judge{scored} {_exactly(whom, view)}", level
    else:
        yield CHECK, f"{kind} {_exactly(asked, view)}", 1.0


def _exactly(asked: Any, view: PlanView) -> str:
    """A value as it stands, and a digest of all that its references depend on."""
    reaching = view.meanings.reaching(asked)
    return canonical_json(asked) + (f" of {reaching[:16]}" if reaching else "")


def _gates(view: PlanView) -> Safeguards:
    """The nodes whose failure holds others back on purpose, who waits for them, and what comes after them."""
    gates_before = _gates_before(view)
    for node in view.nodes:
        if steering.refuses(node, view.settings):
            said = node.model_dump(mode="json", include={"description", "parameters"})
            whose, vibe = sorted(set(node.dependencies)), view.vibe_in(said)
            held = [said, whose] if vibe is None else [said, whose, sha256(canonical_json(vibe))]
            yield ("validation", node.id), frozenset({canonical_json(held)})
        elif not steering.is_known(node, view.settings):  # it may be what asks a person
            yield ("gate", node.id), frozenset({str(tool_of(node, view.settings))})
        if gates := gates_before[node.id]:
            yield (WAITS_FOR, node.id), gates
            if tool_of(node, view.settings) in steering.WRITERS:  # nobody holds it against anything any more
                told = [steering.content_of(node, view.settings), view.vibe]
                yield (WORDING, node.id), frozenset({sha256(canonical_json(told))})


def _is_gate(node: WorkflowNode, view: PlanView) -> bool:
    is_checked = bool(node.checks) and node.on_fail is not OnFail.SUGGEST
    return is_checked or steering.refuses(node, view.settings) or not steering.is_known(node, view.settings)


def _gates_before(view: PlanView) -> dict[str, frozenset[str]]:
    """For each node the gates that are passed, in every run, before it starts."""
    graph = view.meanings.graph
    gates = [node.id for node in view.nodes if _is_gate(node, view)]
    passed_at = {graph.done_moment(node_id): 1 << bit for bit, node_id in enumerate(gates)}
    passed: dict[int, int] = {}
    for moment in graph.order:
        bits = 0
        for earlier in graph.before[moment]:
            bits |= passed[earlier] | passed_at.get(earlier, 0)
        passed[moment] = bits
    # a node starts at the moment before it is done
    starts = {node.id: passed[graph.done_moment(node.id) - 1] for node in view.nodes}
    return {
        node_id: frozenset(gate for bit, gate in enumerate(gates) if bits >> bit & 1)
        for node_id, bits in starts.items()
    }


_COLLECTORS: tuple[Callable[[PlanView], Safeguards], ...] = (_whole, _work, _checks, _gates)
