"""What a node costs around its tool."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from statistics import median

from benchmarks.report import SPREAD, Report, spread, verdict

MOST_MILLISECONDS = 20.0
DEPENDENCIES = (0, 1, 10)
CALLS = 31


def measure(rounds: int, *, quick: bool) -> list[Report]:
    """Execute a node in processes of its own: the first call of each, and the later ones.

    :param rounds: processes for each number of dependencies.
    :param quick: no difference.
    """
    costs: dict[int, list[list[float]]] = {dependencies: [] for dependencies in DEPENDENCIES}
    for _ in range(rounds):
        for dependencies in DEPENDENCIES:
            costs[dependencies].append(costs_in_a_process(dependencies))
    rows = [_row(dependencies, processes) for dependencies, processes in costs.items()]
    columns = (
        "node with",
        "first call, ms",
        SPREAD,
        "target",
        "later calls, ms",
        SPREAD,
        "target",
    )
    return [Report("overhead: CPU of operator.execute without the tool's own", columns, rows)]


def costs_in_a_process(dependencies: int) -> list[float]:
    """What the calls cost, in milliseconds, in a process that has made the DAG and done nothing else.

    :param dependencies: nodes that the node depends on.
    """
    command = [sys.executable, "-m", "benchmarks.probe", str(dependencies), str(CALLS)]
    environ = {**os.environ, "AIRFLOW__VIBE__TOOL_FACTORIES": "benchmarks.quiet_tool.quiet_tools"}
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, env=environ)
    milliseconds: list[float] = json.loads(done.stdout.splitlines()[-1])
    return milliseconds


def _row(dependencies: int, processes: list[list[float]]) -> list[str]:
    first = [calls[0] for calls in processes]
    later = [cost for calls in processes for cost in calls[1:]]
    name = f"{dependencies} dependencies" if dependencies != 1 else "1 dependency"
    return [name, *_cells(first), *_cells(later)]


def _cells(costs: list[float]) -> list[str]:
    middle = median(costs)
    return [f"{middle:.1f}", spread(costs, 1), verdict(middle, MOST_MILLISECONDS)]
