"""The runs of an Airflow somewhere else, through its REST API."""

from __future__ import annotations

import json
import os
import re
import time
from argparse import Namespace
from typing import Any

import pytest
from pytest_httpserver import HTTPServer
from werkzeug import Request, Response

from airflow_provider_vibe.cli.remote import ApiError, Login, LoginRefused, RestReader
from airflow_provider_vibe.cli.runs import DagGroup, DagStructure, DagTask, RunState, Unavailable, open_reader
from airflow_provider_vibe.cli.watch import watch
from tests.cli.fakes import BEGIN, at

RUN = "manual__2026-01-05T07:00:00+00:00"
SECRET = "s3cret-t0ken"


@pytest.fixture(autouse=True)
def nobody(monkeypatch):
    """No login in the environment."""
    for name in [name for name in os.environ if name.startswith("AIRFLOW_VIBE_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def airflow(httpserver: HTTPServer) -> HTTPServer:
    httpserver.expect_request("/api/v2/version").respond_with_json({"version": "3.3.2"})
    return httpserver


@pytest.fixture
def reader(airflow):
    with RestReader(airflow.url_for("/"), timeout=5) as opened:
        yield opened


def answer(airflow: HTTPServer, path: str, content: Any, **expected: Any) -> None:
    airflow.expect_request(path, method="GET", **expected).respond_with_json(content)


def dag_run(**fields: Any) -> dict[str, Any]:
    return {
        "dag_run_id": RUN,
        "state": "running",
        "start_date": "2026-01-05T07:00:00Z",
        "end_date": None,
        "dag_versions": [{"version_number": 2}, {"version_number": 3}],
        **fields,
    }


def task_instance(task_id: str, state: str | None = "success") -> dict[str, Any]:
    times = {"start_date": "2026-01-05T07:00:01Z", "end_date": "2026-01-05T07:00:02.5+00:00"}
    return {"task_id": task_id, "state": state, "try_number": 1, **times}


# what it reads


def test_run_is_read_by_its_id_whatever_its_characters(airflow, reader):
    answer(airflow, f"/api/v2/dags/tea/dagRuns/{RUN}", dag_run())
    assert reader.run("tea", RUN) == RunState("tea", RUN, "running", BEGIN, None, 3)
    (request, _) = airflow.log[0]
    assert request.environ["REQUEST_URI"].endswith("/manual__2026-01-05T07%3A00%3A00%2B00%3A00")


def test_run_that_has_just_been_made_has_no_version(airflow, reader):
    answer(airflow, "/api/v2/dags/tea/dagRuns/r", dag_run(start_date=None, dag_versions=[]))
    assert reader.run("tea", "r") == RunState("tea", "r", "running", None, None, None)


def test_what_is_not_there_is_none(airflow, reader):
    airflow.expect_request("/api/v2/dags/tea/dagRuns/r").respond_with_json({"detail": "not found"}, 404)
    airflow.expect_request("/api/v2/dags/tea/dagRuns").respond_with_json({"detail": "not found"}, 404)
    assert reader.run("tea", "r") is None
    assert reader.run_ids("tea") is None
    left = "/api/v2/dags/tea/dagRuns/r/taskInstances/a/xcomEntries/vibe_outcome"
    airflow.expect_request(left).respond_with_json({"detail": "not found"}, 404)
    assert reader.xcom("tea", "r", "a", "vibe_outcome") is None


def test_all_tasks_are_read_page_by_page(airflow, reader):
    everything = [task_instance(f"t{number}") for number in range(250)]

    def page(request: Request) -> Response:
        offset, limit = int(request.args["offset"]), int(request.args["limit"])
        assert request.args["order_by"] == "id"
        found = everything[offset : offset + min(limit, 60)]  # this Airflow gives less than asked for
        body = json.dumps({"task_instances": found, "total_entries": len(everything)})
        return Response(body, content_type="application/json")

    airflow.expect_request("/api/v2/dags/tea/dagRuns/r/taskInstances").respond_with_handler(page)
    states = reader.task_states("tea", "r")
    assert len(states) == 250
    assert (states["t7"].started_at, states["t7"].ended_at) == (at(1), at(2.5))
    assert len(airflow.log) == 5


def test_task_that_nobody_has_looked_at_has_no_state(airflow, reader):
    waiting = {**task_instance("a", None), "start_date": None, "end_date": None, "try_number": 0}
    answer(
        airflow,
        "/api/v2/dags/tea/dagRuns/r/taskInstances",
        {"task_instances": [waiting], "total_entries": 1},
    )
    assert reader.task_states("tea", "r")["a"].state is None


def test_dags_and_runs_are_listed(airflow, reader):
    answer(airflow, "/api/v2/dags", {"dags": [{"dag_id": "tea"}, {"dag_id": "etl"}], "total_entries": 2})
    answer(airflow, "/api/v2/dags/tea/dagRuns", {"dag_runs": [{"dag_run_id": "r2"}, {"dag_run_id": "r1"}]})
    assert reader.dag_ids() == ["tea", "etl"]
    assert reader.run_ids("tea") == ["r2", "r1"]


def test_value_of_an_xcom_is_the_json_that_was_pushed(airflow, reader):
    path = "/api/v2/dags/tea/dagRuns/r/taskInstances/a/xcomEntries/return_value"
    answer(airflow, path, {"key": "return_value", "value": {"a": [1, None]}})
    assert reader.xcom("tea", "r", "a", "return_value") == {"a": [1, None]}


def listed(task_id: str, *downstream: str, **fields: Any) -> dict[str, Any]:
    return {
        "task_id": task_id,
        "task_display_name": task_id,
        "operator_name": "VibeGenerateOperator",
        "downstream_task_ids": list(downstream),
        "doc_md": f"Do {task_id}",
        **fields,
    }


TASKS = {"tasks": [listed("a", "g"), listed("g", "k"), listed("k", doc_md=None)]}
NESTED = {
    "nodes": [
        {"id": "a", "label": "a", "type": "task", "operator": "VibeGenerateOperator", "children": None},
        {
            "id": "g__group",
            "label": "g",
            "type": "task",
            "children": [
                {"id": "g", "label": "g", "type": "task", "operator": "VibeGenerateOperator"},
                {"id": "k", "label": "k", "type": "task", "operator": "VibeGenerateOperator"},
                {"id": "upstream_join_id", "label": "", "type": "join"},
            ],
        },
    ],
    "edges": [{"source_id": "a", "target_id": "g"}, {"source_id": "g", "target_id": "k"}],
}
OPERATOR = "VibeGenerateOperator"


def test_structure_is_that_of_the_run_s_version_with_its_groups(airflow, reader):
    answer(
        airflow,
        "/ui/structure/structure_data",
        NESTED,
        query_string={"dag_id": "tea", "version_number": "3"},
    )
    answer(airflow, "/api/v2/dags/tea/tasks", TASKS)
    assert reader.structure("tea", 3) == DagStructure(
        tasks={
            "a": DagTask("a", "a", OPERATOR, "Do a", (), None),
            "g": DagTask("g", "g", OPERATOR, "Do g", ("a",), "g__group"),
            "k": DagTask("k", "k", OPERATOR, "", ("g",), "g__group"),
        },
        groups={"g__group": DagGroup("g", None)},
    )


@pytest.mark.parametrize(
    ("status", "content"), [(404, {"detail": "Not Found"}), (403, {"detail": "no"}), (200, {"other": 1})]
)
def test_public_api_has_to_do_where_the_groups_are_not_told(airflow, reader, status, content):
    airflow.expect_request("/ui/structure/structure_data").respond_with_json(content, status)
    answer(airflow, "/api/v2/dags/tea/tasks", TASKS)
    assert reader.structure("tea", None) == DagStructure(
        tasks={
            "a": DagTask("a", "a", OPERATOR, "Do a", ()),
            "g": DagTask("g", "g", OPERATOR, "Do g", ("a",)),
            "k": DagTask("k", "k", OPERATOR, "", ("g",)),
        },
        groups={},
        has_groups=False,
    )


# who asks


def only_with(airflow: HTTPServer, token: str) -> None:
    """Answers those who come with this token; refuses the others."""

    def guard(request: Request) -> Response:
        if request.headers.get("Authorization") != f"Bearer {token}":
            return Response('{"detail": "Invalid JWT token"}', 401, content_type="application/json")
        return Response('{"dag_runs": []}', content_type="application/json")

    airflow.expect_request("/api/v2/dags/tea/dagRuns").respond_with_handler(guard)


def test_token_of_the_environment_is_sent(airflow, monkeypatch):
    monkeypatch.setenv("AIRFLOW_VIBE_TOKEN", f"{SECRET}\n")
    only_with(airflow, SECRET)
    with open_reader(airflow.url_for("/")) as reader:
        assert reader.run_ids("tea") == []


def test_user_and_password_get_a_token_once(airflow, monkeypatch):
    monkeypatch.setenv("AIRFLOW_VIBE_USER", "ada")
    monkeypatch.setenv("AIRFLOW_VIBE_PASSWORD", "p4ss")
    airflow.expect_request(
        "/auth/token", method="POST", json={"username": "ada", "password": "p4ss"}
    ).respond_with_json({"access_token": SECRET}, 201)
    only_with(airflow, SECRET)
    monkeypatch.setenv("AIRFLOW_VIBE_URL", airflow.url_for("/"))
    with open_reader(None) as reader:
        assert reader.run_ids("tea") == reader.run_ids("tea") == []
    assert [request.path for request, _ in airflow.log].count("/auth/token") == 1


def test_token_that_has_run_out_is_renewed(airflow):
    tokens = iter(["old", SECRET])

    def give(request: Request) -> Response:
        return Response(f'{{"access_token": "{next(tokens)}"}}', 201, content_type="application/json")

    airflow.expect_request("/auth/token", method="POST").respond_with_handler(give)
    only_with(airflow, SECRET)
    with RestReader(airflow.url_for("/"), Login(user="ada", password="p4ss")) as reader:
        assert reader.run_ids("tea") == []


def refusal(airflow: HTTPServer, login: Login | None = None) -> str:
    only_with(airflow, SECRET)
    with RestReader(airflow.url_for("/"), login) as reader, pytest.raises(LoginRefused) as refused:
        reader.run_ids("tea")
    return str(refused.value)


def test_login_that_is_missing_or_refused_is_told_without_its_secret(airflow):
    assert refusal(airflow).endswith(
        "asks for a login: set AIRFLOW_VIBE_TOKEN, or AIRFLOW_VIBE_USER and AIRFLOW_VIBE_PASSWORD"
    )
    told = refusal(airflow, Login(token="wrong-t0ken"))
    assert "refuses this token" in told
    assert "wrong-t0ken" not in told


def test_wrong_password_is_told_without_it(airflow):
    airflow.expect_request("/auth/token").respond_with_json({"detail": "Invalid credentials"}, 401)
    told = refusal(airflow, Login(user="ada", password="p4ss"))
    assert told.endswith("does not let 'ada' in: check AIRFLOW_VIBE_PASSWORD")
    assert "p4ss" not in told


@pytest.mark.parametrize(
    ("status", "content", "words"),
    [
        (404, {"detail": "Not Found"}, "gives no token for a password: set AIRFLOW_VIBE_TOKEN"),
        (201, {"token": "x"}, "its /auth/token gives no token"),
        (201, {"access_token": "a\nb"}, "gave a token that can be none"),
        (201, [], "its /auth/token gives no token"),
    ],
)
def test_airflow_that_gives_no_token_is_told(airflow, status, content, words):
    airflow.expect_request("/auth/token").respond_with_json(content, status)
    with (
        RestReader(airflow.url_for("/"), Login(user="ada", password="p4ss")) as reader,
        pytest.raises(ApiError, match=words),
    ):
        reader.run_ids("tea")


@pytest.mark.parametrize(
    ("variables", "words"),
    [
        ({"AIRFLOW_VIBE_USER": "ada"}, "AIRFLOW_VIBE_PASSWORD is not set"),
        ({"AIRFLOW_VIBE_PASSWORD": "p4ss"}, "AIRFLOW_VIBE_USER is not set"),
        ({"AIRFLOW_VIBE_TOKEN": "top\nsecret"}, "AIRFLOW_VIBE_TOKEN holds characters that no token has"),
    ],
)
def test_login_that_can_be_none_is_told_before_it_is_sent(monkeypatch, variables, words):
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    with pytest.raises(LoginRefused, match=words) as refused, open_reader("http://localhost:1"):
        pass
    assert "secret" not in str(refused.value) and "p4ss" not in str(refused.value)


def test_login_does_not_show_what_it_holds():
    assert repr(Login("a", "b", "c")) == "Login()"


def test_what_a_user_may_not_see_is_told(airflow, reader):
    airflow.expect_request("/api/v2/dags/tea/dagRuns").respond_with_json({"detail": "Invalid\nJWT"}, 403)
    words = r"does not show /api/v2/dags/tea/dagRuns to this user: Invalid\\nJWT"
    with pytest.raises(LoginRefused, match=words):
        reader.run_ids("tea")


# when it goes wrong


@pytest.mark.parametrize("status", [429, 500, 502, 503])
def test_airflow_in_trouble_is_unavailable_for_now(airflow, reader, status):
    airflow.expect_request("/api/v2/dags").respond_with_json({"detail": "no\nluck"}, status)
    with pytest.raises(Unavailable, match=rf"answers {status}: no\\nluck"):
        reader.dag_ids()


def test_answer_that_does_not_come_is_told(airflow):
    def sleep(request: Request) -> Response:
        time.sleep(0.5)
        return Response("{}")

    airflow.expect_request("/api/v2/dags").respond_with_handler(sleep)
    with (
        RestReader(airflow.url_for("/"), timeout=0.1) as reader,
        pytest.raises(Unavailable, match=r"gave no answer within 0\.1 seconds"),
    ):
        reader.dag_ids()


def test_nobody_there_is_told():
    with (
        RestReader("http://127.0.0.1:9", timeout=2) as reader,
        pytest.raises(Unavailable, match=r"cannot reach http://127.0.0.1:9: "),
    ):
        reader.dag_ids()


def test_server_that_is_no_airflow_is_told(httpserver, capsys):
    httpserver.expect_request("/", method="GET").respond_with_data("It works!")
    for path in ("/api/v2/dags/tea/dagRuns/r", "/api/v2/dags/tea/dagRuns", "/api/v2/version"):
        httpserver.expect_request(path).respond_with_data("nothing here", 404)
    with pytest.raises(SystemExit):
        watch(Namespace(dag="tea", run="r", events=True, interval=0, url=httpserver.url_for("/")))
    assert "is no Airflow 3: there is no /api/v2" in capsys.readouterr().err


def test_page_that_is_no_airflow_is_told(airflow, reader):
    airflow.expect_request("/api/v2/dags").respond_with_data("<html>", content_type="text/html")
    with pytest.raises(ApiError, match="is no Airflow 3: it does not answer in JSON"):
        reader.dag_ids()


READS = {
    "dag_ids": lambda reader: reader.dag_ids(),
    "run_ids": lambda reader: reader.run_ids("d"),
    "run": lambda reader: reader.run("d", "r"),
    "task_states": lambda reader: reader.task_states("d", "r"),
    "structure": lambda reader: reader.structure("d", None),
    "xcom": lambda reader: reader.xcom("d", "r", "a", "k"),
    "source": lambda reader: reader.source("d", None),
    "start_run": lambda reader: reader.start_run("d", {}),
}


@pytest.mark.parametrize(
    "content",
    [
        *({}, [], 5, "x", [[]]),
        {"dags": 5, "dag_runs": 5, "task_instances": 5, "tasks": 5},
        {"dags": [5], "dag_runs": [5], "task_instances": [5], "tasks": [5], "total_entries": 1},
        {"dags": [{}], "dag_runs": [{}], "task_instances": [{}], "tasks": [{}], "total_entries": 1},
    ],
    ids=str,
)
@pytest.mark.parametrize("read", READS)
def test_other_json_than_airflow_s_is_told(httpserver, read, content):
    httpserver.expect_request(re.compile(".*")).respond_with_json(content)
    with (
        RestReader(httpserver.url_for("/"), timeout=5) as reader,
        pytest.raises(ApiError, match=r"answers, but not as Airflow 3 does \(\w+Error: "),
    ):
        READS[read](reader)


@pytest.mark.parametrize(
    "fields",
    [{"start_date": "yesterday"}, {"dag_versions": [{"version_number": "x"}, {"version_number": 1}]}],
)
def test_run_that_airflow_would_not_tell_is_told(airflow, reader, fields):
    answer(airflow, "/api/v2/dags/d/dagRuns/r", dag_run(**fields))
    with pytest.raises(ApiError, match="answers, but not as Airflow 3 does"):
        reader.run("d", "r")


def test_redirect_is_told_and_not_followed(airflow, monkeypatch):
    elsewhere = Response(status=307, headers={"Location": "https://elsewhere.example/"})
    airflow.expect_request("/api/v2/dags").respond_with_response(elsewhere)
    with (
        RestReader(airflow.url_for("/"), Login(token=SECRET)) as reader,
        pytest.raises(ApiError, match=r"sends on to https://elsewhere.example/: give the URL of the api"),
    ):
        reader.dag_ids()


def test_other_refusals_are_told_in_airflow_s_words(airflow, reader):
    airflow.expect_request("/api/v2/dags").respond_with_json({"detail": "bad order_by"}, 400)
    with pytest.raises(ApiError, match="answers 400 to /api/v2/dags: bad order_by"):
        reader.dag_ids()


@pytest.mark.parametrize(
    ("url", "words"),
    [
        ("localhost:8080", "is no URL of an api-server, such as http://localhost:8080"),
        ("ftp://x", "is no URL of an api-server"),
        ("http://", "is no URL of an api-server"),
        ("http://ada:p4ss@host", "a URL is no place for a password: set AIRFLOW_VIBE_TOKEN"),
        ("http://host:port", "that is no URL: "),
        ("h\udcff", "that is no URL: "),
    ],
)
def test_url_that_is_none_is_told(url, words):
    with pytest.raises(ApiError, match=words) as refused:
        RestReader(url)
    assert "p4ss" not in str(refused.value)


@pytest.mark.parametrize("end", ["", "/", "/api/v2", "/api/v2/", "/?x=1#top"])
def test_url_may_have_a_path_and_what_a_browser_adds(airflow, end):
    answer(airflow, "/prod/api/v2/dags/tea/dagRuns", {"dag_runs": []})
    with RestReader(airflow.url_for("/prod") + end) as reader:
        assert reader.run_ids("tea") == []


def test_command_tells_it_in_one_line_and_exits_with_2(airflow, capsys):
    airflow.expect_request("/api/v2/dags/tea/dagRuns/r").respond_with_json({"detail": "oh no"}, 500)
    with pytest.raises(SystemExit) as stopped:
        watch(Namespace(dag="tea", run="r", events=True, interval=0, url=airflow.url_for("/")))
    assert stopped.value.code == 2
    url = airflow.url_for("/").rstrip("/")
    assert capsys.readouterr().err == f"airflow vibe watch: {url} answers 500: oh no\n"


# plans and new runs


def test_source_of_a_version_is_read(airflow, reader):
    answer(airflow, "/api/v2/dagSources/d", {"content": "new"}, query_string="version_number=3")
    answer(airflow, "/api/v2/dagSources/d", {"content": "latest"}, query_string="")
    airflow.expect_request("/api/v2/dagSources/e").respond_with_json({}, status=404)
    assert reader.source("d", 3) == "new"
    assert reader.source("d", None) == "latest"
    assert reader.source("e", None) is None


def test_parameters_of_a_run_are_read(airflow, reader):
    answer(airflow, f"/api/v2/dags/d/dagRuns/{RUN}", dag_run(conf={"topic": "tea"}))
    assert reader.run("d", RUN).conf == {"topic": "tea"}


@pytest.mark.parametrize("paused", [True, False])
def test_paused_dag_is_known(airflow, reader, paused):
    answer(airflow, "/api/v2/dags/tea", {"dag_id": "tea", "is_paused": paused})
    assert reader.is_paused("tea") is paused


@pytest.mark.parametrize("status", [403, 404])
def test_dag_that_is_not_shown_is_not_called_paused(airflow, reader, status):
    airflow.expect_request("/api/v2/dags/tea").respond_with_json({"detail": "no"}, status)
    assert not reader.is_paused("tea")


def test_run_is_started_once_with_its_parameters(airflow, reader):
    sent = {"logical_date": None, "conf": {"reuse_from": "r"}}
    airflow.expect_ordered_request("/api/v2/dags/d/dagRuns", method="POST", json=sent).respond_with_json(
        {"dag_run_id": "manual__2"}
    )
    assert reader.start_run("d", {"reuse_from": "r"}) == "manual__2"
    airflow.check()


def test_run_that_airflow_refuses_is_told_with_its_reason(airflow, reader):
    airflow.expect_request("/api/v2/dags/d/dagRuns", method="POST").respond_with_json(
        {"detail": "'topic' is a required property"}, status=400
    )
    with pytest.raises(ApiError, match=r"answers 400 .*'topic' is a required property"):
        reader.start_run("d", {})


def test_run_of_a_dag_that_is_not_there_is_told(airflow, reader):
    with pytest.raises(ApiError, match="has no DAG 'e' to start"):
        airflow.expect_request("/api/v2/dags/e/dagRuns").respond_with_json({}, status=404)
        reader.start_run("e", {})
