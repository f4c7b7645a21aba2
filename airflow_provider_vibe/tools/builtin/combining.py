"""`combine`: several texts become one."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any

from pydantic import Field, StrictInt

from airflow_provider_vibe.plan.problems import did_you_mean, quoted
from airflow_provider_vibe.tools.base import ToolInputError
from airflow_provider_vibe.tools.builtin.previous import SEPARATOR, nothing_to_work_on, previous_texts
from airflow_provider_vibe.tools.decorator import tool


@tool("combine")
def combine(
    pieces: Annotated[
        list[str] | None,
        Field(description="The texts; left out: the texts of the nodes this node depends on."),
    ] = None,
    separator: Annotated[str, Field(description="What stands between two texts.")] = SEPARATOR,
    order: Annotated[
        list[str | StrictInt] | None,
        Field(description="Which come first: ids of dependencies, or places in 'pieces' counted from 0."),
    ] = None,
    *,
    context: dict[str, Any],
) -> dict[str, Any]:
    """Join texts into one: the given pieces, or what the node's dependencies wrote.

    *order* says which come first; those it does not name follow as they come. Empty texts are left out. A
    composite counts as one text, that of all its children. As in vibe-aigc 0.7.1, *order* may also hold
    places in *pieces*.

    :returns: ``{"text": ..., "pieces": how many were joined}``.
    :raises ToolInputError: there is nothing to join, or *order* names something that is not there.
    """
    texts: dict[str | int, str] = {}
    texts.update(previous_texts(context) if pieces is None else enumerate(pieces))
    if not texts:
        raise ToolInputError(nothing_to_work_on(context, "pieces"))
    joined = [texts[key] for key in _ordered(list(texts), order or []) if texts[key]]
    return {"text": separator.join(joined), "pieces": len(joined)}


def _ordered(keys: Sequence[str | int], order: Sequence[str | int]) -> list[str | int]:
    for key in order:
        if key not in keys:
            there = ", ".join(quoted(known) for known in keys[:20])
            hint = did_you_mean(key, [known for known in keys if isinstance(known, str)])
            raise ToolInputError(
                f"'order' names {quoted(key)}, which is not there ({hint or 'there is: ' + there})"
            )
    return list(dict.fromkeys([*order, *keys]))
