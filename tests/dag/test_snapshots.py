"""Snapshots are whole or not there, whoever writes them, at once with others or until he is killed."""

from __future__ import annotations

import hashlib
import json
import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from airflow.sdk.io import attach
from fsspec.implementations.memory import MemoryFileSystem

from airflow_provider_vibe.dag import archive as archive_module
from airflow_provider_vibe.dag import snapshots
from airflow_provider_vibe.dag.archive import SnapshotArchive
from airflow_provider_vibe.dag.folder import plan_file, set_digest
from airflow_provider_vibe.dag.snapshots import ContentStore, SnapshotError, pack, unpack, write_snapshot
from airflow_provider_vibe.plan.rules import Limits
from tests.dag.plans import node, plan, write

FILES = [
    plan_file(name, json.dumps({"id": f"id-{name[-11]}"}).encode(), Limits())
    for name in ("a.vibe.json", "b/c.vibe.yaml")
]
NAMES = {".plans/a.vibe.json", "id-a.vibe.py", ".plans/b/c.vibe.yaml", "id-c.vibe.py", ".index.json"}


@pytest.fixture
def store(tmp_path):
    store = ContentStore(tmp_path / "contents")
    for file in FILES:
        store.add(file.content)
    return store


@pytest.fixture
def snapshot(tmp_path, store):
    target = tmp_path / "versions" / "v1"
    write_snapshot(target, FILES, store, {})
    return target


@pytest.fixture
def unfinished(monkeypatch):
    """Says which versions runs need."""

    def say(*versions: str, known: bool = True) -> None:
        in_use = {*versions} if known else None
        monkeypatch.setattr(archive_module, "versions_in_use", lambda name: in_use)

    say()
    return say


def files_in(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()
    }


def test_snapshot_holds_each_plan_and_what_loads_it(snapshot):
    found = files_in(snapshot)
    assert found.keys() == NAMES
    assert found[".plans/b/c.vibe.yaml"] == FILES[1].content
    assert found["id-c.vibe.py"].decode().endswith("load_plan(globals(), 'b/c.vibe.yaml')\n")


def test_contents_are_not_copied_again(snapshot, store):
    assert (snapshot / ".plans/a.vibe.json").stat().st_ino == (store.folder / FILES[0].digest).stat().st_ino


def test_contents_are_copied_where_there_are_no_hard_links(tmp_path, store, monkeypatch):
    def refuse(source, target):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(os, "link", refuse)
    write_snapshot(tmp_path / "v", FILES, store, {})
    assert files_in(tmp_path / "v").keys() == NAMES


def test_failed_write_leaves_nothing(tmp_path):
    with pytest.raises(FileNotFoundError):
        write_snapshot(tmp_path / "versions" / "v", FILES, ContentStore(tmp_path / "empty"), {})
    assert list((tmp_path / "versions").iterdir()) == []


def test_two_files_of_one_name_never_change_the_store(tmp_path, store):
    twins = [FILES[0], plan_file("a.vibe.json", FILES[1].content, Limits())]
    with pytest.raises(FileExistsError):
        write_snapshot(tmp_path / "v", twins, store, {})
    assert (store.folder / FILES[0].digest).read_bytes() == FILES[0].content


def test_store_forgets_what_no_snapshot_holds_but_not_what_is_new(snapshot, store, monkeypatch):
    alone = store.add(b"alone")
    store.sweep()
    assert store.has([alone])
    monkeypatch.setattr(snapshots, "ABANDONED_SECONDS", -1.0)
    store.sweep()
    assert not store.has([alone]) and store.has(file.digest for file in FILES)


def test_old_drafts_are_swept_and_young_ones_left(tmp_path):
    for name, age in ((".draft-old", 7200), (".draft-young", 0)):
        for path in (tmp_path / name, tmp_path / f"{name}-file"):
            path.touch() if path.name.endswith("file") else path.mkdir()
            os.utime(path, (time.time() - age,) * 2)
    snapshots.sweep_drafts(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {".draft-young", ".draft-young-file"}


def test_packed_and_unpacked_snapshot_is_the_same_without_compiled_python(snapshot, tmp_path):
    (snapshot / "__pycache__").mkdir()
    (snapshot / "__pycache__" / "a.vibe.json.cpython-311.pyc").touch()
    os.utime(snapshot / ".plans/a.vibe.json", (1, 1))  # a ZIP file knows no such year
    unpack(pack(snapshot), tmp_path / "other")
    assert files_in(tmp_path / "other") == {name: (snapshot / name).read_bytes() for name in NAMES}


def test_no_damage_to_an_archive_goes_unnoticed_or_leaves_half_a_snapshot(snapshot, tmp_path):
    whole, right = pack(snapshot), files_in(snapshot)
    chance = random.Random(3)
    damaged = [whole[: len(whole) * part // 8] for part in range(8)]
    for _ in range(300):
        place = chance.randrange(len(whole))
        damaged.append(whole[:place] + bytes([whole[place] ^ 1 << chance.randrange(8)]) + whole[place + 1 :])
    (tmp_path / "out").mkdir()
    for index, content in enumerate(damaged):
        target = tmp_path / "out" / f"v{index}"
        try:
            unpack(content, target)
        except SnapshotError:
            assert not target.exists()
        else:
            assert files_in(target) == right  # a bit of no consequence
    assert not list((tmp_path / "out").glob(".draft-*"))


@pytest.mark.parametrize("kind", ["path", "file", "memory"])
def test_archive_gives_what_it_keeps(kind, snapshot, tmp_path, unfinished):
    if kind == "memory":
        attach("memory", fs=MemoryFileSystem())
    url = {"path": f"{tmp_path}/kept", "file": f"file://{tmp_path}/kept", "memory": f"memory://{tmp_path}"}[
        kind
    ]
    archive = SnapshotArchive("plans", url, 10)
    archive.keep("v1", snapshot)
    assert archive.fetch("v1", tmp_path / "fetched")
    assert files_in(tmp_path / "fetched") == files_in(snapshot)
    assert not archive.fetch("v2", tmp_path / "v2")


def test_archives_are_in_airflow_home_unless_told_otherwise(unfinished):
    from airflow.configuration import AIRFLOW_HOME

    assert SnapshotArchive("plans", None, 10).url == f"file://{AIRFLOW_HOME}/vibe_snapshots/plans"


def test_damaged_archive_is_told_with_its_name(snapshot, tmp_path, unfinished):
    archive = SnapshotArchive("plans", str(tmp_path / "kept"), 10)
    archive.keep("v1", snapshot)
    kept = tmp_path / "kept" / "plans" / "v1.zip"
    kept.write_bytes(kept.read_bytes()[:-10])
    with pytest.raises(SnapshotError, match=r"the snapshot file://.*/plans/v1\.zip: it is damaged"):
        archive.fetch("v1", tmp_path / "fetched")
    assert not (tmp_path / "fetched").exists()


def kept_of(tmp_path: Path, snapshot: Path, archive: SnapshotArchive, *versions: str) -> set[str]:
    """What is kept in the end of these versions, written one after the other."""
    before = None
    for age, version in enumerate(versions):
        write_snapshot(snapshot.with_name(version), FILES, ContentStore(tmp_path / "contents"), {})
        archive.keep(version, snapshot.with_name(version), before)
        os.utime(tmp_path / "kept" / "plans" / f"{version}.zip", (1000 + age, 1000 + age))
        before = version
    return {path.stem for path in (tmp_path / "kept" / "plans").glob("*.zip")}


def test_the_oldest_are_forgotten_there_and_here(snapshot, tmp_path, unfinished):
    archive = SnapshotArchive("plans", str(tmp_path / "kept"), 2)
    assert kept_of(tmp_path, snapshot, archive, "w1", "w2", "w3", "w4") == {"w3", "w4"}
    assert {path.name for path in snapshot.parent.iterdir()} == {"w3", "w4"}


def test_a_version_that_an_unfinished_run_began_with_is_never_forgotten(snapshot, tmp_path, unfinished):
    unfinished("w1")
    archive = SnapshotArchive("plans", str(tmp_path / "kept"), 1)
    assert kept_of(tmp_path, snapshot, archive, "w1", "w2", "w3", "w4") == {"w1", "w3", "w4"}
    assert (snapshot.with_name("w1")).is_dir()


def test_nothing_is_forgotten_when_nobody_knows_which_runs_there_are(snapshot, tmp_path, unfinished):
    unfinished(known=False)
    archive = SnapshotArchive("plans", str(tmp_path / "kept"), 1)
    assert kept_of(tmp_path, snapshot, archive, "w1", "w2", "w3") == {"w1", "w2", "w3"}


def test_the_version_before_is_kept_as_airflow_may_still_begin_runs_with_it(snapshot, tmp_path, unfinished):
    archive = SnapshotArchive("plans", str(tmp_path / "kept"), 2)
    assert kept_of(tmp_path, snapshot, archive, "w1", "w2") == {"w1", "w2"}
    archive.keep("w1", snapshot.with_name("w1"), "w2")  # the folder is as it was
    write_snapshot(snapshot.with_name("w3"), FILES, ContentStore(tmp_path / "contents"), {})
    archive.keep("w3", snapshot.with_name("w3"), "w1")
    assert {path.stem for path in (tmp_path / "kept" / "plans").glob("*.zip")} >= {"w1", "w3"}


def test_a_second_machine_forgets_its_own_snapshots_too(snapshot, tmp_path, unfinished):
    first, second = (SnapshotArchive("plans", str(tmp_path / "kept"), 2) for _ in range(2))
    for version in ("w1", "w2", "w3", "w4"):
        write_snapshot(snapshot.with_name(version), FILES, ContentStore(tmp_path / "contents"), {})
        first.keep(version, snapshot.with_name(version))
        elsewhere = tmp_path / "second" / version
        write_snapshot(elsewhere, FILES, ContentStore(tmp_path / "contents"), {})
        second.keep(version, elsewhere)
    assert {path.name for path in (tmp_path / "second").iterdir()} == {"w3", "w4"}


def test_archive_that_was_emptied_is_filled_again_but_looked_at_only_now_and_then(
    snapshot, tmp_path, unfinished, monkeypatch
):
    clock = iter([0.0, 299.0, 301.0, 301.0, 302.0, 602.0, 602.0])
    monkeypatch.setattr(archive_module.time, "monotonic", lambda: next(clock))
    archive = SnapshotArchive("plans", str(tmp_path / "kept"), 10)
    kept = tmp_path / "kept" / "plans" / "v1.zip"
    archive.keep("v1", snapshot)
    for is_back in (False, True):
        kept.unlink()
        archive.look_after("v1", snapshot)
        assert kept.exists() is is_back
        if not is_back:
            kept.touch()
    archive.look_after("v1", snapshot)
    kept.unlink()
    archive.look_after("v1", snapshot)
    assert kept.exists()


@pytest.mark.parametrize("keep", ["5", 2.5, None, -1, True])
def test_keep_must_be_a_whole_number(keep):
    with pytest.raises(SnapshotError) as raised:
        SnapshotArchive("plans", None, keep)
    assert str(raised.value) == f"'keep' of bundle 'plans' is {keep!r}: it must be a whole number, 0 or more"


def test_nothing_but_what_is_needed_is_kept_where_none_is_to_be(snapshot, tmp_path, unfinished):
    archive = SnapshotArchive("plans", str(tmp_path / "kept"), 0)
    assert kept_of(tmp_path, snapshot, archive, "w1", "w2", "w3") == {"w2", "w3"}


@pytest.mark.parametrize("url", ["kept", "./kept", "", 5])
def test_snapshots_that_are_not_the_same_place_for_all_are_refused(url):
    with pytest.raises(SnapshotError, match=r"'snapshots' of bundle 'plans' is .*: it must be an absolute"):
        SnapshotArchive("plans", url, 10)


def test_snapshots_may_be_in_the_home_folder(monkeypatch, tmp_path):
    monkeypatch.setenv("HOME", str(tmp_path))
    assert SnapshotArchive("plans", "~/kept", 10).url == f"file://{tmp_path}/kept/plans"


@pytest.mark.parametrize("url", ["nowhere://kept", "s3://no-library-for-this/kept"])
def test_snapshots_that_cannot_be_used_are_told_by_the_name_of_the_option(snapshot, tmp_path, url):
    archive = SnapshotArchive("plans", url, 10)
    for use in (
        lambda: archive.keep("v1", snapshot),
        lambda: archive.look_after("v1", snapshot),
        lambda: archive.fetch("v1", tmp_path / "v"),
    ):
        with pytest.raises(SnapshotError, match=f"cannot use 'snapshots' of bundle 'plans', {url}: "):
            use()


# Other processes

PREPARE = """
import itertools, json, os, random, signal, sys, time
from pathlib import Path
from airflow_provider_vibe.dag import archive, bundle, endings

archive.versions_in_use = lambda name: set()
endings.unfinished_runs = lambda name: []
folder = Path(sys.argv[1])
answers = os.fdopen(os.dup(1), "w")
os.dup2(2, 1)  # Airflow logs to where answers are awaited


def say(*words):
    print(*words, file=answers, flush=True)


def plans(**options):
    return bundle.VibePlanBundle(
        name="plans", path=str(folder), snapshots=sys.argv[2], refresh_interval=0, **options
    )
"""

WRITE_AT_ONCE = f"""{PREPARE}
made = plans()
say("ready")
sys.stdin.readline()
made.initialize()
say(made.get_current_version().version)
"""

MOTHER = f"""{PREPARE}
from airflow.dag_processing.dagbag import DagBag


def refresh_for_ever(seed, begun):
    made = plans(keep=3)
    made.initialize()
    os.write(begun, b"x")
    for turn in itertools.count(seed):
        for index in range(turn % 4, 15, 4):
            path = folder / f"p{{index}}.vibe.json"
            draft = path.with_suffix(".new")
            draft.write_text(path.read_text().rstrip() + " " * (1 + turn % 11))
            draft.replace(path)
        made.refresh()


def serve():
    made = plans()
    made.initialize()
    bag = DagBag(made.path, bundle_path=made.path, bundle_name="plans")
    say(json.dumps([sorted(bag.dags), list(bag.import_errors.values())]))


for line in sys.stdin:
    job, number = line.split()
    begun, telling = os.pipe()
    child = os.fork()
    if child == 0:
        refresh_for_ever(int(number), telling) if job == "refresh" else serve()
        os._exit(0)
    if job == "refresh":
        os.read(begun, 1)
        time.sleep(random.Random(int(number)).uniform(0.0, 0.1))  # the random moment, some refreshes later
        os.kill(child, signal.SIGKILL)
    os.close(begun)
    os.close(telling)
    status = os.waitpid(child, 0)[1]
    if job == "refresh":
        say(os.waitstatus_to_exitcode(status))
"""
"""Begins processes by fork, because importing Airflow takes seconds, kills them, and tells what they said."""


def started(code: str, tmp_path: Path) -> subprocess.Popen[str]:
    (tmp_path / "tmp").mkdir(exist_ok=True)
    environment = {
        **os.environ,
        "AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH": str(tmp_path / "bundles"),
        "TMPDIR": str(tmp_path / "tmp"),
    }
    command = [sys.executable, "-c", code, str(tmp_path / "plans"), str(tmp_path / "kept")]
    pipe = subprocess.PIPE
    return subprocess.Popen(command, env=environment, stdin=pipe, stdout=pipe, text=True)


def told(process: subprocess.Popen[str], line: str) -> str:
    """What a process answers to a line."""
    assert process.stdin is not None and process.stdout is not None
    process.stdin.write(line + "\n")
    process.stdin.flush()
    return process.stdout.readline()


def fifteen_plans(tmp_path: Path) -> None:
    for index in range(15):
        write(tmp_path / "plans", f"p{index}.vibe.json", plan(node("a"), id=f"p{index}"))


def assert_whole(snapshot: Path) -> None:
    """The digest of what is there is the name it has."""
    found = files_in(snapshot)
    names = sorted(name.removeprefix(".plans/") for name in found if name.endswith(".vibe.json"))
    loaders = {name for name in found if name.endswith(".py")}
    assert loaders == {name.replace(".json", ".py") for name in names} and len(names) == 15
    assert all(found[name].endswith(b")\n") for name in loaders)
    assert json.loads(found[".index.json"]).keys() == loaders
    files = [plan_file(name, found[f".plans/{name}"], Limits()) for name in names]
    assert set_digest(files, snapshots.FORM) == snapshot.name


def assert_nothing_is_half(tmp_path: Path) -> None:
    for snapshot in (tmp_path / "bundles" / "plans" / "versions").glob("[!.]*"):
        assert_whole(snapshot)
    for path in (tmp_path / "kept" / "plans").glob("*.zip"):
        unpack(path.read_bytes(), tmp_path / "unpacked" / path.stem)
        assert_whole(tmp_path / "unpacked" / path.stem)
    for path in (tmp_path / "bundles" / "plans" / "contents").glob("[!.]*"):
        assert hashlib.sha256(path.read_bytes()).hexdigest() == path.name


def test_several_processes_at_once_write_one_whole_snapshot_and_leave_no_drafts(tmp_path):
    fifteen_plans(tmp_path)
    writers = [started(WRITE_AT_ONCE, tmp_path) for _ in range(3)]
    for writer in writers:
        assert writer.stdout is not None and writer.stdout.readline() == "ready\n"
    versions = {writer.communicate("go\n")[0].strip() for writer in writers}
    assert [writer.returncode for writer in writers] == [0, 0, 0]
    (snapshot,) = (tmp_path / "bundles" / "plans" / "versions").iterdir()
    assert versions == {snapshot.name}
    assert [path.name for path in (tmp_path / "kept" / "plans").iterdir()] == [f"{snapshot.name}.zip"]
    assert not list((tmp_path / "bundles" / "plans" / "contents").glob(".*"))
    assert_nothing_is_half(tmp_path)


def test_twenty_kills_at_random_moments_leave_no_half_snapshot_and_lose_no_plan(tmp_path):
    fifteen_plans(tmp_path)
    everything = [sorted(f"p{index}" for index in range(15)), []]
    half_written: set[Path] = set()
    with started(MOTHER, tmp_path) as mother:
        for seed in range(40):
            assert int(told(mother, f"refresh {seed}")) == -signal.SIGKILL
            assert_nothing_is_half(tmp_path)
            assert json.loads(told(mother, "serve 0")) == everything
            half_written |= {*tmp_path.rglob(".draft-*")}
            if seed >= 19 and half_written:
                break
    assert half_written, "no process was killed while it wrote: change the moments"
