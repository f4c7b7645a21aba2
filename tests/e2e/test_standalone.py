"""A newcomer's first minutes: what the README says of `airflow standalone`."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import psutil
import pytest

from tests.e2e.polling import eventually
from tests.e2e.rest import AirflowRest
from tests.test_readme import ROOT, block_with


@pytest.fixture
def standalone(tmp_path: Path) -> Iterator[AirflowRest]:
    """The commands of the README, in a copy of the example folder, on a free port."""
    shutil.copytree(ROOT / "dags", tmp_path / "dags", ignore=shutil.ignore_patterns("__pycache__"))
    commands = block_with("sh", "airflow standalone").replace("make setup\nsource .venv/bin/activate\n", "")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    env = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    env |= {
        "PATH": f"{Path(sys.executable).parent}:{env['PATH']}",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": f"http://127.0.0.1:{port}",
    }
    with (tmp_path / "standalone.log").open("wb") as log:
        process = subprocess.Popen(
            ["bash", "-ec", commands], cwd=tmp_path, env=env, stdout=log, stderr=log, start_new_session=True
        )
        try:
            yield AirflowRest(f"http://127.0.0.1:{port}")
        finally:
            end_with_children(process)


def end_with_children(process: subprocess.Popen[bytes]) -> None:
    """End a process and all that it started, by id; some of these are in a group of their own."""
    family = [psutil.Process(process.pid), *psutil.Process(process.pid).children(recursive=True)]
    for member in family:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.terminate()
    _, alive = psutil.wait_procs(family, 20)
    for member in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            member.kill()


EXAMPLES = {"weekly-newsletter", "product-launch", "blog-post-llm", "vibe_replan"}


def test_example_plans_appear_and_the_newsletter_runs(standalone: AirflowRest, tmp_path: Path) -> None:
    def known() -> bool:
        try:
            dags = standalone.get("/dags")["dags"]
        except httpx.TransportError:  # not up yet
            return False
        return {dag["dag_id"] for dag in dags} == EXAMPLES

    eventually(known, 120, "the example plans among the DAGs")
    standalone.unpause("weekly-newsletter")
    run_id = standalone.trigger("weekly-newsletter", conf={"topic": "tea"})
    assert standalone.wait_for_run("weekly-newsletter", run_id) == "success"
    published = standalone.xcom("weekly-newsletter", run_id, "publish")["result"]["uri"]
    page = Path(published.removeprefix("file://"))
    assert page.is_relative_to(tmp_path)
    assert "<h1>tea</h1>" in page.read_text()
