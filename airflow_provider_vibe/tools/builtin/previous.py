"""What a node's dependencies wrote: the text a tool works on when its inputs name none."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import Field

from airflow_provider_vibe.plan.problems import quoted
from airflow_provider_vibe.tools.base import ToolInputError

SEPARATOR = "\n\n"

TextInput = Annotated[
    str | None, Field(description="The text; left out: the texts of the nodes this node depends on.")
]


def previous_texts(context: Mapping[str, Any]) -> dict[str, str]:
    """The texts of the node's dependencies, by node id, in the order of the dependencies.

    :param context: the tool context; counted are the outputs in ``previous_outputs`` that are a string, or an
        object with a string under ``text``.
    """
    texts: dict[str, str] = {}
    for node_id, output in (context.get("previous_outputs") or {}).items():
        text = output.get("text") if isinstance(output, Mapping) else output
        if isinstance(text, str):
            texts[node_id] = text
    return texts


def text_or_previous(text: str | None, context: Mapping[str, Any]) -> str:
    """*text*, or when it was left out the texts of the node's dependencies, joined by an empty line.

    :raises ToolInputError: there is neither.
    """
    if text is not None:
        return text
    if texts := previous_texts(context):
        return SEPARATOR.join(texts.values())
    raise ToolInputError(nothing_to_work_on(context, "text"))


def nothing_to_work_on(context: Mapping[str, Any], name: str) -> str:
    """The message for a call that was given no *name* and has no dependency with a text either."""
    outputs = context.get("previous_outputs") or {}
    missing = f"the input {quoted(name)} is left out and no node that this one depends on left a text"
    without = f" ({', '.join(quoted(node_id) for node_id in outputs)} left none)" if outputs else ""
    return f"{missing}{without}: give {quoted(name)}, or list a node that makes text under 'dependencies'"
