"""vibe-aigc itself, where there is a Python that it runs on, beside our registry."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_vibe.plan.models import WorkflowPlan
from airflow_provider_vibe.runtime.checkpoint import (
    Checkpoint,
    CheckpointError,
    checkpoint_of,
    read_checkpoint,
    write_checkpoint,
)
from airflow_provider_vibe.runtime.handover import hand_over
from airflow_provider_vibe.runtime.outcome import ExecutionResult, NodeResult
from tests.dag.plans import composite, node, plan

VERSION = "0.7.1"
OLDEST = (3, 12)
"""vibe-aigc asks for it."""

ROOT = Path(__file__).parents[2]

PROGRAM = """
import asyncio, json
import vibe_aigc
from vibe_aigc import BaseTool, ToolResult, ToolSpec, create_default_registry
from vibe_aigc.tools import ToolCategory
from airflow_provider_vibe.tools.builtin import builtin_tools
from airflow_provider_vibe.tools.registry import BUILT_IN, build_registry

class Shout(BaseTool):
    @property
    def spec(self):
        return ToolSpec(
            name="shout",
            description="",
            category=ToolCategory.TEXT,
            input_schema={"type": "object", "properties": {"text": {"type": "string"}}, "required": ["text"]},
            output_schema={},
        )

    async def execute(self, inputs, context=None):
        louder = {"text": inputs["text"].upper()}
        return ToolResult(success=True, output=louder, metadata={"seen": sorted(context)})

theirs = create_default_registry()
theirs.register(Shout())
ours = build_registry([(BUILT_IN, builtin_tools()), ("vibe-aigc", theirs)])
alone = build_registry([("vibe-aigc", theirs)])
inputs = {"pieces": ["one", "two"], "separator": "+"}
combined = asyncio.run(alone["combine"].execute(inputs, {"node_id": "a"}))
shouted = asyncio.run(ours["shout"].execute({"text": "hi"}, {"node_id": "a"}))
print(json.dumps({
    "from": vibe_aigc.__file__,
    "given way": [name for name in alone if ours.origin(name) == BUILT_IN],
    "shout": [ours.origin("shout"), shouted.success, shouted.output, shouted.metadata],
    "wrong": [str(issue) for issue in ours.check_inputs("shout", {"text": 1})],
    "combine": [combined.success, combined.output, combined.error],
}))
"""

RESUME = """
import asyncio, json, sys
from vibe_aigc import BaseTool, ToolRegistry, ToolResult, ToolSpec
from vibe_aigc.executor import WorkflowExecutor
from vibe_aigc.persistence import WorkflowCheckpoint, WorkflowPersistenceManager
from vibe_aigc.tools import ToolCategory

called = []

class Copy(BaseTool):
    @property
    def spec(self):
        text = {"category": ToolCategory.TEXT, "input_schema": {}, "output_schema": {}}
        return ToolSpec(name="copy", description="", **text)

    async def execute(self, inputs, context=None):
        called.append(inputs["text"])
        return ToolResult(success=True, output={"text": inputs["text"]})

folder, checkpoint_id = sys.argv[1:]
manager = WorkflowPersistenceManager(folder)
loaded = manager.load_checkpoint(checkpoint_id)
listed = manager.list_checkpoints()
before = {key: node.status.value for key, node in loaded.execution_result.node_results.items()}
made = loaded.execution_result.node_results["a"].result
tools = ToolRegistry()
tools.register(Copy())
result = asyncio.run(WorkflowExecutor(tool_registry=tools).execute_plan(loaded.plan, loaded))
again = WorkflowCheckpoint(loaded.plan, result)
manager.save_checkpoint(again)
print(json.dumps({
    "listed": listed, "before": before, "made": made, "called": called, "status": result.status.value,
    "feedback": sorted(result.feedback_data), "again": again.checkpoint_id,
}))
"""


def new_enough_python() -> str | None:
    """A Python that vibe-aigc runs on: on the path, or one of pyenv's."""
    pyenv = Path(os.environ.get("PYENV_ROOT", Path.home() / ".pyenv")) / "versions"
    named = [shutil.which(f"python3.{minor}") for minor in range(OLDEST[1], OLDEST[1] + 5)]
    for python in (sys.executable, *named, *map(str, sorted(pyenv.glob("*/bin/python")))):
        if python is None:
            continue
        asked = [python, "-c", f"import sys, venv, ensurepip; sys.exit(sys.version_info < {OLDEST})"]
        if subprocess.run(asked, capture_output=True).returncode == 0:
            return python
    return None


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The Python of a virtual environment that holds vibe-aigc and what our tools are declared with."""
    if (base := new_enough_python()) is None:
        pytest.skip(f"vibe-aigc {VERSION} needs Python {'.'.join(map(str, OLDEST))}, and none is at hand")
    home = tmp_path_factory.mktemp("vibe-aigc")
    subprocess.run([base, "-m", "venv", home], check=True)
    inside = home / "bin" / "python"
    install = [inside, "-m", "pip", "install", "--quiet", "-c", ROOT / "constraints.txt"]
    wanted = [f"vibe-aigc=={VERSION}", "jsonschema", "pydantic"]
    ended = subprocess.run([*install, *wanted], capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    return inside


def test_the_registry_of_vibe_aigc_is_taken_as_it_is(python: Path):
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    ended = subprocess.run([python, "-c", PROGRAM], env=environment, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert Path(found["from"]).is_relative_to(python.parents[1])
    assert set(found["given way"]) == {"llm_generate", "template_fill", "combine"}
    assert found["shout"] == ["vibe-aigc", True, {"text": "HI"}, {"seen": ["node_id"]}]
    assert found["wrong"] == ["text: must be a string, not a whole number"]
    assert found["combine"] == [True, {"text": "one+two"}, None]


def a_checkpoint() -> Checkpoint:
    """Of a run of ours that stopped half way: a is done, b and its composite failed, c was skipped."""

    def copying(node_id: str, *dependencies: str, **fields: Any) -> dict[str, Any]:
        parameters = {"tool": "copy", "tool_inputs": {"text": node_id}}
        return node(node_id, *dependencies, parameters=parameters, **fields)

    content = plan(
        copying("a"),
        composite("both", [copying("b", run={"retries": 0}, checks=[{"min_words": 1}])], "a"),
        copying("c", "both", estimated_duration=3),
        id="plan of ours",
        params={"topic": {"type": "string", "default": "tea"}},
        budget={"requests": 9},
    )
    made = {"type": "tool_execution", "tool": "copy", "result": {"text": "größer\N{SNOWMAN}"}, "metadata": {}}
    moment = datetime(2026, 1, 5, 7, tzinfo=UTC)
    results = [
        NodeResult(
            node_id="a", status="completed", result=made, duration=1.5, started_at=moment, try_number=1
        ),
        NodeResult(node_id="b", status="failed", error="lost", error_type="ValueError", try_number=2),
        NodeResult(node_id="both", status="failed", error="1 of 1 children failed: b", reason="b"),
        NodeResult(node_id="c", status="skipped", reason="'both' failed"),
    ]
    stopped = ExecutionResult(
        plan_id=content["id"],
        status="failed",
        started_at=moment,
        node_results={each.node_id: each for each in results},
        execution_groups=[["a"], ["both"], ["b"], ["c"]],
        feedback_data={"a": {"execution_quality": 0.8}},
        run_id="manual__1",
        dag_id="plan-of-ours",
    )
    return checkpoint_of(WorkflowPlan.model_validate(content), stopped, {"topic": "owls"})


def test_checkpoint_of_ours_goes_on_in_vibe_aigc_and_comes_back(python: Path, tmp_path: Path):
    checkpoint = a_checkpoint()
    (tmp_path / f"{checkpoint.checkpoint_id}.json").write_bytes(write_checkpoint(checkpoint))
    arguments = [python, "-c", RESUME, tmp_path, checkpoint.checkpoint_id]
    ended = subprocess.run(arguments, capture_output=True, text=True)
    assert ended.returncode == 0, ended.stderr
    found = json.loads(ended.stdout)
    assert [listed["checkpoint_id"] for listed in found["listed"]] == [checkpoint.checkpoint_id]
    assert found["listed"][0]["plan_id"] == "plan of ours"
    assert found["before"] == {"a": "completed", "b": "failed", "both": "failed", "c": "skipped"}
    assert found["made"] == checkpoint.result.node_results["a"].result
    assert (found["called"], found["status"]) == (["b", "c"], "completed")

    theirs = read_checkpoint((tmp_path / f"{found['again']}.json").read_bytes())
    assert not theirs.is_ours
    with pytest.raises(CheckpointError, match="changed since it was made: 'b'"):  # vibe-aigc drops its checks
        hand_over(theirs, checkpoint.plan)
    taken = hand_over(theirs, checkpoint.plan, accept_changed=True).nodes
    assert taken.keys() == {"a", "b", "c"}
    assert taken["c"].result["result"] == {"text": "c"}
    assert "simulated" not in taken["c"].result
