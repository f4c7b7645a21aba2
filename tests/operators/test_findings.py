"""A node that is tried again knows why its output was refused."""

from __future__ import annotations

from datetime import timedelta

import pytest
from airflow.sdk import DAG

from airflow_provider_vibe.operators.base import VibeNodeOperator
from airflow_provider_vibe.operators.retry import VibeRetryPolicy
from tests import run_tools as tools
from tests.airflow_runs import run_dag
from tests.runtime.helpers import node

TOO_SHORT = ["min_words: 1 words, at least 3 are asked for"]


@pytest.fixture(scope="module")
def ran():
    nodes = {
        "learns": {"tool": "learns", "on_fail": "retry"},
        "stubborn": {"tool": "stubborn", "on_fail": "retry"},
        "fails": {"tool": "stubborn", "on_fail": "fail"},
        "suggests": {"tool": "stubborn"},
    }
    with DAG("findings", schedule=None) as dag:
        for name, fields in nodes.items():
            VibeNodeOperator(
                task_id=name,
                node=node(name, checks=[{"min_words": 3}], **fields),
                retries=2,
                retry_delay=timedelta(0),
                retry_policy=VibeRetryPolicy(),
            )
    return run_dag(dag)


def findings_told(node_id):
    return [call["findings"] for call in tools.calls_of(node_id)]


def test_next_attempts_are_told_the_findings_also_after_another_failure(ran):
    assert findings_told("learns") == [[], TOO_SHORT, TOO_SHORT]
    assert (ran.states["learns"], ran.tries("learns")) == ("success", 3)
    assert ran.result("learns")["result"] == {"text": "long enough at last"}
    assert ran.outcome("learns")["feedback"]["execution_quality"] == 1.0


def test_after_the_last_retry_it_fails_with_the_reasons(ran):
    assert (ran.states["stubborn"], ran.tries("stubborn")) == ("failed", 3)
    outcome = ran.outcome("stubborn")
    assert outcome["error_type"] == "QualityRefused"
    assert outcome["error"] == f"the output does not pass 1 of 1 checks: {TOO_SHORT[0]}"
    assert outcome["feedback"]["checks"][0]["reason"] in outcome["error"]
    assert outcome["replan_suggestion"]["error"] == outcome["error"]


def test_fail_is_not_tried_again(ran):
    assert (ran.states["fails"], ran.tries("fails")) == ("failed", 1)
    assert len(tools.calls_of("fails")) == 1


def test_suggest_completes_and_suggests(ran):
    assert (ran.states["suggests"], ran.tries("suggests")) == ("success", 1)
    assert ran.outcome("suggests")["replan_suggestion"]["findings"] == TOO_SHORT


def test_findings_are_forgotten_once_an_output_is_good(ran):
    """So that clearing the task later begins anew."""
    from airflow.models.taskinstance import TaskInstance  # noqa: F401 # sets up the models
    from airflow.utils.session import create_session
    from sqlalchemy import text

    with create_session() as session:
        rows = session.execute(text("select task_id, key from task_state_store")).all()
    kept = {task_id for task_id, key in rows if key == "vibe_findings"}
    assert kept == {"stubborn"}
