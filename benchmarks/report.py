"""Tables for a terminal and for Markdown."""

from __future__ import annotations

import os
import platform
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path

from rich import box
from rich.console import Console
from rich.table import Table


@dataclass(frozen=True)
class Report:
    """What one measurement found.

    :param title: what was measured.
    :param columns: heads of the table.
    :param rows: cells of the table, as text.
    :param notes: lines below the table.
    """

    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]
    notes: Sequence[str] = field(default=())


def verdict(figure: float, most: float) -> str:
    """Whether a figure keeps to its target.

    :param figure: what was measured.
    :param most: the target.
    """
    return f"≤ {most:g} " + ("met" if figure <= most else "MISSED")


SPREAD = "lowest to highest"
"""The head of a column of :func:`spread`."""


def spread(figures: Sequence[float], digits: int) -> str:
    """The lowest and the highest of some figures.

    :param digits: behind the point.
    """
    return f"{min(figures):.{digits}f} to {max(figures):.{digits}f}"


def print_report(report: Report, console: Console, *, markdown: bool) -> None:
    """Print a report.

    :param report: what to print.
    :param console: where to.
    :param markdown: as Markdown, not for a terminal.
    """
    table = Table(box=box.MARKDOWN if markdown else box.SIMPLE)
    for index, column in enumerate(report.columns):
        table.add_column(column, justify="right" if index else "left", no_wrap=True)
    for row in report.rows:
        table.add_row(*row)
    title = f"### {report.title}\n" if markdown else report.title
    for text in (title, _rendered(table, console), *("\n" + note for note in report.notes), ""):
        console.print(text, markup=False, soft_wrap=True)


def _rendered(table: Table, console: Console) -> str:
    """The lines of a table, without the empty ones and the blanks around it."""
    with console.capture() as captured:
        console.print(table)
    return "\n".join(line.rstrip() for line in captured.get().splitlines() if line.strip())


def environment(rounds: int) -> str:
    """What was measured on, in a line.

    :param rounds: samples of each figure.
    """
    load = f"{os.getloadavg()[0]:.1f}" if hasattr(os, "getloadavg") else "unknown"
    facts = {
        "Python": platform.python_version(),
        "Airflow": version("apache-airflow"),
        "airflow-provider-vibe": version("airflow-provider-vibe"),
        "processors": f"{os.cpu_count()} of {_processor()}",
        "load": load,
        "platform": platform.platform(),
        "date": f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC",
        "rounds": str(rounds),
    }
    return "; ".join(f"{name} {fact}" for name, fact in facts.items())


def _processor() -> str:
    info = Path("/proc/cpuinfo")
    names = (
        [line for line in info.read_text().splitlines() if line.startswith("model name")]
        if info.exists()
        else []
    )
    return names[0].partition(":")[2].strip() if names else platform.machine()
