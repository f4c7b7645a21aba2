"""`airflow vibe checkpoint export|list|show|import`."""

from __future__ import annotations

import json
import os
import tracemalloc
from argparse import Namespace
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_provider_vibe.cli import checkpoint as commands
from airflow_provider_vibe.cli.looks import Observer
from airflow_provider_vibe.plan.identity import node_digest, plan_digest
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
NEW_Z = node("z", "both", description="New")
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
    assert list(tmp_path.iterdir()) == [path], "nothing of it is left behind"


def export_to(run, reader, target):
    return run(commands.export, dag="plan", run=reader.run_id, output=str(target))


@pytest.mark.parametrize("target", [".", "/", "/dev/full", "/dev/null", "folder", "pipe"])
def test_what_is_there_and_no_file_is_left_alone(reader, run, tmp_path, monkeypatch, target):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "folder").mkdir()
    os.mkfifo("pipe")
    code, out, err = export_to(run, reader, target)
    assert (code, out) == (2, "")
    told = f"cannot write {target}: it is there, and no regular file"
    assert err == f"airflow vibe checkpoint export: {told}\n"
    assert {path.name for path in tmp_path.iterdir()} == {"folder", "pipe"}


def test_name_that_no_file_can_have_is_told(reader, run, tmp_path):
    code, _, err = export_to(run, reader, tmp_path / ("x" * 300))
    assert code == 2
    assert err.endswith("File name too long\n") and err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_run_that_cannot_be_kept_is_told(reader, run, tmp_path):
    deep: list = []
    for _ in range(300):
        deep = [deep]
    reader.left["a", "return_value"] = deep
    code, _, err = export_to(run, reader, tmp_path / "kept.json")
    assert (code, err.count("\n")) == (2, 1)
    assert "this run cannot be kept in a checkpoint" in err
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("is_there", [True, False])
def test_link_is_followed_to_its_file(reader, run, tmp_path, is_there):
    (tmp_path / "real").mkdir()
    path, link = tmp_path / "real" / "kept.json", tmp_path / "link.json"
    link.symlink_to(path)
    if is_there:
        path.write_text("the old one")
    assert export_to(run, reader, link)[0] == 0
    assert link.is_symlink()
    assert read_checkpoint(path.read_bytes()).completed == ["a"]


def test_exporting_again_writes_over_the_file(exported, reader, run):
    before = read_checkpoint(exported.read_bytes())
    assert export_to(run, reader, exported)[0] == 0
    assert read_checkpoint(exported.read_bytes()).checkpoint_id != before.checkpoint_id


def test_checkpoint_is_all_that_is_on_stdout_when_it_goes_there(reader, run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, out, err = export_to(run, reader, "-")
    assert (code, err) == (0, "")
    assert read_checkpoint(out.encode()).completed == ["a"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("changed", [{"params": {}}, {"root_nodes": [*CONTENT["root_nodes"][:2], NEW_Z]}])
def test_plan_is_held_against_what_the_feedback_gathered(reader, run, tmp_path, changed):
    ran = WorkflowPlan.model_validate(CONTENT)
    reader.left["vibe_feedback", "return_value"] = gathered(reader, plan_digest(ran))
    to = tmp_path / "kept.json"
    assert export_to(run, reader, to)[0] == 0
    reader.text = json.dumps(CONTENT | changed)
    code, _, err = export_to(run, reader, to)
    assert code == 2
    assert "the plan of DAG 'plan' is not the one that this run ran (name the file" in err


def gathered(reader: FakeReader, digest: str) -> dict:
    """What the feedback of the run has left: where its nodes stood, and the plan that ran."""
    look = Observer(reader, reader.run("plan", reader.run_id)).look()
    nodes = {
        node_id: {"node_id": node_id, "status": state.status.value, "try_number": state.try_number}
        for node_id, state in look.nodes.items()
    }
    return {"plan_id": "plan", "status": "failed", "node_results": nodes, "plan_digest": digest}


@pytest.mark.parametrize("asked", [{"dag": "plan", "run": "r\udcff"}, {"dag": "p\udcff", "run": "r"}])
def test_id_that_is_no_text_is_told_and_not_asked_for(reader, run, monkeypatch, asked):
    monkeypatch.setattr(reader, "run", no_surrogates)
    monkeypatch.setattr(reader, "source", no_surrogates)
    code, _, err = run(commands.export, **asked)
    assert code == 2
    assert "\\udcff'" in err and err.count("\n") == 1


def no_surrogates(*ids):
    for id_ in ids:
        id_.encode()


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
    assert f"{path}: cannot be read: No such file or directory" in run(command, file=str(path))[2]


@pytest.mark.parametrize("command", [commands.show, commands.import_])
@pytest.mark.parametrize("name", ["/dev/zero", "/", "pipe"])
def test_what_is_no_file_is_not_read(reader, run, tmp_path, monkeypatch, command, name):
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    code, _, err = run(command, file=name)
    assert (code, reader.started) == (2, [])
    assert err.endswith(f"{name}: cannot be read: not a regular file\n") and err.count("\n") == 1


def test_file_that_is_too_large_is_not_read(run, tmp_path):
    path = tmp_path / "large.json"
    path.touch()
    os.truncate(path, 2**40)
    tracemalloc.start()
    try:
        code, _, err = run(commands.show, file=str(path))
        (_, most) = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert (code, err) == (2, f"airflow vibe checkpoint show: {path}: larger than 268,435,456 bytes\n")
    assert most < 2**26


def test_hostile_files_do_not_keep_the_others_from_being_listed(exported, run, tmp_path):
    (tmp_path / "aa-number.json").write_text('{"schema_version": %s}' % ("9" * 5000))
    (tmp_path / "ab-folder.json").mkdir()
    os.mkfifo(tmp_path / "ac-pipe.json")
    (tmp_path / "ad\nline.json").write_text("{}")
    code, out, err = run(commands.list_, folder=str(tmp_path))
    assert code == 0
    assert "kept.json" in out
    assert len(err.splitlines()) == 4
    assert "aa-number.json: it cannot be read: " in err
    assert "ab-folder.json: cannot be read: not a regular file" in err


def test_checkpoint_writes_nothing_but_text_to_a_terminal(run, tmp_path):
    document = json.loads(FAILED_SAMPLE.read_text()) | {"created_at": "\x1b[31mred"}
    path = tmp_path / "kept.json"
    path.write_text(json.dumps(document))
    code, out, _ = run(commands.show, file=str(path))
    assert code == 0
    assert "\x1b" not in out and "\\x1b[31mred" in out


# import


def test_import_starts_a_run_with_what_is_done(reader, exported, run):
    code, out, _ = run(commands.import_, file=str(exported))
    assert code == 0
    assert out.startswith("started manual__new: 1 nodes are taken over\n")
    ((dag_id, conf),) = reader.started
    assert (dag_id, conf.keys()) == ("plan", {"reuse_from"})
    handed = load_handover(conf["reuse_from"])
    assert handed.nodes["a"].result == MADE
    assert handed.run_id == "manual__1"


@pytest.mark.parametrize("paused", [True, False])
def test_run_that_waits_for_its_dag_is_told(reader, exported, run, paused):
    reader.paused = paused
    code, out, _ = run(commands.import_, file=str(exported))
    assert code == 0
    assert ("DAG 'plan' is paused: the run waits until it is unpaused" in out) is paused


def test_log_of_airflow_does_not_mix_with_what_is_told(reader, capfd, monkeypatch):
    def start(dag_id, conf):
        os.write(1, b"creating dag run\n")
        return "manual__new"

    reader.dag_id, reader.text = (
        "failure-checkpoint-test",
        json.dumps(json.loads(FAILED_SAMPLE.read_text())["plan"]),
    )

    monkeypatch.setattr(reader, "start_run", start)
    with pytest.raises(SystemExit):
        commands.import_(
            Namespace(file=str(FAILED_SAMPLE), url=None, plan=None, dag=None, accept_changed=False)
        )
    out, err = capfd.readouterr()
    assert out.startswith("started manual__new")
    assert "creating dag run" in err


@pytest.mark.parametrize("dag_id", ["p\udcff", "a/b", ".."])
def test_dag_that_can_be_none_is_told_and_not_asked_for(reader, exported, run, monkeypatch, dag_id):
    monkeypatch.setattr(reader, "source", no_surrogates)
    code, _, err = run(commands.import_, file=str(exported), dag=dag_id)
    assert (code, reader.started) == (2, [])
    assert "there is no DAG '" in err and err.count("\n") == 1


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
