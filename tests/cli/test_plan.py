"""`airflow vibe plan`: a plan from a vibe, printed or written."""

from __future__ import annotations

import copy
import os
import sqlite3
import subprocess
import sys
from argparse import Namespace
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_vibe.cli.plan import plan
from airflow_provider_vibe.plan.reading import examine, examine_file
from airflow_provider_vibe.settings import Settings
from tests.replan.plans import LETTER
from tests.tools.conftest import connection, model_server
from tests.tools.model_server import KEY, ModelServer

__all__ = ["connection", "model_server"]

TWO_LINES = {**LETTER, "source_vibe": {"description": "A letter\non tea"}}
USED = "used 1 request, 14 tokens (11 in, 3 out), an unknown cost for 1 request\n"


@pytest.fixture(autouse=True)
def a_model_that_plans(model_server: ModelServer) -> ModelServer:
    model_server.structured = copy.deepcopy(TWO_LINES)
    return model_server


def plan_exit(vibe: str = "A letter on tea", **named: Any) -> Any:
    asked = {
        "output": None,
        "force": False,
        "connection": None,
        "model": None,
        "max_tokens": None,
        "id": None,
    }
    output = named.pop("output", None)
    with pytest.raises(SystemExit) as stopped:
        plan(Namespace(vibe=vibe, **{**asked, **named, "output": None if output is None else str(output)}))
    return stopped.value.code


def printed(out: str) -> str:
    """What is on stdout without Airflow's logs, which leave it for stderr only where it is a real one."""
    return "".join(line for line in out.splitlines(keepends=True) if " loc=" not in line)


def as_read(text: bytes, name: str) -> Any:
    reading = examine(text, name, Settings.from_airflow().rules)
    assert reading.problems == ()
    return reading.plan


def test_plan_is_printed_as_yaml_and_what_it_used_on_stderr(capfd):
    assert plan_exit() == 0
    out, err = capfd.readouterr()
    assert printed(out).startswith("id: tea-letter\n")
    assert as_read(printed(out).encode(), "a.vibe.yaml").source_vibe.description == "A letter\non tea"
    assert err.endswith(USED)


@pytest.mark.parametrize(
    ("name", "beginning"), [("tea.vibe.yaml", "id: tea"), ("tea.vibe.json", '{\n  "id"')]
)
def test_plan_is_written_in_the_notation_of_the_name(tmp_path, capfd, name, beginning):
    path = tmp_path / name
    assert plan_exit(output=path) == 0
    assert path.read_text().startswith(beginning)
    assert examine_file(path, Settings.from_airflow().rules).problems == ()
    assert f"wrote {path}\n" in capfd.readouterr().out
    assert list(tmp_path.iterdir()) == [path]


def test_vibe_id_model_and_length_reach_the_model(connection, model_server, capfd):
    connection("planning", password=KEY, host=model_server.url, extra={"model": "openai-chat:x"})
    model_server.structured["id"] = "weekly"
    named = {"connection": "planning", "model": "openai-chat:thinker", "max_tokens": 9000, "id": "weekly"}
    assert plan_exit("A letter", **named) == 0
    assert (model_server.asked["model"], model_server.asked["max_completion_tokens"]) == ("thinker", 9000)
    assert model_server.told[1].endswith('Its id is "weekly".\n\nA letter')
    assert printed(capfd.readouterr().out).startswith("id: weekly\n")


def test_model_that_makes_no_plan_is_told_with_the_problems_and_what_it_used(tmp_path, model_server, capfd):
    del model_server.structured["root_nodes"][0]["description"]
    path = tmp_path / "tea.vibe.yaml"
    assert plan_exit(output=path) == 1
    out, err = capfd.readouterr()
    assert printed(out) == ""
    assert "airflow vibe plan: the model gave no plan that runs here:" in err
    assert "missing-key /root_nodes/0: a node needs 'description'" in err
    assert "used 4 requests, 56 tokens" in err
    assert not path.exists()


def test_missing_connection_says_how_to_make_it(capfd):
    assert plan_exit(connection="nowhere") == 2
    err = capfd.readouterr().err
    assert "airflow connections add nowhere --conn-type pydanticai" in err
    assert "used" not in err


def test_refusal_of_the_server_is_told_without_the_key(model_server, capfd):
    model_server.fail(401, f"wrong key {KEY}")
    assert plan_exit() == 2
    assert "wrong key ***" in capfd.readouterr().err
    model_server.fail(429, "slow down")
    assert plan_exit() == 2
    err = capfd.readouterr().err
    assert "airflow vibe plan: the model could not be asked: " in err and "slow down" in err
    assert len(model_server.requests) == 2


def test_server_that_is_not_there_is_told(connection, capfd):
    connection(password=KEY, host="http://127.0.0.1:9/v1", extra={"model": "openai-chat:x"})
    assert plan_exit() == 2
    assert "the model could not be asked: " in capfd.readouterr().err


def test_each_of_several_models_that_failed_is_told(connection, model_server, capfd):
    connection("second", password=KEY, host=model_server.url, extra={"model": "openai-chat:b"})
    extra = {"model": "openai-chat:a", "fallback_conn_ids": ["second"]}
    connection(password=KEY, host=model_server.url, extra=extra)
    model_server.fail(500, "down")
    model_server.fail(503, "closed")
    assert plan_exit() == 2
    err = capfd.readouterr().err
    assert "down" in err and "closed" in err


def test_server_that_answers_no_model_s_words_was_not_asked(connection, httpserver, capfd):
    httpserver.expect_request("/page/chat/completions").respond_with_data(
        "<html></html>", content_type="text/html"
    )
    connection(password=KEY, host=httpserver.url_for("/page"), extra={"model": "openai-chat:x"})
    assert plan_exit() == 2
    err = capfd.readouterr().err
    assert "expected JSON data" in err
    assert "used" not in err


def test_database_without_an_answer_is_not_taken_for_a_connection_that_is_missing(silent_database, capfd):
    assert plan_exit(connection="nowhere") == 2
    err = capfd.readouterr().err
    assert "airflow vibe plan: Airflow's database gives no answer: unable to open" in err
    assert "there is no connection" not in err


@pytest.mark.parametrize("name", ["vibe", "id", "connection", "model"])
def test_what_is_no_text_is_refused(model_server, capfd, name):
    assert plan_exit(**{name: "caf\udce9"}) == 2
    assert f"the {name} is no text in UTF-8: 'caf\\udce9'" in capfd.readouterr().err
    assert model_server.requests == []


@pytest.mark.parametrize("vibe", ["", "  \n"])
def test_empty_vibe_is_refused(model_server, capfd, vibe):
    assert plan_exit(vibe) == 2
    assert "say what the plan is to make" in capfd.readouterr().err
    assert model_server.requests == []


def test_id_that_no_plan_can_have_is_refused(model_server, capfd):
    assert plan_exit(id="x" * 201) == 2
    assert "too-long" in capfd.readouterr().err
    assert model_server.requests == []


# the file


def refused(capfd: Any, model_server: ModelServer, path: Path, reason: str) -> None:
    assert plan_exit(output=path) == 2
    assert reason in capfd.readouterr().err
    assert model_server.requests == [], "nobody is asked for what cannot be kept"


def test_file_that_is_there_stays_as_it_is(tmp_path, model_server, capfd):
    path = tmp_path / "tea.vibe.yaml"
    path.write_text("mine")
    refused(capfd, model_server, path, f"{path} is already there; it stays as it is")
    assert path.read_text() == "mine"


def test_link_to_nowhere_is_a_file_that_is_there(tmp_path, model_server, capfd):
    path = tmp_path / "tea.vibe.yaml"
    path.symlink_to(tmp_path / "nowhere")
    refused(capfd, model_server, path, "is already there")


def test_file_that_is_there_is_written_over_when_asked_for(tmp_path, capfd):
    path = tmp_path / "tea.vibe.yaml"
    path.write_text("mine")
    assert plan_exit(output=path, force=True) == 0
    assert path.read_text().startswith("id: tea-letter")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("tea.yaml", "end it in .vibe.yaml"),
        ("no/tea.vibe.yaml", "there is no folder"),
        ("tea.vibe", "end it in"),
    ],
)
def test_place_where_no_plan_can_be_is_refused(tmp_path, model_server, capfd, name, reason):
    refused(capfd, model_server, tmp_path / name, reason)


def test_folder_of_that_name_is_refused_also_by_force(tmp_path, model_server, capfd):
    (tmp_path / "tea.vibe.yaml").mkdir()
    assert plan_exit(output=tmp_path / "tea.vibe.yaml", force=True) == 2
    assert "is a folder" in capfd.readouterr().err
    assert model_server.requests == []


def test_plan_that_was_paid_for_is_not_lost_with_its_file(tmp_path, model_server, capfd, monkeypatch):
    from airflow_provider_vibe.replan.planner import ModelPlanner

    path, ask = tmp_path / "tea.vibe.yaml", ModelPlanner.plan_for

    def while_somebody_writes(self: ModelPlanner, *args: Any) -> Any:
        path.write_text("mine")
        return ask(self, *args)

    monkeypatch.setattr(ModelPlanner, "plan_for", while_somebody_writes)
    assert plan_exit(output=path) == 2
    out, err = capfd.readouterr()
    assert as_read(printed(out).encode(), "a.vibe.yaml").id == "tea-letter"
    assert "so the plan is on stdout" in err and "is already there" in err
    assert path.read_text() == "mine"


def test_disk_that_takes_nothing_loses_no_plan(tmp_path, capfd, monkeypatch):
    def full(path: Path, content: bytes) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("airflow_provider_vibe.cli.plan.write_whole", full)
    assert plan_exit(output=tmp_path / "tea.vibe.yaml") == 2
    out, err = capfd.readouterr()
    assert printed(out).startswith("id: tea-letter")
    assert "No space left on device" in err


def test_as_typed_a_stored_connection_is_found_and_nothing_but_the_plan_is_on_stdout(
    model_server, airflow_db, tmp_path
):
    with sqlite3.connect(airflow_db / "airflow.db") as shared, sqlite3.connect(tmp_path / "own.db") as own:
        shared.backup(own)
    env = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_CONN_")}
    env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"] = f"sqlite:///{tmp_path}/own.db"
    env["AIRFLOW__DATABASE__CHECK_MIGRATIONS"] = "False"  # the tables were made without any

    def airflow(*asked: str) -> subprocess.CompletedProcess[str]:
        typed = [sys.executable, "-m", "airflow", *asked]
        done = subprocess.run(typed, env=env, cwd=tmp_path, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done

    fields = ["--conn-type", "pydanticai", "--conn-extra", '{"model": "openai-chat:my-model"}']
    airflow("connections", "add", "stored", *fields, "--conn-host", model_server.url, "--conn-password", KEY)
    done = airflow("vibe", "plan", "A letter on tea", "--connection", "stored")
    assert done.stdout.startswith("id: tea-letter\n")
    assert as_read(done.stdout.encode(), "a.vibe.yaml").id == "tea-letter"
    assert done.stderr.endswith(USED)
    assert KEY not in done.stdout + done.stderr
