"""What each part of a DAG is, told from a plan."""

from __future__ import annotations

import json
from datetime import datetime, timedelta

import pytest

from airflow_provider_vibe.dag.builder import build_dag
from airflow_provider_vibe.dag.translator import PlanTranslator, configured_translator
from airflow_provider_vibe.plan.identity import airflow_id
from airflow_provider_vibe.plan.reading import examine
from airflow_provider_vibe.settings import Settings, SettingsError
from tests.dag.plans import composite, node, plan


def dag_of(content, translator=None):
    translator = translator or PlanTranslator(Settings.from_airflow())
    read = examine(json.dumps(content).encode(), "plan.vibe.json", translator.settings.rules)
    dag = build_dag(read.plan_or_raise(), translator)
    dag.validate()
    return dag


def task_of(**fields):
    plan_fields = fields.pop("plan_fields", {})
    return dag_of(plan(node("a", **fields), **plan_fields)).get_task("a")


@pytest.mark.parametrize(
    ("node_type", "operator"),
    [
        ("analyze", "VibeAnalyzeOperator"),
        ("generate", "VibeGenerateOperator"),
        ("transform", "VibeTransformOperator"),
        ("validate", "VibeValidateOperator"),
        ("composite", "VibeCompositeOperator"),
    ],
)
def test_each_type_of_node_has_its_operator(node_type, operator):
    assert task_of(type=node_type).task_type == operator


def test_node_with_children_is_a_group_that_holds_its_own_task():
    dag = dag_of(
        plan(composite("c", [node("x"), composite("d", [node("y")])]), node("p", children=[node("k")]))
    )
    groups = dag.task_group.get_task_group_dict()
    assert set(groups["c__group"].children) == {"c", "c__open", "x", "d__group"}
    assert set(groups["d__group"].children) == {"d", "d__open", "y"}
    assert set(groups["p__group"].children) == {"p", "k"}
    assert groups["c__group"].group_display_name == "c"
    assert dag.get_task("c__open").task_type == "EmptyOperator"


def test_task_ids_are_readable_and_the_original_id_is_shown():
    dag = dag_of(plan(node("Überschrift schreiben")))
    task_id = airflow_id("Überschrift schreiben")
    assert task_id.startswith("Uberschrift-schreiben-")
    assert dag.get_task(task_id).task_display_name == "Überschrift schreiben"


def test_adding_and_moving_nodes_renames_no_other_task():
    before = {task.task_id for task in dag_of(plan(node("a b"), composite("c", [node("x")]))).tasks}
    moved = {
        task.task_id for task in dag_of(plan(composite("c", [node("new"), node("x"), node("a b")]))).tasks
    }
    assert moved - before == {"new"}
    assert before <= moved


@pytest.mark.parametrize(
    ("parameters", "fields", "pool"),
    [
        ({}, {}, "default_of_models"),
        ({"tool": "llm_validate", "tool_inputs": {"rubric": "r"}}, {}, "default_of_models"),
        ({"tool_inputs": {"connection": "slow"}}, {}, "slow_ones"),
        ({"tool_inputs": {"connection": "other"}}, {}, "default_pool"),
        ({"tool": "keywords", "tool_inputs": {}}, {}, "default_pool"),
        (
            {"tool_inputs": {"connection": "${params.c}"}},
            {"plan_fields": {"params": {"c": {"type": "string", "default": "slow"}}}},
            "default_pool",
        ),
        ({"tool": "keywords"}, {"checks": [{"judge": "Good"}]}, "default_of_models"),
        (
            {"tool": "keywords"},
            {"checks": [{"max_words": 9}, {"judge": {"rubric": "Good", "connection": "slow"}}]},
            "slow_ones",
        ),
        ({}, {"checks": [{"judge": {"rubric": "Good", "connection": "slow"}}]}, "default_of_models"),
        ({}, {"run": {"pool": "own"}}, "own"),
        ({}, {"plan_fields": {"defaults": {"pool": "of_the_plan"}}}, "of_the_plan"),
    ],
)
def test_nodes_that_ask_models_share_the_pool_of_their_connection(monkeypatch, parameters, fields, pool):
    pools = {"main": "default_of_models", "slow": "slow_ones"}
    monkeypatch.setenv("AIRFLOW__VIBE__LLM_CONN_ID", "main")
    monkeypatch.setenv("AIRFLOW__VIBE__LLM_POOLS", json.dumps(pools))
    assert task_of(type="analyze", parameters=parameters, **fields).pool == pool


def test_run_settings_come_from_the_node_then_the_plan_then_the_configuration(monkeypatch):
    monkeypatch.setenv("AIRFLOW__VIBE__DEFAULT_RETRIES", "7")
    monkeypatch.setenv("AIRFLOW__VIBE__DEFAULT_RETRY_DELAY", "11")
    defaults = {"defaults": {"retries": 5, "retry_delay": 6.5, "timeout": 70, "pool": "plan_pool"}}
    own = {"retries": 0, "retry_delay": 0, "timeout": 8, "pool": "own"}

    task = task_of(run=own, plan_fields=defaults)
    assert (task.retries, task.retry_delay, task.pool) == (0, timedelta(0), "own")
    assert task.execution_timeout == timedelta(seconds=8)

    task = task_of(plan_fields=defaults)
    assert (task.retries, task.retry_delay, task.pool) == (5, timedelta(seconds=6.5), "plan_pool")
    assert task.execution_timeout == timedelta(seconds=70)

    task = task_of()
    assert (task.retries, task.retry_delay, task.pool) == (7, timedelta(seconds=11), "default_pool")
    assert task.execution_timeout is None


@pytest.mark.parametrize(
    ("estimate", "seconds"),
    [(30, 300), (1, 60), (0, 60), (-1, None), (10**15, 366 * 86400)],
)
def test_timeout_comes_from_the_estimate_when_there_is_no_other(estimate, seconds):
    timeout = task_of(estimated_duration=estimate).execution_timeout
    assert timeout == (None if seconds is None else timedelta(seconds=seconds))


def test_feedback_is_a_teardown_behind_all_leaves_without_retries():
    dag = dag_of(plan(node("a"), node("b", "a"), node("c")))
    feedback = dag.get_task("vibe_feedback")
    assert feedback.is_teardown
    assert not feedback.on_failure_fail_dagrun
    assert feedback.retries == 0
    assert feedback.upstream_task_ids == {"b", "c"}


def test_no_text_of_a_plan_is_in_a_template_field():
    for task in dag_of(plan(node("a"), composite("c", [node("x")]))).tasks:
        assert set(task.template_fields) <= {"external_dag_id", "external_run_id"}
        assert all(getattr(task, field) is None for field in task.template_fields)
        assert task.template_ext == ()


@pytest.mark.parametrize("text", ["/etc/hostname.md", "README.md", "x.sql"])
def test_documentation_of_a_dag_is_never_read_from_a_file(text):
    dag = dag_of(plan(node("a"), source_vibe={"description": text, "constraints": [text]}))
    assert dag.doc_md.startswith(text)


@pytest.mark.parametrize(
    ("schedule", "kind", "summary"),
    [
        ({"cron": "0 7 * * 1", "timezone": "Europe/Berlin"}, "CronTriggerTimetable", "0 7 * * 1"),
        ({"cron": "@weekly"}, "CronTriggerTimetable", "0 0 * * 0"),
        ({"every": "PT6H"}, "DeltaTriggerTimetable", timedelta(hours=6)),
        ({"at": ["2026-03-01T08:00:00", "2026-02-01"]}, "EventsTimetable", None),
        ({"assets": ["s3://bucket/a", "s3://bucket/b"]}, "AssetTriggeredTimetable", None),
    ],
)
def test_schedules_become_the_timetables_of_airflow(schedule, kind, summary):
    timetable = dag_of(plan(node("a"), schedule=schedule)).timetable
    assert type(timetable).__name__ == kind
    if summary is not None:
        assert summary in (getattr(timetable, "expression", None), getattr(timetable, "delta", None))


def test_duration_of_months_is_kept_as_months():
    from dateutil.relativedelta import relativedelta

    timetable = dag_of(plan(node("a"), schedule={"every": "P1M2DT3H"})).timetable
    assert timetable.delta == relativedelta(months=1, days=2, hours=3)


def test_dates_without_an_offset_are_meant_in_the_timezone_of_the_plan():
    schedule = {"at": ["2026-03-01T08:00:00"], "timezone": "Asia/Tokyo", "start_date": "2026-01-05"}
    dag = dag_of(plan(node("a"), schedule=schedule))
    assert dag.timetable.event_dates[0].isoformat() == "2026-03-01T08:00:00+09:00"
    assert dag.start_date == datetime.fromisoformat("2026-01-05T00:00:00+09:00")


def test_plan_without_a_schedule_runs_only_when_triggered():
    dag = dag_of(plan(node("a")))
    assert type(dag.timetable).__name__ == "NullTimetable"
    assert not dag.catchup


def test_params_become_the_trigger_form():
    params = {
        "topic": {"type": "string", "default": "AI", "description": "What about", "title": "Topic"},
        "count": {"type": "integer", "minimum": 1},
    }
    dag = dag_of(plan(node("a"), params=params))
    topic = dag.params.get_param("topic")
    assert (topic.value, topic.description) == ("AI", "What about")
    assert topic.schema == {"type": "string", "title": "Topic"}
    assert not dag.params.get_param("count").has_value


def test_name_tags_and_active_runs():
    dag = dag_of(plan(node("a"), id="A plan!", tags=["mail"], max_active_runs=1))
    assert dag.dag_id == airflow_id("A plan!")
    assert dag.dag_display_name == "A plan!"
    assert dag.tags == {"vibe", "mail"}
    assert dag.max_active_runs == 1


class PoolPerType(PlanTranslator):
    """A user's translator: one method overridden."""

    def pool(self, plan, node):
        return f"{node.type}_pool"


def test_a_user_changes_one_thing_by_overriding_one_method(monkeypatch):
    monkeypatch.setenv("AIRFLOW__VIBE__TRANSLATOR", f"{__name__}.PoolPerType")
    dag = dag_of(plan(node("a")), configured_translator())
    assert dag.get_task("a").pool == "transform_pool"


@pytest.mark.parametrize("name", ["no.such.module.Thing", "json.JSONDecoder", "json.nothing", ""])
def test_translator_that_is_none_is_told(monkeypatch, name):
    monkeypatch.setenv("AIRFLOW__VIBE__TRANSLATOR", name)
    with pytest.raises(SettingsError, match="translator"):
        configured_translator()


def test_node_is_given_what_it_depends_on_and_refers_to_but_no_composite_around_it():
    reader = node(
        "reader",
        "c",
        "a",
        parameters={"tool": "template_fill", "tool_inputs": {"template": "${nodes.b.text}"}},
    )
    dag = dag_of(plan(node("b"), node("a", "b"), composite("c", [reader], "a")))
    assert dag.get_task("reader").upstream == {"a": "a", "b": "b"}
    assert dag.get_task("c").upstream == {"a": "a", "reader": "reader"}
