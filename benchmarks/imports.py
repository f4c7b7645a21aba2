"""What importing the provider adds to a process that parses DAG files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from statistics import median

from benchmarks.report import SPREAD, Report, spread, verdict
from benchmarks.timing import Compared, in_turn

MOST_SECONDS = 0.3
HEAVY = ("pydantic_ai", "openai", "textstat", "yake")
"""Libraries that only the tools need, when they are called."""

AIRFLOW = "import airflow.sdk"
BY_HAND = (
    "from airflow.sdk import DAG, BaseOperator, TaskGroup\n"
    "from airflow.providers.standard.operators.empty import EmptyOperator"
)
OURS = "from airflow_provider_vibe import load_vibe_dags"
FIRST_USE = f"{OURS}\nload_vibe_dags({{'__file__': {__file__!r}}})"  # in this folder are no plans


def measure(rounds: int, *, quick: bool) -> list[Report]:
    """Time whole processes and, more exactly, the imports inside one; their files are in the cache by then.

    :param rounds: processes of each kind; at least 5, unless *quick*.
    :param quick: fewer.
    """
    rounds = rounds if quick else max(5, rounds)
    whole = Compared(*in_turn([cpu_of_process(f"{AIRFLOW}\n{OURS}"), cpu_of_process(AIRFLOW)], rounds))
    ours, first_use, by_hand = in_turn(
        [cpu_after_airflow(code) for code in (OURS, FIRST_USE, BY_HAND)], rounds
    )
    rows = [
        _row("process: import load_vibe_dags / import airflow.sdk alone", whole),
        _row("in a process: import load_vibe_dags / nothing", Compared(ours, [0.0] * rounds)),
        _row("in a process: and find no plans / imports of a DAG file", Compared(first_use, by_hand)),
    ]
    columns = ("CPU of", "ours, s", "other, s", "difference, s", SPREAD, "target")
    note = f"Of {', '.join(HEAVY)} it imports: {', '.join(heavy_imports()) or 'none'}."
    return [Report("imports: CPU, user and system, on top of import airflow.sdk", columns, rows, [note])]


def heavy_imports() -> list[str]:
    """Which of the heavy libraries are there after the import of the loader and its first use."""
    code = f"{FIRST_USE}\nimport sys\nprint(*({{*{HEAVY!r}}} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return sorted(done.stdout.split())


def cpu_of_process(code: str) -> Callable[[], float]:
    """A way to take a sample: CPU seconds of a process that runs *code*, from its start to its end."""

    def sample() -> float:
        before = os.times()
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        after = os.times()
        return (after.children_user + after.children_system) - (before.children_user + before.children_system)

    return sample


def cpu_after_airflow(code: str) -> Callable[[], float]:
    """A way to take a sample: CPU seconds of *code* alone, in a process that has imported ``airflow.sdk``."""
    timed = f"{AIRFLOW}\nimport time\nbegun = time.process_time()\n{code}\nprint(time.process_time() - begun)"

    def sample() -> float:
        done = subprocess.run([sys.executable, "-c", timed], check=True, capture_output=True, text=True)
        return float(done.stdout)

    return sample


def _row(name: str, compared: Compared) -> list[str]:
    return [
        name,
        f"{median(compared.ours):.2f}",
        f"{median(compared.other):.2f}",
        f"{compared.difference:.2f}",
        spread(compared.differences, 2),
        verdict(compared.difference, MOST_SECONDS),
    ]
