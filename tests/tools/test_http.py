from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from airflow_provider_vibe.tools import ToolFailed, ToolInputError
from airflow_provider_vibe.tools.builtin.http import http_get
from airflow_provider_vibe.tools.web import HTTPError
from tests.tools.helpers import output

CONTEXT = {"run": {"dag_id": "news", "id": "r1"}, "node_id": "fetch", "try_number": 2}


@pytest.fixture
def site(httpserver: HTTPServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    """Reads what a server on loopback answers with."""
    monkeypatch.setenv("AIRFLOW__VIBE__ALLOWED_HOSTS", f"127.0.0.1:{httpserver.port}")
    monkeypatch.setenv("AIRFLOW__VIBE__ARTIFACTS_PATH", str(tmp_path))

    def read(content: bytes, content_type: str = "", status: int = 200, **inputs: Any) -> dict[str, Any]:
        headers = {"Content-Type": content_type}
        httpserver.expect_request("/page").respond_with_data(content, status=status, headers=headers)
        url = f"http://127.0.0.1:{httpserver.port}/page"
        found = output(http_get, {"url": url, **inputs}, **CONTEXT)
        assert found.pop("url") == url
        return found

    return read


def test_a_text_is_given_as_it_came(site: Any):
    found = site("<p>hällo</p>".encode(), "text/html; charset=utf-8")
    assert found == {"status": 200, "media_type": "text/html", "text": "<p>hällo</p>"}


@pytest.mark.parametrize("media_type", ["application/json", "application/feed+json", "text/json"])
def test_json_is_given_as_text_and_as_data(site: Any, media_type: str):
    found = site(b'{"a": [1, null]}', media_type)
    assert found == {
        "status": 200,
        "media_type": media_type,
        "text": '{"a": [1, null]}',
        "json": {"a": [1, None]},
    }


def test_anything_else_becomes_a_file_of_the_node(site: Any, tmp_path: Path):
    content = bytes(range(256))
    found = site(content, "application/pdf")
    assert found.keys() == {"status", "media_type", "file"}
    assert (found["file"]["name"], found["file"]["media_type"]) == ("download.pdf", "application/pdf")
    assert (tmp_path / "news/r1/fetch/2/download.pdf").read_bytes() == content


@pytest.mark.parametrize(
    ("content", "key"), [("ü".encode(), "text"), (b"\xff\xfe\xff", "file"), (b"a\0", "file")]
)
def test_without_a_media_type_the_content_tells(site: Any, content: bytes, key: str):
    assert key in site(content)


@pytest.mark.parametrize(
    "media_type", ["application/xml", "image/svg+xml", "application/yaml", "text/x-anything"]
)
def test_text_by_another_name_is_a_text(site: Any, media_type: str):
    assert site(b"<a/>", media_type)["text"] == "<a/>"


def test_the_plan_can_say_how_to_take_it(site: Any):
    assert site(b'{"a": 1}', "text/plain", **{"as": "json"})["json"] == {"a": 1}


def test_json_can_be_taken_as_text_and_text_as_a_file(site: Any):
    assert "json" not in site(b"{}", "application/json", **{"as": "text"})


def test_a_text_can_be_taken_as_a_file(site: Any):
    assert site(b"x", "text/plain", **{"as": "file"})["file"]["size"] == 1


@pytest.mark.parametrize("content", [b"<html>", b"", b'{"a": NaN}', b"[" * 100_000])
def test_what_should_be_json_and_is_not_fails_the_node(site: Any, content: bytes):
    with pytest.raises(ToolFailed, match="gave no JSON but text/html"):
        site(content, "text/html", **{"as": "json"})


@pytest.mark.parametrize(
    ("content", "content_type"),
    [
        ("café".encode(), "text/plain"),
        ("café".encode("latin-1"), "text/plain; charset=iso-8859-1"),
        ("café".encode("utf-16"), "text/plain"),
        (b"caf\xc3\xa9", "text/plain; charset=nonsense"),
    ],
)
def test_the_encoding_is_found(site: Any, content: bytes, content_type: str):
    assert site(content, content_type)["text"] == "café"


def test_a_page_may_name_its_own_encoding(site: Any):
    page = '<meta charset="windows-1251"><p>привет</p>'.encode("windows-1251")
    assert "привет" in site(page, "text/html")["text"]


def test_a_page_that_names_a_wrong_encoding_is_read_as_utf_8_where_it_is(site: Any):
    page = '<meta charset="windows-1251"><p>привет</p>'.encode()
    assert "привет" in site(page, "text/html")["text"]


def test_a_text_holds_nothing_that_a_database_refuses(site: Any):
    assert site(b"a\0b", "text/plain")["text"] == "a\ufffdb"


def test_an_error_of_the_server_fails_the_node(site: Any):
    with pytest.raises(HTTPError, match="answered 503 Service Unavailable"):
        site(b"later", "text/plain", status=503)


def test_the_limit_of_the_plan_holds(site: Any):
    with pytest.raises(ToolInputError, match="larger than 3 bytes"):
        site(b"four", "text/plain", max_bytes=3)


def test_the_output_is_plain_json(site: Any):
    json.dumps(site(b'{"a": 1}', "application/json"), allow_nan=False)
