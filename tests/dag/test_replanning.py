"""The tasks of the replan DAG: real DAGs, real operators, `dag.test()`; what waits for a person is in e2e."""

from __future__ import annotations

import contextlib
import json
import os
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from airflow.models.dagrun import DagRun
from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import DAG
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException
from airflow.utils.session import create_session
from sqlalchemy import select

from airflow_provider_vibe.dag.loader import translate
from airflow_provider_vibe.dag.replanning import act as act_module
from airflow_provider_vibe.dag.replanning import propose as propose_module
from airflow_provider_vibe.dag.replanning.act import VibeRerunOperator
from airflow_provider_vibe.dag.replanning.approve import VibeApproveOperator
from airflow_provider_vibe.dag.replanning.dag import replan_dag
from airflow_provider_vibe.dag.translator import configured_translator
from airflow_provider_vibe.plan.reading import examine_file
from airflow_provider_vibe.replan.planner import NoPlan
from airflow_provider_vibe.runtime.usage import NOTHING
from airflow_provider_vibe.tools import Tool, tool
from airflow_provider_vibe.tools.base import ToolInputError
from tests.airflow_runs import Ran, run_dag
from tests.dag.plans import plan, write

FLAKY = {"timeout": 5, "retries": 0}
failing: dict[str, Exception] = {}


@tool("say")
def say(text: str = "", *, context: dict[str, Any]) -> str:
    if context["node_id"] in failing:
        raise failing[context["node_id"]]
    return text or f"{context['node_id']} has said enough to be taken for a detailed output"


def make_tools() -> list[Tool]:
    return [say]


@pytest.fixture(autouse=True)
def installation(airflow_db: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__VIBE__TOOL_FACTORIES", "tests.dag.test_replanning.make_tools")
    monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL", "-60")
    failing.clear()


def node(node_id: str, *dependencies: str, **fields: Any) -> dict[str, Any]:
    parameters = {"tool": "say", "tool_inputs": {}}
    return {
        "id": node_id,
        "type": "generate",
        "description": f"Say {node_id}",
        "parameters": parameters,
        "dependencies": list(dependencies),
        **fields,
    }


def dag_of(path: Path) -> DAG:
    translator = configured_translator()
    translation = translate(path, examine_file(path, translator.settings.rules), translator)
    assert translation.dag is not None, translation.problems
    return translation.dag


def failed_run(folder: Path, error: Exception, *, conf: Any = None, **replan: Any) -> tuple[Path, Ran]:
    """A run of a plan of two nodes, the second of which fails."""
    name = f"replanned-{os.path.basename(folder)[:40]}"
    content = plan(
        node("first"), node("flaky", "first", run=FLAKY), id=name, replan={"cooldown": 0, **replan}
    )
    path = write(folder, "plan.vibe.json", content)
    failing["flaky"] = error
    ran = run_dag(dag_of(path), conf)
    failing.clear()
    return path, ran


def replan(case: Ran) -> Ran:
    return run_dag(replan_dag(), {"dag_id": case.dag_id, "run_id": case.run_id})


def started(dag_id: str) -> list[DagRun]:
    with create_session() as session:
        runs = session.scalars(select(DagRun).where(DagRun.dag_id == dag_id)).all()
        return [run for run in runs if run.run_id.startswith("replan__")]


def test_run_that_suggests_another_plan_asks_for_it_though_it_failed(tmp_path):
    _, ran = failed_run(tmp_path, TimeoutError("timed out"), mode="approve")
    assert (ran.state, ran.states["vibe_feedback"], ran.states["vibe_replan"]) == (
        "failed",
        "failed",
        "success",
    )
    told = ran.result("vibe_replan")
    assert (told["attempt"], told["lineage"]) == (1, ran.run_id)
    assert told["plan_file"] == str(tmp_path / "plan.vibe.json")


def test_run_that_suggests_nothing_asks_for_nothing(tmp_path):
    path = write(tmp_path, "plan.vibe.json", plan(node("a"), id="content", replan={"mode": "approve"}))
    ran = run_dag(dag_of(path))
    assert (ran.state, ran.states["vibe_replan"]) == ("success", "skipped")


def test_plan_that_wants_no_replans_has_no_task_for_them(tmp_path):
    path = write(tmp_path, "plan.vibe.json", plan(node("a"), id="left-alone"))
    assert "vibe_replan" not in dag_of(path).task_ids


def test_plan_on_auto_is_replanned_and_run_again_without_a_person(tmp_path):
    path, ran = failed_run(tmp_path, TimeoutError("timed out"), mode="auto")
    replanned = replan(ran)
    assert replanned.state == "success"
    written = json.loads(path.read_text())
    assert written["revision"] == 2
    assert written["root_nodes"][1]["run"]["timeout"] > FLAKY["timeout"]
    (rerun,) = started(ran.dag_id)
    assert rerun.conf["reuse_from"] == ran.run_id
    assert rerun.conf["vibe_replan"] == {"lineage": ran.run_id, "attempt": 1}


@pytest.mark.parametrize(
    ("error", "asked"),
    [
        (NoPlan("the model gave no plan"), 1),
        (ToolInputError("there is no package for this model"), 1),
        (TimeoutError("the model is slow"), 3),
    ],
    ids=["no-plan", "no-package", "no-answer"],
)
def test_model_that_cannot_be_had_leaves_what_needs_none(tmp_path, monkeypatch, error, asked):
    class Broken:
        calls = 0
        usage = NOTHING

        def propose(self, plan: Any, suggestions: Any) -> Any:
            Broken.calls += 1
            raise error

    monkeypatch.setattr(propose_module, "configured_planner", lambda settings: Broken())
    _, ran = failed_run(tmp_path, MemoryError("out of memory"), mode="auto")
    eager = replan_dag(default_args={"retries": 2, "retry_delay": timedelta(0)})
    made = run_dag(eager, {"dag_id": ran.dag_id, "run_id": ran.run_id})
    assert Broken.calls == asked
    assert made.states["replan.propose"] == "skipped"  # as there was nothing left to propose


def test_the_same_case_again_starts_no_second_run_and_writes_no_second_revision(tmp_path):
    path, ran = failed_run(tmp_path, TimeoutError("timed out"), mode="auto")
    assert replan(ran).state == replan(ran).state == "success"
    assert json.loads(path.read_text())["revision"] == 2
    assert len(started(ran.dag_id)) == 1


def test_plan_edited_since_the_run_is_left_as_it_is(tmp_path):
    path, ran = failed_run(tmp_path, TimeoutError("timed out"), mode="auto")
    edited = path.read_text().replace("Say first", "Say something else")
    path.write_text(edited)
    assert replan(ran).states["replan.propose"] == "skipped"
    assert path.read_text() == edited and started(ran.dag_id) == []


@pytest.mark.parametrize("edited", ["Say something else", None], ids=["edited", "deleted"])
def test_plan_edited_since_the_proposal_is_left_as_it_is(tmp_path, monkeypatch, edited):
    path, ran = failed_run(tmp_path, TimeoutError("timed out"), mode="auto")

    def approve(operator: Any, context: Any) -> Any:
        edit(path, edited)
        return real(operator, context)

    real = VibeApproveOperator.execute
    monkeypatch.setattr(VibeApproveOperator, "execute", approve)
    made = replan(ran)
    assert (made.state, made.states["replan.apply"], made.tries("replan.apply")) == ("failed", "failed", 1)
    assert path.exists() == (edited is not None) and started(ran.dag_id) == []
    assert edited is None or edited in path.read_text()


def edit(path: Path, words: str | None) -> None:
    """Say something else in the plan; None: delete it."""
    if words is None:
        path.unlink()
    else:
        path.write_text(path.read_text().replace("Say first", words))


def fails_again(path: Path, **given: Any) -> Ran:
    failing["flaky"] = TimeoutError("timed out")
    ran = run_dag(dag_of(path), **given)
    failing.clear()
    return ran


def test_however_many_runs_of_a_revision_fail_the_next_one_is_run_once(tmp_path):
    path, first = failed_run(tmp_path, TimeoutError("timed out"), mode="auto")
    others = [fails_again(path) for _ in range(3)]
    made = [replan(case) for case in (first, *others)]
    assert json.loads(path.read_text())["revision"] == 2
    assert len(started(first.dag_id)) == 1
    assert [ran.states["replan.propose"] for ran in made] == ["success", *["skipped"] * 3]


def test_proposals_made_at_the_same_time_lead_to_one_run(tmp_path, monkeypatch):
    path, first = failed_run(tmp_path, TimeoutError("timed out"), mode="auto")
    other = fails_again(path)
    monkeypatch.setattr(propose_module, "why_replaced", lambda *_: None)  # as if both had looked before
    assert {replan(first).state, replan(other).state} == {"success"}
    assert json.loads(path.read_text())["revision"] == 2
    assert len(started(first.dag_id)) == 1


def test_run_that_is_cleared_and_fails_again_is_not_replanned_within_the_cooldown(tmp_path):
    _, ran = failed_run(tmp_path, TimeoutError("timed out"), mode="auto", cooldown=600)
    replan(ran)
    again = replan(ran)
    assert (again.states["replan.propose"], len(started(ran.dag_id))) == ("skipped", 1)


def test_plan_that_was_set_back_by_hand_is_replanned_and_run_again(tmp_path):
    path, ran = failed_run(tmp_path, TimeoutError("timed out"), mode="auto")
    before = path.read_bytes()
    replan(ran)
    path.write_bytes(before)
    replan(ran)
    assert json.loads(path.read_text())["revision"] == 2
    first, second = sorted(run.run_id for run in started(ran.dag_id))
    assert second == f"{first}-2"


def test_run_of_a_revision_is_one_though_the_case_that_wrote_it_looks_last(tmp_path, monkeypatch):
    path, first = failed_run(tmp_path, TimeoutError("timed out"), mode="auto")
    other = fails_again(path)
    monkeypatch.setattr(propose_module, "why_replaced", lambda *_: None)
    real, overtaken = VibeRerunOperator.poke, []

    def poke(operator: Any, context: Any) -> Any:
        if not overtaken:
            overtaken.append(True)
            replan(other)
        return real(operator, context)

    monkeypatch.setattr(VibeRerunOperator, "poke", poke)
    replan(first)
    assert overtaken and len(started(first.dag_id)) == 1


def test_plan_set_back_and_applied_by_a_task_that_died_before_it_could_tell_is_run_again(
    tmp_path, monkeypatch
):
    path, ran = failed_run(tmp_path, TimeoutError("timed out"), mode="auto")
    before = path.read_bytes()
    replan(ran)
    path.write_bytes(before)
    real, died = act_module.apply, []

    def apply_and_die(*args: Any, **kwargs: Any) -> Any:
        applied = real(*args, **kwargs)
        if not died:
            died.append(True)
            raise RuntimeError("killed")
        return applied

    monkeypatch.setattr(act_module, "apply", apply_and_die)
    run_dag(
        replan_dag(default_args={"retry_delay": timedelta(0)}), {"dag_id": ran.dag_id, "run_id": ran.run_id}
    )
    assert died and len(started(ran.dag_id)) == 2


def test_file_that_changes_before_its_patch_is_made_fails_once(tmp_path, monkeypatch):
    path, ran = failed_run(tmp_path, TimeoutError("timed out"), mode="auto")

    def deny(*_: Any, **__: Any) -> None:
        edit(path, "Say something else")
        raise PermissionError("read-only")

    monkeypatch.setattr("airflow_provider_vibe.replan.applying._write", deny)
    made = replan(ran)
    assert (made.states["replan.apply"], made.tries("replan.apply")) == ("failed", 1)


@pytest.mark.parametrize("edited", ["Say something else", None], ids=["edited", "deleted"])
def test_revision_that_was_replaced_before_airflow_saw_it_is_not_waited_for(tmp_path, monkeypatch, edited):
    path, ran = failed_run(tmp_path, TimeoutError("timed out"), mode="auto")

    real = VibeRerunOperator.poke

    def poke(operator: Any, context: Any) -> Any:
        if path.exists() and "Say first" in path.read_text():
            edit(path, edited)
        return real(operator, context)

    monkeypatch.setattr(VibeRerunOperator, "poke", poke)
    assert replan(ran).states["replan.rerun"] == "skipped"
    assert started(ran.dag_id) == []


def test_rerun_is_given_what_the_run_was_given(tmp_path):
    given = {"simulate": True, "topic": "tea", "reuse_from": "", "vibe_replan": "nonsense"}
    _, ran = failed_run(tmp_path, TimeoutError("timed out"), mode="auto", conf=given)
    replan(ran)
    (rerun,) = started(ran.dag_id)
    assert rerun.conf == {
        "simulate": True,
        "topic": "tea",
        "reuse_from": ran.run_id,
        "vibe_replan": {"lineage": ran.run_id, "attempt": 1},
    }


@pytest.mark.parametrize("told", ["yes", {"lineage": "x", "attempt": -9}, {"attempt": 1}, {"lineage": "x"}])
def test_lineage_that_a_person_made_up_is_none(tmp_path, told):
    _, ran = failed_run(tmp_path, TimeoutError("timed out"), mode="auto", conf={"vibe_replan": told})
    assert (ran.result("vibe_replan")["attempt"], ran.result("vibe_replan")["lineage"]) == (1, ran.run_id)


def test_replans_of_one_run_come_to_an_end(tmp_path):
    conf = {"vibe_replan": {"lineage": "the-first", "attempt": 3}}
    path, ran = failed_run(tmp_path, TimeoutError("timed out"), conf=conf, mode="auto", max_attempts=3)
    before = path.read_bytes()
    assert replan(ran).state == "success"
    assert path.read_bytes() == before and started(ran.dag_id) == []


def test_another_run_that_fails_within_the_cooldown_is_not_replanned(tmp_path):
    path, ran = failed_run(tmp_path, TimeoutError("timed out"), mode="auto", cooldown=600)
    replan(ran)
    failing["flaky"] = TimeoutError("timed out")
    again = run_dag(dag_of(path))
    replan(again)
    assert json.loads(path.read_text())["revision"] == 2


def test_folder_that_cannot_be_written_is_left_a_patch(tmp_path, monkeypatch):
    path, ran = failed_run(tmp_path, TimeoutError("timed out"), mode="auto")
    artifacts = tmp_path / "artifacts"
    monkeypatch.setenv("AIRFLOW__VIBE__ARTIFACTS_PATH", str(artifacts))
    monkeypatch.setattr(
        "airflow_provider_vibe.replan.applying._write",
        lambda *args, **kwargs: (_ for _ in ()).throw(PermissionError("read-only")),
    )
    before = path.read_bytes()
    assert replan(ran).state == "success"
    (patch,) = artifacts.rglob("*.patch")
    assert '+  "revision": 2' in patch.read_text()
    assert path.read_bytes() == before and started(ran.dag_id) == []


class Proposed:
    """A context in which a proposal has been made for a run."""

    def __init__(self, ran: Ran, proposed: dict[str, Any]) -> None:
        self.kept: dict[str, Any] = {}
        self.max_tries = 3
        self._xcoms = {"replan.propose": proposed}
        self._ran = ran
        self.map_index = 0

    def xcom_pull(self, *, task_ids: str, dag_id: str | None = None, **_: Any) -> Any:
        return self._ran.xcoms(task_ids).get("return_value") if dag_id else self._xcoms[task_ids]

    def get(self, key: str) -> Any:
        return self.kept.get(key)

    def set(self, key: str, value: Any) -> None:
        self.kept[key] = value

    def answer(self, option: str, text: str | None) -> Any:
        """What comes of a person's answer."""
        event = {
            "chosen_options": [option],
            "params_input": {"plan": text},
            "responded_at": SimpleNamespace(isoformat=str),
            "responded_by_user": {"id": "1", "name": "Ada"},
        }
        return self.operator().execute_complete(self.context(), event)

    def again(self) -> Any:
        """What comes of another attempt of the task."""
        return self.operator().execute(self.context())

    def operator(self) -> VibeApproveOperator:
        case = {"dag_id": self._ran.dag_id, "run_id": self._ran.run_id}
        return VibeApproveOperator(task_id="approve", case=case)

    def context(self) -> Any:
        return {"ti": self, "task_instance": self, "task_state_store": self}


@pytest.fixture
def proposed(tmp_path: Path) -> Proposed:
    _, ran = failed_run(tmp_path, TimeoutError("timed out"), mode="auto")
    made = replan(ran)
    with create_session() as session:
        from airflow.models.xcom import XComModel

        query = XComModel.get_many(run_id=made.run_id, task_ids="replan.propose", dag_ids=made.dag_id)
        stored = session.scalars(query).first()
        assert stored is not None
        return Proposed(ran, XComModel.deserialize_value(stored))


@pytest.mark.parametrize(
    "as_sent", [lambda text: text, lambda text: text.replace("\n", "\r\n"), lambda _: None]
)
def test_approval_stands_for_the_proposal_by_its_digest(asking, as_sent):
    proposed = asking
    with pytest.raises(LookupError):
        (operator := proposed.operator()).execute(proposed.context())
    approved = proposed.answer("Approve", as_sent(operator.params["plan"]))
    assert approved["proposal"] == proposed._xcoms["replan.propose"]["proposal"]
    assert approved["by"] == "Ada"


def test_edited_plan_is_another_proposal_with_a_digest_of_its_own(proposed):
    proposal = proposed._xcoms["replan.propose"]["proposal"]
    as_it_is = proposed.answer("Approve", None)
    edited = proposed.answer("Approve", proposal["plan_text"].replace("Say first", "Say hello"))
    assert edited["digest"] != as_it_is["digest"]
    assert "Say hello" in edited["proposal"]["plan_text"]


def test_plan_edited_into_none_is_refused_with_its_problems(proposed):
    text = proposed._xcoms["replan.propose"]["proposal"]["plan_text"].replace('"say"', '"sayy"')
    refused = r"as Ada edited it is refused(.|\n)*did you mean 'say'\?"
    with pytest.raises(AirflowFailException, match=refused):
        proposed.answer("Approve", text)


def test_rejection_ends_it(proposed):
    with pytest.raises(AirflowSkipException, match="rejected by Ada"):
        proposed.answer("Reject", None)


def test_no_answer_in_time_fails_for_good(proposed):
    event = {"error": "too late", "error_type": "timeout"}
    with pytest.raises(AirflowFailException, match="nobody has answered in time"):
        proposed.operator().execute_complete(proposed.context(), event)


@pytest.fixture
def asking(proposed: Proposed, monkeypatch: pytest.MonkeyPatch) -> Proposed:
    """A person has to be asked; the question is an error here."""

    def asked(operator: Any, context: Any) -> Any:
        raise LookupError(operator.body)

    proposed._xcoms["replan.propose"]["step"] = "ask"
    monkeypatch.setattr(HITLOperator, "execute", asked)
    return proposed


def test_answer_outlives_a_process_that_is_killed_after_it(asking):
    approved = asking.answer("Approve", None)
    assert asking.again() == approved


@pytest.mark.parametrize("option", ["Approve", "Reject"])
def test_who_clears_the_task_is_asked_again(asking, option):
    with contextlib.suppress(AirflowSkipException):
        asking.answer(option, None)
    asking.max_tries += 1
    with pytest.raises(LookupError):
        asking.again()


def test_answer_to_one_proposal_is_none_to_another(asking):
    asking.answer("Approve", None)
    proposal = asking._xcoms["replan.propose"]["proposal"]
    proposal["plan_text"] = proposal["plan_text"].replace("Say first", "Say hello")
    with pytest.raises(LookupError):
        asking.again()
