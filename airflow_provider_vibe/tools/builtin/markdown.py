"""`markdown_to_html`: Markdown becomes HTML that is safe to show."""

from __future__ import annotations

from html import escape
from itertools import pairwise
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from airflow_provider_vibe.tools.builtin.previous import TextInput, text_or_previous
from airflow_provider_vibe.tools.decorator import tool

if TYPE_CHECKING:
    from collections.abc import Sequence

    from markdown_it.token import Token

_STYLE = """\
body{max-width:42rem;margin:2rem auto;padding:0 1rem;font:1.05rem/1.6 system-ui,sans-serif}
body{color:#222;background:#fff}h1,h2,h3{line-height:1.25}a{color:#0b5cad}img{max-width:100%}
pre,code{font-family:ui-monospace,monospace;background:#f4f4f4}pre{padding:.8rem;overflow:auto}
blockquote{margin-left:0;padding-left:1rem;border-left:.25rem solid #ccc;color:#555}
table{border-collapse:collapse}th,td{border:1px solid #ccc;padding:.3rem .6rem;text-align:left}"""

_PAGE = """\
<!DOCTYPE html>
<html lang="{language}">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
{style}
</style>
</head>
<body>
{body}</body>
</html>
"""


@tool("markdown_to_html")
def markdown_to_html(
    text: TextInput = None,
    full_page: Annotated[bool, Field(description="A whole page instead of a fragment.")] = False,
    title: Annotated[
        str | None, Field(description="The page's title; left out: the first heading of the text.")
    ] = None,
    language: Annotated[
        str, Field(pattern="^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8})*$", description="The page's language tag.")
    ] = "en",
    *,
    context: dict[str, Any],
) -> dict[str, Any]:
    """Turn Markdown (CommonMark with tables and strikethrough) into HTML.

    HTML in the Markdown is shown as text, never passed on, and links to ``javascript:``, ``vbscript:``,
    ``file:`` and ``data:`` do not become links. Nesting deeper than 100 levels is left out. A full page holds
    its style inside and loads nothing.

    :returns: ``{"text": the HTML, "media_type": "text/html"}``.
    """
    from markdown_it import MarkdownIt

    parser = MarkdownIt("commonmark", {"html": False, "maxNesting": 100}).enable(["table", "strikethrough"])
    tokens = parser.parse(text_or_previous(text, context))
    html = parser.renderer.render(tokens, parser.options, {})
    if full_page:
        heading = title if title is not None else _first_heading(tokens)
        html = _PAGE.format(language=language, title=escape(heading), style=_STYLE, body=html)
    return {"text": html, "media_type": "text/html"}


def _first_heading(tokens: Sequence[Token]) -> str:
    """The words of the first heading, without their marks; empty when there is none."""
    for opening, inline in pairwise(tokens):
        if opening.type == "heading_open":
            return "".join(child.content for child in inline.children or ())
    return ""
