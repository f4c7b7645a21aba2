"""`airflow vibe compare`."""

from __future__ import annotations

import json
import sys
from argparse import Namespace
from collections import Counter
from collections.abc import Sequence

from rich.table import Table

from airflow_provider_vibe.cli.comparison import Change, Compared, NodeFacts, RunFacts, compare_runs, facts_of
from airflow_provider_vibe.cli.exits import errors_told
from airflow_provider_vibe.cli.report import as_text, open_console
from airflow_provider_vibe.cli.runs import open_reader
from airflow_provider_vibe.runtime.usage import Usage, total

NOT_THERE = "-"


def compare(args: Namespace) -> None:
    """Show what became of each node in two runs, and what is different, and exit.

    :param args: ``dag``, ``run``, ``other``, ``format`` and ``url``.
    """
    with errors_told("compare"), open_reader(args.url) as reader:
        earlier, later = (facts_of(reader, args.dag, run_id) for run_id in (args.run, args.other))
    compared = list(compare_runs(earlier, later))
    if args.format == "json":
        print(json.dumps(_as_json(args.dag, earlier, later, compared), indent=2, ensure_ascii=False))
    else:
        console = open_console()
        console.print(comparison_table(earlier, later, compared))
        console.print(_summary(later, compared), highlight=False, markup=False, soft_wrap=True)
    sys.exit(0)


def _as_json(dag_id: str, earlier: RunFacts, later: RunFacts, compared: Sequence[Compared]) -> object:
    return {
        "dag_id": dag_id,
        "earlier": earlier.as_json(),
        "later": later.as_json(),
        "changes": _counted(compared),
        "nodes": {
            each.node_id: {
                "change": each.change.value,
                "earlier": each.earlier and each.earlier.as_json(),
                "later": each.later and each.later.as_json(),
            }
            for each in compared
        },
    }


def comparison_table(earlier: RunFacts, later: RunFacts, compared: Sequence[Compared]) -> Table:
    """A row for each node, and one for the runs; a value that differs is written as ``before → after``.

    :param earlier: a run.
    :param later: another one.
    :param compared: their nodes.
    """
    names = ("node", "status", "quality", "cost", "seconds", "tries", "change")
    table = Table(*names, box=None, pad_edge=False, show_footer=False)
    for each in compared:
        pairs = zip(_cells(each.earlier), _cells(each.later), strict=True)
        table.add_row(as_text(each.node_id), *(_arrow(*pair) for pair in pairs), each.change.value)
    pairs = zip(_total_cells(earlier), _total_cells(later), strict=True)
    table.add_section()
    table.add_row("total", *(_arrow(*pair) for pair in pairs), "")
    return table


def _cells(node: NodeFacts | None) -> list[str]:
    if node is None:
        return [NOT_THERE] * 5
    quality = "" if node.quality is None else str(node.quality)
    seconds = "" if node.seconds is None else f"{node.seconds:.2f}"
    return [node.status.value, quality, _cost(node.usage), seconds, str(node.tries or "")]


def _total_cells(run: RunFacts) -> list[str]:
    seconds = "" if run.seconds is None else f"{run.seconds:.2f}"
    nodes = run.nodes.values()
    tries = sum(node.tries for node in nodes)
    return [run.status.value, "", _cost(total(node.usage for node in nodes)), seconds, str(tries)]


def _cost(usage: Usage) -> str:
    """US dollars; a question mark where some of it is not known."""
    if not usage.requests:
        return ""
    known = f"${usage.known_cost:.4f}"
    if usage.cost is not None:
        return known
    return f"{known} + ?" if usage.known_cost else "?"


def _arrow(before: str, after: str) -> str:
    told = [text or NOT_THERE for text in (before, after)]
    return before or after if told[0] == told[1] else " → ".join(told)


def _summary(later: RunFacts, compared: Sequence[Compared]) -> str:
    counted = ", ".join(f"{number} {change}" for change, number in _counted(compared).items())
    saved = total(node.reused_usage for node in later.nodes.values())
    if not saved.requests:
        return counted
    return f"{counted}; reuse saved {_cost(saved)}, {saved.tokens:,} tokens in {saved.requests} requests"


def _counted(compared: Sequence[Compared]) -> dict[str, int]:
    counted = Counter(each.change for each in compared)
    return {change.value: counted[change] for change in Change if counted[change]}
