"""Bundles in tests: their fixtures, and what to ask of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from airflow_provider_vibe.dag import archive as archive_module
from airflow_provider_vibe.dag import endings as endings_module
from airflow_provider_vibe.dag import folder as folder_module
from airflow_provider_vibe.dag.bundle import VibePlanBundle
from airflow_provider_vibe.dag.snapshots import loader_of
from airflow_provider_vibe.dag.unfinished import UnfinishedRun
from tests.dag.plans import node, plan, write


@pytest.fixture
def plans(tmp_path):
    """The folder of plans."""
    (tmp_path / "plans").mkdir()
    return tmp_path / "plans"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Moves to the machine of a name: each keeps bundles in a folder of its own."""

    def move(name: str) -> None:
        folder = tmp_path / "machines" / name
        folder.mkdir(parents=True, exist_ok=True)
        monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(folder))

    move("processor")
    return move


@pytest.fixture
def unfinished(monkeypatch):
    """Says which runs have not ended: pairs of a plan id and a version, the latest first; or nobody knows.

    Airflow is asked for them only when need be: ``unfinished.asked`` says how often it was.
    """

    def say(*runs: tuple[str, str], known: bool = True) -> None:
        found = [UnfinishedRun(loader_of(plan_id), version) for plan_id, version in runs] if known else None

        def answer(name: str) -> list[UnfinishedRun] | None:
            say.asked += 1  # type: ignore[attr-defined]
            return found

        in_use = None if found is None else {run.version for run in found}
        monkeypatch.setattr(endings_module, "unfinished_runs", answer)
        monkeypatch.setattr(archive_module, "versions_in_use", lambda name: in_use)

    say.asked = 0  # type: ignore[attr-defined]
    say()
    return say


@pytest.fixture
def bundle(tmp_path, plans, machine, unfinished):
    """Makes a bundle of that folder."""

    def make(**options: Any) -> VibePlanBundle:
        given = {"path": str(plans), "snapshots": str(tmp_path / "kept"), "refresh_interval": 0, **options}
        return VibePlanBundle(name="plans", **given)

    return make


@pytest.fixture
def settled(monkeypatch):
    """Files count as long written."""
    monkeypatch.setattr(folder_module, "SETTLED_SECONDS", -1.0)
    monkeypatch.setattr(endings_module, "LATE_SECONDS", -1.0)


def put(plans: Path, *ids: str, **fields: Any) -> None:
    for plan_id in ids:
        write(plans, f"{plan_id}.vibe.json", plan(node("a"), id=plan_id, **fields))


def begun(bundle: VibePlanBundle) -> VibePlanBundle:
    bundle.initialize()
    return bundle


def version_of(bundle: VibePlanBundle) -> str:
    version = bundle.get_current_version()
    assert version is not None
    return version.version


def bag_of(bundle: VibePlanBundle) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(bundle.path, bundle_path=bundle.path, bundle_name="plans")


def errors_of(bundle: VibePlanBundle) -> dict[str, str]:
    """Import errors by the file of the snapshot."""
    errors: dict[str, str] = bag_of(bundle).import_errors
    return errors


def loaders_of(bundle: VibePlanBundle) -> set[str]:
    return {path.relative_to(bundle.path).as_posix() for path in bundle.path.rglob("*.py")}


def disk(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below with its inode and time, but for the Python that parses leave compiled."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}
