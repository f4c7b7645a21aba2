"""One process that loads a folder of plans as Airflow does, and prints what it cost, as JSON.

``python benchmarks/folder_probe.py WAY JOB FOLDER COUNT``, with the Python of the environment that has the
library. It needs nothing else of this repository.
"""

from __future__ import annotations

import gc
import json
import os
import resource
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from airflow.dag_processing.dagbag import DagBag

PATTERNS = {"ours": "*.vibe.yaml", "dag-factory": "*.yaml", "blueprint": "*.dag.yaml"}


class OneLoader:
    """A library whose loader, one DAG file, makes all DAGs of the folder."""

    def __init__(self, folder: Path) -> None:
        self.loader = folder / "loader.py"

    def load(self) -> Any:
        """All DAGs, as a parse makes them."""
        return DagBag(self.loader)

    look = load
    """It cannot tell whether anything has changed."""

    def load_one(self, file: str) -> Any:
        """Until the DAG of a changed file is there; nor can it tell what has."""
        return self.load()

    def work(self, file: str) -> Any:
        """What a worker loads for a task."""
        return self.load()


class OurBundle:
    """A bundle whose snapshot has a DAG file for each plan."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.bundle: Any = None

    def load(self) -> Any:
        """All DAGs: from the folder to the snapshot, and from there."""
        if self.bundle is None:
            self.bundle = self._bundle()
            self.bundle.initialize()
        else:
            self.bundle.refresh()
        return DagBag(self.bundle.path, bundle_path=self.bundle.path, bundle_name="plans")

    def look(self) -> None:
        """Look whether anything has changed."""
        self.bundle.refresh()

    def load_one(self, file: str) -> Any:
        """Until the DAG of a changed file is there: a new snapshot, and the one file."""
        self.bundle.refresh()
        return DagBag(self.bundle.path / _loader(file), bundle_path=self.bundle.path, bundle_name="plans")

    def work(self, file: str) -> Any:
        """What a worker loads for a task: the version of the run, which it has, and the one file."""
        bundle = self._bundle((self.folder / "version").read_text())
        bundle.initialize()
        return DagBag(bundle.path / _loader(file), bundle_path=bundle.path, bundle_name="plans")

    def _bundle(self, version: str | None = None) -> Any:
        from airflow_provider_vibe.dag import archive, bundle, endings

        archive.versions_in_use = lambda name: set()  # needs the database
        endings.unfinished_runs = lambda name: []  # needs the database
        return bundle.VibePlanBundle(name="plans", path=str(self.folder), version=version, refresh_interval=0)


def _loader(file: str) -> str:
    """The DAG file of a plan, whose id is the beginning of its name."""
    return f"{file.partition('.')[0]}.vibe.py"


def cost(work: Callable[[], Any]) -> tuple[float, Any]:
    """CPU seconds of *work*, and what it gives."""
    begun = time.process_time()
    done = work()
    return time.process_time() - begun, done


def check(bag: Any, count: int) -> None:
    """All DAGs are there, whole."""
    assert not bag.import_errors, bag.import_errors
    assert len(bag.dags) == count, len(bag.dags)
    for dag in bag.dags.values():
        chain = [task for task in dag.tasks if task.task_id != "vibe_feedback"]
        assert len(chain) == 20 and sum(len(task.upstream_task_ids) for task in chain) == 19


def peak_mib() -> float:
    """The most memory this process ever had."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def manage(library: OneLoader | OurBundle, folder: Path, pattern: str, count: int) -> dict[str, float]:
    """What the process that looks after DAGs does, one thing after the other."""
    began_with = peak_mib()
    first, bag = cost(library.load)
    check(bag, count)
    memory = peak_mib() - began_with
    version = getattr(library, "bundle", None) and library.bundle.get_current_version().version  # type: ignore[union-attr]
    time.sleep(2.1)  # until our bundle takes the files for settled
    library.look()
    look, _ = cost(library.look)
    again, bag = cost(library.load)
    check(bag, count)
    path = sorted(folder.glob(pattern))[count // 2]
    path.write_text(path.read_text().replace("old text", "new text"))
    changed, _ = cost(lambda: library.load_one(path.name))
    path.write_text(path.read_text().replace("new text", "old text"))
    if version:
        (folder / "version").write_text(version)
    return {"first": first, "look": look, "again": again, "changed": changed, "memory": memory}


def work(library: OneLoader | OurBundle, folder: Path, pattern: str, count: int) -> dict[str, float]:
    """What a worker does before a task."""
    began_with = peak_mib()
    path = sorted(folder.glob(pattern))[count // 2]
    dag_id = path.name.partition(".")[0]
    os.environ["_AIRFLOW_PARSING_CONTEXT_DAG_ID"] = dag_id
    spent, bag = cost(lambda: library.work(path.name))
    assert dag_id in bag.dags, bag.import_errors
    return {"worker": spent, "worker_memory": peak_mib() - began_with}


def main() -> None:
    """Do one job, and print its costs on the last line."""
    gc.freeze()  # as Airflow does before it forks a process that parses or runs a task
    way, job, folder, count = sys.argv[1], sys.argv[2], Path(sys.argv[3]), int(sys.argv[4])
    library = (OurBundle if way == "ours" else OneLoader)(folder)
    print(json.dumps((manage if job == "manage" else work)(library, folder, PATTERNS[way], count)))


if __name__ == "__main__":
    main()
