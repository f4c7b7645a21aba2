from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_vibe.tools import ToolInputError
from airflow_provider_vibe.tools.builtin import files
from airflow_provider_vibe.tools.builtin.files import safe_segment, write_file
from tests.tools.helpers import call, output

RUN = {"dag_id": "newsletter", "id": "manual__1"}


@pytest.fixture
def artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from airflow.sdk import ObjectStoragePath

    root = tmp_path / "artifacts"
    monkeypatch.setattr(files, "artifacts_root", lambda: ObjectStoragePath(root.as_uri()))
    return root


def write(name: str, text: str | None = "hällo", **context: Any) -> dict[str, Any]:
    return output(write_file, {"name": name, "text": text}, **{"run": RUN, "node_id": "here", **context})


def everything_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_file_lies_below_dag_run_and_node(artifacts: Path):
    written = write("posts/launch.md")
    path = artifacts / "newsletter/manual__1/here/posts/launch.md"
    content = "hällo".encode()
    assert path.read_bytes() == content
    assert written == {
        "uri": path.as_uri(),
        "path": str(path),
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
        "media_type": "text/markdown",
    }


def test_the_uri_leads_back_to_the_file(artifacts: Path):
    from airflow.sdk import ObjectStoragePath

    written = write("a b & ü #1.txt", node_id="step: one/two")
    assert ObjectStoragePath(written["uri"]).read_text() == "hällo"


def test_without_a_text_the_texts_of_the_dependencies_are_written(artifacts: Path):
    written = write("a.txt", None, previous_outputs={"x": {"text": "one"}, "y": "two"})
    assert Path(written["path"]).read_text() == "one\n\ntwo"


def test_writing_again_replaces_the_file_and_leaves_nothing_beside_it(artifacts: Path):
    write("a.txt", "a longer text of before")
    write("a.txt", "new")
    assert everything_below(artifacts) == ["newsletter/manual__1/here/a.txt"]
    assert next(artifacts.rglob("a.txt")).read_text() == "new"


def test_a_write_that_breaks_off_leaves_the_old_file_whole(artifacts: Path, monkeypatch: pytest.MonkeyPatch):
    write("a.txt", "old")

    def full(self: Path, data: bytes) -> int:
        self.open("wb").write(data[:1])
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="disk full"):
        write("a.txt", "new")
    assert everything_below(artifacts) == ["newsletter/manual__1/here/a.txt"]
    assert next(artifacts.rglob("a.txt")).read_text() == "old"


@pytest.mark.parametrize(
    "name",
    [
        *("../a", "a/../b", "..", ".", "./a", "a/./b", "/etc/passwd", "//a", "a//b", "a/", "a/ /b", " ", ""),
        *("..\\a", "C:/a", "c:a", "\\\\host\\a", "a\x00b", "a\nb", "a\x1b[31m", "\ud800", "a\u202eb"),
        *("x" * 201, "ü" * 150, "a/" * 240 + "../b", "a" * 501),
    ],
)
def test_a_name_that_could_lead_elsewhere_is_refused(artifacts: Path, name: str):
    with pytest.raises(ToolInputError) as caught:
        write(name)
    assert str(caught.value).isprintable()
    assert not artifacts.exists()


def test_the_error_says_what_is_wrong_with_a_name(artifacts: Path):
    for name, reason in {
        "/a": "absolute",
        "../a": "'..'",
        "a\\b": "backslash",
        "x" * 201: "200 bytes",
    }.items():
        with pytest.raises(ToolInputError, match=reason):
            write(name)


@pytest.mark.parametrize(
    "name", ["...", "a..b", "..a", "~root/a", "$HOME", "%2e%2e/a", "file:", "ab:c", "-rf", "x" * 200]
)
def test_a_name_that_only_looks_odd_stays_in_the_folder(artifacts: Path, name: str):
    path = Path(write(name)["path"])
    assert path.resolve().is_relative_to((artifacts / "newsletter/manual__1/here").resolve())
    assert path.read_text() == "hällo"


@pytest.mark.parametrize("link", ["newsletter", "newsletter/manual__1", "newsletter/manual__1/here/sub"])
def test_a_link_that_leads_out_of_the_artifacts_is_refused(artifacts: Path, tmp_path: Path, link: str):
    outside = tmp_path / "outside"
    outside.mkdir()
    (artifacts / link).parent.mkdir(parents=True)
    (artifacts / link).symlink_to(outside)
    with pytest.raises(ToolInputError, match="through a link"):
        write("sub/a.txt")
    assert everything_below(outside) == []


def test_a_link_in_place_of_the_file_is_replaced_and_not_followed(artifacts: Path, tmp_path: Path):
    victim = tmp_path / "victim"
    victim.write_text("precious")
    folder = artifacts / "newsletter/manual__1/here"
    folder.mkdir(parents=True)
    (folder / "a.txt").symlink_to(victim)
    write("a.txt", "new")
    assert victim.read_text() == "precious"
    assert (folder / "a.txt").read_text() == "new"


def test_the_artifacts_folder_itself_may_be_a_link(artifacts: Path, tmp_path: Path):
    (tmp_path / "disk").mkdir()
    artifacts.symlink_to(tmp_path / "disk")
    assert Path(write("a.txt")["path"]).read_text() == "hällo"


def test_a_file_and_a_folder_of_one_name_are_told_apart(artifacts: Path):
    write("a/b.txt")
    with pytest.raises(ToolInputError, match="is a folder already"):
        write("a")
    with pytest.raises(ToolInputError, match="is a file already"):
        write("a/b.txt/c.txt")


@pytest.mark.parametrize(
    "part", ["a b", "../x", "..", ".", "", "manual__2026-01-05T09:00:00+00:00", "ü" * 300]
)
def test_ids_that_no_folder_should_hold_are_made_safe(artifacts: Path, part: str):
    path = Path(write("a.txt", run={"dag_id": part, "id": part}, node_id=part)["path"])
    assert len(path.relative_to(artifacts).parts) == 4
    assert path.resolve().is_relative_to(artifacts.resolve())


@given(st.text(), st.text())
def test_two_ids_never_share_a_folder(one: str, other: str):
    first, second = safe_segment(one), safe_segment(other)
    assert (first == second) == (one == other)
    assert first not in ("", ".", "..")
    assert len(first) <= files.MAX_SEGMENT_BYTES
    assert not files._UNSAFE.search(first)


@pytest.mark.parametrize(
    ("name", "media_type"),
    [("a.md", "text/markdown"), ("a.HTML", "text/html"), ("a.json", "application/json"), ("a", "text/plain")],
)
def test_the_media_type_follows_the_ending(name: str, media_type: str):
    assert files.media_type(name) == media_type


@pytest.fixture
def memory(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    from fsspec.implementations.memory import MemoryFileSystem

    monkeypatch.setenv("AIRFLOW__VIBE__ARTIFACTS_PATH", "memory://bucket/artifacts")
    yield "memory://bucket/artifacts"
    MemoryFileSystem.store.clear()


def test_another_store_is_written_through_airflow(memory: str):
    from airflow.sdk import ObjectStoragePath

    written = write("sub/a.txt")
    assert "path" not in written
    assert written["uri"] == f"{memory}/newsletter/manual__1/here/sub/a.txt"
    assert ObjectStoragePath(written["uri"]).read_text() == "hällo"


def test_artifacts_go_below_airflow_home_unless_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    import airflow.sdk  # noqa: F401  # reads its own AIRFLOW_HOME before it is changed here

    monkeypatch.setenv("AIRFLOW__VIBE__ARTIFACTS_PATH", "")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    assert files.artifacts_root().path == str(tmp_path / "vibe_artifacts")
    monkeypatch.setenv("AIRFLOW__VIBE__ARTIFACTS_PATH", f"file://{tmp_path}/elsewhere")
    assert files.artifacts_root().path == str(tmp_path / "elsewhere")


def test_a_missing_text_writes_nothing(artifacts: Path):
    with pytest.raises(ToolInputError, match="give 'text'"):
        call(write_file, {"name": "a.txt"}, run=RUN)
    assert not os.path.exists(artifacts)
