"""`html_to_markdown`: a page becomes a text that a model, or a person, reads with ease."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_provider_vibe.tools.base import ToolInputError
from airflow_provider_vibe.tools.builtin.previous import TextInput, text_or_previous
from airflow_provider_vibe.tools.decorator import tool

if TYPE_CHECKING:
    from bs4 import BeautifulSoup

_UNREAD = ("script", "style", "noscript", "template", "svg", "iframe", "object", "embed", "head", "title")
_KEPT_SCHEMES = ("http", "https", "mailto", "tel", "ftp")
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*):", re.IGNORECASE)


@tool("html_to_markdown")
def html_to_markdown(text: TextInput = None, *, context: dict[str, Any]) -> dict[str, Any]:
    """Turn HTML into Markdown: headings, lists, links, tables, images, emphasis, code.

    Scripts, styles, frames and drawings are left out, and so are links and images whose address is code or
    data; the words of such a link stay.

    :returns: ``{"text": the Markdown, "title": the page's title, or null}``.
    :raises ToolInputError: the HTML is nested too deeply.
    """
    from markdownify import ATX, MarkdownConverter

    page = parsed_html(text_or_previous(text, context))
    title = page.title.get_text(" ", strip=True) if page.title else None
    _leave_out(page)
    try:
        markdown = MarkdownConverter(heading_style=ATX, bullets="-").convert_soup(page)
    except RecursionError:
        raise ToolInputError("the HTML is nested too deeply to be turned into Markdown") from None
    return {"text": markdown.strip(), "title": title or None}


def plain_text(html: str) -> str:
    """The words of a piece of HTML, on one line."""
    text = parsed_html(html).get_text(" ") if re.search("[<&]", html) else html
    return " ".join(text.split())


def parsed_html(html: str) -> BeautifulSoup:
    """A tree of *html* as a browser sees it: pages may leave out the ends of items, cells, paragraphs."""
    from bs4 import BeautifulSoup

    return BeautifulSoup(html, "lxml")


def _leave_out(page: BeautifulSoup) -> None:
    for element in page(_UNREAD):
        element.decompose()
    for element in page(("a", "img")):
        if _is_kept(str(element.get("href") or element.get("src") or "")):
            continue
        if element.name == "img":
            element.decompose()
        else:
            element.unwrap()


def _is_kept(address: str) -> bool:
    """Whether an address leads somewhere; browsers read it without its blanks and control characters."""
    scheme = _SCHEME.match("".join(char for char in address if char > " "))
    return scheme is None or scheme[1].lower() in _KEPT_SCHEMES
