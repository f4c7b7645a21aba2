"""Artifacts: the files of a run, below ``[vibe] artifacts_path``, and the references that lead back to them.

A file lies at ``ARTIFACTS/DAG ID/RUN ID/NODE ID/TRY/NAME``. A character of an id that a path should not hold
is written as ``_``, and 8 hex digits of the id's SHA-256 are added so that two ids never share a folder.
"""

from __future__ import annotations

import hashlib
import mimetypes
import os
import re
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_vibe.plan.problems import VibeError, quoted
from airflow_provider_vibe.tools.base import ToolInputError

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath

REFERENCE = "vibe:1"
"""What a reference says under ``artifact``: its form."""

OWN_FOLDER = "_vibe"
"""The folder beside a node's files in which the operator keeps what is too large for XCom."""

MAX_NAME = 500
MAX_SEGMENT_BYTES = 200
"""Most file systems take 255 bytes; the rest is for the temporary name."""

_UNSAFE = re.compile(r"[^A-Za-z0-9_.+-]")


class ArtifactError(VibeError):
    """An artifact cannot be given back: it is gone, was changed, or is not one of this run."""


def save_artifact(
    context: Mapping[str, Any], name: str, content: bytes, media_type: str | None = None
) -> dict[str, Any]:
    """Write a file for the node that a tool works for. Blocks: from a coroutine, call it in a thread.

    In a local folder the file appears at once and whole; writing a name again replaces it.

    :param context: the tool context.
    :param name: a relative name, with ``/`` between folders.
    :param content: the bytes of the file.
    :param media_type: left out, told from the ending of *name*.
    :returns: the reference: ``{"artifact", "uri", "path" (of a local file only), "name", "size" (bytes),
        "media_type", "sha256"}``.
    :raises ToolInputError: *name* could lead out of the node's folder.
    """
    segments = checked_segments(name)
    return _save(context, segments, content, media_type or media_type_of(name))


def save_own(context: Mapping[str, Any], name: str, content: bytes, media_type: str) -> dict[str, Any]:
    """Write a file where no tool can name one; for the operator.

    :param context: as a tool's: ``run``, ``node_id``, ``try_number``.
    :param name: a file name.
    :param content: the bytes of the file.
    :param media_type: of the content.
    """
    return _save(context, [OWN_FOLDER, name], content, media_type)


def load_artifact(reference: Mapping[str, Any], context: Mapping[str, Any] | None = None) -> bytes:
    """The content of an artifact, as it was when the reference to it was made. Blocks.

    :param reference: as :func:`save_artifact` gave it.
    :param context: the tool context; with it, only an artifact of the same run is read, or of an earlier run
        that this one took something over from.
    :raises ArtifactError: it is no reference, leads elsewhere, or the file is gone or was changed.
    """
    root, segments = artifacts_root(), relative_segments(reference)
    if context is not None and segments[:2] not in _readable_folders(context):
        raise ArtifactError(f"{quoted(reference['uri'], 300)} is no artifact of this run")
    content = _read(root, segments, reference)
    if len(content) != reference["size"] or hashlib.sha256(content).hexdigest() != reference["sha256"]:
        raise ArtifactError(
            f"{quoted(reference['uri'], 300)} was changed after it was written: it should be"
            f" {reference['size']} bytes with the SHA-256 {reference['sha256']}"
        )
    return content


def is_there(reference: Mapping[str, Any]) -> bool:
    """Whether an artifact can be given back, as far as its size tells. Blocks.

    :param reference: as :func:`save_artifact` gave it.
    """
    try:
        target = artifacts_root().joinpath(*relative_segments(reference))
        return bool(target.stat().st_size == reference["size"])
    except (ArtifactError, FileNotFoundError, NotADirectoryError):
        return False


def is_reference(value: Any) -> bool:
    """Whether *value* has the form of a reference to an artifact."""
    if not isinstance(value, Mapping) or value.get("artifact") != REFERENCE:
        return False
    kinds = {"uri": str, "size": int, "sha256": str}
    return all(type(value.get(key)) is kind for key, kind in kinds.items()) and value["size"] >= 0


def relative_segments(reference: Mapping[str, Any]) -> list[str]:
    """Where an artifact lies below ``[vibe] artifacts_path``: DAG, run, node, try and the parts of its name.

    :param reference: its ``uri`` counts.
    :raises ArtifactError: it is no reference, or leads elsewhere.
    """
    if not is_reference(reference):
        raise ArtifactError(f"{quoted(reference)} is no reference to an artifact")
    uri, below = reference["uri"], f"{str(artifacts_root()).rstrip('/')}/"
    segments = uri.removeprefix(below).split("/")
    if (
        "\0" in uri
        or not uri.startswith(below)
        or any(segment.strip() in ("", ".", "..") for segment in segments)
    ):
        raise ArtifactError(f"{quoted(uri, 300)} does not lie below [vibe] artifacts_path, {below}")
    return segments


def node_folders(run: Mapping[str, Any], node_id: str) -> list[str]:
    """The folders of a node in a run, without that of its try.

    :param run: its ``dag_id`` and ``id``.
    :param node_id: the node.
    """
    return [safe_segment(str(part)) for part in (run["dag_id"], run["id"], node_id)]


def artifacts_root() -> ObjectStoragePath:
    """Where artifacts go: ``[vibe] artifacts_path``, or ``vibe_artifacts`` in AIRFLOW_HOME."""
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.configuration import conf

    configured = conf.get("vibe", "artifacts_path", fallback="")
    if "://" in configured:
        return ObjectStoragePath(configured)
    folder = configured or Path(os.environ.get("AIRFLOW_HOME", "~/airflow"), "vibe_artifacts")
    return ObjectStoragePath(f"file://{Path(folder).expanduser().absolute()}")


def is_local(path: ObjectStoragePath) -> bool:
    """Whether *path* lies in a file system of this machine."""
    return path.protocol in ("", "file", "local")


def safe_segment(part: str) -> str:
    """*part* as the name of a folder: as it is where that is safe, else made safe and unique by a digest."""
    safe = _UNSAFE.sub("_", part)[: MAX_SEGMENT_BYTES - 9]
    if safe == part and safe.strip("."):
        return safe
    digest = hashlib.sha256(part.encode(errors="surrogatepass")).hexdigest()[:8]
    return f"{safe.strip('.') or '_'}-{digest}"


def media_type_of(name: str) -> str:
    """The media type that the ending of *name* stands for, the same on every machine."""
    known = mimetypes.MimeTypes()
    known.add_type("text/markdown", ".md")
    return known.guess_type(name)[0] or "text/plain"


def _folders(context: Mapping[str, Any]) -> list[str]:
    return [*node_folders(context["run"], context["node_id"]), str(int(context["try_number"]))]


def _readable_folders(context: Mapping[str, Any]) -> list[list[str]]:
    """The folders of the runs whose artifacts a tool may read."""
    run = context["run"]
    runs = [run["id"], *context.get("earlier_runs", ())]
    return [[safe_segment(str(part)) for part in (run["dag_id"], run_id)] for run_id in runs]


def checked_segments(name: str) -> list[str]:
    """The parts of a relative file name that cannot lead out of a folder.

    :raises ToolInputError: it is none.
    """
    segments = name.split("/")
    if "\\" in name or not name.isprintable() or re.match(r"[A-Za-z]:", name):
        reason = "a backslash, a drive letter or a control character in it"
    elif name.startswith("/"):
        reason = "it is absolute"
    elif any(segment.strip() in ("", ".", "..") for segment in segments):
        reason = "an empty part, '.' or '..' in it"
    elif len(name) > MAX_NAME or any(len(segment.encode()) > MAX_SEGMENT_BYTES for segment in segments):
        reason = f"more than {MAX_NAME} characters, or a part of more than {MAX_SEGMENT_BYTES} bytes"
    elif segments[0].casefold() == OWN_FOLDER:
        reason = f"the folder '{OWN_FOLDER}' is for what Airflow keeps of the node"
    else:
        return segments
    raise ToolInputError(
        f"{quoted(name)} cannot be the name of a file here: {reason}"
        " (give a relative name with '/' between folders, e.g. 'posts/launch.md')"
    )


def _save(
    context: Mapping[str, Any], segments: Sequence[str], content: bytes, media_type: str
) -> dict[str, Any]:
    return {
        "artifact": REFERENCE,
        **write_below([*_folders(context), *segments], content),
        "name": "/".join(segments),
        "size": len(content),
        "media_type": media_type,
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def write_below(segments: Sequence[str], content: bytes) -> dict[str, str]:
    """Write a file below ``[vibe] artifacts_path``; gives its ``uri`` and, of a local one, ``path``. Blocks.

    :param segments: where it goes; each safe for a path.
    :param content: the bytes of the file.
    """
    root = artifacts_root()
    target = root.joinpath(*segments)
    if is_local(root):
        return {"uri": str(target), "path": _write_local(Path(root.path), Path(*segments), content)}
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(content)
    return {"uri": str(target)}


def _write_local(root: Path, relative: Path, content: bytes) -> str:
    target = root / relative
    if _leads_out_of(root, target.parent):
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


def _leads_out_of(root: Path, path: Path) -> bool:
    """Whether links lead *path* elsewhere; those folders that are yet to be made cannot be links."""
    return not Path(os.path.realpath(path)).is_relative_to(os.path.realpath(root))


def _read(root: ObjectStoragePath, segments: Sequence[str], reference: Mapping[str, Any]) -> bytes:
    target = root.joinpath(*segments)
    if is_local(root) and _leads_out_of(Path(root.path), Path(target.path)):
        raise ArtifactError(f"{quoted(reference['uri'], 300)} leads out of the artifacts folder")
    try:
        return target.read_bytes()
    except (FileNotFoundError, IsADirectoryError, NotADirectoryError):
        raise ArtifactError(f"{quoted(reference['uri'], 300)} is gone") from None
