"""A node with a list of inputs becomes a composite of nodes with a part of the list each."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from itertools import pairwise
from typing import Any

from airflow_provider_vibe.plan.graph import PlanGraph, walk
from airflow_provider_vibe.plan.identity import canonical_json, sha256
from airflow_provider_vibe.plan.models import NodeType, OnFail, RunSettings, WorkflowNode, WorkflowPlan
from airflow_provider_vibe.plan.problems import VibeError, quoted
from airflow_provider_vibe.replan.editing import with_inputs, with_node
from airflow_provider_vibe.replan.effective import tool_inputs_of, tool_of
from airflow_provider_vibe.replan.meaning import references_in
from airflow_provider_vibe.replan.steering import CONTENT_INPUTS
from airflow_provider_vibe.settings import Settings
from airflow_provider_vibe.tools.builtin.previous import SEPARATOR

MOST_PARTS = 8

LISTS = {"combine": "pieces"}
"""Of the built-in tools those whose list can be spread over several calls: what they make, one below the
other as a composite gathers it, is what one call makes of the whole. Of others a person judges that."""


class CannotSplit(VibeError):
    """A node that cannot be split, and why, as the rest of a sentence about it."""


def split_node(plan: WorkflowPlan, node_id: str, settings: Settings) -> WorkflowPlan:
    """*plan* with the list of inputs of a node spread over children of it, at most :data:`MOST_PARTS`.

    The node stays, as a composite, so whoever depends on it or reads its text still does. The id of a child
    comes from its part of the list, so a part that stays keeps its id when the others change.

    :raises CannotSplit: it has no list that can be split, its parts would not make the same together, or
        others need more of its output than its text.
    """
    node = PlanGraph(plan.root_nodes).nodes[node_id]
    name, items = _list_of_inputs(node, settings)
    _check_readers(plan, node_id)
    parts = list(_parts(items))
    ids = _ids(plan, node_id, parts)
    children = tuple(
        _child(node, child_id, name, part, len(parts)) for child_id, part in zip(ids, parts, strict=True)
    )
    return with_node(plan, node_id, lambda node: _composite(node, children))


def _list_of_inputs(node: WorkflowNode, settings: Settings) -> tuple[str, list[Any]]:
    if node.type in (NodeType.COMPOSITE, NodeType.VALIDATE) or node.children:
        kind = "it has children" if node.children else f"it is a node of type {node.type}"
        raise CannotSplit(f"{kind}, whose work is not a list of inputs")
    tool, inputs = tool_of(node, settings), tool_inputs_of(node)
    if tool in CONTENT_INPUTS and tool not in LISTS:
        raise CannotSplit(f"what {quoted(tool)} makes of parts of a list is not what it makes of the whole")
    lists = [name for name, value in inputs.items() if isinstance(value, list) and len(value) > 1]
    names = [name for name in lists if name == LISTS.get(tool, name)] if tool is not None else []
    if len(names) != 1:
        found = f"{len(names)} of its inputs are" if names else "none of its inputs is"
        raise CannotSplit(f"{found} a list of several items, so it is not clear what to split")
    name = names[0]
    if tool in LISTS and (inputs.get("separator", SEPARATOR) != SEPARATOR or inputs.get("order")):
        raise CannotSplit("its 'separator' and 'order' are for the whole list, which its parts do not see")
    return name, inputs[name]


def _check_readers(plan: WorkflowPlan, node_id: str) -> None:
    """Of a composite there is the text of its children, and nothing else that its tool gave."""
    known = PlanGraph(plan.root_nodes).nodes
    for reader, _ in walk(plan.root_nodes):
        said = reader.model_dump(mode="json", include={"description", "parameters", "checks"})
        for reference in references_in(said):
            if reference.root != "nodes":
                continue
            named, path = reference.split_node(known)
            if named == node_id and path != ("text",):
                raise CannotSplit(f"{quoted(reader.id)} reads {reference}, which its parts would not give")


def _parts(items: Sequence[Any]) -> Iterator[list[Any]]:
    """The items in so many parts, in their order, as equal as can be."""
    count = min(len(items), MOST_PARTS)
    bounds = [round(index * len(items) / count) for index in range(count + 1)]
    for start, end in pairwise(bounds):
        yield list(items[start:end])


def _ids(plan: WorkflowPlan, node_id: str, parts: Sequence[list[Any]]) -> list[str]:
    taken = {node.id for node, _ in walk(plan.root_nodes)}
    ids = []
    for part in parts:
        digest = sha256(canonical_json([node_id, part]))
        stem = f"{node_id[:150]}-{digest[:8]}"
        number = 1
        child_id = stem
        while child_id in taken:  # a list may hold the same item twice
            number += 1
            child_id = f"{stem}-{number}"
        taken.add(child_id)
        ids.append(child_id)
    return ids


def _child(node: WorkflowNode, child_id: str, name: str, part: list[Any], parts: int) -> WorkflowNode:
    estimate = node.estimated_duration
    shorter = None if estimate is None else math.ceil(estimate / parts)
    # it needs the same dependencies: a node gets the outputs of its own ones as context, not its parent's
    update = {"id": child_id, "estimated_duration": shorter, "checks": (), "on_fail": OnFail.SUGGEST}
    return with_inputs(node.model_copy(update=update), **{name: part})


def _composite(node: WorkflowNode, children: tuple[WorkflowNode, ...]) -> WorkflowNode:
    """The node around its parts. Its checks are of the whole; to gather it again would change nothing."""
    consequence = OnFail.FAIL if node.on_fail is OnFail.RETRY else node.on_fail
    kept = {key: value for key, value in node.parameters.items() if key not in ("tool", "tool_inputs")}
    update = {
        "type": NodeType.COMPOSITE,
        "parameters": kept,
        "children": children,
        "run": RunSettings(),
        "on_fail": consequence,
    }
    return node.model_copy(update=update)
