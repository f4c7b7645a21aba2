"""A folder of plan files: which there are, and what has changed since one last looked."""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from airflow_provider_vibe.plan.problems import PlanError, format_problems
from airflow_provider_vibe.plan.reading import PLAN_SUFFIXES, read_bytes

SETTLED_SECONDS = 2.0
"""A file that was written less than this before it was read may be written again without a new time."""


def plan_files(folder: Path) -> list[Path]:
    """The plan files in *folder* and below, sorted by path, but for those that ``.airflowignore`` names.

    :param folder: searched with all below it.
    """
    from airflow._shared.module_loading import find_path_from_directory
    from airflow.sdk.configuration import conf

    syntax = conf.get("core", "dag_ignore_file_syntax", fallback="glob")
    found = find_path_from_directory(folder, ".airflowignore", syntax)
    return sorted(Path(path) for path in found if path.endswith(PLAN_SUFFIXES))


@dataclass(frozen=True)
class PlanFile:
    """One file as it was read.

    :param name: its path below the folder, with forward slashes.
    :param digest: SHA-256 of its content, or of the reason why there is none.
    :param content: its bytes; None when it was not read anew, or could not be read.
    :param trouble: why it could not be read.
    :param ending: whether it is gone from the folder, and kept only until its last run has ended.
    """

    name: str
    digest: str
    content: bytes | None = None
    trouble: str | None = None
    ending: bool = False


Stamp = tuple[int, int, int, int]
"""Size, times of last change to content and to inode, and inode of a file."""


class PlanFolder:
    """Looks at a folder again and again, and reads only what has changed.

    :param path: the folder.
    :param max_bytes: how much of a file is read; a larger one is kept as larger.
    """

    def __init__(self, path: Path, max_bytes: int) -> None:
        self.path = path
        self._max_bytes = max_bytes
        self._known: dict[str, tuple[Stamp, PlanFile]] = {}

    def look(self) -> Iterator[PlanFile]:
        """Every plan file there is now, sorted by path; those that have not changed without their content."""
        before, self._known = self._known, {}
        for path in plan_files(self.path):
            name = path.relative_to(self.path).as_posix()
            stamp = _stamp(path)
            known = before.get(name)
            unchanged = known is not None and known[0] == stamp
            file = known[1] if known is not None and unchanged else self._read(path, name)
            if stamp is not None and _is_settled(stamp):
                self._known[name] = (stamp, PlanFile(file.name, file.digest, None, file.trouble))
            yield file

    def _read(self, path: Path, name: str) -> PlanFile:
        try:
            content = read_bytes(path, self._max_bytes)
        except PlanError as error:
            trouble = format_problems(problem.at(file=name) for problem in error.problems)
            return PlanFile(name, hashlib.sha256(trouble.encode()).hexdigest(), None, trouble)
        return PlanFile(name, hashlib.sha256(content).hexdigest(), content)


def set_digest(files: list[PlanFile], form: str) -> str:
    """The digest of a set of plan files: of their names and contents.

    :param files: sorted by name.
    :param form: the form in which they are kept; another form is another version.
    """
    told = json.dumps([form, [[file.name, file.digest, file.ending] for file in files]])
    return hashlib.sha256(told.encode()).hexdigest()


def _stamp(path: Path) -> Stamp | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns, found.st_ctime_ns, found.st_ino


def _is_settled(stamp: Stamp) -> bool:
    return time.time() - max(stamp[1], stamp[2]) / 1e9 > SETTLED_SECONDS
