"""What one plan says differently from another, whatever the order and the notation they are written in."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from airflow_provider_vibe.plan.graph import walk
from airflow_provider_vibe.plan.identity import canonical_json
from airflow_provider_vibe.plan.models import WorkflowNode, WorkflowPlan
from airflow_provider_vibe.plan.problems import Pointer

WITHOUT_ORDER = frozenset(
    {("dependencies",), ("tags",), ("checks",), ("schedule", "at"), ("schedule", "assets")}
)
"""Lists of a plan or a node that mean the same in any order."""


class Frozen(BaseModel):
    """Data that is handed on and never changes."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class FieldChange(Frozen):
    """One value that is another one now.

    :param path: the keys and list indexes that lead to it.
    :param kind: whether it is new, gone, or changed.
    :param old: what it was; None too where it was not there.
    :param new: what it is; None too where it is gone.
    """

    path: tuple[str | int, ...]
    kind: Literal["added", "removed", "changed"]
    old: Any = None
    new: Any = None

    @property
    def dotted(self) -> str:
        """The path as one writes it: ``parameters.tool_inputs.pieces[1]``, ``params["a.b"]``."""
        return "".join(map(_step, self.path)).removeprefix(".")


def _step(part: str | int) -> str:
    """A part of a path; a key that could be read as more than one is quoted."""
    is_plain = isinstance(part, str) and not set('.[]"') & set(part)
    return f".{part}" if is_plain else f"[{json.dumps(part, ensure_ascii=False)}]"


class PlacedNode(Frozen):
    """A node that is in one of the plans only.

    :param id: its id.
    :param parent: the node it stands in; None at the top.
    :param content: all it says, but for its children, which are told themselves.
    """

    id: str
    parent: str | None
    content: dict[str, Any]


class MovedNode(Frozen):
    """A node that stands in another one now; None is the top."""

    id: str
    old_parent: str | None
    new_parent: str | None


class ChangedNode(Frozen):
    """A node that says something else now."""

    id: str
    changes: tuple[FieldChange, ...]


class PlanDiff(Frozen):
    """What one plan says differently from another.

    :param plan: fields of the plan itself.
    :param added: nodes of the new plan alone.
    :param removed: nodes of the old plan alone.
    :param moved: nodes that stand in another node.
    :param changed: nodes in both that say something else.
    :param reordered: nodes in both that are given the same in another order, which says the same, but may be
        read as something else by whom it is given to.
    """

    plan: tuple[FieldChange, ...] = ()
    added: tuple[PlacedNode, ...] = ()
    removed: tuple[PlacedNode, ...] = ()
    moved: tuple[MovedNode, ...] = ()
    changed: tuple[ChangedNode, ...] = ()
    reordered: tuple[str, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether both say the same."""
        return not (self.plan or self.added or self.removed or self.moved or self.changed)

    def as_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {"schema": 1, "same": self.is_empty, **self.model_dump(mode="json")}


def diff_plans(old: WorkflowPlan, new: WorkflowPlan) -> PlanDiff:
    """What *new* says differently from *old*.

    Notation, defaults that are written out, ``$schema`` and ``x-`` keys do not count, nor does the order of
    keys, nodes, dependencies, tags and checks.
    """
    before, after = _nodes_of(old), _nodes_of(new)
    shared = [node_id for node_id in after if node_id in before]
    changes = {
        node_id: tuple(_changes(said_by_node(before[node_id][0]), said_by_node(after[node_id][0])))
        for node_id in shared
    }
    parents = [(node_id, before[node_id][1], after[node_id][1]) for node_id in shared]
    return PlanDiff(
        plan=tuple(_changes(_said_by_plan(old), _said_by_plan(new))),
        added=tuple(_placed(*after[node_id]) for node_id in after if node_id not in before),
        removed=tuple(_placed(*before[node_id]) for node_id in before if node_id not in after),
        moved=tuple(
            MovedNode(id=node_id, old_parent=was, new_parent=now)
            for node_id, was, now in parents
            if was != now
        ),
        changed=tuple(ChangedNode(id=node_id, changes=found) for node_id, found in changes.items() if found),
        reordered=tuple(
            node_id
            for node_id in shared
            if any(map(_in_another_order, _given_to(before[node_id][0]), _given_to(after[node_id][0])))
        ),
    )


def _given_to(node: WorkflowNode) -> tuple[list[str], list[str]]:
    """What a node is given, in the order in which it is: its dependencies, and what it gathers."""
    return list(dict.fromkeys(node.dependencies)), [child.id for child in node.children]


def _in_another_order(old: list[str], new: list[str]) -> bool:
    """Whether what is in both stands in another order."""
    return [each for each in old if each in new] != [each for each in new if each in old]


def said_by_node(node: WorkflowNode) -> dict[str, Any]:
    """All that a node says of itself, in one order; its children say the rest."""
    said = node.model_dump(mode="json", exclude={"children", "id"}, exclude_defaults=True)
    if "dependencies" in said:
        said["dependencies"] = list(dict.fromkeys(said["dependencies"]))
    return _in_one_order(said)


def _said_by_plan(plan: WorkflowPlan) -> dict[str, Any]:
    said = plan.model_dump(
        mode="json", by_alias=True, exclude={"root_nodes", "schema_uri"}, exclude_defaults=True
    )
    return _in_one_order(said)


def _in_one_order(said: dict[str, Any]) -> dict[str, Any]:
    for *above, key in WITHOUT_ORDER:
        holder = said
        for part in above:
            holder = holder.get(part) or {}
        if isinstance(holder.get(key), list):
            holder[key] = sorted(holder[key], key=canonical_json)
    return said


def _nodes_of(plan: WorkflowPlan) -> dict[str, tuple[WorkflowNode, str | None]]:
    return {node.id: (node, parent.id if parent else None) for node, parent in walk(plan.root_nodes)}


def _placed(node: WorkflowNode, parent: str | None) -> PlacedNode:
    return PlacedNode(id=node.id, parent=parent, content=said_by_node(node))


def _changes(old: Any, new: Any, at: Pointer = ()) -> Iterator[FieldChange]:
    """The changes from one JSON value to another, each as deep as both have the same shape."""
    if isinstance(old, Mapping) and isinstance(new, Mapping):
        for key in [*old, *(key for key in new if key not in old)]:
            path = (*at, key)
            if key not in new:
                yield FieldChange(path=path, kind="removed", old=old[key])
            elif key not in old:
                yield FieldChange(path=path, kind="added", new=new[key])
            else:
                yield from _changes(old[key], new[key], path)
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new) and at not in WITHOUT_ORDER:
        for index, pair in enumerate(zip(old, new, strict=True)):
            yield from _changes(*pair, (*at, index))
    elif canonical_json(old) != canonical_json(new):  # 1 and true are equal in Python
        yield FieldChange(path=at, kind="changed", old=old, new=new)
