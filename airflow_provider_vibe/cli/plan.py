"""`airflow vibe plan`."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from airflow_provider_vibe.cli.exits import errors_told, logs_on_stderr
from airflow_provider_vibe.cli.local import check_database
from airflow_provider_vibe.cli.report import usage_text
from airflow_provider_vibe.cli.runs import is_text
from airflow_provider_vibe.dag.snapshots import write_whole
from airflow_provider_vibe.plan.models import WorkflowPlan
from airflow_provider_vibe.plan.problems import VibeError, quoted
from airflow_provider_vibe.plan.reading import PLAN_SUFFIXES
from airflow_provider_vibe.replan.planner import ModelPlanner, NoPlan
from airflow_provider_vibe.replan.writing import plan_data, written
from airflow_provider_vibe.settings import Settings
from airflow_provider_vibe.tools.base import ToolInputError
from airflow_provider_vibe.tools.models.asking import Choice

MADE, NO_PLAN = 0, 1
ON_STDOUT = "plan.vibe.yaml"
"""The name that tells the notation of a plan that is printed."""


PROCESS_CONTEXT = "_AIRFLOW_PROCESS_CONTEXT"
"""What Airflow's own commands tell its SDK with whose rights they work (3.3 `connection_command`)."""


class CannotWrite(VibeError):
    """A file that the plan cannot go to."""


def plan(args: Namespace) -> None:
    """Let a model make a plan of a vibe, print it or write it to a file, and exit.

    :param args: ``vibe``, ``output``, ``force``, ``connection``, ``model``, ``max_tokens`` and ``id``.
    """
    with errors_told("plan"):
        if not args.vibe.strip():
            raise VibeError("say what the plan is to make: airflow vibe plan 'a weekly letter on tea'")
        for name in ("vibe", "id", "connection", "model"):
            if not is_text(getattr(args, name) or ""):
                raise VibeError(f"the {name} is no text in UTF-8: {quoted(getattr(args, name))}")
        target = None if args.output is None else Path(args.output)
        if target is not None:
            _check_target(target, args.force)  # before anything is paid for
        settings = Settings.from_airflow()
        planner = ModelPlanner(settings, Choice(args.connection, args.model, args.max_tokens))
        made = _ask(planner, args.vibe, args.id)
        _deliver(made, target, args.force, settings.rules.limits.max_plan_bytes)
    sys.exit(MADE)


def _ask(planner: ModelPlanner, vibe: str, plan_id: str | None) -> WorkflowPlan:
    try:
        with logs_on_stderr(), _connections_of_the_database(), _failures_told():
            return planner.plan_for(vibe, plan_id)
    except ToolInputError:
        check_database()  # Airflow says of one that gives no answer that it holds no such connection
        raise
    except NoPlan as error:
        if not planner.usage.requests:
            raise  # what answered was no model
        print(f"airflow vibe plan: {error}", file=sys.stderr)
        sys.exit(NO_PLAN)
    finally:
        if planner.usage.requests:
            print(usage_text(planner.usage), file=sys.stderr)


@contextmanager
def _connections_of_the_database() -> Iterator[None]:
    """Meanwhile connections are read where `airflow connections add` writes them, too.

    Outside of a task Airflow's SDK looks for them only in the environment and in secrets backends.
    """
    before = os.environ.get(PROCESS_CONTEXT)
    os.environ[PROCESS_CONTEXT] = "server"
    try:
        yield
    finally:
        if before is None:
            del os.environ[PROCESS_CONTEXT]
        else:
            os.environ[PROCESS_CONTEXT] = before


@contextmanager
def _failures_told() -> Iterator[None]:
    """What keeps a model from answering becomes an error that is told on one line."""
    from pydantic_ai.exceptions import AgentRunError

    try:
        yield
    except (AgentRunError, ExceptionGroup) as error:
        reasons = error.exceptions if isinstance(error, ExceptionGroup) else (error,)
        told = "; ".join(map(str, reasons))
        raise VibeError(f"the model could not be asked: {told}") from error


def _check_target(path: Path, force: bool) -> None:
    """Refuse a file that the plan cannot go to.

    :raises CannotWrite: says why.
    """
    if not path.name.endswith(PLAN_SUFFIXES):
        raise CannotWrite(f"{quoted(path.name)} is no name of a plan file: end it in {PLAN_SUFFIXES[1]}")
    if not path.parent.is_dir():
        raise CannotWrite(f"there is no folder {path.parent} (mkdir -p {path.parent})")
    if path.is_dir():
        raise CannotWrite(f"{path} is a folder")
    if os.path.lexists(path) and not force:
        raise CannotWrite(f"{path} is already there; it stays as it is (--force writes over it)")


def _deliver(made: WorkflowPlan, target: Path | None, force: bool, max_bytes: int) -> None:
    """Print a plan or write it; one that cannot be written is printed, since it has been paid for.

    :raises CannotWrite: says why.
    """
    text = written(plan_data(made), ON_STDOUT if target is None else target.name, max_bytes)
    if target is None:
        sys.stdout.write(text)
        return
    try:
        _check_target(target, force)  # it may have come while the model was at work
        write_whole(target, text.encode())
    except (CannotWrite, OSError) as error:
        sys.stdout.write(text)
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise CannotWrite(f"cannot write {target}, so the plan is on stdout: {reason}") from None
    print(f"wrote {target}\n\n  airflow vibe graph {target}\n  airflow vibe run {target}")
