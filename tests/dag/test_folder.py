"""Which plan files there are in a folder, and that only what has changed is read."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

import pytest

from airflow_provider_vibe.dag import folder as folder_module
from airflow_provider_vibe.dag.folder import PlanFolder, kept_name, plan_files, set_digest
from airflow_provider_vibe.plan.rules import Limits
from tests.dag.plans import node, plan, write

LIMITS = Limits()


@pytest.fixture
def read(monkeypatch):
    """The names of the files that were read."""
    names = []
    real = folder_module.read_bytes

    def counted(path, max_bytes):
        names.append(Path(path).name)
        return real(path, max_bytes)

    monkeypatch.setattr(folder_module, "read_bytes", counted)
    return names


@pytest.fixture
def settled(monkeypatch):
    """Files count as long written."""
    monkeypatch.setattr(folder_module, "SETTLED_SECONDS", -1.0)


def names_in(path: Path) -> list[str]:
    return [found.relative_to(path).as_posix() for found in plan_files(path)]


def look(path: Path, limits: Limits = LIMITS):
    return {file.name: file for file in PlanFolder(path, limits).look()}


def some_plans(path: Path, *names: str) -> None:
    for name in names:
        write(path, name, plan(node("a"), id=name.partition(".")[0].replace("/", "-")))


def test_plan_files_are_found_below_in_three_notations_and_sorted_by_path(tmp_path):
    some_plans(tmp_path, "b.vibe.yml", "a/x.vibe.json", "a-b/x.vibe.yaml", "a/deep/er/y.vibe.json")
    write(tmp_path, "a/other.json", "{}")
    write(tmp_path, "vibe.json", "{}")
    assert names_in(tmp_path) == ["a-b/x.vibe.yaml", "a/deep/er/y.vibe.json", "a/x.vibe.json", "b.vibe.yml"]


def test_hidden_folders_hold_no_plans_unless_one_asks_for_them(tmp_path):
    some_plans(tmp_path, "a.vibe.json", ".revisions/a.r1.vibe.json", "in/.git/b.vibe.json", "in/c.vibe.json")
    assert names_in(tmp_path) == ["a.vibe.json", "in/c.vibe.json"]
    assert names_in(tmp_path / ".revisions") == ["a.r1.vibe.json"]


@pytest.mark.parametrize("syntax", ["glob", "regexp"])
def test_files_named_in_airflowignore_are_left_out_as_airflow_does(tmp_path, monkeypatch, syntax):
    from airflow._shared.module_loading import find_path_from_directory

    monkeypatch.setenv("AIRFLOW__CORE__DAG_IGNORE_FILE_SYNTAX", syntax)
    some_plans(
        tmp_path, "a.vibe.json", "old/b.vibe.json", "in/c.vibe.json", "in/keep.vibe.json", "in/d/e.vibe.json"
    )
    write(tmp_path, ".airflowignore", "old  # a comment\n" + ("*(" if syntax == "regexp" else "/") + "\n\n")
    write(tmp_path / "in", ".airflowignore", {"glob": "*.json\n!keep*\n", "regexp": "c.vibe\n"}[syntax])
    airflow = find_path_from_directory(tmp_path, ".airflowignore", syntax)
    assert [str(path) for path in plan_files(tmp_path)] == sorted(
        path for path in airflow if path.endswith(".vibe.json")
    )
    assert "in/keep.vibe.json" in names_in(tmp_path) and "old/b.vibe.json" not in names_in(tmp_path)


def test_airflowignore_that_is_not_text_ignores_what_can_be_read_of_it(tmp_path):
    some_plans(tmp_path, "a.vibe.json", "b.vibe.json")
    (tmp_path / ".airflowignore").write_bytes(b"\xff\xfe\nb.*\n")
    assert names_in(tmp_path) == ["a.vibe.json"]


def test_links_that_lead_in_a_circle_are_followed_no_further(tmp_path):
    plans, elsewhere = tmp_path / "plans", tmp_path / "elsewhere"
    some_plans(plans, "in/a.vibe.json", "b.vibe.json")
    some_plans(elsewhere, "c.vibe.json")
    (plans / "in" / "back").symlink_to(plans)
    (plans / "in" / "self").symlink_to("self")
    (plans / "in" / "above").symlink_to(tmp_path)
    (plans / "link1").symlink_to(elsewhere)
    (plans / "link2").symlink_to(elsewhere)
    (elsewhere / "back").symlink_to(elsewhere)
    (plans / "twin").symlink_to(plans / "in")
    assert names_in(plans) == ["b.vibe.json", "in/a.vibe.json", "link1/c.vibe.json"]


def test_folder_that_cannot_be_searched_is_told_and_hides_no_other(tmp_path, monkeypatch, caplog):
    some_plans(tmp_path, "a/x.vibe.json", "b/y.vibe.json")
    real = os.scandir

    def scandir(path):
        if str(path).endswith("/a"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    assert names_in(tmp_path) == ["b/y.vibe.json"]
    assert f"no plans of '{tmp_path}/a' are seen: Permission denied" in caplog.text


def test_second_look_reads_nothing_when_nothing_has_changed(tmp_path, read, settled):
    some_plans(tmp_path, "a.vibe.json", "b.vibe.json")
    folder = PlanFolder(tmp_path, LIMITS)
    first = list(folder.look())
    assert read == ["a.vibe.json", "b.vibe.json"]
    second = list(folder.look())
    assert read == ["a.vibe.json", "b.vibe.json"]
    assert [file.content for file in second] == [None, None]
    assert set_digest(second, "1") == set_digest(first, "1")
    assert [file.plan_id for file in second] == ["a", "b"]


def test_one_change_reads_one_file(tmp_path, read, settled):
    some_plans(tmp_path, "a.vibe.json", "b.vibe.json", "c.vibe.json")
    folder = PlanFolder(tmp_path, LIMITS)
    list(folder.look())
    read.clear()
    write(tmp_path, "b.vibe.json", plan(node("other"), id="b"))
    list(folder.look())
    assert read == ["b.vibe.json"]


def test_file_rewritten_with_the_same_size_and_time_is_noticed_while_it_is_young(tmp_path, monkeypatch):
    path = write(tmp_path, "a.vibe.json", "one")
    monkeypatch.setattr(folder_module, "_stamp", lambda path: (3, 1, int(folder_module.time.time() * 1e9), 1))
    folder = PlanFolder(tmp_path, LIMITS)
    (first,) = folder.look()
    path.write_text("two")
    (second,) = folder.look()
    assert first.digest != second.digest


def test_file_rewritten_with_the_same_size_and_its_time_put_back_is_noticed(tmp_path, settled):
    path = write(tmp_path, "a.vibe.json", "one")
    folder = PlanFolder(tmp_path, LIMITS)
    (first,) = folder.look()
    found = path.stat()
    while path.stat().st_ctime_ns == found.st_ctime_ns:  # until the clock of the file system has gone on
        path.write_text("two")
    os.utime(path, ns=(found.st_atime_ns, found.st_mtime_ns))
    (second,) = folder.look()
    assert first.digest != second.digest


def test_file_with_a_time_in_the_future_is_not_read_at_every_look(tmp_path, read, monkeypatch):
    path = write(tmp_path, "a.vibe.json", "{}")
    os.utime(path, (4_000_000_000, 4_000_000_000))
    monkeypatch.setattr(folder_module.time, "time", lambda: path.stat().st_ctime + 10)
    folder = PlanFolder(tmp_path, LIMITS)
    list(folder.look())
    list(folder.look())
    assert read == ["a.vibe.json"]


def test_digest_is_of_names_and_contents_and_nothing_else(tmp_path):
    one, other = tmp_path / "one", tmp_path / "other"
    some_plans(one, "a.vibe.json", "b/c.vibe.json")
    some_plans(other, "b/c.vibe.json", "a.vibe.json")
    os.utime(other / "a.vibe.json", (1, 1))
    digest = set_digest(list(look(one).values()), "1")
    assert set_digest(list(look(other).values()), "1") == digest
    (other / "a.vibe.json").rename(other / "d.vibe.json")
    assert set_digest(list(look(other).values()), "1") != digest
    assert set_digest(list(look(one).values()), "2") != digest


def test_what_cannot_be_read_is_told_and_hurts_no_other(tmp_path):
    some_plans(tmp_path, "good.vibe.json", "folder.vibe.json/inner.vibe.json")
    os.mkfifo(tmp_path / "pipe.vibe.json")
    (tmp_path / "nowhere.vibe.json").symlink_to("missing")
    (tmp_path / "circle.vibe.json").symlink_to("circle.vibe.json")
    found = look(tmp_path)
    assert found["good.vibe.json"].trouble is None
    assert "folder.vibe.json/inner.vibe.json" in found
    assert found["pipe.vibe.json"].trouble == "pipe.vibe.json: unreadable cannot be read: not a regular file"
    assert "No such file" in found["nowhere.vibe.json"].trouble
    assert "symbolic links" in found["circle.vibe.json"].trouble
    assert "folder.vibe.json" not in found


def test_file_too_large_is_told(tmp_path):
    write(tmp_path, "large.vibe.json", " " * 101)
    assert "larger than 100 bytes" in look(tmp_path, Limits(max_plan_bytes=100))["large.vibe.json"].trouble


def test_file_that_is_a_zip_archive_too_is_refused_since_airflow_may_run_it(tmp_path):
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("evil.py", "import airflow  # DAG")
    (tmp_path / "zip.vibe.json").write_bytes(packed.getvalue())
    (tmp_path / "both.vibe.yaml").write_bytes(b"id: both\n# " + packed.getvalue())
    for file in look(tmp_path).values():
        assert file.content is None
        assert "refused it is a ZIP archive too, and Airflow may run what is in it" in file.trouble


def test_a_trouble_has_a_digest_that_stays(tmp_path):
    os.mkfifo(tmp_path / "pipe.vibe.json")
    assert look(tmp_path)["pipe.vibe.json"].digest == look(tmp_path)["pipe.vibe.json"].digest


def test_usual_names_are_kept():
    for name in ("a.vibe.json", "ä b/c'\"\n\\{x}.vibe.yaml", "日本/x.vibe.yml", ".hidden.vibe.json"):
        assert kept_name(Path(name)) == name


@pytest.mark.parametrize(
    "name",
    [
        os.fsdecode(b"caf\xe9.vibe.json"),
        "x" * 245 + ".vibe.yaml",
        "x.py/a.vibe.json",
        "/".join(["d" * 100] * 12) + "/a.vibe.yml",
    ],
)
def test_names_that_a_snapshot_or_the_database_cannot_hold_give_way_to_a_digest(name):
    kept = kept_name(Path(name))
    assert kept != name and "/" not in kept
    assert kept.rpartition(".vibe.")[2] == name.rpartition(".vibe.")[2]
    assert len(kept.encode()) < 250
    assert kept != kept_name(Path("x" + name))
