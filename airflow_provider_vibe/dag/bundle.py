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
from airflow_provider_vibe.dag.folder import PlanFile, PlanFolder, plan_file, set_digest
from airflow_provider_vibe.dag.loader import translate
from airflow_provider_vibe.dag.owners import Owners
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
from airflow_provider_vibe.plan.problems import PlanError, quoted
from airflow_provider_vibe.plan.reading import examine
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
        self._names: set[str] | None = None
        self._ending: list[PlanFile] = []
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
        files = self._look()
        version = set_digest(files, FORM)
        if version != self._current or not (self.versions_dir / version).is_dir():
            if not self._store.has(file.digest for file in files if file.trouble is None):
                self._folder = None  # someone has cleared them away
                files = self._look()
                version = set_digest(files, FORM)
            self._write(version, files)
        self._current = version

    @cached_property
    def _limits(self) -> Limits:
        return Settings.from_airflow().rules.limits

    def _look(self) -> list[PlanFile]:
        """Every plan there is, and those that may only end, by name; their contents are in the store."""
        files = list(self._look_at_folder())
        return sorted([*files, *self._endings(files)], key=lambda file: file.name)

    def _look_at_folder(self) -> Iterable[PlanFile]:
        if not self._folder_path.is_dir():
            raise SnapshotError(f"the folder of plans {str(self._folder_path)!r} does not exist")
        if self.versions_dir.resolve().is_relative_to(self._folder_path.resolve()):
            raise SnapshotError(
                f"the folder of plans {str(self._folder_path)!r} holds the snapshots of its plans, in "
                f"{str(self.versions_dir)!r}: set [dag_processor] dag_bundle_storage_path to another place"
            )
        if self._folder is None:
            self._folder = PlanFolder(self._folder_path, self._limits)
        for file in self._folder.look():
            if file.content is not None:
                self._store.add(file.content)
            yield file

    def _endings(self, files: list[PlanFile]) -> list[PlanFile]:
        """The plans that are gone from the folder while a run of them has not ended, as it began with them.

        Airflow goes on only with runs of DAGs that are there.
        """
        present = {file.name for file in files}
        before, self._names = self._names, present
        if before is not None and before <= present:
            return []
        runs = unfinished_runs(self.name)
        if runs is None:
            self._names = before  # asks again at the next look
            return [file for file in self._ending if file.name not in present]
        gone: dict[str, PlanFile] = {}
        for run in runs:
            name = run.file.removesuffix(LOADER_SUFFIX)
            if name not in present | gone.keys() and (file := self._as_it_was(name, run.version)):
                gone[name] = file
        self._names = present | gone.keys()
        elsewhere = {file.plan_id for file in files}
        self._ending = [file for file in gone.values() if file.plan_id not in elsewhere]
        return self._ending

    def _as_it_was(self, name: str, version: str) -> PlanFile | None:
        snapshot = self.versions_dir / version
        try:
            if not snapshot.is_dir():
                self._fetch(version)
            content = (snapshot / name).read_bytes()
        except (SnapshotError, OSError) as error:
            log.warning("%s is gone from the folder, and its last run cannot end: %s", name, error)
            return None
        self._store.add(content)
        return plan_file(name, content, self._limits, ending=True)

    def _write(self, version: str, files: list[PlanFile]) -> None:
        target = self.versions_dir / version
        if not target.is_dir():
            write_snapshot(target, files, self._store, self._doubles(files))
            sweep_drafts(self.versions_dir)
            self._store.sweep()
        self._archive.keep(version, target, self._current)

    def _doubles(self, files: list[PlanFile]) -> dict[str, str]:
        """Why a plan is refused that has the id of another one before it."""
        owners = Owners()
        claims = ((file.name, owners.claim(file.plan_id, file.name)) for file in files)
        return {name: str(problem) for name, problem in claims if problem is not None}

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
