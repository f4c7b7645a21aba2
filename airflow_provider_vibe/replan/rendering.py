"""A diff as a person reads it: in a terminal, or as the Markdown of an approval.

Nothing is cut: who approves a plan must be able to see all of it. Nothing of a plan can pose as something
else: what a terminal would not print as it stands is escaped, and in Markdown all of it is inside a fence.
"""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterator
from typing import Any

from airflow_provider_vibe.plan.problems import one_line
from airflow_provider_vibe.replan.diff import FieldChange, MovedNode, PlacedNode, PlanDiff

LONG = 60
"""Characters; a longer text is compared line by line."""


def as_text(diff: PlanDiff) -> str:
    """The diff, a line for each change; empty when there is none."""
    return "\n".join(_lines(diff))


def fenced(text: str, language: str = "text") -> str:
    """*text* as a block of Markdown that nothing inside of it can end.

    :param language: what it is; without one, Airflow's UI would show it as part of a line.
    """
    ticks = max((len(run) for run in re.findall("`+", text)), default=0)
    fence = "`" * max(3, ticks + 1)
    return f"{fence}{language}\n{text}\n{fence}"


def _lines(diff: PlanDiff) -> Iterator[str]:
    if diff.plan:
        yield "~ the plan"
        yield from _fields(diff.plan)
    for node in diff.removed:
        yield f"- node {_name(node.id)}{_inside(node.parent)}"
    for node in diff.added:
        yield f"+ node {_name(node.id)}{_inside(node.parent)}"
        yield from _content(node)
    for moved in diff.moved:
        yield f"> node {_name(moved.id)} {_way(moved)}"
    for changed in diff.changed:
        yield f"~ node {_name(changed.id)}"
        yield from _fields(changed.changes)
    for node_id in diff.reordered:
        yield f"= node {_name(node_id)} is given the same in another order"


def _content(node: PlacedNode) -> Iterator[str]:
    for key, value in node.content.items():
        yield f"    {one_line(key)}: {_written(value)}"


def _fields(changes: tuple[FieldChange, ...]) -> Iterator[str]:
    for change in changes:
        name = one_line(change.dotted)
        if change.kind == "added":
            yield f"    + {name}: {_written(change.new)}"
        elif change.kind == "removed":
            yield f"    - {name}: {_written(change.old)}"
        elif _is_long(change.old) and _is_long(change.new):
            yield f"    {name}:"
            yield from _line_by_line(change.old, change.new)
        else:
            yield f"    {name}: {_written(change.old)} → {_written(change.new)}"


def _is_long(value: Any) -> bool:
    return isinstance(value, str) and (len(value) > LONG or "\n" in value)


def _line_by_line(old: str, new: str) -> Iterator[str]:
    """What is gone and what is new, and of the rest the lines around it."""
    compared = difflib.unified_diff(old.split("\n"), new.split("\n"), lineterm="", n=2)
    for line in list(compared)[2:]:  # the first two name the files
        written = line.replace("\\", r"\\")  # else it could look like what one_line escapes
        yield f"      {one_line(written)}"


def _way(moved: MovedNode) -> str:
    return f"moved from {_place(moved.old_parent)} to {_place(moved.new_parent)}"


def _place(parent: str | None) -> str:
    return "the top" if parent is None else _name(parent)


def _inside(parent: str | None) -> str:
    return "" if parent is None else f" in {_name(parent)}"


def _name(node_id: str) -> str:
    return f"'{one_line(node_id)}'"


def _written(value: Any) -> str:
    """A value as compact JSON, with letters as they are."""
    return one_line(json.dumps(value, ensure_ascii=False))
