"""`airflow vibe result`."""

from __future__ import annotations

import json
import sys
from argparse import Namespace

from rich.table import Table

from airflow_provider_vibe.cli.exits import errors_told
from airflow_provider_vibe.cli.looks import Observer
from airflow_provider_vibe.cli.report import (
    MARKS,
    MOST_OF_A_REASON,
    artifacts,
    as_text,
    open_console,
    quality_of,
    usage_line,
    why,
)
from airflow_provider_vibe.cli.runs import find_run, open_reader
from airflow_provider_vibe.cli.stored import NoResult, stored_result
from airflow_provider_vibe.runtime.outcome import ExecutionResult, ExecutionStatus, NodeResult

SHOWN, NO_RESULT = 0, 1


def result(args: Namespace) -> None:
    """Show what the feedback of a run has gathered, and exit.

    :param args: ``dag``, ``run``, ``format`` and ``url``.
    """
    with errors_told("result"), open_reader(args.url) as reader:
        look = Observer(reader, find_run(reader, args.dag, args.run)).look()
        try:
            stored = stored_result(reader, look)
        except NoResult as reason:
            print(f"airflow vibe result: {reason}", file=sys.stderr)
            sys.exit(NO_RESULT)
        if args.format == "json":
            print(json.dumps(stored.raw, indent=2, ensure_ascii=False))
        else:
            _print_table(stored.result)
    sys.exit(SHOWN)


def _print_table(outcome: ExecutionResult) -> None:
    console = open_console()
    console.print(result_table(outcome))
    for uri in artifacts(outcome):
        console.print(f"wrote {uri}", highlight=False, markup=False, soft_wrap=True)
    for suggestion in outcome.replan_suggestions:
        changes = ", ".join(map(str, suggestion.get("suggested_changes") or ())) or "nothing in particular"
        console.print(f"replan {as_text(str(suggestion.get('node_id')))}: {as_text(changes)}", soft_wrap=True)
    if used := usage_line(outcome):
        console.print(used, highlight=False, markup=False, soft_wrap=True)
    console.print(f"{outcome.headline()}, in {outcome.total_duration:.1f} s", highlight=False, markup=False)


def result_table(outcome: ExecutionResult) -> Table:
    """The nodes of a run, one a row.

    :param outcome: what came of the run.
    """
    table = Table("", "node", "status", "quality", "seconds", "tries", "why", box=None, pad_edge=False)
    for node in outcome.node_results.values():
        table.add_row(*_row(node, outcome))
    return table


def _row(node: NodeResult, outcome: ExecutionResult) -> list[str]:
    is_completed = node.status is ExecutionStatus.COMPLETED
    return [
        MARKS[node.status],
        as_text(node.node_id),
        node.status.value,
        quality_of(node, outcome).removeprefix("quality ") if is_completed else "",
        f"{node.duration:.2f}" if node.try_number else "",
        str(node.try_number or ""),
        as_text((why(node) or "")[:MOST_OF_A_REASON]),
    ]
