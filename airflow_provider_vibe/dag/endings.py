"""The plans that runs in flight began with, where the folder holds them no more."""

from __future__ import annotations

import time
from collections.abc import Callable

from airflow_provider_vibe.dag.folder import PlanFile
from airflow_provider_vibe.dag.unfinished import UnfinishedRun, unfinished_runs

LATE_SECONDS = 120.0
"""So long after a change Airflow may begin a run with the version before: it has not parsed the new one."""


class Endings:
    """Keeps each plan as its unfinished run began with it, while the folder has another or none of its id.

    Airflow goes on only with runs of DAGs that are there and load. It is asked for its runs only when the
    folder has changed, a while after that, and while anything is kept.

    :param bundle_name: the bundle.
    :param as_begun: gives the plan a run began with; None when it cannot be had.
    """

    def __init__(self, bundle_name: str, as_begun: Callable[[UnfinishedRun], PlanFile | None]) -> None:
        self._bundle_name = bundle_name
        self._as_begun = as_begun
        self._begun: dict[UnfinishedRun, PlanFile] = {}
        self._kept: dict[str, PlanFile] = {}
        self._folder = ""
        self._changed = 0.0
        self._is_settled = False

    def beside(self, owners: Callable[[], dict[str, PlanFile]], folder: str) -> list[PlanFile]:
        """The plans to keep beside those of the folder.

        :param owners: gives the plan the folder has for each loader.
        :param folder: the digest of the folder; an equal one means that nothing has changed.
        """
        if folder != self._folder:
            self._folder, self._changed, self._is_settled = folder, time.monotonic(), False
        if self._is_settled and not self._kept:
            return []
        is_late = time.monotonic() - self._changed > LATE_SECONDS
        present = {loader: file.digest for loader, file in owners().items()}
        runs = unfinished_runs(self._bundle_name)
        if runs is not None:
            self._is_settled = is_late
            self._kept = self._of(runs, present)
        return [file for loader, file in self._kept.items() if file.digest != present.get(loader)]

    def forget(self) -> None:
        """Look for them anew, as their contents are gone."""
        self._begun.clear()

    def _of(self, runs: list[UnfinishedRun], present: dict[str, str]) -> dict[str, PlanFile]:
        begun = {run: self._begun.get(run) or self._as_begun(run) for run in runs}
        self._begun = {run: file for run, file in begun.items() if file is not None}
        kept: dict[str, PlanFile] = {}
        for run, file in self._begun.items():
            if file.digest != present.get(run.file):
                kept.setdefault(run.file, file)
        return kept
