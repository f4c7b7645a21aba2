"""`http_get`: what a public URL gives, as text, as JSON, or as a file."""

from __future__ import annotations

import mimetypes
from typing import Annotated, Any, Literal

from pydantic import Field

from airflow_provider_vibe.tools.artifacts import save_artifact
from airflow_provider_vibe.tools.base import ToolFailed
from airflow_provider_vibe.tools.builtin.json_schema import strict_json
from airflow_provider_vibe.tools.decorator import tool
from airflow_provider_vibe.tools.threads import run_in_thread
from airflow_provider_vibe.tools.web import (
    DEFAULT_MAX_BYTES,
    DEFAULT_TIMEOUT,
    Fetched,
    MaxBytes,
    TimeLimit,
    UrlText,
    fetch,
)

Kind = Literal["text", "json", "file"]

_TEXT_ENDINGS = ("xml", "javascript", "ecmascript", "yaml", "x-yaml", "toml", "x-sh", "csv", "x-ndjson")


@tool("http_get")
async def http_get(
    url: Annotated[UrlText, Field(description="A public http or https URL.")],
    read_as: Annotated[
        Kind | None,
        Field(alias="as", description="How to take the answer; left out: as its media type says."),
    ] = None,
    max_bytes: MaxBytes = DEFAULT_MAX_BYTES,
    timeout: TimeLimit = DEFAULT_TIMEOUT,
    *,
    context: dict[str, Any],
) -> dict[str, Any]:
    """Read a public URL. Text and JSON become the output; anything else becomes a file of the node.

    Private addresses are refused unless ``[vibe] allowed_hosts`` lists the host.

    :returns: ``{"url" (after redirects), "status", "media_type"}``, and ``"text"``; of JSON also ``"json"``;
        of a file instead ``"file"``, the reference to it.
    :raises RefusedURL: the URL leads where a plan may not go.
    :raises HTTPError: the server answered with an error.
    :raises ToolFailed: JSON was asked for and something else came.
    """
    answer = await fetch(url, max_bytes=max_bytes, timeout=timeout)
    found = {"url": answer.url, "status": answer.status, "media_type": answer.media_type}
    return {**found, **await run_in_thread(_taken_as, read_as or _kind_of(answer), answer, context)}


def _taken_as(kind: Kind, answer: Fetched, context: dict[str, Any]) -> dict[str, Any]:
    if kind == "file":
        ending = mimetypes.MimeTypes().guess_extension(answer.media_type) or ".bin"
        media_type = answer.media_type or "application/octet-stream"
        return {"file": save_artifact(context, f"download{ending}", answer.content, media_type)}
    text = decoded(answer)
    return {"text": text, "json": _parsed(text, answer)} if kind == "json" else {"text": text}


def _kind_of(answer: Fetched) -> Kind:
    main, _, sub = answer.media_type.partition("/")
    ending = sub.rpartition("+")[2]
    if ending == "json":
        return "json"
    if not answer.media_type:
        return "text" if _is_utf8(answer.content) else "file"
    return "text" if main == "text" or ending in _TEXT_ENDINGS else "file"


def _is_utf8(content: bytes) -> bool:
    try:
        return "\0" not in content.decode()
    except UnicodeDecodeError:
        return False


def decoded(answer: Fetched) -> str:
    """The text of an answer: in the encoding the server names, or UTF-8, or what the page says of itself.

    A NUL, which no database keeps in JSON, becomes the replacement character.
    """
    from bs4.dammit import UnicodeDammit

    known = [answer.charset] if answer.charset else []
    is_html = "html" in answer.media_type
    found = UnicodeDammit(answer.content, known, user_encodings=["utf-8"], is_html=is_html).unicode_markup
    text = answer.content.decode(errors="replace") if found is None else found
    return text.replace("\0", "\ufffd")


def _parsed(text: str, answer: Fetched) -> Any:
    try:
        return strict_json(text)
    except (ValueError, RecursionError) as error:
        kind = answer.media_type or "an answer without a media type"
        raise ToolFailed(f"{answer.url} gave no JSON but {kind}: {error}") from None
