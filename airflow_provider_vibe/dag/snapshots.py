"""Snapshots of a set of plan files: what a version of a bundle is made of.

A snapshot is a folder that holds a copy of each plan, and beside each a file of Python that Airflow finds and
reads. It is written whole, once, and never changed. Its copies are hard links into a store of contents, so
that a thousand plans of which one has changed cost one file.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import shutil
import tempfile
import time
import uuid
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from pathlib import Path

from airflow_provider_vibe.dag.folder import PlanFile
from airflow_provider_vibe.plan.problems import VibeError

FORM = "1"
"""The form of a snapshot; part of its version."""

LOADER_SUFFIX = ".py"
DRAFT_PREFIX = ".draft-"
ABANDONED_SECONDS = 3600.0
"""A draft older than this belongs to a process that was killed."""

LOADER = """\
# Written by VibePlanBundle for Airflow, which reads a DAG from Python only. The plan is the file beside it.
from airflow_provider_vibe.dag.bundle import load_plan

load_plan(globals(), {name!r}{told})
"""


class SnapshotError(VibeError):
    """A version of a bundle cannot be had."""


class ContentStore:
    """Contents by their SHA-256, each written once.

    :param folder: where they are kept.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def add(self, content: bytes) -> str:
        """Keep *content*; gives its digest."""
        digest = hashlib.sha256(content).hexdigest()
        if not (self.folder / digest).exists():
            self.folder.mkdir(parents=True, exist_ok=True)
            write_whole(self.folder / digest, content)
        return digest

    def has(self, digests: Iterable[str]) -> bool:
        """Whether all of these contents are here."""
        return all((self.folder / digest).exists() for digest in digests)

    def put(self, digest: str, target: Path) -> None:
        """Make *target* a file of that content.

        :raises FileNotFoundError: there is no such content.
        """
        try:
            os.link(self.folder / digest, target)
        except (FileNotFoundError, FileExistsError):
            raise
        except OSError:  # a file system without hard links
            shutil.copyfile(self.folder / digest, target)

    def sweep(self) -> None:
        """Forget every content that no snapshot holds any more."""
        with contextlib.suppress(FileNotFoundError):
            for path in self.folder.iterdir():
                found = path.stat()
                if found.st_nlink == 1 and time.time() - found.st_mtime > ABANDONED_SECONDS:
                    path.unlink(missing_ok=True)


def write_whole(path: Path, content: bytes) -> None:
    """Write a file so that everyone sees all of it or nothing, also where several write it at once.

    :param path: the file.
    :param content: what it is to hold.
    """
    draft = path.with_name(f"{DRAFT_PREFIX}{uuid.uuid4().hex}")
    draft.write_bytes(content)
    draft.replace(path)


@contextlib.contextmanager
def draft_of(target: Path) -> Iterator[Path]:
    """A new folder that becomes *target*, whole, when the block ends; where two do so at once, one stays.

    :param target: the folder to make.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    draft = Path(tempfile.mkdtemp(prefix=DRAFT_PREFIX, dir=target.parent))
    try:
        draft.chmod(0o755)
        yield draft
        try:
            draft.rename(target)
        except OSError:
            if not target.is_dir():
                raise
    finally:
        shutil.rmtree(draft, ignore_errors=True)


def write_snapshot(target: Path, files: list[PlanFile], store: ContentStore, refused: dict[str, str]) -> None:
    """Write the snapshot of *files*.

    :param target: the folder to make.
    :param files: what it holds.
    :param store: where their contents are.
    :param refused: why a file is not to be loaded, by its name.
    """
    with draft_of(target) as draft:
        for file in files:
            copy = draft / file.name
            copy.parent.mkdir(parents=True, exist_ok=True)
            if file.trouble is None:
                store.put(file.digest, copy)
            reason = refused.get(file.name) or file.trouble
            told = (f", refused={reason!r}" if reason else "") + (", ending=True" if file.ending else "")
            loader = LOADER.format(name=file.name, told=told)
            copy.with_name(copy.name + LOADER_SUFFIX).write_text(loader, "utf-8")


def remove_snapshot(snapshot: Path) -> None:
    """Remove a snapshot so that nobody ever sees half of it.

    :param snapshot: its folder; it may be gone already.
    """
    with contextlib.suppress(FileNotFoundError):
        doomed = snapshot.rename(snapshot.with_name(f"{DRAFT_PREFIX}{uuid.uuid4().hex}"))
        shutil.rmtree(doomed, ignore_errors=True)


def sweep_drafts(folder: Path) -> None:
    """Remove what killed processes have left half written.

    :param folder: where snapshots are made.
    """
    for draft in folder.glob(f"{DRAFT_PREFIX}*"):
        with contextlib.suppress(FileNotFoundError):
            if time.time() - draft.stat().st_mtime > ABANDONED_SECONDS:
                shutil.rmtree(draft, ignore_errors=True) if draft.is_dir() else draft.unlink()


def pack(snapshot: Path) -> bytes:
    """A snapshot as a ZIP file.

    :param snapshot: the folder of one version.
    """
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", zipfile.ZIP_DEFLATED, strict_timestamps=False) as packed:
        for path in sorted(snapshot.rglob("*")):
            if path.is_file() and path.suffix != ".pyc":
                packed.write(path, path.relative_to(snapshot).as_posix())
        packed.comment = _count_of(packed)
    return content.getvalue()


def unpack(content: bytes, target: Path) -> None:
    """Make a snapshot of a ZIP file.

    :param content: of the ZIP file.
    :param target: the folder to make.
    :raises SnapshotError: it is damaged.
    """
    try:
        with draft_of(target) as draft, zipfile.ZipFile(io.BytesIO(content)) as packed:
            if packed.comment != _count_of(packed):
                raise zipfile.BadZipFile("files are missing")
            packed.extractall(draft)
    except (zipfile.BadZipFile, zlib.error, EOFError, RuntimeError, ValueError) as error:
        raise SnapshotError(f"it is damaged: {error}") from error


def _count_of(packed: zipfile.ZipFile) -> bytes:
    """How many files it holds; damage to the directory of a ZIP file hides some without a trace."""
    return str(len(packed.namelist())).encode()
