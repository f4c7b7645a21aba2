"""What a plan is able to do, and what holds it back, as levels that can be compared one by one.

A plan grants each thing up to some level, a number or a set of names, and guards others by such levels. A new
plan is no more able than an old one when it grants nothing beyond and guards nothing less. That is an order:
a chain of plans, each no more able than the one before, ends with one no more able than the first.

Whatever is in doubt counts. Which nodes there are, what each of them reads, what a tool gives on as it is,
and everything of a tool that is not known here stays; the words for a model, which makes something of its own
of them, may change, up to the first gate.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from airflow_provider_vibe.plan.graph import walk
from airflow_provider_vibe.plan.identity import canonical_json, sha256
from airflow_provider_vibe.plan.models import Budget, OnFail, WorkflowNode, WorkflowPlan
from airflow_provider_vibe.replan import steering
from airflow_provider_vibe.replan.effective import retries_of, retry_delay_of, timeout_of, tool_of
from airflow_provider_vibe.replan.meaning import Meanings, references_in
from airflow_provider_vibe.settings import Settings

Level = float | frozenset[str]
Key = tuple[str, str]
"""What it is of, and the node, parameter or limit it is about; empty for the whole plan."""

ANY_TIMEOUT = 3600.0
"""Seconds; a timeout of up to that takes nothing from anybody, so it may be raised so far without asking."""

NODE = "node"
JUDGES, TRIES = "judges", "tries after a failed check"
OF_A_NODE = frozenset(
    {
        *("outputs read", "references", "inputs", "what reaches it", "content"),
        *("attempts", "retry delay", "timeout", "pool", JUDGES, TRIES),
    }
)
"""Kinds of grants that come with a node; of a new one only that it is new is told."""


@dataclass(frozen=True)
class PlanView:
    """A plan with what its parts are read by.

    :param plan: a plan that the reader takes.
    :param settings: the defaults it runs with.
    """

    plan: WorkflowPlan
    settings: Settings

    @cached_property
    def meanings(self) -> Meanings:
        """What its nodes are to do, and whose outputs reach them."""
        return Meanings(self.plan)

    @cached_property
    def vibe(self) -> dict[str, Any]:
        """The intent behind it, as data; every model is told it."""
        return self.plan.source_vibe.model_dump(mode="json")

    def vibe_in(self, value: Any) -> dict[str, Any] | None:
        """The vibe, where the references in *value* lead to it; None where they do not.

        :param value: what a plan says.
        """
        return self.vibe if any(each.root == "vibe" for each in references_in(value)) else None

    @cached_property
    def nodes(self) -> list[WorkflowNode]:
        """All its nodes, in the order of the file."""
        return [node for node, _ in walk(self.plan.root_nodes)]


def grants_of(view: PlanView) -> dict[Key, Level]:
    """What a plan may do, each up to a level."""
    return {key: level for collect in _COLLECTORS for key, level in collect(view)}


Grants = Iterator[tuple[Key, Level]]


def _names(view: PlanView) -> Grants:
    """What the plan has to do with, all nodes together."""
    nodes, settings = view.nodes, view.settings
    said = view.plan.model_dump(mode="json", exclude={"schema_uri"})
    yield ("hosts", ""), frozenset(steering.hosts_in(said))
    for kind, names_of in _NAMES.items():
        yield (kind, ""), frozenset(name for node in nodes for name in names_of(node, settings))


_NAMES: dict[str, Callable[[WorkflowNode, Settings], Iterator[str]]] = {
    "tools": steering.tools_of,
    "connections": steering.connections_of,
    "models": steering.models_of,
    "files": steering.paths_of,
}


def _work(view: PlanView) -> Grants:
    """Which nodes there are, what each of them gets, and what decides what its tool does."""
    meanings = view.meanings
    yield ("references of the vibe", ""), steering.references_of(view.vibe)
    for node in view.nodes:
        tool = tool_of(node, view.settings)
        yield (NODE, node.id), frozenset({f"{node.type} with {tool}" if tool else str(node.type)})
        yield ("outputs read", node.id), frozenset(meanings.sources[node.id])
        said = node.model_dump(mode="json", include={"description", "parameters", "checks"})
        yield ("references", node.id), steering.references_of(said)
        steered = steering.steering_of(node, view.settings)
        yield ("inputs", node.id), frozenset({canonical_json(steered)})  # also none: a limit may have gone
        if not steering.is_known(node, view.settings):
            yield ("what reaches it", node.id), frozenset({meanings.of[node.id]})
        elif reaching := meanings.reaching(steered):
            yield ("what reaches it", node.id), frozenset({reaching})
        if tool not in steering.WRITERS:  # else it would be no work of a model to put words into an output
            content = steering.content_of(node, view.settings)
            told = [content, view.vibe_in(content)]
            yield ("content", node.id), frozenset({sha256(canonical_json(told))})


def _effort(view: PlanView) -> Grants:
    """How hard each node tries, and how long; a composite too, which may ask a judge."""
    plan, settings = view.plan, view.settings
    for node in view.nodes:
        delay, timeout = retry_delay_of(plan, node, settings), timeout_of(plan, node, settings)
        retries, judges = retries_of(plan, node, settings), sum(1 for check in node.checks if check.judge)
        yield ("attempts", node.id), retries + 1.0
        yield ("retry delay", node.id), -float(delay)
        yield ("timeout", node.id), math.inf if timeout is None else max(timeout, ANY_TIMEOUT)
        yield ("pool", node.id), frozenset({node.run.pool or plan.defaults.pool or "the default one"})
        if judges:
            yield (JUDGES, node.id), float(judges)
        if node.checks and node.on_fail is OnFail.RETRY and retries:
            yield (TRIES, node.id), float(retries)


def _limits(view: PlanView) -> Grants:
    """What bounds the plan as a whole, and when it runs."""
    plan = view.plan
    yield ("plan id", ""), frozenset({plan.id})
    for limit in Budget.model_fields:
        stated = getattr(plan.budget, limit, None)
        yield ("budget", limit), math.inf if stated is None else float(stated)
    if plan.schedule is not None:
        yield ("schedule", ""), frozenset({canonical_json(plan.schedule.model_dump(mode="json"))})
    at_once = plan.max_active_runs
    yield ("runs at once", ""), frozenset({"Airflow's default" if at_once is None else str(at_once)})
    yield ("replans in a row", ""), float(plan.replan.max_attempts)
    for name, schema in plan.params.items():
        yield ("param", name), frozenset({canonical_json(schema)})


_COLLECTORS: tuple[Callable[[PlanView], Grants], ...] = (_names, _work, _effort, _limits)
