"""Snapshots of a set of plan files: what a version of a bundle is made of.

A snapshot is a folder that holds a copy of each plan, and for each a file of Python, its loader, that
Airflow finds and reads. It is written whole, once, and never changed. Its copies are hard links into a store
of contents, so that a thousand plans of which one has changed cost one file.

Airflow looks for a run's DAG where it last saw that DAG, but in the version the run began with. So the place
of a loader depends on the id of its plan alone, whatever file the plan is in.
"""

from __future__ import annotations

import contextlib
import functools
import hashlib
import io
import json
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
from airflow_provider_vibe.plan.identity import airflow_id, sha256
from airflow_provider_vibe.plan.problems import VibeError

FORM = "2"
"""The form of a snapshot; part of its version."""

PLAN_LOADER_SUFFIX = ".vibe.py"
FILE_LOADER_SUFFIX = ".py"

PLANS = ".plans"
"""The copies of the plans; hidden, as no folder of plans is: no loader with the name of a file is there."""
ENDINGS = ".endings"
"""Copies of what runs in flight began with, each in a folder of its DAG."""
INDEX = ".index.json"
"""For each loader the names of its plan and of its ending one, or null."""

DRAFT_PREFIX = ".draft-"
ABANDONED_SECONDS = 3600.0
"""A draft older than this belongs to a process that was killed."""

LOADER = """\
# Written by VibePlanBundle for Airflow, which reads a DAG from Python only. The plan is a file of its own.
from airflow_provider_vibe.dag import bundle

bundle.{call}
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
    try:
        draft.write_bytes(content)
        draft.replace(path)
    finally:
        draft.unlink(missing_ok=True)  # it is still there where it could not become the file


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


def loader_of(plan_id: str) -> str:
    """The name of the loader of a plan; no two that differ look alike to a file system that ignores case.

    :param plan_id: the id of the plan.
    """
    dag_id = airflow_id(plan_id)
    mark = "" if dag_id == dag_id.lower() else f"~{sha256(dag_id)[:8]}"
    return f"{dag_id}{mark}{PLAN_LOADER_SUFFIX}"


def plan_copy(name: str) -> str:
    """Where a snapshot holds the copy of a plan.

    :param name: of the plan.
    """
    return f"{PLANS}/{name}"


def ending_copy(loader: str, name: str) -> str:
    """Where a snapshot holds the copy of an ending plan.

    :param loader: what loads it.
    :param name: of the plan.
    """
    return f"{ENDINGS}/{loader.removesuffix(PLAN_LOADER_SUFFIX)}/{name}"


def write_snapshot(target: Path, files: list[PlanFile], store: ContentStore, refused: dict[str, str]) -> None:
    """Write the snapshot of *files*.

    :param target: the folder to make.
    :param files: what it holds.
    :param store: where their contents are.
    :param refused: why a file is not to be loaded, by its name.
    """
    index = _index_of(files, refused)
    with draft_of(target) as draft:
        for file in files:
            if file.trouble is None:
                store.put(file.digest, _with_parent(draft / _copy_of(file)))
        for loader, call in _calls(files, index, refused).items():
            _with_parent(draft / loader).write_text(LOADER.format(call=call), "utf-8")
        (draft / INDEX).write_text(json.dumps(index), "utf-8")


def plans_of(snapshot: Path, loader: str) -> list[tuple[str, bytes]]:
    """The names and contents of the plans that a loader has in a snapshot: its plan and its ending one.

    :param snapshot: the folder of one version.
    :param loader: its path there.
    :raises SnapshotError: it has no such loader.
    :raises OSError: the snapshot is not there, or not as it was written.
    """
    index = _read_index(snapshot)
    if loader not in index:
        raise SnapshotError(f"version {snapshot.name} holds no {loader}")
    name, ending = index[loader]
    copies = [(name, plan_copy(name))] if name else []
    copies += [(ending, ending_copy(loader, ending))] if ending else []
    return [(name, (snapshot / copy).read_bytes()) for name, copy in copies]


Index = dict[str, tuple[str | None, str | None]]


def _index_of(files: list[PlanFile], refused: dict[str, str]) -> Index:
    plans: dict[str, str] = {}
    endings: dict[str, str] = {}
    for file in files:
        if file.plan_id is not None and (file.ending or file.name not in refused):
            (endings if file.ending else plans)[loader_of(file.plan_id)] = file.name
    return {loader: (plans.get(loader), endings.get(loader)) for loader in plans | endings}


def _calls(files: list[PlanFile], index: Index, refused: dict[str, str]) -> dict[str, str]:
    """What each loader does. A file without an id of its own has a loader of its own name, which raises."""
    calls = {}
    for file in files:
        if file.ending:
            continue
        reason = refused.get(file.name) or file.trouble
        if reason:
            calls[file.name + FILE_LOADER_SUFFIX] = f"refuse_plan({reason!r})"
        elif file.plan_id is None or index[loader_of(file.plan_id)][1]:
            calls[file.name + FILE_LOADER_SUFFIX] = f"tell_problems(globals(), {file.name!r})"
    for loader, (name, ending) in index.items():
        told = f"{name!r}, ending={ending!r}" if ending else f"{name!r}"
        calls[loader] = f"load_plan(globals(), {told})"
    return calls


def _copy_of(file: PlanFile) -> str:
    if file.ending and file.plan_id is not None:
        return ending_copy(loader_of(file.plan_id), file.name)
    return plan_copy(file.name)


def _with_parent(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


@functools.lru_cache(maxsize=4)
def _read_index(snapshot: Path) -> Index:
    """Kept, as many runs began with one version, and it never changes."""
    index: Index = json.loads((snapshot / INDEX).read_text("utf-8"))
    return index


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
