"""Whatever the bytes: a document or problems, soon, and never an exception."""

from __future__ import annotations

import json
import os
import socket
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_vibe.plan.documents import DocumentLimits, parse_document, read_bytes
from airflow_provider_vibe.plan.problems import PlanError, ProblemCode
from tests.corpus.hostile import BILLION_LAUGHS, FRAMED, MANY_HANDLES, SMALL, UNITS, filled

LIMITS = DocumentLimits()
NAMES = ("plan.vibe.json", "plan.vibe.yaml")
A_HANG = 4.0
"""Seconds of this process. By hand each is below one; the rest is for a slow machine."""


def check(raw: bytes, name: str) -> None:
    """The law of reading: see the module."""
    start = time.process_time()
    document = parse_document(raw, name, LIMITS)
    lines = raw.decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    places = [problem.where for problem in document.problems]
    places += [document.place(()), document.place(("a", 0, "b")), document.place(("a",), key=True)]
    for place in places:
        assert place.file == name
        if place.line is not None:
            assert place.column is not None
            assert 1 <= place.line <= len(lines)
            assert 1 <= place.column <= len(lines[place.line - 1]) + 1
    assert all(str(problem).isprintable() for problem in document.problems)
    json.dumps(document.data, ensure_ascii=False, allow_nan=False).encode()
    assert len(document.problems) <= 102
    assert time.process_time() - start < A_HANG


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("raw", SMALL, ids=lambda raw: repr(raw[:25]))
def test_a_small_hostile_file_is_a_document_or_problems(raw: bytes, name: str) -> None:
    check(raw, name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("unit", UNITS, ids=repr)
def test_a_mebibyte_of_one_thing_does_not_hang(unit: str, name: str) -> None:
    check(filled("", unit), name)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("framed", FRAMED, ids=lambda framed: repr([part[:10] for part in framed]))
def test_a_mebibyte_of_one_thing_in_a_frame_does_not_hang(framed: tuple[str, str, str], name: str) -> None:
    check(filled(*framed), name)


@pytest.mark.parametrize("before", [b"", b"a\n...\n"])
def test_many_directives_do_not_hang(before: bytes) -> None:
    check(before + MANY_HANDLES + b"--- b", "plan.vibe.yaml")


@pytest.mark.parametrize("name", NAMES)
@given(raw=st.binary(max_size=200))
@settings(deadline=None)
def test_any_bytes_are_a_document_or_problems(raw: bytes, name: str) -> None:
    check(raw, name)


PIECES = st.sampled_from(
    [
        *(
            "[",
            "]",
            "{",
            "}",
            ",",
            ":",
            ": ",
            '"',
            "'",
            "\\",
            "\\u",
            "d800",
            "0000",
            "\n",
            "\r",
            "\t",
            "  ",
            "- ",
            "? ",
        ),
        *(
            "&a",
            "*a",
            "!",
            "!!str",
            "%",
            "%TAG",
            "---",
            "...",
            "<<",
            "|",
            ">",
            "#",
            "@",
            "`",
            "a: ",
            '"a": ',
            "a:\n  ",
        ),
        *(
            "a",
            "1",
            "-1",
            "1e999",
            "NaN",
            "true",
            "null",
            "~",
            "é",
            "🎉",
            "\0",
            "\x01",
            "\x85",
            "\u2028",
            "\ufeff",
        ),
        *("\u202e", "9" * 400),
    ]
)


@pytest.mark.parametrize("name", NAMES)
@given(pieces=st.lists(PIECES, max_size=30))
@settings(deadline=None, max_examples=300)
def test_any_words_of_the_notations_are_a_document_or_problems(pieces: list[str], name: str) -> None:
    check("".join(pieces).encode(), name)


@given(pieces=st.lists(PIECES, max_size=12))
@settings(deadline=None, max_examples=300)
def test_what_is_json_is_what_the_standard_library_says(pieces: list[str]) -> None:
    text = "".join(pieces).lstrip("\ufeff")
    document = parse_document(text.encode(), "plan.vibe.json", LIMITS)
    codes = {problem.code for problem in document.problems}
    try:
        data = json.loads(text, parse_int=float)
    except ValueError:
        assert document.data is None
        assert codes & {ProblemCode.SYNTAX, ProblemCode.BAD_TEXT, ProblemCode.BAD_ENCODING}
    else:
        assert ProblemCode.SYNTAX not in codes
        assert document.problems or document.data == data


def test_laughs_are_counted_not_laughed() -> None:
    document = parse_document(BILLION_LAUGHS, "a.yaml", LIMITS)
    assert {problem.code for problem in document.problems} == {ProblemCode.FORBIDDEN_YAML}
    assert document.data["b"] == []
    assert len(json.dumps(document.data)) < 200


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"a":' * 100_000, "- " * 100_000, "? " * 100_000, "- ? " * 100_000]
)
def test_depth_is_told_where_it_is_passed(text: str) -> None:
    for name in NAMES:
        document = parse_document(text.encode(), name, LIMITS)
        assert document.data is None
        assert document.problems[-1].code in (ProblemCode.TOO_DEEP, ProblemCode.SYNTAX)
    assert document.problems[-1].code is ProblemCode.TOO_DEEP


# files


def refused(path: Path, max_bytes: int = 100) -> tuple[ProblemCode, str]:
    with pytest.raises(PlanError) as error:
        read_bytes(path, max_bytes)
    (problem,) = error.value.problems
    assert problem.where.file == str(path)
    return problem.code, problem.message


def test_a_file_is_read_up_to_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "plan.vibe.json"
    path.write_bytes(b"x" * 100)
    assert read_bytes(path, 100) == b"x" * 100
    assert refused(path, 99) == (ProblemCode.TOO_LARGE, "larger than 99 bytes")


def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "plan").write_bytes(b"{}")
    (tmp_path / "link").symlink_to("plan")
    assert read_bytes(tmp_path / "link", 100) == b"{}"


def test_links_that_lead_nowhere_or_in_a_circle_are_unreadable(tmp_path: Path) -> None:
    (tmp_path / "dangling").symlink_to("missing")
    (tmp_path / "circle").symlink_to("circle")
    for name in ("dangling", "circle", "missing", "x" * 5000, "nul\0"):
        assert refused(tmp_path / name)[0] is ProblemCode.UNREADABLE


def test_what_is_no_regular_file_is_never_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "link").symlink_to("pipe")
    paths = [tmp_path, tmp_path / "pipe", tmp_path / "link", Path("/dev/zero"), Path("/dev/tty")]
    for path in paths:
        if path.exists():
            assert refused(path) == (ProblemCode.UNREADABLE, "cannot be read: not a regular file")


def test_a_socket_is_unreadable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    with socket.socket(socket.AF_UNIX) as server:
        server.bind("socket")
        assert refused(Path("socket"))[0] is ProblemCode.UNREADABLE


def test_a_file_that_became_a_pipe_before_it_was_opened_is_never_waited_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "plan"
    path.write_bytes(b"{}")
    as_file = os.stat(path)
    path.unlink()
    os.mkfifo(path)
    monkeypatch.setattr(os, "stat", lambda _: as_file)
    assert refused(path) == (ProblemCode.UNREADABLE, "cannot be read: not a regular file")


@pytest.fixture
def secret(tmp_path: Path) -> Iterator[Path]:
    path = tmp_path / "secret"
    path.write_bytes(b"{}")
    path.chmod(0)
    yield path
    path.chmod(0o600)


@pytest.mark.skipif(os.geteuid() == 0, reason="root reads every file")
def test_a_file_without_permission_is_unreadable(secret: Path) -> None:
    assert refused(secret) == (ProblemCode.UNREADABLE, "cannot be read: Permission denied")


def test_an_error_of_the_disk_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object) -> int:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "plan").write_bytes(b"{}")
    monkeypatch.setattr(os, "open", fail)
    assert refused(tmp_path / "plan") == (ProblemCode.UNREADABLE, "cannot be read: Permission denied")
