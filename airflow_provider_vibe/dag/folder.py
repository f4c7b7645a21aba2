"""A folder of plan files: which there are, and what has changed since one last looked."""

from __future__ import annotations

import hashlib
import io
import json
import logging
import os
import re
import time
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from airflow_provider_vibe.plan.problems import Place, PlanError, Problem, ProblemCode, format_problems
from airflow_provider_vibe.plan.reading import PLAN_SUFFIXES, plan_id_of, read_bytes
from airflow_provider_vibe.plan.rules import Limits

log = logging.getLogger(__name__)

SETTLED_SECONDS = 2.0
"""A file that was written less than this before it was read may be written again without a new time."""

IGNORE_FILE = ".airflowignore"

HIDDEN = "."
"""A folder whose name begins so holds no plans; ``.revisions`` keeps those that were replaced."""

LONGEST_NAME = 240
"""Bytes; the files of a snapshot have a few more, and a file system takes 255."""

LONGEST_PATH = 1000
"""Characters; Airflow's database takes 1,024 for the file of an import error."""


def plan_files(folder: Path) -> list[Path]:
    """The plan files in *folder* and below, sorted by path, but for hidden folders and ``.airflowignore``.

    :param folder: searched with all below it. Links are followed, once, but not to what is searched anyway.
    """
    return sorted(_walk(folder), key=Path.as_posix)


def _walk(folder: Path) -> Iterator[Path]:
    """As ``find_path_from_directory`` of Airflow, to which a link that leads back is the end of it all."""
    rule_type = _ignore_rule_type()
    rules_above: dict[str, list[Any]] = {}
    searched = [Path(os.path.realpath(folder))]
    for root, folders, files in os.walk(folder, followlinks=True, onerror=_tell):
        rules = [*rules_above.pop(root, ()), *_rules_in(Path(root), folder, rule_type)]
        folders[:] = [
            name
            for name in sorted(folders)
            if not name.startswith(HIDDEN)
            and not rule_type.match(Path(root, name), rules)
            and _leads_on(Path(root, name), searched)
        ]
        rules_above.update({os.path.join(root, name): rules for name in folders})
        for name in files:
            if name.endswith(PLAN_SUFFIXES) and not rule_type.match(Path(root, name), rules):
                yield Path(root, name)


def _ignore_rule_type() -> Any:
    from airflow._shared.module_loading.file_discovery import _GlobIgnoreRule, _RegexpIgnoreRule
    from airflow.sdk.configuration import conf

    is_regexp = conf.get("core", "dag_ignore_file_syntax", fallback="glob") == "regexp"
    return _RegexpIgnoreRule if is_regexp else _GlobIgnoreRule


def _rules_in(root: Path, folder: Path, rule_type: Any) -> list[Any]:
    path = root / IGNORE_FILE
    if not path.is_file():
        return []
    lines = (re.sub(r"\s*#.*", "", line) for line in path.read_text("utf-8", "replace").split("\n"))
    rules = (rule_type.compile(line, folder, path) for line in lines if line)
    return [rule for rule in rules if rule is not None]


def _leads_on(path: Path, searched: list[Path]) -> bool:
    if not path.is_symlink():
        return True
    target = Path(os.path.realpath(path))
    if any(target.is_relative_to(each) or each.is_relative_to(target) for each in searched):
        return False
    searched.append(target)
    return True


def _tell(error: OSError) -> None:
    log.warning("no plans of %r are seen: %s", error.filename, error.strerror)


@dataclass(frozen=True)
class PlanFile:
    """One file as it was read.

    :param name: its path below the folder, with forward slashes, as it is kept and told.
    :param digest: SHA-256 of its content, or of the reason why there is none.
    :param content: its bytes; None when it was not read anew, or could not be read.
    :param plan_id: the id that the plan says it has; None when it says none.
    :param trouble: why it could not be read.
    :param ending: whether it is gone from the folder, and kept only until its last run has ended.
    """

    name: str
    digest: str
    content: bytes | None = None
    plan_id: str | None = None
    trouble: str | None = None
    ending: bool = False


Stamp = tuple[int, int, int, int]
"""Size, times of last change to content and to inode, and inode of a file."""


class PlanFolder:
    """Looks at a folder again and again, and reads only what has changed.

    :param path: the folder.
    :param limits: how much of a file is read; a larger one is kept as larger.
    """

    def __init__(self, path: Path, limits: Limits) -> None:
        self.path = path
        self._limits = limits
        self._known: dict[str, tuple[Stamp, PlanFile]] = {}

    def look(self) -> Iterator[PlanFile]:
        """Every plan file there is now, sorted by path; those that have not changed without their content."""
        before, self._known = self._known, {}
        for path in plan_files(self.path):
            name = kept_name(path.relative_to(self.path))
            stamp = _stamp(path)
            known = before.get(name)
            unchanged = known is not None and known[0] == stamp
            file = known[1] if known is not None and unchanged else self._read(path, name)
            if stamp is not None and _is_settled(stamp):
                self._known[name] = (stamp, replace(file, content=None))
            yield file

    def _read(self, path: Path, name: str) -> PlanFile:
        try:
            return plan_file(name, read_bytes(path, self._limits.max_plan_bytes), self._limits)
        except PlanError as error:
            trouble = format_problems(problem.at(file=name) for problem in error.problems)
            return PlanFile(name, hashlib.sha256(trouble.encode()).hexdigest(), trouble=trouble)


def plan_file(name: str, content: bytes, limits: Limits, *, ending: bool = False) -> PlanFile:
    """A file that has been read.

    :param name: its name.
    :param content: its bytes.
    :param limits: how large the plan may be.
    :param ending: whether it is gone from the folder.
    :raises PlanError: it is a ZIP archive as well, which Airflow takes for a package of DAGs, whatever its
        name is (``airflow.utils.file.find_dag_file_paths``); 3.3 has no importer for it, others run it.
    """
    if zipfile.is_zipfile(io.BytesIO(content)):
        message = "it is a ZIP archive too, and Airflow may run what is in it"
        raise PlanError([Problem(ProblemCode.REFUSED, message, Place(file=name))])
    digest = hashlib.sha256(content).hexdigest()
    return PlanFile(name, digest, content, plan_id_of(content, name, limits), ending=ending)


def kept_name(path: Path) -> str:
    """The name a plan file has in snapshots, messages and Airflow's database: its path, where all take that.

    A path that is too long, not UTF-8, or has a folder that looks like Python gives way to a digest of it.

    :param path: of the file below the folder.
    """
    raw = os.fsencode(path.as_posix())
    name = raw.decode("utf-8", "backslashreplace")
    *folders, file = name.split("/")
    is_plain = name.encode() == raw and not any(part.endswith(".py") for part in folders)
    if is_plain and len(name) <= LONGEST_PATH and max(map(len, raw.split(b"/"))) <= LONGEST_NAME:
        return name
    suffix = next(suffix for suffix in PLAN_SUFFIXES if file.endswith(suffix))
    return f"{file[:50]}-{hashlib.sha256(raw).hexdigest()[:16]}{suffix}"


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
    return time.time() - stamp[2] / 1e9 > SETTLED_SECONDS
