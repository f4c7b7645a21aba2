"""One Airflow cluster for all end-to-end tests of a session."""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from tests.e2e.cluster import AirflowCluster, postgres_trouble
from tests.e2e.tools import FOLDER_VARIABLE

HERE = Path(__file__).parent

DropFile = Callable[..., Path]


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark every test of this folder; under xdist (``--dist loadgroup``) one worker gets them all.

    Not with pytest 9.2.0 and xdist 3.8.0, where xdist sets a node id that pytest no longer reads: there each
    worker starts a cluster of its own, which works but takes longer. Best is a pytest run without xdist.
    """
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(pytest.mark.e2e)
            item.add_marker(pytest.mark.xdist_group("e2e"))


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Show what the processes of the cluster said last beside a test that failed."""
    report = yield
    cluster = getattr(item, "funcargs", {}).get("cluster")
    if report.failed and isinstance(cluster, AirflowCluster):
        report.sections.append(("Airflow processes (tails)", cluster.log_tails()))
    return report


def cluster_environment(home: Path) -> dict[str, str]:
    """What the cluster of the tests has besides the settings in `AirflowCluster`.

    :param home: the AIRFLOW_HOME, for settings that name a folder of it.
    """
    messages = home / "messages"
    messages.mkdir()
    return {
        FOLDER_VARIABLE: str(messages),
        "PYTHONPATH": str(HERE.parents[1]),
        "AIRFLOW__VIBE__TOOL_FACTORIES": "tests.e2e.tools.make_tools",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_CONFIG_LIST": json.dumps(
            [
                {
                    "name": "dags-folder",
                    "classpath": "airflow.dag_processing.bundles.local.LocalDagBundle",
                    "kwargs": {},
                },
                {
                    "name": "plans",
                    "classpath": "airflow_provider_vibe.dag.bundle.VibePlanBundle",
                    "kwargs": {"path": str(home / "bundled"), "snapshots": str(home / "snapshots")},
                },
            ]
        ),
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(home / "bundles"),
        # A plan is read by a loader file, which Airflow parses anew only so often.
        "AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "2",
    }


@pytest.fixture(scope="session")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AirflowCluster]:
    """A running Airflow. Skipped where no PostgreSQL can be reached, but never in CI."""
    if reason := postgres_trouble():
        (pytest.fail if os.environ.get("CI") else pytest.skip)(reason)
    home = tmp_path_factory.mktemp("airflow")
    (home / "bundled").mkdir()
    # The workers keep bundles elsewhere, as on another host: they must fetch what they lack.
    elsewhere = {"AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(home / "bundles-of-workers")}
    with AirflowCluster(home, cluster_environment(home), {"scheduler": elsewhere}) as running:
        yield running


@pytest.fixture
def drop(cluster: AirflowCluster) -> Iterator[DropFile]:
    """``drop(name, text, folder=None)`` puts a file into the dags folder (or ``folder``) until the test ends.

    The file appears whole (it is renamed into place); dropping a name again replaces it.
    """
    dropped: set[Path] = set()

    def drop_file(name: str, text: str, folder: Path | None = None) -> Path:
        path = (folder or cluster.dags_folder) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = cluster.home / f"{path.name}.draft"
        draft.write_text(text)
        draft.replace(path)
        dropped.add(path)
        return path

    yield drop_file
    for path in dropped:
        path.unlink(missing_ok=True)
