"""What the README says is true: its snippets run, its commands work, its tables are complete."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from airflow_provider_vibe.get_provider_info import get_provider_info
from airflow_provider_vibe.plan.models import WorkflowNode, WorkflowPlan
from airflow_provider_vibe.plan.reading import examine
from airflow_provider_vibe.settings import Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text("utf-8")
BIN = Path(sys.executable).parent


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.M | re.S)


def block_with(language: str, words: str) -> str:
    (found,) = [block for block in blocks(language) if words in block]
    return found


def test_example_plan_reads_without_a_problem():
    reading = examine(
        block_with("yaml", "tea-letter").encode(), "tea.vibe.yaml", Settings.from_airflow().rules
    )
    assert reading.problems == ()


def test_commands_on_the_example_plan_work(tmp_path, airflow_db):
    (tmp_path / "plans").mkdir()
    (tmp_path / "plans" / "tea.vibe.yaml").write_text(block_with("yaml", "tea-letter"))
    env = {**os.environ, "PATH": f"{BIN}:{os.environ['PATH']}"}
    done = subprocess.run(
        ["bash", "-ec", block_with("sh", "airflow vibe lint plans")],
        cwd=tmp_path,
        env=env,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "1 plan, no problems" in done.stdout
    assert "tea-letter completed" in done.stdout
    assert "plan completed: all 3 nodes" in done.stdout


def test_commands_for_a_model_server_make_its_connection_and_its_pool(tmp_path, airflow_db):
    with (
        sqlite3.connect(airflow_db / "airflow.db") as shared,
        sqlite3.connect(tmp_path / "airflow.db") as own,
    ):
        shared.backup(own)
    env = {
        **os.environ,
        "PATH": f"{BIN}:{os.environ['PATH']}",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{tmp_path}/airflow.db",
        "AIRFLOW__DATABASE__CHECK_MIGRATIONS": "False",  # the tables were made without any
    }
    look = "airflow connections get vibe_llm -o json; airflow pools get vibe_llm -o json"
    script = block_with("sh", "airflow pools set") + look + '; echo "$AIRFLOW__VIBE__LLM_POOLS"'
    done = subprocess.run(["bash", "-ec", script], env=env, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "http://localhost:11434/v1" in done.stdout
    assert '"slots": "2"' in done.stdout
    assert done.stdout.rstrip().endswith('{"vibe_llm": "vibe_llm"}')


@pytest.mark.parametrize("name", ["vibe_plans.py", "vibe_plan_errors.py"])
def test_loader_files_are_those_of_the_dags_folder(name):
    shown = block_with("python", f"# dags/{name}").partition("\n")[2]
    assert shown == (ROOT / "dags" / name).read_text()


def test_tool_of_the_example_works(tmp_path, monkeypatch):
    (tmp_path / "my_tools.py").write_text(block_with("python", "# my_tools.py"))
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("AIRFLOW__VIBE__TOOL_FACTORIES", "my_tools.make_tools")
    tools = Settings.from_airflow().tools
    assert tools["shout"].input_schema["required"] == ["text"]


def test_translator_of_the_example_works():
    namespace: dict = {}
    exec(block_with("python", "class OurTranslator"), namespace)
    translator = namespace["OurTranslator"](Settings.from_airflow())
    fields = {"id": "a", "type": "generate", "description": ""}
    plan = WorkflowPlan.model_validate(
        {"id": "p", "source_vibe": {"description": ""}, "root_nodes": [fields]}
    )
    assert translator.pool(plan, plan.root_nodes[0]) == "models"


def test_make_targets_it_names_exist():
    targets = set(re.findall(r"(?:^|`)make ([a-z]+)(?:$|`)", README, re.M))
    assert {"demo", "test", "setup", "check"} <= targets
    for target in targets:
        subprocess.run(["make", "-n", target], cwd=ROOT, check=True, capture_output=True)


def test_every_key_of_a_plan_and_a_node_is_in_the_reference():
    for model in (WorkflowPlan, WorkflowNode):
        missing = [name for name in model.model_fields if name != "schema_uri" and f"`{name}`" not in README]
        assert missing == []


def test_every_tool_and_command_is_in_the_reference():
    from airflow_provider_vibe.cli.definition import VIBE_COMMANDS
    from airflow_provider_vibe.tools.builtin import builtin_tools

    assert [tool.name for tool in builtin_tools() if f"| `{tool.name}` |" not in README] == []
    assert [each.name for each in VIBE_COMMANDS if f"`airflow vibe {each.name} " not in README] == []


def options_table() -> str:
    options = get_provider_info()["config"]["vibe"]["options"]
    rows = [
        f"| `{name}` | `{option['default']}` | {option['description'].replace('``', '`')} |"
        if option["default"]
        else f"| `{name}` | | {option['description'].replace('``', '`')} |"
        for name, option in options.items()
    ]
    return "\n".join(["| option | default | meaning |", "|---|---|---|", *rows])


def test_table_of_options_says_what_the_provider_says():
    shown = re.search(r"<!-- options: begin.*?-->\n(.*?)\n?<!-- options: end -->", README, re.S)
    assert shown and shown[1] == options_table()


def test_bundle_configuration_is_one_that_airflow_takes(monkeypatch, tmp_path):
    import configparser
    import json

    from airflow_provider_vibe.dag.bundle import VibePlanBundle

    section = configparser.ConfigParser(interpolation=None)
    section.read_string(block_with("ini", "dag_bundle_config_list"))
    (bundle,) = json.loads(section["dag_processor"]["dag_bundle_config_list"])
    assert bundle["classpath"] == f"{VibePlanBundle.__module__}.{VibePlanBundle.__qualname__}"
    assert VibePlanBundle(name=bundle["name"], **bundle["kwargs"]).supports_versioning


def test_tools_of_the_readme_write_an_artifact_and_read_it(monkeypatch, tmp_path):
    import asyncio

    monkeypatch.setenv("AIRFLOW__VIBE__ARTIFACTS_PATH", str(tmp_path))
    module: dict = {}
    exec(block_with("python", "# spelling.py"), module)
    context = {"run": {"dag_id": "d", "id": "r"}, "node_id": "n", "try_number": 1}
    written = asyncio.run(module["spell"].execute({"word": "Tea"}, context)).output
    assert (tmp_path / "d/r/n/1/letters.txt").read_text() == "T\ne\na"
    assert written.keys() >= {"uri", "path", "name", "size", "media_type", "sha256"}
    counted = asyncio.run(module["count_lines"].execute({"file": written}, context)).output
    assert counted == {"lines": 3}
