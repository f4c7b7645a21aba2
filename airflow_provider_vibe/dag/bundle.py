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
from collections.abc import Iterator, MutableMapping
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import Any, NoReturn

from airflow.dag_processing.bundles.base import BaseDagBundle, BundleVersion
from airflow.sdk import DAG

from airflow_provider_vibe.dag.archive import SnapshotArchive
from airflow_provider_vibe.dag.endings import Endings
from airflow_provider_vibe.dag.folder import PlanFile, PlanFolder, plan_file, set_digest
from airflow_provider_vibe.dag.loader import Translation, read_alone, translate
from airflow_provider_vibe.dag.owners import Owners
from airflow_provider_vibe.dag.snapshots import (
    FORM,
    ContentStore,
    SnapshotError,
    ending_copy,
    loader_of,
    plan_copy,
    plans_of,
    sweep_drafts,
    write_snapshot,
)
from airflow_provider_vibe.dag.translator import configured_translator
from airflow_provider_vibe.dag.unfinished import UnfinishedRun
from airflow_provider_vibe.plan.identity import airflow_id
from airflow_provider_vibe.plan.problems import PlanError, quoted
from airflow_provider_vibe.plan.rules import PlanRules
from airflow_provider_vibe.settings import Settings

log = logging.getLogger(__name__)

DEFAULT_KEEP = 100


class VibePlanBundle(BaseDagBundle):
    """A folder of plan files; each becomes a DAG.

    :param path: the folder, searched with all below it; ``.airflowignore`` is honoured.
    :param snapshots: where the snapshot of each version is kept for the workers, who must be able to read it:
        an absolute path or an object storage URL. Left out: ``vibe_snapshots`` in AIRFLOW_HOME.
    :param keep: how many snapshots are kept besides those that runs are known to need.
    :raises SnapshotError: an option has a value that makes no sense.
    """

    supports_versioning = True

    def __init__(
        self, *, path: str, snapshots: str | None = None, keep: int = DEFAULT_KEEP, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        self.folder = Path(path).expanduser()
        self._looker: PlanFolder | None = None
        self._endings = Endings(self.name, self._as_begun)
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
        files, version = self._look()
        if version != self._current or not (self.versions_dir / version).is_dir():
            if not self._store.has(file.digest for file in files if file.trouble is None):
                self._looker = None  # someone has cleared them away
                self._endings.forget()
                files, version = self._look()
            self._write(version, files)
        else:
            self._archive.look_after(version, self.path)
        self._current = version

    @cached_property
    def _rules(self) -> PlanRules:
        return Settings.from_airflow().rules

    def _look(self) -> tuple[list[PlanFile], str]:
        """Every plan there is, and those that may only end, and their version; the store has the contents."""
        files = list(self._look_at_folder())
        files.sort(key=lambda file: file.name)
        version = set_digest(files, FORM)
        endings = self._endings.beside(lambda: _owners_of(files), version)
        if not endings:
            return files, version
        files += sorted(endings, key=lambda file: (file.name, file.digest))
        return files, set_digest(files, FORM)

    def _look_at_folder(self) -> Iterator[PlanFile]:
        if not self.folder.is_dir():
            raise SnapshotError(f"the folder of plans {str(self.folder)!r} does not exist")
        if self.versions_dir.resolve().is_relative_to(self.folder.resolve()):
            raise SnapshotError(
                f"the folder of plans {str(self.folder)!r} holds the snapshots of its plans, in "
                f"{str(self.versions_dir)!r}: set [dag_processor] dag_bundle_storage_path to another place"
            )
        if self._looker is None:
            self._looker = PlanFolder(self.folder, self._rules.limits)
        for file in self._looker.look():
            if file.content is not None:
                self._store.add(file.content)
            yield file

    def _as_begun(self, run: UnfinishedRun) -> PlanFile | None:
        """The plan that a run began with: the ending one of its version, where the other does not load."""
        snapshot = self.versions_dir / run.version
        try:
            if not snapshot.is_dir():
                self._fetch(run.version)
            *others, last = plans_of(snapshot, run.file)
        except (SnapshotError, OSError, ValueError) as error:
            log.warning("a run of %s may not end, as what it began with is lost: %s", run.file, error)
            return None
        good = (each for each in others if read_alone(each[1], each[0], self._rules).plan is not None)
        name, content = next(good, last)
        self._store.add(content)
        file = plan_file(name, content, self._rules.limits, ending=True)
        return replace(file, content=None)

    def _write(self, version: str, files: list[PlanFile]) -> None:
        target = self.versions_dir / version
        if not target.is_dir():
            write_snapshot(target, files, self._store, _refused_of(files))
            sweep_drafts(self.versions_dir)
            self._store.sweep()
        self._archive.keep(version, target, self._current)

    def _fetch(self, version: str) -> None:
        target = self.versions_dir / version
        if self._archive.fetch(version, target):
            return
        raise SnapshotError(
            f"version {version} of bundle {quoted(self.name)} is neither here nor in {self._archive.url}: "
            "give the bundle 'snapshots' that this machine can read, or run the DAG on its latest version"
        )


def _refused_of(files: list[PlanFile]) -> dict[str, str]:
    """Why a plan is refused that has the id, or the DAG id, of another one before it; by its name."""
    plans, dags = Owners(), Owners("DAG")
    refused = {}
    for file in files:
        if file.ending or file.plan_id is None:
            continue
        problem = plans.claim(file.plan_id, file.name) or dags.claim(airflow_id(file.plan_id), file.name)
        if problem is not None:
            refused[file.name] = str(problem)
    return refused


def _owners_of(files: list[PlanFile]) -> dict[str, PlanFile]:
    """The plan of each loader."""
    refused = _refused_of(files)
    return {
        loader_of(file.plan_id): file
        for file in files
        if file.plan_id is not None and file.name not in refused
    }


def load_plan(namespace: MutableMapping[str, Any], name: str | None, ending: str | None = None) -> None:
    """Put the DAG of a plan into the namespace of its loader, as the files of a snapshot do.

    :param namespace: the ``globals()`` of that file.
    :param name: of the plan in the folder; None when it is gone.
    :param ending: of the plan that runs in flight began with. It stands in where the other does not load,
        and is never started by its schedule.
    :raises PlanError: with every problem.
    """
    loader = Path(namespace["__file__"])
    translation = _translation(loader.parent / plan_copy(name), name) if name is not None else None
    if ending is not None and (translation is None or translation.dag is None):
        log.info("%s is gone or does not load: it is what its runs in flight began with", loader.name)
        copy = loader.parent / ending_copy(loader.name, ending)
        translation = _translation(copy, ending, is_ending=True)
    assert translation is not None, "a loader has a plan, or an ending one, or both"
    namespace["dag"] = _dag_or_raise(translation)


def tell_problems(namespace: MutableMapping[str, Any], name: str) -> None:
    """Raise the problems of a plan that has no loader, or whose loader falls back to an ending plan.

    :param namespace: the ``globals()`` of a file of the plan's name.
    :param name: of the plan in the folder.
    :raises PlanError: when it has any.
    """
    snapshot = Path(namespace["__file__"]).parents[name.count("/")]
    _dag_or_raise(_translation(snapshot / plan_copy(name), name))


def refuse_plan(reason: str) -> None:
    """Raise the reason why a plan is not even looked at.

    :param reason: in words.
    :raises PlanError: always.
    """
    _raise_without_traceback(PlanRefused(reason))


def _translation(copy: Path, name: str, *, is_ending: bool = False) -> Translation:
    translator = configured_translator()
    reading = read_alone(copy.read_bytes(), name, translator.settings.rules)
    if is_ending and reading.plan is not None:
        reading = replace(reading, plan=reading.plan.model_copy(update={"schedule": None}))
    translation = translate(copy, reading, translator)
    return replace(translation, problems=tuple(each.at(file=name) for each in translation.problems))


def _dag_or_raise(translation: Translation) -> DAG:
    if translation.dag is None:
        _raise_without_traceback(PlanError(translation.problems))
    return translation.dag


class PlanRefused(PlanError):
    """A plan that is not even looked at, for a reason told in words."""

    def __init__(self, reason: str) -> None:
        super().__init__(())
        self.args = (reason,)


def _raise_without_traceback(error: PlanError) -> NoReturn:
    """Raise *error*; where Airflow parses this one file in a process of its own, without our own frames."""
    if os.environ.get("_AIRFLOW_PROCESS_CONTEXT") == "client":
        from airflow.configuration import conf

        conf.set("core", "dagbag_import_error_tracebacks", "False")
    raise error
