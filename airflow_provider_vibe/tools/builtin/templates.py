"""`template_fill`: a text with named gaps, filled with data."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Annotated, Any, Literal

from pydantic import Field

from airflow_provider_vibe.plan.problems import did_you_mean, quoted
from airflow_provider_vibe.tools.base import ToolInputError
from airflow_provider_vibe.tools.builtin.previous import SEPARATOR, previous_texts
from airflow_provider_vibe.tools.decorator import tool

TemplateName = Literal["blog_post", "social_post", "product_description"]

TEMPLATES: Mapping[TemplateName, str] = {
    "blog_post": (
        "# {title}\n\n{introduction}\n\n## What matters\n\n{key_points}\n\n"
        "## To sum up\n\n{conclusion}\n\n---\n\n{footer}\n"
    ),
    "social_post": "{hook}\n\n{body}\n\n{call_to_action}\n\n{hashtags}\n",
    "product_description": (
        "# {product_name}\n\n_{tagline}_\n\n## What it does\n\n{features}\n\n"
        "## What you gain\n\n{benefits}\n\n{price_cta}\n"
    ),
}
"""Names and placeholders are those of vibe-aigc 0.7.1 `tools.TemplateTool`; the wording is our own."""

_TOKEN = re.compile(r"\{\{|\}\}|\{([^{}]*)\}|[{}]")
_LITERAL = "write {{ and }} for literal braces"


@tool("template_fill")
def template_fill(
    template: Annotated[
        str | None, Field(description="The template itself; {name} is a placeholder.")
    ] = None,
    template_name: Annotated[
        TemplateName | None, Field(description="A ready-made template, instead of 'template'.")
    ] = None,
    values: Annotated[dict[str, Any], Field(description="What the placeholders stand for.")] = {},  # noqa: B006  # never changed, and the schema shows it as the default
    *,
    context: dict[str, Any],
) -> str:
    """Fill the placeholders of a template with values and with the texts of the node's dependencies.

    A placeholder is a look-up in data, never code: ``{title}``, ``{author.name}`` and ``{items.0}`` are
    looked up in *values*; where *values* has no such name, ``{previous.NODE ID}`` is the text of a dependency
    and ``{context}`` the texts of all of them. ``{{`` and ``}}`` are literal braces. A list is written as
    Markdown bullets, a string as it is, anything else as compact JSON. What was filled in is not looked at
    again.

    :raises ToolInputError: both or none of *template* and *template_name*, a placeholder without a value, or
        a brace that belongs to no placeholder.
    """
    if (template is None) == (template_name is None):
        raise ToolInputError("give either 'template' or 'template_name', not both and not neither")
    text = template if template is not None else TEMPLATES[template_name]  # type: ignore[index]  # one is given
    texts = previous_texts(context)

    def filled(match: re.Match[str]) -> str:
        if match[0] in ("{{", "}}"):
            return match[0][0]
        if match[1] is None:
            raise ToolInputError(
                f"the {quoted(match[0])} at character {match.start() + 1} of the template belongs to no"
                f" placeholder ({_LITERAL})"
            )
        return _as_text(_look_up(match[1].strip(), values, texts))

    return _TOKEN.sub(filled, text)


def _look_up(name: str, values: Mapping[str, Any], texts: Mapping[str, str]) -> Any:
    first, _, rest = name.partition(".")
    if name in values:
        return values[name]
    if first in values:
        return _walk(name, values)
    if name == "context":
        return SEPARATOR.join(texts.values())
    if first == "previous" and rest:
        if rest in texts:
            return texts[rest]
        raise _missing(name, "this node depends on no node of that name with a text", rest, texts)
    raise _missing(name, "'values' has no such key", name, values)


def _walk(name: str, values: Mapping[str, Any]) -> Any:
    found: Any = values
    for part in name.split("."):
        if isinstance(found, Mapping):
            if part not in found:
                raise _missing(name, f"there is no key {quoted(part)}", part, found)
            found = found[part]
        elif isinstance(found, list):
            if not (part.isascii() and part.isdigit()) or int(part) >= len(found):
                raise _missing(name, f"{quoted(part)} is no place in a list of {len(found)}", part, {})
            found = found[int(part)]
        else:
            raise _missing(name, f"{quoted(part)} asks for a part of {quoted(found)}", part, {})
    return found


def _missing(name: str, reason: str, word: str, known: Mapping[str, Any]) -> ToolInputError:
    there = ", ".join(quoted(key) for key in list(known)[:20])
    hint = did_you_mean(word, known) or (f"there is: {there}" if there else _LITERAL)
    return ToolInputError(f"nothing to fill {quoted('{' + name + '}')} with: {reason} ({hint})")


def _as_text(value: Any) -> str:
    if isinstance(value, str):
        return value
    if isinstance(value, list):
        return "\n".join("- " + _as_text_in_list(item).replace("\n", "\n  ") for item in value)
    return _compact(value)


def _as_text_in_list(item: Any) -> str:
    return item if isinstance(item, str) else _compact(item)


def _compact(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))
