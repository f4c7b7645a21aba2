"""The benchmark compares like with like, and runs. What it measures is not asserted: machines differ."""

from __future__ import annotations

import subprocess
import sys
from itertools import chain
from pathlib import Path

import pytest
import yaml
from airflow.sdk import DAG

from airflow_provider_vibe.dag.translator import configured_translator
from benchmarks.build import builder
from benchmarks.folders import OTHERS, ROWS, write_folder
from benchmarks.handwritten import HANDWRITTEN, joined
from benchmarks.probe import call_costs
from benchmarks.quiet_tool import quiet_tools
from benchmarks.shapes import SHAPES, Node, Plan, all_nodes

REPOSITORY = Path(__file__).parents[1]
FEEDBACK = "vibe_feedback"
SIZE = 100
"""Four whole sections of ``nested`` and a tail, three layers of ``dense`` the last of which is not full."""


def translated(shape: str) -> DAG:
    return builder(SHAPES[shape](SIZE), "json", configured_translator())()


def before_each(dag: DAG) -> dict[str, set[str]]:
    """All tasks that are done before each task starts."""
    found: dict[str, set[str]] = {}
    for task in dag.topological_sort():
        direct = task.upstream_task_ids
        found[task.task_id] = direct.union(*(found[task_id] for task_id in direct))
    return found


def without_joins(order: dict[str, set[str]]) -> dict[str, set[str]]:
    kept = {task_id for task_id in order if not task_id.startswith("join-")}
    return {task_id: before & kept for task_id, before in order.items() if task_id in kept}


def tasks_of(node: Node) -> set[str]:
    nodes = list(all_nodes([node]))
    return {each["id"] for each in nodes} | {f"{each['id']}__open" for each in nodes if each.get("children")}


def plan_of(shape: str) -> Plan:
    return SHAPES[shape](SIZE)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_shape_has_as_many_nodes_as_asked_for(shape):
    for size in (10, 23, 60, SIZE):
        assert len(list(all_nodes(SHAPES[shape](size)["root_nodes"]))) == size


@pytest.mark.parametrize("shape", SHAPES)
def test_the_handwritten_dag_has_the_order_of_the_translated_one(shape):
    ours, by_hand = translated(shape), HANDWRITTEN[shape](SIZE)
    assert without_joins(before_each(ours)) == before_each(by_hand)
    assert by_hand.get_task(FEEDBACK).is_teardown and ours.get_task(FEEDBACK).is_teardown


def test_the_handwritten_dag_with_joins_has_that_order_too():
    assert without_joins(before_each(joined(SIZE))) == before_each(HANDWRITTEN["dense"](SIZE))


@pytest.mark.parametrize("shape", SHAPES)
def test_both_dags_honour_every_dependency_of_the_plan(shape):
    nodes = {node["id"]: node for node in all_nodes(plan_of(shape)["root_nodes"])}
    pairs = [(node, nodes[dep]) for node in nodes.values() for dep in node["dependencies"]]
    for order in (before_each(translated(shape)), before_each(HANDWRITTEN[shape](SIZE))):
        assert all(tasks_of(dep) <= order[task_id] for node, dep in pairs for task_id in tasks_of(node))
        assert order[FEEDBACK] == order.keys() - {FEEDBACK}


@pytest.mark.parametrize("shape", SHAPES)
def test_the_tasks_of_both_dags_have_the_same_settings_and_groups(shape):
    ours, by_hand = translated(shape), HANDWRITTEN[shape](SIZE)
    settings = ("retries", "retry_delay", "execution_timeout", "doc_md")
    groups = {node["id"] for node in all_nodes(plan_of(shape)["root_nodes"]) if node.get("children")}
    for task in by_hand.tasks:
        twin = ours.get_task(task.task_id)
        assert getattr(task.task_group, "group_id", None) == getattr(twin.task_group, "group_id", None)
        if task.task_id not in {FEEDBACK, *groups} and not task.task_id.endswith("__open"):
            assert [getattr(task, name) for name in settings] == [getattr(twin, name) for name in settings]


def test_yaml_and_json_give_the_same_dag():
    translator = configured_translator()
    dags = [builder(plan_of("nested"), notation, translator)() for notation in ("json", "yaml")]
    assert before_each(dags[0]) == before_each(dags[1])


def test_each_call_of_a_node_is_timed(monkeypatch):
    monkeypatch.setenv("AIRFLOW__VIBE__TOOL_FACTORIES", f"{quiet_tools.__module__}.{quiet_tools.__name__}")
    costs = list(chain(*(call_costs(dependencies, calls=2) for dependencies in (0, 10))))
    assert len(costs) == 4 and all(cost > 0 for cost in costs)


def edges_of(way: str, folder: Path) -> set[tuple[str, str]]:
    """The edges in a file of a library, read in its own notation."""
    write_folder(way, folder, 1)
    (path,) = folder.glob("plan-0000.*")
    content = yaml.safe_load(path.read_text())
    match way:
        case "ours":
            steps = {node["id"]: node["dependencies"] for node in content["root_nodes"]}
        case "dag-factory":
            steps = {id_: task["dependencies"] for id_, task in content["plan-0000"]["tasks"].items()}
        case "blueprint":
            steps = {id_: step["depends_on"] for id_, step in content["steps"].items()}
    assert len(steps) == 20
    return {(step, before) for step, deps in steps.items() for before in deps}


@pytest.mark.parametrize("way", OTHERS)
def test_the_files_of_other_libraries_have_the_edges_of_ours(way, tmp_path):
    (tmp_path / "ours").mkdir()
    (tmp_path / way).mkdir()
    assert edges_of(way, tmp_path / way) == edges_of("ours", tmp_path / "ours") != set()


def run(*arguments: str) -> str:
    command = [sys.executable, "-m", "benchmarks", *arguments]
    done = subprocess.run(command, cwd=REPOSITORY, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_benchmark_prints_a_row_for_each_shape_and_the_environment():
    printed = run("--quick", "--only", "build")
    assert all(f"{shape} 60" in printed for shape in SHAPES)
    assert "ratio" in printed and "Airflow 3" in printed


def test_it_prints_markdown_too():
    printed = run("--quick", "--markdown", "--only", "serialised")
    assert "| DAG" in printed and "|---" in printed


def test_a_folder_of_plans_is_measured_in_every_way():
    printed = run("--quick", "--only", "folders")
    assert [row for row in ROWS.values() if row not in printed] == []
    assert "--with-others" in printed
