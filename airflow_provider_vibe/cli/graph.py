"""`airflow vibe graph`."""

from __future__ import annotations

import sys
from argparse import Namespace
from dataclasses import replace
from pathlib import Path
from typing import Any

from airflow_provider_vibe.cli.exits import CANNOT, errors_told
from airflow_provider_vibe.cli.looks import Look, Observer
from airflow_provider_vibe.cli.runs import RunReader, find_run, open_reader
from airflow_provider_vibe.cli.stored import NoResult, stored_result
from airflow_provider_vibe.dag.translator import PlanTranslator, configured_translator
from airflow_provider_vibe.plan.diagram import ascii_diagram, mermaid_diagram
from airflow_provider_vibe.plan.graph import PlanGraph
from airflow_provider_vibe.plan.identity import plan_digest
from airflow_provider_vibe.plan.models import WorkflowPlan
from airflow_provider_vibe.plan.problems import format_problems
from airflow_provider_vibe.plan.reading import examine_file
from airflow_provider_vibe.runtime.outcome import ExecutionResult, some

Statuses = dict[str, str]
Summary = dict[str, Any]


def graph(args: Namespace) -> None:
    """Print the picture of a plan, with the statuses of a run when one is named.

    :param args: ``plan``, ``format``, ``run``, ``dag`` and ``url``.
    """
    with errors_told("graph"):
        translator = configured_translator()
        plan = _plan_at(Path(args.plan), translator)
        statuses: Statuses = {}
        summary: Summary | None = None
        if args.run is not None:
            with open_reader(args.url) as reader:
                run = find_run(reader, args.dag or translator.dag_id(plan), args.run)
                statuses, summary = _of_run(plan, reader, Observer(reader, run).look())
        if args.format == "mermaid":
            print(mermaid_diagram(plan, statuses))
        else:
            print(ascii_diagram(plan, statuses, summary))


def _plan_at(path: Path, translator: PlanTranslator) -> WorkflowPlan:
    """The plan in a file; a picture needs none of its tools, which may be on another machine only."""
    rules = replace(translator.settings.rules, tools=None, simulate_missing=True)
    reading = examine_file(path, rules)
    if reading.plan is None:
        print(format_problems(reading.problems), file=sys.stderr)
        sys.exit(CANNOT)
    return reading.plan


def _of_run(plan: WorkflowPlan, reader: RunReader, look: Look) -> tuple[Statuses, Summary | None]:
    """The status of each node, and the summary of a run that is done and gathered."""
    statuses = {node_id: str(state.status) for node_id, state in look.nodes.items()}
    if unknown := [node_id for node_id in PlanGraph(plan.root_nodes).nodes if node_id not in statuses]:
        _note(f"the run has no {some(unknown, 3)}: it is a run of another revision of the plan")
    try:
        result = stored_result(reader, look).result
    except NoResult:
        return statuses, None
    if not unknown and result.plan_digest != plan_digest(plan):
        _note("the plan has changed since this run")
    return statuses, _summary(result)


def _summary(result: ExecutionResult) -> Summary:
    durations = [node.duration for node in result.node_results.values()]
    return {**result.get_summary(), "duration": sum(durations)}


def _note(message: str) -> None:
    print(f"airflow vibe graph: {message}", file=sys.stderr)
