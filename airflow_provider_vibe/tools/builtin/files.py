"""`write_file`: a text becomes a file in the artifacts folder."""

from __future__ import annotations

import hashlib
import mimetypes
import os
import re
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from airflow_provider_vibe.plan.problems import quoted
from airflow_provider_vibe.tools.base import ToolInputError
from airflow_provider_vibe.tools.builtin.previous import TextInput, text_or_previous
from airflow_provider_vibe.tools.decorator import tool

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

MAX_NAME = 500
MAX_SEGMENT_BYTES = 200
"""Most file systems take 255 bytes; the rest is for the temporary name."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_.+-]")
_LOCAL = ("", "file", "local")


@tool("write_file")
def write_file(
    name: Annotated[
        str,
        Field(min_length=1, max_length=MAX_NAME, description="A relative file name, e.g. 'posts/launch.md'."),
    ],
    text: TextInput = None,
    *,
    context: dict[str, Any],
) -> dict[str, Any]:
    """Write a text, in UTF-8, to a file below ``[vibe] artifacts_path``.

    The file is ``ARTIFACTS/DAG ID/RUN ID/NODE ID/NAME``; a node that runs again writes it anew. In a local
    folder it appears at once and whole. A character of an id that a path should not hold is written as ``_``,
    and 8 hex digits of the id's SHA-256 are added so that two ids never share a folder.

    :returns: ``{"uri", "path" (of a local file only), "size" (bytes), "sha256", "media_type"}``.
    :raises ToolInputError: *name* could lead out of the node's folder, or there is no text.
    """
    segments = _checked_segments(name)
    content = text_or_previous(text, context).encode()
    run = context["run"]
    folders = [safe_segment(str(part)) for part in (run["dag_id"], run["id"], context["node_id"])]
    root = artifacts_root()
    target = root.joinpath(*folders, *segments)
    described: dict[str, Any] = {"uri": str(target)}
    if root.protocol in _LOCAL:
        described["path"] = _write_local(Path(root.path), Path(*folders, *segments), content)
    else:
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
    return {
        **described,
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "media_type": media_type(segments[-1]),
    }


def artifacts_root() -> ObjectStoragePath:
    """Where artifacts go: ``[vibe] artifacts_path``, or ``vibe_artifacts`` in AIRFLOW_HOME."""
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.configuration import conf

    if configured := conf.get("vibe", "artifacts_path", fallback=""):
        return ObjectStoragePath(configured)
    home = Path(os.environ.get("AIRFLOW_HOME", "~/airflow")).expanduser()
    return ObjectStoragePath((home / "vibe_artifacts").absolute().as_uri())


def safe_segment(part: str) -> str:
    """*part* as the name of a folder: as it is where that is safe, else made safe and unique by a digest."""
    safe = _UNSAFE.sub("_", part)[: MAX_SEGMENT_BYTES - 9]
    if safe == part and safe.strip("."):
        return safe
    digest = hashlib.sha256(part.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{safe.strip('.') or '_'}-{digest}"


def media_type(name: str) -> str:
    """The media type that the ending of *name* stands for, the same on every machine."""
    known = mimetypes.MimeTypes()
    known.add_type("text/markdown", ".md")
    return known.guess_type(name)[0] or "text/plain"


def _checked_segments(name: str) -> list[str]:
    segments = name.split("/")
    if "\\" in name or not name.isprintable() or re.match(r"[A-Za-z]:", name):
        reason = "a backslash, a drive letter or a control character in it"
    elif name.startswith("/"):
        reason = "it is absolute"
    elif any(segment.strip() in ("", ".", "..") for segment in segments):
        reason = "an empty part, '.' or '..' in it"
    elif any(len(segment.encode()) > MAX_SEGMENT_BYTES for segment in segments):
        reason = f"a part of more than {MAX_SEGMENT_BYTES} bytes"
    else:
        return segments
    raise ToolInputError(
        f"{quoted(name)} cannot be the name of a file here: {reason}"
        " (give a relative name with '/' between folders, e.g. 'posts/launch.md')"
    )


def _write_local(root: Path, relative: Path, content: bytes) -> str:
    target = root / relative
    # realpath follows the links that are there already; folders that are yet to be made cannot be links
    if not Path(os.path.realpath(target.parent)).is_relative_to(os.path.realpath(root)):
        raise ToolInputError(f"{quoted(str(relative))} leads out of the artifacts folder through a link")
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
    except (FileExistsError, NotADirectoryError):
        raise ToolInputError(f"a folder on the way to {quoted(str(relative))} is a file already") from None
    if target.is_dir():
        raise ToolInputError(f"{quoted(str(relative))} is a folder already; choose another name for the file")
    temporary = target.with_name(f".{uuid.uuid4().hex}.tmp")
    try:
        temporary.write_bytes(content)
        temporary.replace(target)
    finally:
        temporary.unlink(missing_ok=True)
    return str(target)
