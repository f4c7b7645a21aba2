from __future__ import annotations

import hashlib
import os
import socket
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_vibe.runtime.errors import ErrorKind, kind_of
from airflow_provider_vibe.tools import ToolError, ToolInputError
from airflow_provider_vibe.tools.artifacts import save_artifact
from airflow_provider_vibe.tools.builtin.reading import read_file
from tests.tools.helpers import output

RUN = {"dag_id": "news", "id": "manual__1"}


@pytest.fixture
def files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of input files, beside a file that no plan may read."""
    folder = tmp_path / "files"
    folder.mkdir()
    (tmp_path / "secret.txt").write_text("secret")
    monkeypatch.setenv("AIRFLOW__VIBE__FILES_PATH", str(folder))
    monkeypatch.setenv("AIRFLOW__VIBE__ARTIFACTS_PATH", str(tmp_path / "artifacts"))
    return folder


def read(name: str, **inputs: Any) -> dict[str, Any]:
    return output(read_file, {"name": name, **inputs}, run=RUN)


def refused(name: str, match: str = "", **inputs: Any) -> None:
    with pytest.raises(ToolInputError, match=match) as caught:
        read(name, **inputs)
    assert kind_of(caught.value) is ErrorKind.WRONG_INPUT
    assert str(caught.value).isprintable()


def write(node: str, try_number: int, name: str, text: str, **run: str) -> None:
    context = {"run": {**RUN, **run}, "node_id": node, "try_number": try_number}
    save_artifact(context, name, text.encode())


def test_an_input_file_is_read(files: Path):
    (files / "prompts").mkdir()
    (files / "prompts/tone.md").write_text("wärm", encoding="utf-8")
    assert read("prompts/tone.md") == {
        "text": "wärm",
        "size": 5,
        "media_type": "text/markdown",
        "sha256": hashlib.sha256("wärm".encode()).hexdigest(),
    }


def test_a_byte_order_mark_is_no_text(files: Path):
    (files / "a.txt").write_text("a", encoding="utf-8-sig")
    assert read("a.txt")["text"] == "a"


@pytest.mark.parametrize(
    "name",
    [
        *(
            "../secret.txt",
            "x/../../secret.txt",
            "..",
            ".",
            "./a",
            "/etc/passwd",
            "//etc/passwd",
            "a//b",
            "a/",
        ),
        *("..\\secret.txt", "C:\\a", "C:/a", "a\0", "a\nb", "x" * 300),
    ],
)
def test_a_name_that_could_lead_elsewhere_is_refused(files: Path, name: str):
    refused(name, "cannot be the name of a file")
    refused(name, "cannot be the name of a file", node="write")


@pytest.mark.parametrize(
    "name", ["%2e%2e/secret.txt", "~/secret.txt", "$HOME/a", "file:x", "..secret.txt", "missing"]
)
def test_a_name_that_only_looks_odd_is_just_not_there(files: Path, name: str):
    refused(name, "there is no file")


def test_a_link_that_leads_out_is_refused(files: Path):
    (files / "link.txt").symlink_to(files.parent / "secret.txt")
    (files / "folder").symlink_to(files.parent)
    (files / "gone.txt").symlink_to(files.parent / "not-there")
    for name in ("link.txt", "folder/secret.txt", "gone.txt"):
        refused(name, "through a link")


def test_a_link_that_stays_inside_is_followed(files: Path):
    (files / "a.txt").write_text("a")
    (files / "link.txt").symlink_to("a.txt")
    assert read("link.txt")["text"] == "a"


def test_the_folder_itself_may_be_a_link(files: Path, monkeypatch: pytest.MonkeyPatch):
    (files / "a.txt").write_text("a")
    (files.parent / "linked").symlink_to(files)
    monkeypatch.setenv("AIRFLOW__VIBE__FILES_PATH", str(files.parent / "linked"))
    assert read("a.txt")["text"] == "a"


def test_a_neighbour_with_the_same_beginning_is_outside(files: Path):
    beside = files.parent / "files-of-others"
    beside.mkdir()
    (beside / "a.txt").write_text("a")
    (files / "link").symlink_to(beside)
    refused("link/a.txt", "through a link")


def test_what_is_no_ordinary_file_is_refused_without_waiting(files: Path, monkeypatch: pytest.MonkeyPatch):
    (files / "folder").mkdir()
    os.mkfifo(files / "pipe")
    (files / "loop").symlink_to("loop")
    monkeypatch.chdir(files)
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("socket")
        for name in ("folder", "pipe", "socket", "loop"):
            refused(name, "is no ordinary file")


@pytest.mark.parametrize("size", [10, 11])
def test_the_size_is_limited(files: Path, size: int):
    (files / "a.txt").write_bytes(b"x" * size)
    if size <= 10:
        assert read("a.txt", max_bytes=10)["size"] == 10
    else:
        refused("a.txt", "larger than 10 bytes", max_bytes=10)


def test_what_is_no_text_is_refused(files: Path):
    (files / "a.bin").write_bytes(b"\xff\xfe\x00")
    refused("a.bin", "no text in UTF-8")


def test_without_a_folder_it_is_told_how_to_get_one(files: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.delenv("AIRFLOW__VIBE__FILES_PATH")
    with pytest.raises(ToolError, match=r"set \[vibe\] files_path"):
        read("a.txt")


def test_the_folder_may_be_an_object_storage(files: Path, monkeypatch: pytest.MonkeyPatch):
    from airflow.sdk import ObjectStoragePath
    from airflow.sdk.io import attach
    from fsspec.implementations.memory import MemoryFileSystem

    attach("memory", fs=MemoryFileSystem())
    monkeypatch.setenv("AIRFLOW__VIBE__FILES_PATH", "memory://vibe-inputs")
    ObjectStoragePath("memory://vibe-inputs/a/b.txt").write_text("from afar")
    assert read("a/b.txt")["text"] == "from afar"
    refused("a/c.txt", "there is no file")
    refused("a/b.txt", "larger than 3 bytes", max_bytes=3)


def test_what_a_node_of_the_run_wrote_is_read(files: Path):
    write("a node", 1, "posts/a.md", "one")
    assert read("posts/a.md", node="a node")["text"] == "one"


def test_the_last_try_that_wrote_the_file_counts(files: Path):
    for number in (1, 2, 10):
        write("write", number, "a.md", f"try {number}")
    write("write", 11, "other.md", "other")
    assert read("a.md", node="write")["text"] == "try 10"


def test_the_files_of_other_runs_and_nodes_are_out_of_reach(files: Path):
    write("write", 1, "a.md", "other run", id="manual__2")
    write("write", 1, "a.md", "other plan", dag_id="other")
    for node in ("write", "..", "../write", "../../other/manual__1/write", ".", ""):
        refused("a.md", "wrote no file 'a.md' in this run", node=node)


def test_a_link_among_the_artifacts_does_not_lead_out(files: Path):
    write("write", 1, "a.md", "a")
    folder = files.parent / "artifacts/news/manual__1/write/1"
    (folder / "link").symlink_to(files.parent / "secret.txt")
    refused("link", "through a link", node="write")
