"""The two files a user copies into a DAG folder, loaded as Airflow loads them."""

from __future__ import annotations

import shutil
from argparse import Namespace
from pathlib import Path

import pytest

from airflow_provider_vibe.cli.lint import lint
from airflow_provider_vibe.plan.identity import airflow_id
from tests.dag.plans import node, plan, write

DAGS = Path(__file__).parents[2] / "dags"


@pytest.fixture
def folder(tmp_path):
    """A DAG folder with our two loader files and no plan."""
    for name in ("vibe_plans.py", "vibe_plan_errors.py"):
        shutil.copy(DAGS / name, tmp_path / name)
    (tmp_path / "plans").mkdir()
    return tmp_path


def bag_of(path):
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(path)


def test_loader_files_have_two_lines_of_code():
    for name in ("vibe_plans.py", "vibe_plan_errors.py"):
        code = [line for line in (DAGS / name).read_text().splitlines() if line.strip()]
        assert len(code) == 2


def test_every_plan_in_the_folder_and_below_becomes_a_dag(airflow_db, folder):
    write(folder / "plans", "one.vibe.json", plan(node("a"), id="one"))
    write(folder / "plans/deep/er", "two.vibe.yaml", str(plan(node("a"), id="two")).replace("'", '"'))
    bag = bag_of(folder)
    assert set(bag.dags) == {"one", "two"}
    assert bag.import_errors == {}


def test_broken_plan_hurts_no_other_and_shows_its_own_error(airflow_db, folder):
    for index in range(20):
        write(folder / "plans", f"good{index}.vibe.json", plan(node("a"), id=f"good{index}"))
    write(folder / "plans", "bad.vibe.yaml", "id: bad\nsource_vibe: {description: x}\nroot_node: []\n")
    bag = bag_of(folder)
    assert set(bag.dags) == {f"good{index}" for index in range(20)}
    (error,) = bag.import_errors.items()
    assert error[0].endswith("vibe_plan_errors.py")
    assert "bad.vibe.yaml:3:1: unknown-key /root_node: a plan has no 'root_node'" in error[1]
    assert "(did you mean 'root_nodes'?)" in error[1]


def test_second_plan_of_one_id_is_the_error_and_names_the_first(airflow_db, folder):
    write(folder / "plans", "a.vibe.json", plan(node("first"), id="same"))
    write(folder / "plans", "b.vibe.json", plan(node("second"), id="same"))
    bag = bag_of(folder)
    assert bag.dags["same"].has_task("first")
    (message,) = bag.import_errors.values()
    assert "b.vibe.json" in message and "already the plan in" in message and "a.vibe.json" in message


def test_second_plan_of_one_id_is_the_error_too_when_the_first_is_broken(airflow_db, folder):
    write(folder / "plans", "a.vibe.json", '{"id": "same"}')
    write(folder / "plans", "b.vibe.json", plan(node("second"), id="same"))
    bag = bag_of(folder)
    assert bag.dags == {}
    (message,) = bag.import_errors.values()
    assert "'same' is already the plan in" in message and "missing-key" in message


def test_plans_whose_translator_gives_them_one_dag_id_are_told_apart(airflow_db, folder, monkeypatch):
    from airflow_provider_vibe.dag.translator import PlanTranslator

    monkeypatch.setattr(PlanTranslator, "dag_id", lambda self, plan: "one-for-all")
    write(folder / "plans", "a.vibe.json", plan(node("first"), id="a"))
    write(folder / "plans", "b.vibe.json", plan(node("second"), id="b"))
    bag = bag_of(folder)
    assert bag.dags["one-for-all"].has_task("first")
    (message,) = bag.import_errors.values()
    assert "'one-for-all' is already the plan in" in message


def test_plans_named_in_airflowignore_are_left_out(airflow_db, folder):
    write(folder / "plans", "a.vibe.json", plan(node("a"), id="a"))
    write(folder / "plans/old", "b.vibe.json", "{")
    write(folder / "plans", ".airflowignore", "old\n")
    bag = bag_of(folder)
    assert set(bag.dags) == {"a"} and bag.import_errors == {}


def test_plan_that_airflow_refuses_hurts_no_other(airflow_db, folder, monkeypatch):
    from airflow_provider_vibe.dag.translator import PlanTranslator

    monkeypatch.setattr(
        PlanTranslator, "tags", lambda self, plan: ["x" * 101] if plan.id == "refused" else ["ok"]
    )
    write(folder / "plans", "good.vibe.json", plan(node("a"), id="good"))
    write(folder / "plans", "refused.vibe.json", plan(node("a"), id="refused"))
    bag = bag_of(folder)
    assert set(bag.dags) == {"good"}
    (message,) = bag.import_errors.values()
    assert "refused.vibe.json: refused no DAG can be made of it" in message


@pytest.fixture
def with_hostile_tools(folder, monkeypatch):
    """A DAG folder with a good plan, and one for each tool that fails in a way of its own."""
    monkeypatch.setenv("AIRFLOW__VIBE__TOOL_FACTORIES", "tests.dag.hostile_tools.make_tools")
    for name in ("raises", "circles", "keywords"):
        text = {"text": "tea"} if name == "keywords" else {}
        parameters = {"tool": name, "tool_inputs": text}
        write(folder / "plans", f"{name}.vibe.json", plan(node("a", parameters=parameters), id=name))
    return folder


def test_tool_that_fails_when_it_is_looked_at_hurts_only_the_plans_that_name_it(
    airflow_db, with_hostile_tools
):
    bag = bag_of(with_hostile_tools)
    assert set(bag.dags) == {"keywords"}
    (message,) = bag.import_errors.values()
    assert "raises.vibe.json:1:" in message
    assert "'raises' does not take these inputs: RuntimeError: no licence" in message
    assert "'circles' does not take these inputs: its input_schema cannot be used: RecursionError" in message


def test_lint_tells_a_tool_that_fails_when_it_is_looked_at(with_hostile_tools, capsys):
    with pytest.raises(SystemExit) as stopped:
        lint(Namespace(paths=[str(with_hostile_tools / "plans")], format="text"))
    assert stopped.value.code == 1
    assert len(capsys.readouterr().out.splitlines()) == 2


def test_plan_that_cannot_even_be_checked_hurts_no_other(airflow_db, folder, monkeypatch):
    from airflow_provider_vibe.tools.registry import ToolRegistry

    def fail(self, name, inputs, unresolved):
        if name == "keywords":
            raise MemoryError("too much")
        return []

    monkeypatch.setattr(ToolRegistry, "check_inputs", fail)
    parameters = {"tool": "keywords", "tool_inputs": {"text": "a"}}
    write(folder / "plans", "a.vibe.json", plan(node("a"), id="good"))
    write(folder / "plans", "b.vibe.json", plan(node("a", parameters=parameters), id="bad"))
    write(folder / "plans", "c.vibe.json", plan(node("a"), id="bad"))
    bag = bag_of(folder)
    assert set(bag.dags) == {"good"}
    (message,) = bag.import_errors.values()
    assert "b.vibe.json: refused it cannot be checked: MemoryError: too much" in message
    assert "'bad' is already the plan in" in message  # its id is its own all the same


def test_translator_that_fails_over_one_plan_hurts_no_other_on_a_worker(airflow_db, folder, monkeypatch):
    from airflow_provider_vibe.dag.translator import PlanTranslator

    def dag_id(self, plan):
        return {"good": "found"}[plan.id]

    monkeypatch.setattr(PlanTranslator, "dag_id", dag_id)
    write(folder / "plans", "a.vibe.json", plan(node("a"), id="bad"))
    write(folder / "plans", "b.vibe.json", plan(node("a"), id="good"))
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "found")
    assert set(bag_of(folder / "vibe_plans.py").dags) == {"found"}


def test_worker_builds_only_the_dag_it_was_asked_for(airflow_db, folder, monkeypatch):
    from airflow_provider_vibe.dag import loader

    built = []
    real = loader.build_dag
    monkeypatch.setattr(loader, "build_dag", lambda plan, tr: built.append(plan.id) or real(plan, tr))
    for index in range(5):
        write(folder / "plans", f"{index}.vibe.json", plan(node("a"), id=f"plan{index}"))
    write(folder / "plans", "5.vibe.json", plan(node("a"), id="a name with spaces"))
    loader_file = folder / "vibe_plans.py"  # a worker reads no other file
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "plan3")
    assert set(bag_of(loader_file).dags) == {"plan3"}
    assert built == ["plan3"]
    slug = airflow_id("a name with spaces")
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", slug)
    assert set(bag_of(loader_file).dags) == {slug}
    assert built == ["plan3", "a name with spaces"]


def test_namespace_of_the_module_is_not_overwritten(airflow_db, folder):
    write(folder / "plans", "x.vibe.json", plan(node("a"), id="load_vibe_dags"))
    write(folder / "plans", "y.vibe.json", plan(node("a"), id="globals"))
    assert set(bag_of(folder).dags) == {"load_vibe_dags", "globals"}


def test_example_plans_load(airflow_db):
    bag = bag_of(DAGS)
    assert bag.import_errors == {}
    assert set(bag.dags) == {"weekly-newsletter", "product-launch", "blog-post-llm", "vibe_replan"}


def test_read_plan_raises_every_problem():
    from airflow_provider_vibe import PlanError, read_plan

    with pytest.raises(PlanError) as raised:
        read_plan(b'{"id": "", "root_nodes": []}')
    codes = {problem.code for problem in raised.value.problems}
    assert {"empty-id", "missing-key", "empty-plan"} <= codes
    assert str(raised.value).startswith("plan.vibe.json:1:")


def test_public_names_are_resolved_when_used_and_only_then():
    import airflow_provider_vibe

    for name in airflow_provider_vibe.__all__:
        assert getattr(airflow_provider_vibe, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        airflow_provider_vibe.no_such_name  # noqa: B018 # reading it is the test


def test_misspelt_folder_is_told(tmp_path):
    from airflow_provider_vibe import load_vibe_dags

    with pytest.raises(FileNotFoundError, match=r"there is no folder of plans .*plnas"):
        load_vibe_dags({"__file__": str(tmp_path / "vibe_plans.py")}, "plnas")


def test_worker_builds_no_other_file_than_was_parsed(airflow_db, folder, monkeypatch):
    broken = {**plan(node("a"), id="same"), "unknown": 1}
    write(folder / "plans", "a.vibe.json", broken)
    write(folder / "plans", "b.vibe.json", plan(node("a"), id="same"))
    assert bag_of(folder / "vibe_plans.py").dags == {}
    monkeypatch.setenv("_AIRFLOW_PARSING_CONTEXT_DAG_ID", "same")
    assert bag_of(folder / "vibe_plans.py").dags == {}
