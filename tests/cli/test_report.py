"""The lines of a report."""

from __future__ import annotations

from rich.console import Console

from airflow_provider_vibe.cli.report import result_tree
from airflow_provider_vibe.runtime.errors import LONGEST_MESSAGE
from airflow_provider_vibe.runtime.outcome import ExecutionResult, ExecutionStatus, NodeResult
from tests.runtime.helpers import node, plan


def told(error: str) -> str:
    failed = ExecutionStatus.FAILED
    outcome = NodeResult(node_id="n", status=failed, error=error)
    result = ExecutionResult(plan_id="p", status=failed, node_results={"n": outcome})
    console = Console(width=80)
    with console.capture() as captured:
        console.print(result_tree(plan(node("n")), result))
    return captured.get()


def test_what_to_do_about_an_error_is_told_to_its_end():
    shown = told("the reason is " + "long " * 300 + "so set the option").split()
    assert shown[-4:] == ["so", "set", "the", "option"]
    assert shown.count("long") == 300


def test_no_error_fills_the_screen():
    assert told("x" * 50_000).count("x") <= LONGEST_MESSAGE
