"""`airflow vibe checkpoint export|list|show|import`."""

from __future__ import annotations

import json
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_provider_vibe.cli import checkpoint as commands
from airflow_provider_vibe.plan.identity import node_digest
from airflow_provider_vibe.plan.models import WorkflowPlan
from airflow_provider_vibe.runtime.checkpoint import read_checkpoint
from airflow_provider_vibe.runtime.handover import load_handover
from tests.cli.fakes import FakeReader, done, outcome, unreached, working
from tests.dag.plans import composite, node, plan

SAMPLES = Path(__file__).parents[1] / "data" / "oracle" / "samples" / "checkpoints"
FAILED_SAMPLE = SAMPLES / "test_automatic_checkpoints_test_checkpoint_creation_on_failure.json"
CONTENT = plan(
    node("a"),
    composite("both", [node("x"), node("y", "x")], "a"),
    node("z", "both"),
    params={"topic": {"type": "string", "default": "tea"}},
)
TASKS = {
    "a": done(1, 2),
    "both__open": done(3, 3),
    "x": done(4, 6, "failed", 2),
    "y": unreached(7),
    "both": unreached(7),
    "z": unreached(8),
}
MADE = {"type": "tool_execution", "tool": "template_fill", "result": {"text": "out of a"}}
FULL = {"node_id": "a", "started_at": "2026-01-05T07:00:01Z"}
LEFT = {
    ("a", "vibe_outcome"): outcome(**FULL, usage={"input_tokens": 7}),
    ("a", "return_value"): MADE,
    ("x", "vibe_outcome"): outcome("failed", 0.0, node_id="x", started_at=None, error="lost"),
}


@pytest.fixture
def reader(reading):
    return reading(FakeReader(CONTENT, ("failed", TASKS), left=LEFT))


@pytest.fixture
def run(capsys):
    """Runs a command; gives its exit code, and what it printed."""

    def call(command, **args):
        given = {"url": None, "plan": None, "dag": None, "accept_changed": False, "output": None, **args}
        with pytest.raises(SystemExit) as stopped:
            command(Namespace(**given))
        captured = capsys.readouterr()
        return stopped.value.code, captured.out, captured.err

    return call


@pytest.fixture(autouse=True)
def artifacts(tmp_path, monkeypatch):
    monkeypatch.setenv("AIRFLOW__VIBE__ARTIFACTS_PATH", str(tmp_path / "artifacts"))


@pytest.fixture
def exported(reader, run, tmp_path):
    path = tmp_path / "kept.json"
    code, out, _ = run(commands.export, dag="plan", run=reader.run_id, output=str(path))
    assert (code, out) == (0, f"wrote {path}: 1 of 5 nodes are done\n")
    return path


# export


def test_run_is_exported_with_what_its_nodes_left(exported):
    checkpoint = read_checkpoint(exported.read_bytes())
    assert checkpoint.plan == WorkflowPlan.model_validate(CONTENT)
    assert checkpoint.result.run_id == "manual__1"
    assert checkpoint.result.status == "failed"
    results = checkpoint.result.node_results
    assert results["a"].result == MADE
    assert results["a"].usage == {"input_tokens": 7}
    assert (results["x"].status, results["x"].error) == ("failed", "lost")
    assert results["y"].reason == "'x' failed"
    assert checkpoint.result.feedback_data["a"] == {"execution_quality": 0.8}


def test_run_is_exported_while_it_goes_on(reading, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    tasks = {"a": done(1, 2), "both__open": done(3, 3), "x": working(4), "y": unreached(0, "none")}
    reader = reading(FakeReader(CONTENT, ("running", tasks), left=LEFT))
    code, out, _ = run(commands.export, dag="plan", run=reader.run_id)
    (path,) = tmp_path.glob("*.json")
    assert (code, out) == (0, f"wrote {path.name}: 1 of 5 nodes are done\n")
    checkpoint = read_checkpoint(path.read_bytes())
    assert path.stem == checkpoint.checkpoint_id
    assert checkpoint.result.status == "running"
    statuses = {key: str(each.status) for key, each in checkpoint.result.node_results.items()}
    assert statuses == {"a": "completed", "both": "running", "x": "running"}


def test_parameters_of_the_run_are_kept(reader, run, tmp_path, monkeypatch):
    of_run = reader.run("plan", reader.run_id)
    monkeypatch.setattr(reader, "run", lambda dag_id, run_id: replace(of_run, conf={"topic": "owls"}))
    path = tmp_path / "kept.json"
    run(commands.export, dag="plan", run=reader.run_id, output=str(path))
    assert read_checkpoint(path.read_bytes()).conf == {"topic": "owls"}


def test_file_is_never_seen_half_written(reader, run, tmp_path, monkeypatch):
    path = tmp_path / "kept.json"
    path.write_text("the old one")

    def full(self, content):
        (tmp_path / self.name).touch()
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Path, "write_bytes", full)
    code, _, err = run(commands.export, dag="plan", run=reader.run_id, output=str(path))
    assert code == 2
    assert f"cannot write {path}: No space left on device" in err
    assert path.read_text() == "the old one"


def test_plan_whose_done_nodes_were_changed_since_is_not_exported_as_what_ran(reader, run, tmp_path):
    ran = WorkflowPlan.model_validate(CONTENT)
    digest = node_digest(ran.root_nodes[0], ran.source_vibe)
    reader.left["a", "vibe_outcome"] = outcome(**FULL, node_digest=digest)
    to = str(tmp_path / "kept.json")
    assert run(commands.export, dag="plan", run=reader.run_id, output=to)[0] == 0
    nodes = CONTENT["root_nodes"]
    reader.text = json.dumps(CONTENT | {"root_nodes": [*nodes[:2], node("z", "both", description="New")]})
    assert run(commands.export, dag="plan", run=reader.run_id, output=to)[0] == 0
    reader.text = json.dumps(CONTENT | {"root_nodes": [node("a", description="New"), *nodes[1:]]})
    code, _, err = run(commands.export, dag="plan", run=reader.run_id, output=to)
    assert code == 2
    assert "is not the one that this run ran: they differ in a (name the file" in err


def test_plan_of_other_nodes_is_not_exported(reader, run):
    reader.text = json.dumps(plan(node("a"), node("q")))
    code, _, err = run(commands.export, dag="plan", run=reader.run_id)
    assert code == 2
    assert "they differ in both, q, x and 2 more" in err


@pytest.mark.parametrize("text", [None, "from airflow.sdk import DAG\n", "{}"])
def test_source_that_is_no_plan_is_refused_and_the_file_can_be_named(reader, run, tmp_path, text):
    reader.text = text
    code, _, err = run(commands.export, dag="plan", run=reader.run_id)
    assert code == 2
    assert "the source of DAG 'plan' is no plan (name its plan file with --plan)" in err
    file = tmp_path / "mine.vibe.json"
    file.write_text(json.dumps(CONTENT))
    to = str(tmp_path / "kept.json")
    code, *_ = run(commands.export, dag="plan", run=reader.run_id, plan=str(file), output=to)
    assert code == 0


def test_plan_in_yaml_is_found(reader, run, tmp_path):
    import yaml

    reader.text = "# a plan\n" + yaml.safe_dump(CONTENT)
    code, *_ = run(commands.export, dag="plan", run=reader.run_id, output=str(tmp_path / "kept.json"))
    assert code == 0


# list and show


def test_checkpoints_of_a_folder_are_listed_and_others_told(exported, run, tmp_path):
    (tmp_path / "theirs.json").write_bytes(FAILED_SAMPLE.read_bytes())
    (tmp_path / "other.json").write_text("{}")
    (tmp_path / "half.json").write_bytes(exported.read_bytes()[:100])
    (tmp_path / "notes.txt").write_text("no")
    code, out, err = run(commands.list_, folder=str(tmp_path))
    assert code == 0
    lines = [line.split() for line in out.splitlines()]
    assert [line[0] for line in lines] == ["file", "kept.json", "theirs.json"]
    assert [line[1] for line in lines if line[0] == "theirs.json"] == ["failure-checkpoint-test"]
    assert "other.json: it is no checkpoint" in err
    assert "half.json: it is cut off" in err
    assert "notes" not in out + err


def test_empty_and_missing_folders_are_told(run, tmp_path):
    assert run(commands.list_, folder=str(tmp_path)) == (0, "", "")
    code, _, err = run(commands.list_, folder=str(tmp_path / "no"))
    assert (code, err) == (2, f"airflow vibe checkpoint list: there is no folder {tmp_path / 'no'}\n")


def test_nodes_of_a_checkpoint_are_shown(exported, run):
    code, out, _ = run(commands.show, file=str(exported))
    assert code == 0
    assert "of run manual__1" in out
    lines = out.splitlines()
    assert any("a transform  completed, quality 0.8" in line for line in lines)
    assert any("x transform  failed" in line for line in lines)


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.json")), ids=lambda path: path.stem[-30:])
def test_every_checkpoint_of_the_original_is_shown(run, path):
    code, out, _ = run(commands.show, file=str(path))
    assert code == 0
    assert "of vibe-aigc" in out


@pytest.mark.parametrize("command", [commands.show, commands.import_])
def test_refusal_names_the_file(reader, run, tmp_path, command):
    path = tmp_path / "bad.json"
    path.write_text('{"schema_version": "1.0"')
    code, _, err = run(command, file=str(path))
    assert code == 2
    assert f"{path}: it is cut off, or no JSON: " in err
    path.unlink()
    assert f"{path}: cannot read it: No such file or directory" in run(command, file=str(path))[2]


# import


def test_import_starts_a_run_with_what_is_done(reader, exported, run):
    code, out, _ = run(commands.import_, file=str(exported))
    assert code == 0
    assert out.startswith("started manual__new: 1 nodes are taken over\n")
    ((dag_id, conf),) = reader.started
    assert (dag_id, conf.keys()) == ("plan", {"reuse_from"})
    handed = load_handover(conf["reuse_from"]).nodes
    assert handed["a"].result == MADE
    assert handed["a"].made_in == "manual__1"


def test_parameters_come_back_but_not_what_was_reused_then(reader, run, tmp_path, monkeypatch):
    of_run = reader.run("plan", reader.run_id)
    conf = {"topic": "owls", "reuse_from": "zeroth"}
    monkeypatch.setattr(reader, "run", lambda dag_id, run_id: replace(of_run, conf=conf))
    path = tmp_path / "kept.json"
    run(commands.export, dag="plan", run=reader.run_id, output=str(path))
    run(commands.import_, file=str(path))
    assert reader.started[0][1]["topic"] == "owls"
    assert reader.started[0][1]["reuse_from"].startswith("checkpoint:")


def test_changed_plan_is_refused_unless_that_is_accepted(reader, exported, run):
    changed = CONTENT | {"root_nodes": [node("a", description="New"), *CONTENT["root_nodes"][1:]]}
    reader.text = json.dumps(changed)
    code, _, err = run(commands.import_, file=str(exported))
    assert (code, reader.started) == (2, [])
    assert f"{exported}: changed since it was made: 'a'" in err
    code, *_ = run(commands.import_, file=str(exported), accept_changed=True)
    assert (code, len(reader.started)) == (0, 1)


def test_checkpoint_of_another_plan_is_refused(reader, run):
    code, _, err = run(commands.import_, file=str(FAILED_SAMPLE), dag="plan", accept_changed=True)
    assert (code, reader.started) == (2, [])
    assert "it is of another plan: 'failure-checkpoint-test', not 'plan'" in err


def test_checkpoint_whose_dag_is_not_there_is_refused(reader, run):
    code, _, err = run(commands.import_, file=str(FAILED_SAMPLE))
    assert (code, reader.started) == (2, [])
    assert "there is no DAG 'failure-checkpoint-test' ('airflow dags list' shows all there are)" in err


@pytest.mark.parametrize("path", sorted(SAMPLES.glob("*.json")), ids=lambda path: path.stem[-30:])
def test_every_checkpoint_of_the_original_is_imported(reader, run, path):
    document = json.loads(path.read_text())
    reader.dag_id, reader.text = document["plan"]["id"], json.dumps(document["plan"])
    code, out, _ = run(commands.import_, file=str(path))
    results = document["execution_result"]["node_results"].values()
    completed = sum(each["status"] == "completed" for each in results)
    assert code == 0
    assert out.startswith(f"started manual__new: {completed} nodes are taken over\n")
