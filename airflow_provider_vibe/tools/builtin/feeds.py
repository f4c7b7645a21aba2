"""`feed_read`: the entries of an RSS or Atom feed."""

from __future__ import annotations

from calendar import timegm
from datetime import UTC, datetime
from io import BytesIO
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from airflow_provider_vibe.tools.base import ToolFailed, ToolInputError
from airflow_provider_vibe.tools.builtin.html import plain_text
from airflow_provider_vibe.tools.decorator import tool
from airflow_provider_vibe.tools.threads import run_in_thread
from airflow_provider_vibe.tools.web import DEFAULT_TIMEOUT, TimeLimit, UrlText, fetch

if TYPE_CHECKING:
    from collections.abc import Mapping

    from feedparser import FeedParserDict

TITLE_LENGTH = 300
SUMMARY_LENGTH = 1000
"""Characters of a summary; some feeds put whole articles there."""


@tool("feed_read")
async def feed_read(
    url: Annotated[UrlText | None, Field(description="The address of the feed.")] = None,
    text: Annotated[str | None, Field(description="The feed itself, in place of its address.")] = None,
    limit: Annotated[int, Field(ge=1, le=200, description="How many entries at most.")] = 20,
    timeout: TimeLimit = DEFAULT_TIMEOUT,
) -> dict[str, Any]:
    """Read an RSS or Atom feed: its newest entries, in the feed's own order.

    :returns: ``{"text": the entries as a list in Markdown, "title": of the feed, "entries": [{"title",
        "link", "published" (ISO 8601, UTC, or null), "summary" (plain text)}]}``.
    :raises ToolInputError: neither or both of *url* and *text* are given.
    :raises ToolFailed: what came is no feed.
    """
    if (url is None) == (text is None):
        raise ToolInputError("give either 'url', the address of a feed, or 'text', the feed itself")
    if url is None:
        return await run_in_thread(_read, (text or "").encode(errors="replace"), {}, "the text", limit)
    answer = await fetch(url, timeout=timeout)
    charset = f"; charset={answer.charset}" if answer.charset else ""
    headers = {"content-type": f"{answer.media_type}{charset}", "content-location": answer.url}
    return await run_in_thread(_read, answer.content, headers, answer.url, limit)


def _read(content: bytes, headers: Mapping[str, str], source: str, limit: int) -> dict[str, Any]:
    import feedparser

    # as a file: feedparser would open a text that looks like a path or a URL
    feed = feedparser.parse(BytesIO(content), response_headers=dict(headers))
    if not feed.get("version") and not feed.entries:
        reason = f" ({feed.bozo_exception})" if feed.get("bozo") else ""
        raise ToolFailed(f"{source} is no RSS or Atom feed{reason}")
    entries = [_entry(found) for found in feed.entries[:limit]]
    return {
        "text": "\n".join(_line(entry) for entry in entries),
        "title": _shortened(feed.feed.get("title", ""), TITLE_LENGTH),
        "entries": entries,
    }


def _entry(found: FeedParserDict) -> dict[str, Any]:
    moment = found.get("published_parsed") or found.get("updated_parsed")
    return {
        "title": _shortened(found.get("title", ""), TITLE_LENGTH),
        "link": found.get("link"),
        "published": datetime.fromtimestamp(timegm(moment), UTC).isoformat() if moment else None,
        "summary": _shortened(found.get("summary", ""), SUMMARY_LENGTH),
    }


def _shortened(html: str, length: int) -> str:
    text = plain_text(html)
    return text if len(text) <= length else f"{text[: length - 1]}…"


def _line(entry: Mapping[str, Any]) -> str:
    day = f" ({entry['published'][:10]})" if entry["published"] else ""
    link = f" <{entry['link']}>" if entry["link"] else ""
    summary = f"\n  {entry['summary']}" if entry["summary"] else ""
    return f"- {entry['title'] or 'Untitled'}{day}{link}{summary}"
