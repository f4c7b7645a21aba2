"""The replan DAG, its tasks held at the points where a test wants to kill them. DAG files import it."""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from datetime import timedelta
from typing import Any

from airflow.sdk import DAG
from airflow.sdk.execution_time import task_runner

from airflow_provider_vibe.dag.replanning.act import VibeApplyOperator
from airflow_provider_vibe.dag.replanning.approve import VibeApproveOperator
from airflow_provider_vibe.dag.replanning.dag import replan_dag
from airflow_provider_vibe.dag.replanning.propose import VibeProposeOperator
from tests.e2e.tools import folder, wait_while_there


def hold(dag_id: str, point: str) -> None:
    """Wait while ``DAG.POINT.hold`` exists; ``DAG.POINT.held`` holds the id of the process that does."""
    asked = folder() / f"{dag_id}.{point}.hold"
    if asked.exists():
        asked.with_suffix(".held").write_text(str(os.getpid()))
    wait_while_there(asked)


def _held(method: Callable[..., Any], step: str) -> Callable[..., Any]:
    @functools.wraps(method)
    def do(self: Any, *args: Any, **kwargs: Any) -> Any:
        hold(self.case["dag_id"], f"{step}-before")
        done = method(self, *args, **kwargs)
        hold(self.case["dag_id"], f"{step}-after")
        return done

    return do


def _held_trigger(trigger: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(trigger)
    def do(asked: Any, *args: Any, **kwargs: Any) -> Any:
        done = trigger(asked, *args, **kwargs)
        hold(asked.trigger_dag_id, "rerun-after")
        return done

    return do


def held_replan_dag() -> DAG:
    """The DAG as it is, in a process whose tasks can be held."""
    for operator, method, step in (
        (VibeProposeOperator, "execute", "propose"),
        (VibeApproveOperator, "execute_complete", "approve"),
        (VibeApplyOperator, "execute", "apply"),
    ):
        setattr(operator, method, _held(getattr(operator, method), step))
    task_runner._handle_trigger_dag_run = _held_trigger(task_runner._handle_trigger_dag_run)
    return replan_dag(default_args={"retry_delay": timedelta(seconds=1)})
