"""What holds a plan back: checks, validations, what waits for them, and who approves a replan."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from airflow_provider_vibe.plan.identity import canonical_json
from airflow_provider_vibe.plan.models import (
    NodeType,
    OnFail,
    QualityCheck,
    ReplanMode,
    WorkflowNode,
)
from airflow_provider_vibe.replan import steering
from airflow_provider_vibe.replan.capabilities import Key, Level, PlanView
from airflow_provider_vibe.replan.effective import tool_of

STRICTNESS = {ReplanMode.AUTO: 0.0, ReplanMode.APPROVE: 1.0, ReplanMode.PROPOSE: 2.0, ReplanMode.OFF: 3.0}
CONSEQUENCE = {OnFail.SUGGEST: 0.0, OnFail.RETRY: 1.0, OnFail.FAIL: 2.0}

WAITS_FOR, CHECK, MOST, WEIGHT = "gates", "check", "check of at most", "weight"
"""Kinds of safeguards: the gates a node waits for, what a check asks for, and how much it counts."""

Safeguards = Iterator[tuple[Key, Level]]


def safeguards_of(view: PlanView) -> dict[Key, Level]:
    """What holds a plan back, each by a level."""
    found: dict[Key, Level] = {}
    for collect in _COLLECTORS:
        for key, level in collect(view):
            before = found.get(key)
            # of two checks of a kind the stricter one decides
            is_stricter = isinstance(before, float) and isinstance(level, float) and before > level
            found[key] = before if is_stricter and before is not None else level
    return found


def _whole(view: PlanView) -> Safeguards:
    replan = view.plan.replan
    yield ("replan mode", ""), STRICTNESS[replan.mode]
    yield ("seconds between replans", ""), float(replan.cooldown)
    for constraint in view.plan.source_vibe.constraints:
        yield ("constraint", constraint), 1.0


def _checks(view: PlanView) -> Safeguards:
    for node in view.nodes:
        if node.checks:
            yield ("on_fail", node.id), CONSEQUENCE[node.on_fail]
        for check in node.checks:
            for kind, what, level in _measures(check, view):
                yield (kind, f"{node.id}: {what}"), level
                yield (WEIGHT, f"{node.id}: {what}"), check.weight


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
    """The nodes whose failure holds others back on purpose, and who waits for them."""
    for node in view.nodes:
        if node.type == NodeType.VALIDATE:
            said = node.model_dump(mode="json", include={"description", "parameters"})
            whose = sorted(set(node.dependencies))
            yield ("validation", node.id), frozenset({canonical_json([said, whose])})
        elif not steering.is_known(node, view.settings):  # it may be what asks a person
            yield ("gate", node.id), frozenset({str(tool_of(node, view.settings))})
    for node_id, gates in _gates_before(view).items():
        if gates:
            yield (WAITS_FOR, node_id), gates


def _is_gate(node: WorkflowNode, view: PlanView) -> bool:
    refuses = bool(node.checks) and node.on_fail is not OnFail.SUGGEST
    return refuses or node.type == NodeType.VALIDATE or not steering.is_known(node, view.settings)


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


_COLLECTORS: tuple[Callable[[PlanView], Safeguards], ...] = (_whole, _checks, _gates)
