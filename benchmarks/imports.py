"""What importing the provider adds to a process that parses DAG files."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from statistics import median

from benchmarks.report import Report, verdict
from benchmarks.timing import Compared, in_turn

MOST_SECONDS = 0.3
HEAVY = ("pydantic_ai", "openai", "textstat", "yake")
"""Libraries that only the tools need, when they are called."""

AIRFLOW = "import airflow.sdk"
BY_HAND = (
    "from airflow.sdk import DAG, BaseOperator, TaskGroup\n"
    "from airflow.providers.standard.operators.empty import EmptyOperator"
)
OURS = "import airflow.sdk\nfrom airflow_provider_vibe import load_vibe_dags"
FIRST_USE = f"{OURS}\nload_vibe_dags({{'__file__': '/nowhere/loader.py'}})"


def measure(rounds: int, *, quick: bool) -> list[Report]:
    """Time whole processes, the files of the interpreter already in the cache.

    :param rounds: processes of each kind; at least 5, unless *quick*.
    :param quick: fewer.
    """
    codes = (AIRFLOW, BY_HAND, OURS, FIRST_USE)
    samples = in_turn([cpu_of(code) for code in codes], rounds if quick else max(5, rounds))
    airflow, by_hand, ours, first_use = samples
    rows = [
        _row("import load_vibe_dags / import airflow.sdk", Compared(ours, airflow), MOST_SECONDS),
        _row("import load_vibe_dags / what a DAG file imports", Compared(ours, by_hand), None),
        _row("and call it, no plans / what a DAG file imports", Compared(first_use, by_hand), None),
    ]
    columns = ("processes", "ours, s", "other, s", "difference, s", "lowest–highest", "target")
    found = heavy_imports()
    note = f"Of {', '.join(HEAVY)} it imports: {', '.join(found) or 'none'}."
    return [Report("imports: CPU of a process, user and system", columns, rows, [note])]


def heavy_imports() -> list[str]:
    """Which of the heavy libraries are there after the import of the loader and its first use."""
    code = f"{FIRST_USE}\nimport sys\nprint(*({{*{HEAVY!r}}} & sys.modules.keys()))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return sorted(done.stdout.split())


def cpu_of(code: str) -> Callable[[], float]:
    """A way to take a sample: CPU seconds of a process that runs *code*."""

    def sample() -> float:
        before = os.times()
        subprocess.run([sys.executable, "-c", code], check=True, capture_output=True)
        after = os.times()
        return (after.children_user + after.children_system) - (before.children_user + before.children_system)

    return sample


def _row(name: str, compared: Compared, most: float | None) -> list[str]:
    return [
        name,
        f"{median(compared.ours):.2f}",
        f"{median(compared.other):.2f}",
        f"{compared.difference:.2f}",
        f"{min(compared.differences):.2f}–{max(compared.differences):.2f}",  # noqa: RUF001  # a range is written so
        verdict(compared.difference, most) if most is not None else "",
    ]
