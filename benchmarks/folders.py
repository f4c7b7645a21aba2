"""A folder of plan files as a bundle, against other libraries that make DAGs of YAML files."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from importlib.metadata import version
from pathlib import Path
from statistics import median

import yaml

from benchmarks.report import Report
from benchmarks.shapes import chain

OTHERS = {"dag-factory": "dag-factory==1.1.0", "blueprint": "airflow-blueprint==0.5.0"}
NODES = 20
MOST_ROUNDS_OF_MANY = 3
MANY = 1_000
PROBE = Path(__file__).with_name("folder_probe.py")

ROWS = {
    "first": "first load",
    "look": "nothing changed: to know it",
    "again": "nothing changed: to parse all again",
    "changed": "one changed: until it is there",
    "worker": "a worker: one DAG",
    "memory": "first load: memory, MiB",
    "worker_memory": "a worker: memory, MiB",
}

BLUEPRINTS = """
from airflow.providers.standard.operators.empty import EmptyOperator
from blueprint import BaseModel, Blueprint


class StepConfig(BaseModel):
    text: str


class Step(Blueprint[StepConfig]):
    def render(self, config: StepConfig) -> EmptyOperator:
        return EmptyOperator(task_id=self.step_id, doc_md=config.text)
"""

LOADERS = {
    "ours": "",
    "dag-factory": "from airflow.sdk import DAG\nfrom dagfactory import load_yaml_dags\n"
    "load_yaml_dags(globals(), dags_folder={folder!r})\n",
    "blueprint": "from blueprint import build_all_airflow_dags\nbuild_all_airflow_dags({folder!r})\n",
}


def measure(rounds: int, *, quick: bool, with_others: bool = False) -> list[Report]:
    """Load folders of every size in every way.

    :param rounds: processes of each kind.
    :param quick: small folders only.
    :param with_others: also the other libraries, which are installed for it.
    """
    with tempfile.TemporaryDirectory(prefix="vibe-bench-folders-") as folder:
        scratch = Path(folder)
        pythons = {"ours": sys.executable}
        if with_others:
            pythons |= dict.fromkeys(OTHERS, str(_environment_of_others(scratch)))
        sizes = (5,) if quick else (1, 100, MANY)
        for way, python in pythons.items():
            _sample(way, python, scratch / f"{way}-once", 1)  # everything is byte code from here on
        rows = [row for size in sizes for row in _rows_of(size, rounds, pythons, scratch)]
    heads = [head for way in pythons if way != "ours" for head in (f"{way}, ms", "ours / it")]
    note = (
        f"With {' and '.join(OTHERS.values())}."
        if with_others
        else f"Without {' and '.join(OTHERS)}: --with-others installs them and measures them too."
    )
    title = f"folders: plan files of {NODES} nodes, CPU"
    return [Report(title, ("files", "what", "ours, ms", *heads), rows, [note])]


def _environment_of_others(scratch: Path) -> Path:
    """The Python of a new environment that has the other libraries and our Airflow."""
    folder = scratch / "others"
    python = folder / "bin" / "python"
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    uv = shutil.which("uv")
    install = [uv, "pip", "install", "--python", str(python)] if uv else [str(python), "-m", "pip", "install"]
    airflow = [f"{name}=={version(name)}" for name in ("apache-airflow", "apache-airflow-providers-standard")]
    subprocess.run([*install, "--quiet", *airflow, *OTHERS.values()], check=True)
    return python


def _rows_of(size: int, rounds: int, pythons: dict[str, str], scratch: Path) -> list[list[str]]:
    samples: dict[str, list[dict[str, float]]] = {way: [] for way in pythons}
    for round_ in range(min(rounds, MOST_ROUNDS_OF_MANY) if size >= MANY else rounds):
        for way, python in pythons.items():
            home = scratch / f"{way}-{size}-{round_}"
            samples[way].append(_sample(way, python, home, size))
            shutil.rmtree(home)
    return [_row(size, figure, samples) for figure in ROWS]


def _row(size: int, figure: str, samples: dict[str, list[dict[str, float]]]) -> list[str]:
    is_memory = figure.endswith("memory")
    factor = 1 if is_memory else 1000
    middle = {way: median(sample[figure] for sample in taken) * factor for way, taken in samples.items()}
    digits = 0 if is_memory else 1
    cells = [f"{middle['ours']:,.{digits}f}"]
    for way, taken in samples.items():
        if way != "ours":
            pairs = zip(samples["ours"], taken, strict=True)
            ratio = median(ours[figure] / other[figure] for ours, other in pairs if other[figure])
            cells += [f"{middle[way]:,.{digits}f}", f"{ratio:.3f}"]
    return [f"{size:,}", ROWS[figure], *cells]


def _sample(way: str, python: str, home: Path, size: int) -> dict[str, float]:
    """What it costs in two processes that do nothing else."""
    folder = home / "plans"
    folder.mkdir(parents=True)
    write_folder(way, folder, size)
    environment = {
        **os.environ,
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(folder),
        "AIRFLOW__CORE__DAGBAG_IMPORT_TIMEOUT": "0",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home}/airflow.db",
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(home / "bundles"),
        "AIRFLOW__LOGGING__LOGGING_LEVEL": "ERROR",
        "DO_NOT_TRACK": "true",
        "PYTHONPYCACHEPREFIX": str(home.parent / "bytecode"),
    }
    environment.pop("PYTHONDONTWRITEBYTECODE", None)  # an installed package is byte code
    found: dict[str, float] = {}
    for job in ("manage", "work"):
        command = [python, str(PROBE), way, job, str(folder), str(size)]
        done = subprocess.run(command, capture_output=True, text=True, env=environment, cwd=home)
        if done.returncode:
            raise RuntimeError(f"{way}, {size} files, {job}:\n{done.stderr[-3000:]}")
        found |= json.loads(done.stdout.splitlines()[-1])
    return found


def write_folder(way: str, folder: Path, size: int) -> None:
    """Write the same DAGs in the notation of a library, and its loader.

    :param way: the library.
    :param folder: where to.
    :param size: how many.
    """
    suffix, content = WRITERS[way]
    for index in range(size):
        dag_id = f"plan-{index:04}"
        text = yaml.dump(content(dag_id), Dumper=yaml.CSafeDumper, sort_keys=False)
        (folder / f"{dag_id}{suffix}").write_text(text)
    if LOADERS[way]:
        (folder / "loader.py").write_text(LOADERS[way].format(folder=str(folder)))
    if way == "blueprint":
        (folder / "steps.py").write_text(BLUEPRINTS)


def _ours(dag_id: str) -> dict[str, object]:
    return {**chain(NODES), "id": dag_id, "tags": ["old text"]}


def _dag_factory(dag_id: str) -> dict[str, object]:
    tasks = {
        task_id: {
            "operator": "airflow.providers.standard.operators.empty.EmptyOperator",
            "doc_md": "A step",
            "dependencies": list(before),
        }
        for task_id, before in _steps()
    }
    settings = {"start_date": "2026-01-01", "retries": 2, "retry_delay_sec": 30}
    return {dag_id: {"default_args": settings, "schedule": None, "tags": ["old text"], "tasks": tasks}}


def _blueprint(dag_id: str) -> dict[str, object]:
    steps = {
        task_id: {"blueprint": "step", "text": "A step", "depends_on": list(before)}
        for task_id, before in _steps()
    }
    return {"dag_id": dag_id, "schedule": None, "description": "old text", "steps": steps}


def _steps() -> Sequence[tuple[str, list[str]]]:
    return [(f"n{index:x}", [f"n{index - 1:x}"] if index else []) for index in range(NODES)]


WRITERS: dict[str, tuple[str, Callable[[str], dict[str, object]]]] = {
    "ours": (".vibe.yaml", _ours),
    "dag-factory": (".yaml", _dag_factory),
    "blueprint": (".dag.yaml", _blueprint),
}
