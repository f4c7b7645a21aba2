"""VibePlanBundle: a folder of plan files as a versioned DAG bundle.

Two lines of configuration::

    [dag_processor]
    dag_bundle_config_list = [{"name": "plans", "kwargs": {"path": "/srv/plans"},
                               "classpath": "airflow_provider_vibe.dag.bundle.VibePlanBundle"}]

A version is the digest of the plan files. A run that has begun ends on the version it began with. Each plan
is parsed by itself and has its own import errors.
"""

from __future__ import annotations

import logging
import os
from collections.abc import MutableMapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.dag_processing.bundles.base import BaseDagBundle, BundleVersion

from airflow_provider_vibe.dag.archive import SnapshotArchive
from airflow_provider_vibe.dag.folder import PlanFile, PlanFolder, set_digest
from airflow_provider_vibe.dag.loader import translate
from airflow_provider_vibe.dag.snapshots import (
    FORM,
    LOADER_SUFFIX,
    ContentStore,
    SnapshotError,
    sweep_drafts,
    write_snapshot,
)
from airflow_provider_vibe.dag.translator import configured_translator
from airflow_provider_vibe.dag.unfinished import unfinished_runs
from airflow_provider_vibe.plan.problems import Place, PlanError, Problem, ProblemCode, quoted
from airflow_provider_vibe.plan.reading import examine, plan_id_of
from airflow_provider_vibe.plan.rules import Limits
from airflow_provider_vibe.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterable

log = logging.getLogger(__name__)

DEFAULT_KEEP = 100


class VibePlanBundle(BaseDagBundle):
    """A folder of plan files; each becomes a DAG.

    :param path: the folder, searched with all below it; ``.airflowignore`` is honoured.
    :param snapshots: where the snapshot of each version is kept for the workers, who must be able to read it:
        a path or an object storage URL. Left out: ``vibe_snapshots`` in AIRFLOW_HOME.
    :param keep: how many snapshots are kept besides those that an unfinished run is known to need.
    """

    supports_versioning = True

    def __init__(
        self, *, path: str, snapshots: str | None = None, keep: int = DEFAULT_KEEP, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self._folder_path = Path(path)
        self._folder: PlanFolder | None = None
        self._ids: dict[str, str | None] = {}
        self._names: set[str] | None = None
        self._current: str | None = self.version
        self._store = ContentStore(self.base_dir / "contents")
        self._archive = SnapshotArchive(self.name, snapshots, keep)

    @property
    def path(self) -> Path:
        """The snapshot of this version."""
        return self.versions_dir / (self._current or "none")

    def get_current_version(self) -> BundleVersion | None:
        """The digest of the plan files, as of the last look at them."""
        return BundleVersion(version=self._current) if self._current else None

    def initialize(self) -> None:
        """Have the snapshot of this version at hand; without a version, of the folder as it is now."""
        if self.version is None:
            self.refresh()
        elif not self.path.is_dir():
            self._fetch(self.version)
        super().initialize()

    def refresh(self) -> None:
        """Look at the folder, and write a snapshot when anything in it has changed."""
        if self.version is not None:
            raise SnapshotError(f"bundle {quoted(self.name)} is pinned to version {self.version}")
        files = list(self._look())
        files = sorted([*files, *self._endings(files)], key=lambda file: file.name)
        version = set_digest(files, FORM)
        if version != self._current or not (self.versions_dir / version).is_dir():
            self._write(version, files)
        self._current = version

    @cached_property
    def _limits(self) -> Limits:
        return Settings.from_airflow().rules.limits

    def _look(self) -> Iterable[PlanFile]:
        if not self._folder_path.is_dir():
            raise SnapshotError(f"the folder of plans {str(self._folder_path)!r} does not exist")
        if self._folder is None:
            self._folder = PlanFolder(self._folder_path, self._limits.max_plan_bytes)
        for file in self._folder.look():
            if file.content is not None:
                self._store.add(file.content)
                self._ids[file.digest] = plan_id_of(file.content, file.name, self._limits)
            yield file

    def _endings(self, files: list[PlanFile]) -> list[PlanFile]:
        """The plans that are gone from the folder while a run of them has not ended, as it began with them.

        Airflow goes on only with runs of DAGs that are there.
        """
        present = {file.name for file in files}
        before, self._names = self._names, present
        if before is not None and before <= present:
            return []
        gone: dict[str, PlanFile] = {}
        for run in unfinished_runs(self.name) or ():
            name = run.file.removesuffix(LOADER_SUFFIX)
            if name not in present | gone.keys() and (file := self._as_it_was(name, run.version)):
                gone[name] = file
        self._names = present | gone.keys()
        return [file for file in gone.values() if not self._is_elsewhere(file, files)]

    def _as_it_was(self, name: str, version: str) -> PlanFile | None:
        snapshot = self.versions_dir / version
        try:
            if not snapshot.is_dir():
                self._fetch(version)
            content = (snapshot / name).read_bytes()
        except (SnapshotError, OSError) as error:
            log.warning("%s is gone from the folder, and its last run cannot end: %s", name, error)
            return None
        digest = self._store.add(content)
        self._ids[digest] = plan_id_of(content, name, self._limits)
        return PlanFile(name, digest, content, ending=True)

    def _is_elsewhere(self, gone: PlanFile, files: list[PlanFile]) -> bool:
        plan_id = self._ids[gone.digest]
        return any(self._ids.get(file.digest) == plan_id for file in files)

    def _write(self, version: str, files: list[PlanFile]) -> None:
        target = self.versions_dir / version
        if not target.is_dir():
            write_snapshot(target, files, self._store, self._doubles(files))
            sweep_drafts(self.versions_dir)
            self._store.sweep()
        self._archive.keep(version, target)

    def _doubles(self, files: list[PlanFile]) -> dict[str, str]:
        """Why a plan is refused that has the id of another one before it."""
        first: dict[str, str] = {}
        doubles: dict[str, str] = {}
        for file in files:
            plan_id = self._ids.get(file.digest)
            if plan_id is not None and (owner := first.setdefault(plan_id, file.name)) != file.name:
                message = f"{quoted(plan_id)} is already the plan in {owner}"
                place = Place(("id",), file=file.name)
                problem = Problem(ProblemCode.DUPLICATE_PLAN, message, place, "give it another id")
                doubles[file.name] = str(problem)
        return doubles

    def _fetch(self, version: str) -> None:
        target = self.versions_dir / version
        if self._archive.fetch(version, target):
            return
        raise SnapshotError(
            f"version {version} of bundle {quoted(self.name)} is neither here nor in {self._archive.url}: "
            "give the bundle 'snapshots' that this machine can read, or run the DAG on its latest version"
        )


def load_plan(
    namespace: MutableMapping[str, Any], name: str, refused: str | None = None, ending: bool = False
) -> None:
    """Put the DAG of a plan into the namespace of the Python file beside it, as the files of a snapshot do.

    :param namespace: the ``globals()`` of that file.
    :param name: the plan's path in the bundle, for messages.
    :param refused: why it is not to be loaded.
    :param ending: whether its runs may only end: it is never started by its schedule.
    :raises PlanError: with every problem.
    """
    if refused is not None:
        _raise_without_traceback(PlanRefused(refused))
    path = Path(namespace["__file__"].removesuffix(".py"))
    translator = configured_translator()
    reading = examine(path.read_bytes(), name, translator.settings.rules)
    if ending and reading.plan is not None:
        reading = replace(reading, plan=reading.plan.model_copy(update={"schedule": None}))
    translation = translate(path, reading, translator)
    if translation.dag is None:
        _raise_without_traceback(PlanError([each.at(file=name) for each in translation.problems]))
    namespace["dag"] = translation.dag


class PlanRefused(PlanError):
    """A plan that is not even looked at, for a reason told in words."""

    def __init__(self, reason: str) -> None:
        super().__init__(())
        self.args = (reason,)


def _raise_without_traceback(error: PlanError) -> None:
    """Raise *error*; where Airflow parses this one file in a process of its own, without our own frames."""
    if os.environ.get("_AIRFLOW_PROCESS_CONTEXT") == "client":
        from airflow.configuration import conf

        conf.set("core", "dagbag_import_error_tracebacks", "False")
    raise error
