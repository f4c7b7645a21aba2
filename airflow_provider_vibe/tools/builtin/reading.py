"""`read_file`: a text from the folder of input files, or one that a node of the same run wrote."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from airflow_provider_vibe.plan.problems import quoted
from airflow_provider_vibe.tools.artifacts import (
    MAX_NAME,
    artifacts_root,
    checked_segments,
    is_local,
    media_type_of,
    node_folders,
)
from airflow_provider_vibe.tools.base import ToolError, ToolInputError
from airflow_provider_vibe.tools.decorator import tool

if TYPE_CHECKING:
    from airflow.sdk import ObjectStoragePath


@tool("read_file")
def read_file(
    name: Annotated[
        str,
        Field(min_length=1, max_length=MAX_NAME, description="A relative file name, e.g. 'prompts/a.txt'."),
    ],
    node: Annotated[
        str | None,
        Field(description="The node of this run that wrote the file; left out: the folder of input files."),
    ] = None,
    max_bytes: Annotated[
        int, Field(ge=1, le=200 * 1024 * 1024, description="Bytes it may have.")
    ] = 5_242_880,
    *,
    context: dict[str, Any],
) -> dict[str, Any]:
    """Read a text file, in UTF-8, from ``[vibe] files_path`` or from the artifacts of a node of this run.

    Of a node that ran more than once, the file of its last try counts.

    :returns: ``{"text", "size" (bytes), "media_type", "sha256"}``.
    :raises ToolInputError: *name* leads out of the folder, or there is no such file, or it is no ordinary
        file, too large, or not UTF-8.
    :raises ToolError: an input file is asked for and ``[vibe] files_path`` is not set.
    """
    segments = checked_segments(name)
    content = _content(_place(segments, node, context), max_bytes, name)
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ToolInputError(f"the file {quoted(name)} is no text in UTF-8: {error.reason}") from None
    digest = hashlib.sha256(content).hexdigest()
    return {"text": text, "size": len(content), "media_type": media_type_of(name), "sha256": digest}


def _place(
    segments: Sequence[str], node: str | None, context: Mapping[str, Any]
) -> tuple[ObjectStoragePath, ObjectStoragePath]:
    """The folder that must not be left, and the file below it."""
    if node is None:
        root = _files_root()
        return root, root.joinpath(*segments)
    root = artifacts_root().joinpath(*node_folders(context["run"], node))
    tries = sorted((int(found.name) for found in _folders_in(root) if found.name.isdecimal()), reverse=True)
    files = [root.joinpath(str(number), *segments) for number in tries]
    wanted = next((file for file in files if file.exists()), None)
    if wanted is None:
        raise ToolInputError(f"node {quoted(node)} wrote no file {quoted('/'.join(segments))} in this run")
    return root, wanted


def _folders_in(root: ObjectStoragePath) -> list[ObjectStoragePath]:
    return list(root.iterdir()) if root.is_dir() else []


def _files_root() -> ObjectStoragePath:
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.configuration import conf

    if configured := conf.get("vibe", "files_path", fallback=""):
        return ObjectStoragePath(configured)
    raise ToolError(
        "there is no folder of input files: set [vibe] files_path, or name the 'node' that wrote the file"
    )


def _content(place: tuple[ObjectStoragePath, ObjectStoragePath], max_bytes: int, name: str) -> bytes:
    root, file = place
    try:
        if is_local(root):
            content = _local_content(Path(root.path), Path(file.path), max_bytes + 1, name)
        else:
            with file.open("rb") as stream:
                content = stream.read(max_bytes + 1)
    except (FileNotFoundError, NotADirectoryError):
        raise ToolInputError(f"there is no file {quoted(name)} in {root}") from None
    if len(content) > max_bytes:
        raise ToolInputError(f"the file {quoted(name)} is larger than {max_bytes} bytes (raise 'max_bytes')")
    return content


def _local_content(root: Path, file: Path, most: int, name: str) -> bytes:
    real = os.path.realpath(file)
    if not Path(real).is_relative_to(os.path.realpath(root)):
        raise ToolInputError(f"{quoted(name)} leads out of {root} through a link")
    try:
        with open(real, "rb", opener=_open_ordinary) as stream:
            return stream.read(most)
    except OSError as error:
        if error.errno in (errno.ENXIO, errno.ELOOP, errno.EISDIR):
            raise ToolInputError(f"{quoted(name)} is no ordinary file") from None
        raise


def _open_ordinary(path: str, flags: int) -> int:
    # not to wait for a writer where it is a pipe; not to follow a link that was put there just now
    descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_NOFOLLOW)
    if not stat.S_ISREG(os.fstat(descriptor).st_mode):
        os.close(descriptor)
        raise OSError(errno.ENXIO, "no ordinary file", path)
    return descriptor
