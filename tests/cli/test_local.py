"""The runs of the Airflow installed here, read from its database."""

from __future__ import annotations

import json
from argparse import Namespace

import pytest
from airflow.models.dag import DagModel
from airflow.utils.session import create_session

from airflow_provider_vibe.cli.checkpoint import export
from airflow_provider_vibe.cli.compare import compare
from airflow_provider_vibe.cli.local import DatabaseReader, check_database
from airflow_provider_vibe.cli.result import result
from airflow_provider_vibe.cli.runs import Unavailable, open_reader
from airflow_provider_vibe.cli.watch import watch
from airflow_provider_vibe.dag.builder import build_dag
from airflow_provider_vibe.plan.models import WorkflowPlan
from airflow_provider_vibe.plan.problems import VibeError
from tests.airflow_runs import Ran, run_dag
from tests.cli.fakes import structure
from tests.dag.plans import composite, node, plan

STRICT = {"tool": "text_rules", "tool_inputs": {"text": "short", "min_words": 9, "strict": True}}
CONTENT = plan(
    node("a"),
    composite("both", [node("x", parameters=STRICT), node("y", children=[node("k")])], "a"),
    node("z", "both"),
    id="read-locally",
)


@pytest.fixture(scope="module")
def ran(airflow_db) -> Ran:
    return run_dag(build_dag(WorkflowPlan.model_validate(CONTENT)))


def exit_of(command, **args):
    with pytest.raises(SystemExit) as stopped:
        command(Namespace(url=None, **args))
    return stopped.value.code


def test_run_tasks_and_xcoms_are_read(ran):
    reader = DatabaseReader()
    run = reader.run(ran.dag_id, ran.run_id)
    assert (run.state, run.is_over, run.version) == ("failed", True, 1)
    assert run.started_at < run.ended_at
    tasks = reader.task_states(ran.dag_id, ran.run_id)
    assert {task_id: task.state for task_id, task in tasks.items()} == ran.states
    assert tasks["a"].started_at <= tasks["a"].ended_at
    assert tasks["a"].try_number == 1
    assert reader.xcom(ran.dag_id, ran.run_id, "a", "vibe_outcome") == ran.outcome("a")
    assert reader.xcom(ran.dag_id, ran.run_id, "a", "nothing") is None


def test_structure_is_that_of_the_dag(ran):
    seen = DatabaseReader().structure(ran.dag_id, 1)
    assert seen == structure(CONTENT)
    assert DatabaseReader().structure(ran.dag_id, None) == seen
    assert DatabaseReader().structure(ran.dag_id, 99).tasks == {}


def test_what_there_is_is_listed(ran):
    reader = DatabaseReader()
    assert ran.dag_id in reader.dag_ids()
    assert reader.run_ids(ran.dag_id) == [ran.run_id]
    assert reader.run_ids("nowhere") is None
    assert reader.run(ran.dag_id, "nowhere") is None


def test_commands_read_it_without_a_url(ran, capsys, monkeypatch):
    monkeypatch.delenv("AIRFLOW_VIBE_URL", raising=False)
    asked = {"dag": ran.dag_id, "run": ran.run_id}
    assert exit_of(watch, events=True, interval=1, **asked) == 1
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    ends = {event["node_id"]: event["event_type"] for event in events if event["node_id"]}
    assert ends == {
        "a": "node_completed",
        "x": "node_failed",
        "y": "node_completed",
        "k": "node_completed",
        "both": "node_failed",
        "z": "node_skipped",
    }
    assert exit_of(result, format="json", **asked) == 0
    assert json.loads(capsys.readouterr().out)["summary"]["failed"] == 2


def test_value_that_a_backend_keeps_elsewhere_is_fetched(ran, monkeypatch):
    class Elsewhere:
        @staticmethod
        def deserialize_value(stored):
            return {"fetched": stored.value["status"]}

    monkeypatch.setattr("airflow.sdk.execution_time.xcom.XCom", Elsewhere)
    assert DatabaseReader().xcom(ran.dag_id, ran.run_id, "a", "vibe_outcome") == {"fetched": "completed"}


def test_empty_url_means_here_whatever_the_environment_says(airflow_db, monkeypatch):
    monkeypatch.setenv("AIRFLOW_VIBE_URL", "http://elsewhere.example")
    with open_reader("") as reader:
        assert isinstance(reader, DatabaseReader)


def test_airflow_that_never_ran_is_told(airflow_db, monkeypatch):
    monkeypatch.setattr("airflow_provider_vibe.cli.local.inspect", lambda connection: _NoTables())
    with pytest.raises(VibeError, match="the Airflow installed here has never run"):
        DatabaseReader()


class _NoTables:
    def has_table(self, name):
        return False


def test_parameters_and_source_are_read(ran):
    reader = DatabaseReader()
    assert reader.run(ran.dag_id, ran.run_id).conf == {}
    assert reader.source("no-such-dag", None) is None
    assert isinstance(reader.source(ran.dag_id, None), str)


def test_run_is_started_with_its_parameters(ran):
    reader = DatabaseReader()
    run_id = reader.start_run(ran.dag_id, {"reuse_from": ran.run_id})
    started = reader.run(ran.dag_id, run_id)
    assert (started.state, started.conf) == ("queued", {"reuse_from": ran.run_id})


def test_paused_dag_is_known(ran):
    reader = DatabaseReader()
    with create_session() as session:
        session.get(DagModel, ran.dag_id).is_paused = True
    assert reader.is_paused(ran.dag_id)
    with create_session() as session:
        session.get(DagModel, ran.dag_id).is_paused = False
    assert not reader.is_paused(ran.dag_id)
    assert not reader.is_paused("no-such-dag")


def test_parameter_that_does_not_fit_is_told_in_one_line(ran):
    content = CONTENT | {"id": "with-topic", "params": {"topic": {"type": "string", "default": "tea"}}}
    started = run_dag(build_dag(WorkflowPlan.model_validate(content)))
    with pytest.raises(VibeError, match=r"'with-topic' cannot be started: .*5 is not of type") as refused:
        DatabaseReader().start_run(started.dag_id, {"topic": 5})
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    "read",
    [
        DatabaseReader.dag_ids,
        lambda reader: reader.run_ids("d"),
        lambda reader: reader.run("d", "r"),
        lambda reader: reader.task_states("d", "r"),
        lambda reader: reader.structure("d", None),
        lambda reader: reader.xcom("d", "r", "t", "k"),
        lambda reader: reader.source("d", None),
        lambda reader: reader.is_paused("d"),
        lambda reader: reader.start_run("d", {}),
        lambda reader: DatabaseReader(),
        lambda reader: check_database(),
    ],
)
def test_database_that_gives_no_answer_is_told_in_one_line(airflow_db, silent_database, read):
    reader = DatabaseReader.__new__(DatabaseReader)
    with pytest.raises(Unavailable) as told:
        read(reader)
    assert str(told.value) == "Airflow's database gives no answer: unable to open database file"


@pytest.mark.parametrize(
    ("command", "asked"),
    [
        (result, {"dag": "d", "run": "r", "format": "json"}),
        (compare, {"dag": "d", "run": "r", "other": "s", "format": "json"}),
        (export, {"dag": "d", "run": "r", "output": None, "plan": None}),
    ],
)
def test_command_without_a_database_tells_it_and_exits_with_2(
    airflow_db, silent_database, capsys, monkeypatch, command, asked
):
    monkeypatch.delenv("AIRFLOW_VIBE_URL", raising=False)
    assert exit_of(command, **asked) == 2
    err = capsys.readouterr().err
    assert "Airflow's database gives no answer: " in err and err.count("\n") == 1


def test_run_of_a_dag_that_is_not_there_is_told(airflow_db):
    with pytest.raises(VibeError, match=r"DAG 'no-such-dag' cannot be started: .*not found"):
        DatabaseReader().start_run("no-such-dag", {})
