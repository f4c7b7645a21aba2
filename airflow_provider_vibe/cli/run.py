"""`airflow vibe run`."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from argparse import Namespace
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.markup import escape

from airflow_provider_vibe.cli.child_run import RunInterrupted, run_in_child
from airflow_provider_vibe.cli.exits import CANNOT, INTERRUPTED, errors_told
from airflow_provider_vibe.cli.report import artifacts, result_tree, usage_line
from airflow_provider_vibe.cli.runs import is_text
from airflow_provider_vibe.dag.loader import translate
from airflow_provider_vibe.dag.translator import configured_translator
from airflow_provider_vibe.plan.models import WorkflowPlan
from airflow_provider_vibe.plan.problems import VibeError, did_you_mean, format_problems, one_line, quoted
from airflow_provider_vibe.plan.reading import examine_file
from airflow_provider_vibe.runtime.outcome import ExecutionResult, ExecutionStatus

if TYPE_CHECKING:
    from airflow.sdk import DAG

COMPLETED, FAILED, BAD_PLAN = 0, 1, CANNOT
MOST_OF_AN_ERROR = 300
MARKS_OF_EVENTS = {
    "started": "[cyan]▶[/]",
    "completed": "[green]✔[/]",
    "failed": "[red]✘[/]",
    "retry": "[yellow]↻[/]",
}


class ParamError(VibeError):
    """A parameter on the command line that the plan does not have, or that does not fit it."""


def run(args: Namespace) -> None:
    """Run a plan, show its progress and its result, and exit.

    :param args: ``plan``, ``param`` and ``json``.
    """
    with errors_told("run"):
        plan, dag, conf = _prepared(args)
        handle, log_name = tempfile.mkstemp(prefix="airflow-vibe-run-", suffix=".log")
        os.close(handle)
        log_path = Path(log_name)
        try:
            with _logs_in(log_path) as console:
                result = run_in_child(dag, conf, Progress(console).tell)
        except VibeError as error:
            print(f"airflow vibe run: {error} (log: {log_path})", file=sys.stderr)
            sys.exit(INTERRUPTED if isinstance(error, RunInterrupted) else FAILED)
        _show(plan, result, log_path)
        if args.json:
            content = json.dumps(result.as_json(), indent=2, ensure_ascii=False)
            Path(args.json).write_text(content + "\n", "utf-8")
        if result.status is not ExecutionStatus.COMPLETED:
            sys.exit(FAILED)
        log_path.unlink()
    sys.exit(COMPLETED)


def _prepared(args: Namespace) -> tuple[WorkflowPlan, DAG, dict[str, Any]]:
    """The plan, its DAG, and the parameters of the run; a plan with problems ends the command.

    :raises VibeError: what was asked for makes no sense.
    """
    if not all(map(is_text, (args.plan, *(args.param or ())))):
        raise VibeError("the name of the plan and the parameters have to be text in UTF-8")
    translator = configured_translator()
    reading = examine_file(Path(args.plan), translator.settings.rules)
    if reading.problems:
        print(format_problems(reading.problems), file=sys.stderr)
    if reading.plan is None:
        sys.exit(BAD_PLAN)
    conf = parse_params(args.param, reading.plan)
    translation = translate(Path(args.plan), reading, translator)
    if translation.dag is None:
        print(format_problems(translation.problems), file=sys.stderr)
        sys.exit(BAD_PLAN)
    try:
        if args.json:
            Path(args.json).touch()
    except OSError as error:
        raise VibeError(str(error)) from None
    return reading.plan, translation.dag, conf


def parse_params(written: list[str], plan: WorkflowPlan) -> dict[str, Any]:
    """The parameters of a run from ``NAME=VALUE`` texts; a value is JSON unless the plan wants a text there.

    :raises ParamError: one that the plan does not have, a value that does not fit, or one that is missing.
    """
    values: dict[str, Any] = {}
    for text in written:
        name, separator, value = text.partition("=")
        if not separator:
            raise ParamError(f"--param {quoted(text)} should be NAME=VALUE")
        if name not in plan.params:
            hint = did_you_mean(name, plan.params) or f"it has {', '.join(plan.params) or 'none'}"
            raise ParamError(f"the plan has no parameter {quoted(name)} ({hint})")
        values[name] = _param_value(value, plan.params[name])
    _check_params(values, plan)
    return values


def _param_value(text: str, schema: Mapping[str, Any]) -> Any:
    """What *text* is meant to be: JSON, but a text where that alone fits the plan."""
    try:
        value = json.loads(text, parse_constant=str)
    except ValueError:
        return text
    if not isinstance(value, str) and _misfit(value, schema) and not _misfit(text, schema):
        return text
    return text if schema.get("type") == "string" else value


def _check_params(values: Mapping[str, Any], plan: WorkflowPlan) -> None:
    for name, schema in plan.params.items():
        if name not in values and "default" not in schema:
            raise ParamError(f"the plan needs a value for {quoted(name)}: --param {name}=…")
        if reason := _misfit(values.get(name, schema.get("default")), schema):
            raise ParamError(f"parameter {quoted(name)}: {reason}")


def _misfit(value: Any, schema: Mapping[str, Any]) -> str | None:
    """Why *value* does not fit a parameter, as Airflow sees it (`airflow.sdk.Param.resolve`)."""
    from jsonschema import Draft202012Validator, FormatChecker, ValidationError

    try:
        Draft202012Validator(schema, format_checker=FormatChecker()).validate(value)
    except ValidationError as error:
        return error.message
    return None


def _seconds_to_wait(context: Mapping[str, Any]) -> float:
    """Seconds until the next try of a task that failed; it doubles with each."""
    ti = context["ti"]
    return float(ti.task.retry_delay.total_seconds() * 2 ** (ti.try_number - 1))


class Progress:
    """Prints a line for each thing that happens to a node.

    :param console: where to.
    """

    def __init__(self, console: Console) -> None:
        self._console = console

    def tell(self, event: str, context: Mapping[str, Any]) -> None:
        """Print what happened; the tasks that only hold the graph together are left out.

        :param event: ``started``, ``completed``, ``failed`` or ``retry``.
        :param context: Airflow's task context.
        """
        node = getattr(context["ti"].task, "node", None)
        if node is None:
            return
        line = f"{MARKS_OF_EVENTS[event]} {escape(one_line(node.id))}"
        if error := context.get("exception"):
            line += f": {escape(one_line(str(error))[:MOST_OF_AN_ERROR])}"
        if event == "retry":
            line += f" [dim](again in about {_seconds_to_wait(context):.0f} s)[/]"
        self._console.print(line, highlight=False)


@contextmanager
def _logs_in(path: Path) -> Iterator[Console]:
    """Airflow's own output goes to a file meanwhile; the console given still writes to the terminal."""
    sys.stdout.flush()
    terminal = os.dup(1)
    with path.open("wb") as log, os.fdopen(os.dup(1), "w", encoding="utf-8") as shown:
        os.dup2(log.fileno(), 1)
        try:
            yield Console(file=shown)
        finally:
            sys.stdout.flush()
            os.dup2(terminal, 1)
            os.close(terminal)


def _show(plan: WorkflowPlan, result: ExecutionResult, log_path: Path) -> None:
    console = Console()
    console.print(result_tree(plan, result))
    for uri in artifacts(result):
        console.print(f"wrote {uri}", highlight=False, markup=False, soft_wrap=True)
    if used := usage_line(result):
        console.print(used, highlight=False, markup=False, soft_wrap=True)
    console.print(result.headline(), highlight=False, markup=False)
    if result.status is not ExecutionStatus.COMPLETED:
        console.print(f"log: {log_path}", highlight=False, markup=False, soft_wrap=True)
