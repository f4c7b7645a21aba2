"""What came of a run of a plan, gathered in its own DAG and told to others."""

from __future__ import annotations

import json
import threading
from datetime import UTC, datetime
from types import SimpleNamespace

import pytest
from airflow.models.taskinstance import TaskInstance
from airflow.models.taskreschedule import TaskReschedule
from airflow.sdk import DAG, TriggerRule
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException, TaskDeferred
from airflow.utils.session import create_session
from sqlalchemy import func, select, update

from airflow_provider_vibe.dag import builder
from airflow_provider_vibe.dag.translator import PlanTranslator
from airflow_provider_vibe.operators.analyze import VibeAnalyzeOperator
from airflow_provider_vibe.operators.base import VibeNodeOperator
from airflow_provider_vibe.runtime.outcome import ExecutionResult
from airflow_provider_vibe.sensors.feedback import VibeFeedbackSensor
from airflow_provider_vibe.settings import Settings
from tests.airflow_runs import run_dag
from tests.runtime.helpers import node, plan

FEEDBACK = "vibe_feedback"


class Killed(VibeNodeOperator):
    """Leaves nothing behind, as a process that was killed."""

    def execute(self, context):
        raise RuntimeError("killed")


class Translator(PlanTranslator):
    def operator_class(self, plan, node):
        return Killed if node.id == "killed" else super().operator_class(plan, node)


def run_plan(*nodes, plan_id, **how):
    """One run of a plan, and the feedback on it."""
    a_plan = plan(*nodes, id=plan_id)
    ran = run_dag(builder.build_dag(a_plan, Translator(Settings.from_airflow())), **how)
    return ran, ExecutionResult.model_validate(ran.result(FEEDBACK))


def statuses(result):
    return {node_id: each.status.value for node_id, each in result.node_results.items()}


# in the DAG of the plan


@pytest.fixture(scope="module")
def troubled():
    """A run in which about everything goes wrong that can."""
    return run_plan(
        node("fetch", tool="broken"),
        node("write", tool="echo", dependencies=["fetch"]),
        node(
            "both",
            "composite",
            children=[node("fine", tool="echo"), node("poor", tool="reports")],
        ),
        node("after", tool="echo", dependencies=["both"]),
        node("killed", tool="echo"),
        node("idle", tool="skips"),
        node("behind", tool="echo", dependencies=["idle"]),
        node("by-hand", tool="echo"),
        plan_id="troubled",
        mark_success_pattern="by-hand",
    )


def test_feedback_is_gathered_after_failures_and_fails_itself(troubled):
    ran, result = troubled
    assert ran.states[FEEDBACK] == "failed"
    assert ran.state == "failed"
    assert result.status == "failed"
    assert result.headline() == "plan failed: 3 of 10 nodes failed: fetch, poor, killed"


def test_every_node_is_in_the_result_with_its_status_and_reason(troubled):
    told = {
        node_id: (each.status.value, each.reason or each.error)
        for node_id, each in troubled[1].node_results.items()
    }
    assert told == {
        "fetch": ("failed", "broken\\x00"),
        "write": ("skipped", "'fetch' failed"),
        "both": ("failed", "1 of 2 children failed: poor"),
        "fine": ("completed", None),
        "poor": ("failed", "Tool execution failed: no luck"),
        "after": ("skipped", "'poor' failed"),
        "killed": (
            "failed",
            "'killed' ended without a report: its process was killed, ran out of memory, or was lost",
        ),
        "idle": ("skipped", "nothing new today"),
        "behind": ("skipped", "'idle' was skipped"),
        "by-hand": ("completed", "marked as done in Airflow"),
    }


def test_stored_feedback_is_plain_json_and_says_which_run_it_is_of(troubled):
    ran, result = troubled
    stored = ran.result(FEEDBACK)
    assert json.loads(json.dumps(stored, allow_nan=False)) == result.as_json() == stored
    assert (stored["dag_id"], stored["run_id"]) == ("troubled", ran.run_id)
    assert stored["summary"]["skipped"] == 4
    assert stored["should_replan"] is True
    assert stored["feedback_data"].keys() == {"fetch", "fine", "poor", "killed"}


def test_results_and_tries_of_the_nodes_are_in_the_feedback(troubled):
    ran, result = troubled
    fine = result.node_results["fine"]
    assert fine.result == ran.result("fine")
    assert (fine.try_number, fine.usage["input_tokens"]) == (1, 3)
    assert fine.started_at is not None
    assert result.started_at is not None
    assert result.started_at <= fine.started_at
    assert 0 < sum(each.duration for each in result.node_results.values()) < result.total_duration


def test_plan_that_completed_leaves_feedback_that_succeeded():
    ran, result = run_plan(
        node("a", tool="echo"), node("b", tool="echo", dependencies=["a"]), plan_id="untroubled"
    )
    assert (ran.state, ran.states[FEEDBACK]) == ("success", "success")
    assert result.status == "completed"
    assert result.headline() == "plan completed: all 2 nodes"
    assert result.execution_groups == [["a"], ["b"]]


def test_state_of_the_run_is_what_its_nodes_made_it_also_when_the_feedback_fails():
    ran, result = run_plan(node("idle", tool="skips"), plan_id="idle")
    assert (ran.state, ran.states[FEEDBACK]) == ("success", "failed")
    assert result.headline() == "plan failed: 1 of 1 nodes were skipped: idle"


def test_feedback_waits_for_a_branch_that_still_runs_when_the_leaves_have_failed(monkeypatch):
    """The leaf `d` is upstream_failed as soon as `a` failed, while `c` waits for its next try."""
    monkeypatch.setattr(builder, "FEEDBACK_POKE_SECONDS", 0.5)
    slow = {"retries": 1, "retry_delay": 2}
    ran, result = run_plan(
        node("a", tool="broken"),
        node("c", tool="flaky", run=slow),
        node("d", tool="echo", dependencies=["a", "c"]),
        plan_id="diamond",
    )
    assert reschedules(ran) >= 1
    assert statuses(result) == {"a": "failed", "c": "completed", "d": "skipped"}
    assert result.node_results["c"].try_number == 2
    assert result.node_results["c"].result["result"] == {"text": "worked"}


def reschedules(ran):
    with create_session() as session:
        waiting = ran.task_instances()[FEEDBACK]
        query = select(func.count()).where(TaskReschedule.ti_id == waiting.id)
        return session.scalar(query)


def test_feedback_in_a_hand_written_dag_need_not_fail():
    a_plan = plan(node("a", tool="broken"), id="by-hand-plan")
    with DAG("hand-written-feedback", schedule=None) as dag:
        a_task = VibeAnalyzeOperator(task_id="task-of-a", node=a_plan.root_nodes[0], retries=0)
        a_task >> VibeFeedbackSensor(
            task_id="told",
            plan=a_plan,
            task_ids={"a": "task-of-a"},
            fail_when_incomplete=False,
            trigger_rule=TriggerRule.ALL_DONE,
        )
    ran = run_dag(dag)
    assert ran.states == {"task-of-a": "failed", "told": "success"}
    assert statuses(ExecutionResult.model_validate(ran.result("told"))) == {"a": "failed"}


# without a run


class FakeTaskInstance:
    """A task instance in a run whose other tasks are in given states."""

    def __init__(self, states, xcoms=None):
        self.states, self.xcoms, self.pushed, self.asked = states, xcoms or {}, {}, []

    def get_task_states(self, **asked):
        self.asked.append(asked)
        return self.states

    def xcom_pull(self, *, task_ids, key="return_value", **where):
        return self.xcoms.get((task_ids, key))

    def xcom_push(self, key, value):
        self.pushed[key] = value

    def context(self, logical_date=None):
        run = SimpleNamespace(
            dag_id="d", run_id="r", logical_date=logical_date, start_date=datetime(2026, 1, 5, tzinfo=UTC)
        )
        return {"ti": self, "dag_run": run}


@pytest.mark.parametrize(
    "state",
    [
        None,
        *("queued", "scheduled", "running", "deferred", "awaiting_input", "up_for_retry"),
        *("up_for_reschedule", "restarting"),
    ],
)
def test_node_that_is_not_done_is_waited_for(state):
    sensor = VibeFeedbackSensor(task_id="t", plan=plan(node("a"), node("b")), task_ids={"a": "a", "b": "b"})
    ti = FakeTaskInstance({"r": {"a": "failed", "b": state}})
    assert not sensor.poke(ti.context())
    assert ti.pushed == {}


def test_run_of_which_nothing_is_known_yet_is_waited_for():
    sensor = VibeFeedbackSensor(task_id="t", plan=plan(node("a")), task_ids={"a": "a"})
    assert not sensor.poke(FakeTaskInstance({}).context())


@pytest.mark.parametrize("state", [None, "running", "up_for_reschedule", "deferred", "scheduled"])
def test_feedback_of_another_dag_that_is_not_there_yet_is_waited_for(state):
    sensor = VibeFeedbackSensor(task_id="t", external_dag_id="other", external_run_id="run")
    assert not sensor.poke(FakeTaskInstance({"run": {FEEDBACK: state}}).context())
    assert not sensor.poke(FakeTaskInstance({}).context())


def test_run_of_the_same_logical_date_is_meant_when_none_is_named():
    date = datetime(2026, 1, 5, tzinfo=UTC)
    ti = FakeTaskInstance({})
    VibeFeedbackSensor(task_id="t", external_dag_id="other").poke(ti.context(date))
    assert ti.asked == [{"dag_id": "other", "task_ids": [FEEDBACK], "logical_dates": [date]}]


def test_run_without_a_logical_date_needs_the_name_of_the_other_one():
    sensor = VibeFeedbackSensor(task_id="t", external_dag_id="other")
    with pytest.raises(AirflowFailException, match="external_run_id"):
        sensor.poke(FakeTaskInstance({}).context())


def test_run_that_was_cleared_while_its_feedback_was_waited_for_is_waited_for_again():
    sensor = VibeFeedbackSensor(task_id="t", external_dag_id="other", external_run_id="r", deferrable=True)
    with pytest.raises(TaskDeferred):
        sensor.execute_complete(FakeTaskInstance({"r": {FEEDBACK: None}}).context(), {"status": "success"})


@pytest.mark.parametrize("deferrable", [False, True])
def test_soft_fail_skips_instead(deferrable):
    sensor = VibeFeedbackSensor(
        task_id="t", external_dag_id="other", external_run_id="r", soft_fail=True, deferrable=deferrable
    )
    with pytest.raises(AirflowSkipException):
        sensor.execute(FakeTaskInstance({"r": {FEEDBACK: "failed"}}).context())


@pytest.mark.parametrize("fields", [{}, {"plan": plan(node("a")), "external_dag_id": "other"}])
def test_sensor_needs_a_plan_or_another_dag(fields):
    with pytest.raises(ValueError, match="either the plan of its own DAG or an external_dag_id"):
        VibeFeedbackSensor(task_id="t", **fields)


def test_feedback_of_its_own_dag_is_never_waited_for_in_the_triggerer():
    sensor = VibeFeedbackSensor(task_id="t", plan=plan(node("a")), task_ids={"a": "a"}, deferrable=True)
    assert not sensor.deferrable


@pytest.mark.parametrize(("configured", "expected"), [("True", True), ("False", False)])
def test_airflows_default_decides_whether_to_defer(monkeypatch, configured, expected):
    monkeypatch.setenv("AIRFLOW__OPERATORS__DEFAULT_DEFERRABLE", configured)
    assert VibeFeedbackSensor(task_id="t", external_dag_id="other").deferrable is expected


# from another DAG

MODES = {
    "poke": {"mode": "poke"},
    "reschedule": {"mode": "reschedule"},
    "deferrable": {"deferrable": True},
}


def watch(dag_id, conf=None, how=None, **fields):
    """The run of a DAG with one sensor, which reads the run it waits for from the parameters."""
    fields = {"poke_interval": 0.2, "timeout": 20, "retries": 0, **fields}
    with DAG(dag_id, schedule=None, params={"dag": "troubled", "run": ""}) as dag:
        VibeFeedbackSensor(task_id="watch", **fields)
    return run_dag(dag, conf, **(how or {}))


@pytest.mark.parametrize("mode", MODES)
def test_another_dag_gets_the_same_answer_however_it_waits(troubled, mode):
    other, _ = troubled
    set_feedback_state(other, "running")
    finishing = threading.Timer(0.6, set_feedback_state, (other, "failed"))
    finishing.start()
    ran = watch(
        f"watcher-{mode}",
        {"run": other.run_id},
        external_dag_id="{{ params.dag }}",
        external_run_id="{{ params.run }}",
        **MODES[mode],
    )
    finishing.join()
    assert ran.states == {"watch": "failed"}
    assert ran.result("watch") == other.result(FEEDBACK)


def set_feedback_state(ran, state):
    with create_session() as session:
        session.execute(
            update(TaskInstance)
            .where(
                TaskInstance.dag_id == ran.dag_id,
                TaskInstance.run_id == ran.run_id,
                TaskInstance.task_id == FEEDBACK,
            )
            .values(state=state)
        )


@pytest.mark.parametrize("mode", MODES)
def test_other_plan_that_did_not_complete_need_not_fail_the_one_who_asks(troubled, mode):
    other, result = troubled
    ran = watch(
        f"tolerant-{mode}",
        external_dag_id="troubled",
        external_run_id=other.run_id,
        fail_when_incomplete=False,
        **MODES[mode],
    )
    assert ran.states == {"watch": "success"}
    assert ExecutionResult.model_validate(ran.result("watch")) == result


def test_other_run_is_found_by_its_logical_date():
    date = datetime(2026, 1, 5, 7, tzinfo=UTC)
    run_plan(node("a", tool="echo"), plan_id="dated", logical_date=date)
    ran = watch("dated-watcher", how={"logical_date": date}, external_dag_id="dated")
    assert ran.states == {"watch": "success"}
    assert ran.result("watch")["status"] == "completed"


def test_run_that_left_no_feedback_fails_the_one_who_asks():
    sensor = VibeFeedbackSensor(task_id="t", external_dag_id="other", external_run_id="r")
    ti = FakeTaskInstance({"r": {FEEDBACK: "failed"}})
    with pytest.raises(AirflowFailException, match="run 'r' of 'other' left no feedback"):
        sensor.poke(ti.context())
    assert ti.pushed == {}
