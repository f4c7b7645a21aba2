from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_vibe.tools import ToolInputError
from airflow_provider_vibe.tools import artifacts as module
from airflow_provider_vibe.tools.artifacts import (
    ArtifactError,
    artifacts_root,
    is_there,
    load_artifact,
    media_type_of,
    safe_segment,
    save_artifact,
    save_own,
)

RUN = {"dag_id": "newsletter", "id": "manual__1"}


@pytest.fixture
def artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    from airflow.sdk import ObjectStoragePath

    root = tmp_path / "artifacts"
    monkeypatch.setattr(module, "artifacts_root", lambda: ObjectStoragePath(root.as_uri()))
    return root


def here(**changes: Any) -> dict[str, Any]:
    """As much of a tool context as tells where a node's files lie."""
    return {"run": RUN, "node_id": "here", "try_number": 1, **changes}


def write(name: str, text: str = "hällo", **context: Any) -> dict[str, Any]:
    return save_artifact(here(**context), name, text.encode())


def everything_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_a_file_lies_below_dag_run_node_and_try(artifacts: Path):
    written = write("posts/launch.md")
    path = artifacts / "newsletter/manual__1/here/1/posts/launch.md"
    content = "hällo".encode()
    assert path.read_bytes() == content
    assert written == {
        "artifact": "vibe:1",
        "uri": path.as_uri(),
        "path": str(path),
        "name": "posts/launch.md",
        "size": len(content),
        "media_type": "text/markdown",
        "sha256": hashlib.sha256(content).hexdigest(),
    }


def test_the_uri_leads_back_to_the_file(artifacts: Path):
    from airflow.sdk import ObjectStoragePath

    written = write("a b & ü #1.txt", node_id="step: one/two")
    assert ObjectStoragePath(written["uri"]).read_text() == "hällo"


def test_writing_again_replaces_the_file_and_leaves_nothing_beside_it(artifacts: Path):
    write("a.txt", "a longer text of before")
    write("a.txt", "new")
    assert everything_below(artifacts) == ["newsletter/manual__1/here/1/a.txt"]
    assert next(artifacts.rglob("a.txt")).read_text() == "new"


def test_a_write_that_breaks_off_leaves_the_old_file_whole(artifacts: Path, monkeypatch: pytest.MonkeyPatch):
    write("a.txt", "old")

    def full(self: Path, data: bytes) -> int:
        self.open("wb").write(data[:1])
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", full)
    with pytest.raises(OSError, match="disk full"):
        write("a.txt", "new")
    assert everything_below(artifacts) == ["newsletter/manual__1/here/1/a.txt"]
    assert next(artifacts.rglob("a.txt")).read_text() == "old"


@pytest.mark.parametrize(
    "name",
    [
        *("../a", "a/../b", "..", ".", "./a", "a/./b", "/etc/passwd", "//a", "a//b", "a/", "a/ /b", " ", ""),
        *("..\\a", "C:/a", "c:a", "\\\\host\\a", "a\x00b", "a\nb", "a\x1b[31m", "\ud800", "a\u202eb"),
        *("x" * 201, "ü" * 150, "a/" * 240 + "../b", "a/" * 250 + "b"),
        *("_vibe/result.json", "_VIBE/a", "_vibe"),
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
    assert path.resolve().is_relative_to((artifacts / "newsletter/manual__1/here/1").resolve())
    assert path.read_text() == "hällo"


@pytest.mark.parametrize("link", ["newsletter", "newsletter/manual__1", "newsletter/manual__1/here/1/sub"])
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
    folder = artifacts / "newsletter/manual__1/here/1"
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
    assert len(path.relative_to(artifacts).parts) == 5
    assert path.resolve().is_relative_to(artifacts.resolve())


@given(st.text(), st.text())
def test_two_ids_never_share_a_folder(one: str, other: str):
    first, second = safe_segment(one), safe_segment(other)
    assert (first == second) == (one == other)
    assert first not in ("", ".", "..")
    assert len(first) <= module.MAX_SEGMENT_BYTES
    assert not module._UNSAFE.search(first)


@pytest.mark.parametrize(
    ("name", "media_type"),
    [("a.md", "text/markdown"), ("a.HTML", "text/html"), ("a.json", "application/json"), ("a", "text/plain")],
)
def test_the_media_type_follows_the_ending(name: str, media_type: str):
    assert media_type_of(name) == media_type


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
    assert written["uri"] == f"{memory}/newsletter/manual__1/here/1/sub/a.txt"
    assert ObjectStoragePath(written["uri"]).read_text() == "hällo"


def test_artifacts_go_below_airflow_home_unless_configured(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    import airflow.sdk  # noqa: F401  # reads its own AIRFLOW_HOME before it is changed here

    monkeypatch.setenv("AIRFLOW__VIBE__ARTIFACTS_PATH", "")
    monkeypatch.setenv("AIRFLOW_HOME", str(tmp_path))
    assert artifacts_root().path == str(tmp_path / "vibe_artifacts")
    monkeypatch.setenv("AIRFLOW__VIBE__ARTIFACTS_PATH", f"file://{tmp_path}/elsewhere")
    assert artifacts_root().path == str(tmp_path / "elsewhere")


@pytest.mark.parametrize("folder", ["plain", "a b#1?", "ü%20", "x@y"])
def test_a_configured_path_is_taken_as_it_is_written(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, folder: str
):
    monkeypatch.chdir(tmp_path)
    for written in (str(tmp_path / folder), folder):
        monkeypatch.setenv("AIRFLOW__VIBE__ARTIFACTS_PATH", written)
        reference = write("a.txt")
        path = tmp_path / folder / "newsletter/manual__1/here/1/a.txt"
        assert (reference["path"], reference["uri"]) == (str(path), f"file://{path}")
        assert load_artifact(reference).decode() == "hällo"


# reading back


def test_a_reference_gives_the_content_back(artifacts: Path):
    for content in (b"", b"\x00\xff", b"x" * 3_000_000):
        assert load_artifact(save_artifact(here(), "a.bin", content)) == content


def test_another_store_gives_the_content_back(memory: str):
    assert load_artifact(save_artifact(here(), "a.bin", b"far away"), here()) == b"far away"


def test_each_try_has_files_of_its_own(artifacts: Path):
    first, second = write("a.txt", "one"), write("a.txt", "two", try_number=2)
    assert (load_artifact(first), load_artifact(second)) == (b"one", b"two")


def test_the_media_type_may_be_told(artifacts: Path):
    assert save_artifact(here(), "a.bin", b"", "image/webp")["media_type"] == "image/webp"


@pytest.mark.parametrize("content", ["hällO", "hällo!", "h", ""])
def test_a_changed_file_is_not_given_back(artifacts: Path, content: str):
    reference = write("a.txt")
    Path(reference["path"]).write_text(content)
    with pytest.raises(ArtifactError, match="was changed after it was written: it should be 6 bytes"):
        load_artifact(reference)


def test_a_missing_file_is_told_with_its_place(artifacts: Path):
    reference = write("a.txt")
    Path(reference["path"]).unlink()
    with pytest.raises(ArtifactError, match=r"here/1/a.txt' is gone"):
        load_artifact(reference)


def test_only_an_artifact_of_the_same_run_is_given_to_a_tool(artifacts: Path):
    mine, sibling = here(), write("a.txt", node_id="other node", try_number=4)
    assert load_artifact(sibling, mine).decode() == "hällo"
    for run in ({**RUN, "id": "manual__2"}, {**RUN, "dag_id": "payroll"}):
        with pytest.raises(ArtifactError, match="is no artifact of this run"):
            load_artifact(write("a.txt", run=run), mine)


def test_an_artifact_of_an_earlier_run_is_given_where_something_was_taken_over_from_that_run(artifacts: Path):
    mine = here(earlier_runs=["manual__0"])
    assert load_artifact(write("a.txt", run={**RUN, "id": "manual__0"}), mine).decode() == "hällo"
    for run in ({**RUN, "id": "manual__2"}, {"dag_id": "payroll", "id": "manual__0"}):
        with pytest.raises(ArtifactError, match="is no artifact of this run"):
            load_artifact(write("a.txt", run=run), mine)


def test_an_artifact_is_there_as_long_as_its_file_has_its_size(artifacts: Path):
    reference = write("a.txt")
    assert is_there(reference)
    assert not is_there({**reference, "size": 1})
    assert not is_there({**reference, "uri": "file:///etc/passwd"})
    Path(reference["path"]).unlink()
    assert not is_there(reference)


@pytest.mark.parametrize(
    "change",
    [
        *({"artifact": "vibe:2"}, {"artifact": None}, {"uri": None}, {"uri": ["a"]}, {"size": "6"}),
        *({"size": True}, {"size": -6}, {"size": 6.0}, {"sha256": None}),
    ],
)
def test_what_is_no_reference_is_refused(artifacts: Path, change: dict[str, Any]):
    with pytest.raises(ArtifactError, match="is no reference to an artifact"):
        load_artifact({**write("a.txt"), **change})


def forged(uri: str, content: bytes) -> dict[str, Any]:
    return {
        "artifact": "vibe:1",
        "uri": uri,
        "size": len(content),
        "sha256": hashlib.sha256(content).hexdigest(),
    }


@pytest.mark.parametrize(
    "place",
    [
        *("{outside}/secret", "{root}/../outside/secret", "{root}/a/../../outside/secret", "{root}//secret"),
        *("{root}2/secret", "{root}", "{root}/", "{root}/./secret", "", "secret", "../outside/secret"),
    ],
)
def test_a_forged_reference_reads_nothing_elsewhere(artifacts: Path, tmp_path: Path, place: str):
    for folder in ("outside", "artifacts", "artifacts2"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "secret").write_bytes(b"precious")
    outside, root = (tmp_path / "outside").as_uri(), artifacts.as_uri()
    for scheme in ("", "file://"):
        uri = scheme + place.format(outside=outside, root=root).removeprefix("file://")
        with pytest.raises(ArtifactError, match="does not lie below"):
            load_artifact(forged(uri, b"precious"))


def test_a_reference_with_a_nul_is_none(artifacts: Path):
    with pytest.raises(ArtifactError, match="does not lie below"):
        load_artifact(forged(f"{artifacts.as_uri()}/news/a\0b", b"precious"))


def test_a_link_below_the_artifacts_is_not_followed_out_of_them(artifacts: Path, tmp_path: Path):
    (tmp_path / "secret").write_bytes(b"precious")
    artifacts.mkdir()
    (artifacts / "link").symlink_to(tmp_path / "secret")
    with pytest.raises(ArtifactError, match="leads out of the artifacts folder"):
        load_artifact(forged(f"{artifacts.as_uri()}/link", b"precious"))


def test_what_the_operator_keeps_lies_where_no_tool_can_write(artifacts: Path):
    reference = save_own(here(), "result.json", b"{}", "application/json")
    assert reference["path"] == str(artifacts / "newsletter/manual__1/here/1/_vibe/result.json")
    assert load_artifact(reference) == b"{}"
