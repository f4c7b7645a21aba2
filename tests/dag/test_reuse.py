"""Runs that take over what an earlier run has done: real DAGs, real operators, `dag.test()`."""

from __future__ import annotations

import copy
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from airflow.models.dagbag import DBDagBag
from airflow.models.dagrun import DagRun
from airflow.models.taskinstance import TaskInstance, clear_task_instances
from airflow.models.xcom import XComModel
from airflow.sdk.definitions.dag import _run_task
from airflow.utils.session import create_session
from airflow.utils.state import DagRunState, TaskInstanceState
from sqlalchemy import delete, select, update

from airflow_provider_vibe.dag.builder import build_dag
from airflow_provider_vibe.operators.base import VibeNodeOperator
from airflow_provider_vibe.plan.models import WorkflowPlan
from airflow_provider_vibe.tools import Tool, ToolResult, load_artifact, save_artifact, tool
from tests.airflow_runs import Ran, run_dag
from tests.dag.plans import composite, plan

called: Counter[str] = Counter()
failing: set[str] = set()


@tool("say")
def say(text: str = "", *, context: dict[str, Any]) -> ToolResult:
    called[context["node_id"]] += 1
    if context["node_id"] in failing:
        raise ValueError("told to fail")
    usage = {"input_tokens": 10, "output_tokens": 5, "requests": 1, "cost": 0.5}
    return ToolResult(
        True, {"text": text or context["node_id"], "got": context["workflow_context"]}, {"usage": usage}
    )


@tool("paint")
def paint(*, context: dict[str, Any]) -> dict[str, Any]:
    called[context["node_id"]] += 1
    return {"image": save_artifact(context, "image.png", b"\x89PNG")}


@tool("long")
def long(size: int, *, context: dict[str, Any]) -> dict[str, Any]:
    called[context["node_id"]] += 1
    return {"text": "x" * size}


@tool("hand_on")
def hand_on(value: Any, mark: str = "", *, context: dict[str, Any]) -> dict[str, Any]:
    called[context["node_id"]] += 1
    return {"value": value, "mark": mark}


@tool("open")
def open_(image: dict[str, Any], mark: str = "", *, context: dict[str, Any]) -> dict[str, Any]:
    called[context["node_id"]] += 1
    return {"size": len(load_artifact(image, context)), "mark": mark}


def make_tools() -> list[Tool]:
    return [say, paint, long, hand_on, open_]


@pytest.fixture(autouse=True)
def configured(airflow_db, tmp_path, monkeypatch):
    called.clear()
    failing.clear()
    monkeypatch.setenv("AIRFLOW__VIBE__TOOL_FACTORIES", "tests.dag.test_reuse.make_tools")
    monkeypatch.setenv("AIRFLOW__VIBE__ARTIFACTS_PATH", str(tmp_path / "artifacts"))


def work(node_id: str, *dependencies: str, using: str = "say", **inputs: Any) -> dict[str, Any]:
    return {
        "id": node_id,
        "type": "transform",
        "description": "Do it",
        "parameters": {"tool": using, "tool_inputs": inputs},
        "dependencies": list(dependencies),
    }


def run(content: dict[str, Any], earlier: Ran | None = None, **conf: Any) -> Ran:
    """Run a plan; what the tools were called for is in ``called`` afterwards."""
    called.clear()
    if earlier is not None:
        conf["reuse_from"] = earlier.run_id
    return run_dag(build_dag(WorkflowPlan.model_validate(content)), conf)


def clear_and_go_on(ran: Ran, content: dict[str, Any], *task_ids: str) -> None:
    """Clear tasks of a run as the UI does, and let it come to its end; ``called`` as after :func:`run`."""
    called.clear()
    dag = build_dag(WorkflowPlan.model_validate(content))
    with create_session() as session:
        cleared = [ti for ti in ran.task_instances().values() if ti.task_id in task_ids]
        clear_task_instances(cleared, session, dag_run_state=DagRunState.RUNNING)
    with create_session() as session:
        dag_run = session.scalars(
            select(DagRun).where(DagRun.dag_id == ran.dag_id, DagRun.run_id == ran.run_id)
        ).one()
        dag_run.dag = DBDagBag().get_dag_for_run(dag_run, session)
        while dag_run.state == DagRunState.RUNNING:
            session.expire_all()
            ready, _ = dag_run.update_state(session=session)
            for ti in ready:
                ti.try_number += 1
                ti.state = TaskInstanceState.SCHEDULED
            session.commit()
            for ti in ready:
                _run_task(ti=ti, task=dag.task_dict[ti.task_id])


def feedback(ran: Ran) -> dict[str, Any]:
    return ran.result("vibe_feedback")


def reused(ran: Ran) -> dict[str, str]:
    """The run that each node was taken over from."""
    results = feedback(ran)["node_results"]
    return {node_id: node["reused_from"] for node_id, node in results.items() if node["reused_from"]}


# forty nodes


def forty() -> dict[str, Any]:
    leaves = [
        [work(f"p{part}-{leaf}", "source", text=f"{part} {leaf}") for leaf in range(11 - part // 2)]
        for part in range(3)
    ]
    return plan(
        work("source", text="the facts"),
        *(composite(f"p{part}", inside, "source") for part, inside in enumerate(leaves)),
        work("sum", "p0-0", "p0-1", "p0-2"),
        work("final", "sum"),
        work("side", "p1-0"),
        work("whole", "p2"),
        id="forty",
    )


@pytest.fixture
def forty_done() -> Ran:
    return run(forty())


def test_forty_nodes(forty_done):
    assert len(feedback(forty_done)["node_results"]) == 40
    assert (called.total(), set(called.values())) == (37, {1})

    # changing one leaf of 40 nodes: exactly that leaf and what depends on it
    changed = forty()
    changed["root_nodes"][1]["children"][1]["parameters"]["tool_inputs"]["text"] = "other"
    second = run(changed, forty_done)
    assert called == {"p0-1": 1, "sum": 1, "final": 1}
    assert second.state == "success"
    assert len(reused(second)) == 34
    assert set(reused(second).values()) == {forty_done.run_id}

    # reordering the file, at every level
    reordered = forty()
    reordered["root_nodes"].reverse()
    for node in reordered["root_nodes"]:
        node.get("children", []).reverse()
    reordered = {key: reordered[key] for key in reversed(reordered)}
    run(reordered, forty_done)
    assert called == {}

    # moving nodes to another parent with the same dependencies
    moved = forty()
    first, other = moved["root_nodes"][1:3]
    other["children"].append(first["children"].pop(4))
    moved["root_nodes"].append(other["children"].pop(4))
    run(moved, forty_done)
    assert called == {}


# what is taken over

CHAIN = plan(
    work("a", text="one"), work("b", "a"), composite("c", [work("d", "b")]), work("e", "c"), id="chain"
)


def with_input(content: dict[str, Any], index: int, **inputs: Any) -> dict[str, Any]:
    changed = copy.deepcopy(content)
    changed["root_nodes"][index]["parameters"]["tool_inputs"].update(inputs)
    return changed


def test_nothing_is_taken_over_unless_asked_for():
    run(CHAIN)
    second = run(CHAIN)
    assert called == dict.fromkeys("abde", 1)
    assert reused(second) == {}


@pytest.mark.parametrize("asked", [None, ""])
def test_empty_parameter_asks_for_nothing(asked):
    run(CHAIN)
    second = run(CHAIN, reuse_from=asked)
    assert (called, reused(second)) == (dict.fromkeys("abde", 1), {})


def test_plan_may_declare_the_parameter_for_the_form_of_the_ui():
    form = {"type": ["string", "null"], "default": None, "description": "A run to take over from"}
    content = CHAIN | {"id": "chain-form", "params": {"reuse_from": form}}
    first = run(content)
    assert called == dict.fromkeys("abde", 1)
    run(content, first)
    assert called == {}


def test_taken_over_node_says_so_and_hands_on_what_was_made():
    first = run(CHAIN)
    second = run(with_input(CHAIN, 3, text="new"), first)
    assert called == {"e": 1}
    assert reused(second) == dict.fromkeys("abd", first.run_id)
    result = second.result("b")
    assert result["reused_from"] == first.run_id
    assert result["result"] == first.result("b")["result"]
    assert second.result("e")["result"]["got"] == "Previous step (c):\nd"
    outcome = second.outcome("b")
    assert outcome["status"] == "completed"
    assert outcome["reused_from"] == first.run_id
    assert outcome["fingerprint"] == first.outcome("b")["fingerprint"]
    assert outcome["feedback"] == first.outcome("b")["feedback"]
    assert outcome["try_number"] == 1


def test_what_is_taken_over_costs_nothing_and_what_it_cost_is_told():
    first = run(CHAIN)
    second = run(with_input(CHAIN, 3, text="new"), first)
    assert feedback(first)["usage"]["cost"] == 2.0
    assert feedback(second)["usage"]["cost"] == 0.5
    assert feedback(second)["usage"]["requests"] == 1
    node = feedback(second)["node_results"]["a"]
    assert node["usage"] is None
    assert node["reused_usage"]["cost"] == 0.5


def test_what_is_taken_over_spends_nothing_of_a_budget():
    content = CHAIN | {"id": "chain-budget", "budget": {"cost": 2.0}}
    first = run(content)
    second = run(with_input(content, 3, text="new"), first)
    assert called == {"e": 1}
    assert feedback(second)["usage"]["cost"] == 0.5
    assert feedback(second)["node_results"]["a"]["usage"]["requests"] == 0


def test_third_run_takes_over_what_the_second_took_over():
    first = run(CHAIN)
    second = run(with_input(CHAIN, 3, text="new"), first)
    third = run(with_input(CHAIN, 3, text="newer"), second)
    assert called == {"e": 1}
    assert reused(third) == dict.fromkeys("abd", first.run_id)
    fourth = run(with_input(CHAIN, 3, text="newer"), third)
    assert called == {}
    assert reused(fourth) == {**dict.fromkeys("abd", first.run_id), "e": third.run_id}
    assert feedback(fourth)["node_results"]["a"]["reused_usage"]["cost"] == 0.5


def test_parameter_of_the_run_counts_where_it_is_used():
    topical = with_input(CHAIN, 3, text="on ${params.topic}") | {
        "id": "topical",
        "params": {"topic": {"type": "string", "default": "tea"}},
    }
    first = run(topical)
    run(topical, first, topic="coffee")
    assert called == {"e": 1}
    run(topical, first, topic="tea")
    assert called == {}


def test_other_vibe_is_other_work():
    first = run(CHAIN)
    run(CHAIN | {"source_vibe": {"description": "A vibe", "style": "warm"}}, first)
    assert called == dict.fromkeys("abde", 1)


RETRIED = plan(
    {**work("a", text="one"), "run": {"retries": 1, "retry_delay": 0}}, work("b", "a"), id="retried"
)


def test_node_that_was_taken_over_by_an_attempt_that_died_is_taken_over_by_the_next(monkeypatch):
    first = run(RETRIED)
    execute = VibeNodeOperator.execute

    def dying(operator, context):
        result = execute(operator, context)
        if (context["ti"].task_id, context["ti"].try_number) == ("a", 1):
            raise ConnectionError("lost before its result was kept")
        return result

    monkeypatch.setattr(VibeNodeOperator, "execute", dying)
    second = run(RETRIED, first)
    assert (second.tries("a"), second.state, called) == (2, "success", {})
    assert reused(second) == dict.fromkeys("ab", first.run_id)


def test_node_that_was_taken_over_and_is_cleared_runs_and_its_retry_too():
    first = run(RETRIED)
    second = run(RETRIED, first)
    assert called == {}
    failing.add("a")
    clear_and_go_on(second, RETRIED, "a", "b", "vibe_feedback")
    assert (called, second.state) == ({"a": 2}, "failed")
    failing.clear()
    clear_and_go_on(second, RETRIED, "a", "b", "vibe_feedback")
    assert (called, second.state) == ({"a": 1, "b": 1}, "success")
    assert reused(second) == {}


def test_node_before_the_cleared_one_stays_taken_over():
    first = run(RETRIED)
    second = run(RETRIED, first)
    clear_and_go_on(second, RETRIED, "b", "vibe_feedback")
    assert called == {"b": 1}
    assert reused(second) == {"a": first.run_id}


def test_node_whose_result_is_gone_runs():
    first = run(CHAIN)
    with create_session() as session:
        lost = XComModel.run_id == first.run_id, XComModel.task_id == "b", XComModel.key == "return_value"
        session.execute(delete(XComModel).where(*lost))
    second = run(CHAIN, first)
    assert called == {"b": 1}
    assert reused(second).keys() == set("ade")


def test_order_of_the_children_of_a_composite_does_not_count_where_their_text_is_seen():
    inside = [work("x", text="x"), work("y", text="y")]
    content = plan(
        composite("outer", [composite("inner", inside)]),
        work("by-text", "inner", text="${nodes.inner.text}!"),
        work("by-value", "outer", using="hand_on", value=["${nodes.outer}", "${nodes.outer.children}"]),
        id="swapped",
    )
    first = run(content)
    swapped = copy.deepcopy(content)
    swapped["root_nodes"][0]["children"][0]["children"].reverse()
    second = run(swapped, first)
    assert called == {}
    assert second.result("inner")["output"]["text"] == "y\n\nx"
    swapped["root_nodes"][0]["children"][0]["children"][0]["parameters"]["tool_inputs"]["text"] = "new"
    run(swapped, second)
    assert called == {"y": 1, "by-text": 1, "by-value": 1}


def renamed(content: dict[str, Any], old: str, new: str) -> dict[str, Any]:
    """The same plan, a node of it called otherwise."""
    changed = copy.deepcopy(content)
    for node in changed["root_nodes"]:
        node["id"] = new if node["id"] == old else node["id"]
        node["dependencies"] = [new if each == old else each for each in node["dependencies"]]
    return changed


def test_renamed_node_is_taken_over_and_what_is_told_its_name_runs_again():
    first = run(CHAIN)
    second = run(renamed(CHAIN, "a", "start"), first)
    assert called == {"b": 1, "d": 1}
    assert reused(second).keys() == {"start", "e"}
    assert second.result("start")["result"] == first.result("a")["result"]
    assert second.result("start")["reused_node"] == "a"
    assert second.outcome("start")["node_id"] == "start"
    third = run(renamed(CHAIN, "a", "begin"), second)
    assert called == {"b": 1, "d": 1}
    assert third.result("begin")["reused_node"] == "a"
    run(CHAIN, third)
    assert called == {"b": 1, "d": 1}


def test_renamed_node_is_not_looked_for_where_nearly_all_is_new(monkeypatch):
    monkeypatch.setattr("airflow_provider_vibe.operators.earlier.MOST_GONE", 0)
    first = run(CHAIN)
    run(renamed(CHAIN, "a", "start"), first)
    assert called["start"] == 1


def test_node_that_does_the_same_as_one_that_is_still_there_is_another_one():
    first = run(CHAIN)
    twin = copy.deepcopy(CHAIN)
    twin["root_nodes"].append(work("twin", text="one"))
    run(twin, first)
    assert called == {"twin": 1}


# what is not taken over


def test_failed_and_unreached_nodes_run():
    failing.add("b")
    first = run(CHAIN)
    assert first.state == "failed"
    failing.clear()
    second = run(CHAIN, first)
    assert called == dict.fromkeys("bde", 1)
    assert (second.state, reused(second)) == ("success", {"a": first.run_id})


def test_simulated_node_is_not_taken_over(monkeypatch):
    monkeypatch.setenv("AIRFLOW__VIBE__DEFAULT_TOOLS", "{}")
    content = plan(
        {"id": "made-up", "type": "analyze", "description": "D"},
        work("b", text="real"),
        id="simulating",
        params={"simulate": {"type": "boolean", "default": True}},
    )
    first = run(content)
    second = run(content, first)
    assert reused(second) == {"b": first.run_id}
    assert second.result("made-up")["simulated"] is True


def test_node_that_a_person_marked_as_failed_is_not_taken_over():
    first = run(CHAIN)
    with create_session() as session:
        marked = TaskInstance.run_id == first.run_id, TaskInstance.task_id == "a"
        session.execute(update(TaskInstance).where(*marked).values(state="failed"))
    second = run(CHAIN, first)
    assert called == {"a": 1}
    assert reused(second).keys() == set("bde")


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        ("manual__gone", "DAG 'chain' has no run 'manual__gone' that could be reused"),
        (5, "the parameter 'reuse_from' should be the id of a run, not '5'"),
        ("checkpoint:" + "0" * 64, "the imported checkpoint is not at "),
    ],
)
def test_run_that_is_not_there_is_an_error_and_not_a_reason_to_pay_again(asked, told):
    broken = run(CHAIN, reuse_from=asked)
    assert (broken.state, called) == ("failed", {})
    assert feedback(broken)["node_results"]["a"]["error"].startswith(told)
    assert broken.tries("a") == 1


def test_run_of_another_dag_is_not_one_to_take_over_from():
    elsewhere = run(CHAIN | {"id": "another-chain"})
    broken = run(CHAIN | {"id": "this-chain"}, elsewhere)
    assert broken.state == "failed"


# artifacts

PICTURE = plan(
    work("paints", using="paint"),
    work("hands-on", "paints", using="hand_on", value="${nodes.paints.image}"),
    work("opens", "hands-on", using="open", image="${nodes.hands-on.value}"),
    id="picture",
)


def test_artifact_of_an_earlier_run_is_readable_through_any_number_of_nodes_and_runs():
    first = run(PICTURE)
    second = run(with_input(PICTURE, 1, mark="new"), first)
    assert called == {"hands-on": 1, "opens": 1}
    assert second.result("opens")["result"]["size"] == 4
    third = run(with_input(with_input(PICTURE, 1, mark="new"), 2, mark="new"), second)
    assert called == {"opens": 1}
    assert third.result("opens")["result"]["size"] == 4
    assert third.result("opens")["earlier_runs"] == sorted({first.run_id, second.run_id})


def test_artifact_of_a_run_that_nothing_was_taken_over_from_is_not_readable():
    first = run(PICTURE)
    image = first.result("paints")["result"]["image"]
    stealing = plan(work("opens", using="open", image=image), id="picture")
    second = run(stealing)
    assert "is no artifact of this run" in feedback(second)["node_results"]["opens"]["error"]


def test_node_whose_artifact_is_gone_runs_again():
    first = run(PICTURE)
    Path(first.result("paints")["result"]["image"]["path"]).unlink()
    second = run(PICTURE, first)
    assert second.state == "success"
    assert called["paints"] == 1


def test_large_result_stays_where_the_earlier_run_kept_it(monkeypatch):
    monkeypatch.setenv("AIRFLOW__VIBE__XCOM_MAX_BYTES", "2000")
    content = plan(
        work("big", using="long", size=9000), work("reads", "big", text="${nodes.big.text}"), id="big"
    )
    first = run(content)
    second = run(with_input(content, 1, text="${nodes.big.text}!"), first)
    assert called == {"reads": 1}
    assert second.result("big")["artifacts"] == first.result("big")["artifacts"]
    third = run(with_input(content, 1, text="${nodes.big.text}?"), second)
    assert called == {"reads": 1}
    assert third.state == "success"
    kept = Path(first.result("big")["artifacts"]["result"]["path"])
    fourth = run(renamed(with_input(content, 1, text="${nodes.large.text}"), "big", "large"), third)
    assert called == {"reads": 1}
    assert fourth.state == "success"
    assert fourth.result("large")["artifacts"] == first.result("big")["artifacts"]
    kept.unlink()
    run(content, third)
    assert called["big"] == 1


def test_result_that_no_longer_fits_is_kept_by_the_run_that_takes_it_over(monkeypatch):
    content = plan(
        work("big", using="long", size=9000), work("reads", "big", text="${nodes.big.text}"), id="lowered"
    )
    first = run(content)
    assert "artifacts" not in first.result("big")
    monkeypatch.setenv("AIRFLOW__VIBE__XCOM_MAX_BYTES", "2000")
    changed = renamed(with_input(content, 1, text="${nodes.large.text}!"), "big", "large")
    second = run(changed, first)
    assert (called, second.state) == ({"reads": 1}, "success")
    assert second.result("large")["artifacts"]["result"]["size"] > 9000
    third = run(with_input(changed, 1, text="${nodes.large.text}?"), second)
    assert (called, third.state) == ({"reads": 1}, "success")
    assert third.result("large")["artifacts"] == second.result("large")["artifacts"]
    assert reused(second) == reused(third) == {"large": first.run_id}
    assert third.result("large")["reused_from"] == second.run_id
