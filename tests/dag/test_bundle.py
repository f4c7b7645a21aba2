"""A folder of plans as a versioned bundle, as Airflow's processes use it, without these processes."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from airflow_provider_vibe.dag import archive as archive_module
from airflow_provider_vibe.dag import bundle as bundle_module
from airflow_provider_vibe.dag import endings as endings_module
from airflow_provider_vibe.dag import folder as folder_module
from airflow_provider_vibe.dag.bundle import VibePlanBundle
from airflow_provider_vibe.dag.snapshots import SnapshotError, loader_of
from airflow_provider_vibe.dag.translator import PlanTranslator
from airflow_provider_vibe.dag.unfinished import UnfinishedRun
from airflow_provider_vibe.plan.identity import airflow_id, sha256
from airflow_provider_vibe.plan.reading import Reading
from airflow_provider_vibe.plan.rules import PlanRules
from tests.dag.plans import node, plan, write


@pytest.fixture
def plans(tmp_path):
    """The folder of plans."""
    (tmp_path / "plans").mkdir()
    return tmp_path / "plans"


@pytest.fixture
def machine(tmp_path, monkeypatch):
    """Moves to the machine of a name: each keeps bundles in a folder of its own."""

    def move(name: str) -> None:
        folder = tmp_path / "machines" / name
        folder.mkdir(parents=True, exist_ok=True)
        monkeypatch.setenv("AIRFLOW__DAG_PROCESSOR__DAG_BUNDLE_STORAGE_PATH", str(folder))

    move("processor")
    return move


@pytest.fixture
def unfinished(monkeypatch):
    """Says which runs have not ended: pairs of a plan id and a version, the latest first; or nobody knows.

    Airflow is asked for them only when need be: ``unfinished.asked`` says how often it was.
    """

    def say(*runs: tuple[str, str], known: bool = True) -> None:
        found = [UnfinishedRun(loader_of(plan_id), version) for plan_id, version in runs] if known else None

        def answer(name: str) -> list[UnfinishedRun] | None:
            say.asked += 1  # type: ignore[attr-defined]
            return found

        in_use = None if found is None else {run.version for run in found}
        monkeypatch.setattr(endings_module, "unfinished_runs", answer)
        monkeypatch.setattr(archive_module, "versions_in_use", lambda name: in_use)

    say.asked = 0  # type: ignore[attr-defined]
    say()
    return say


@pytest.fixture
def bundle(tmp_path, plans, machine, unfinished):
    """Makes a bundle of that folder."""

    def make(**options: Any) -> VibePlanBundle:
        given = {"path": str(plans), "snapshots": str(tmp_path / "kept"), "refresh_interval": 0, **options}
        return VibePlanBundle(name="plans", **given)

    return make


@pytest.fixture
def settled(monkeypatch):
    """Files count as long written."""
    monkeypatch.setattr(folder_module, "SETTLED_SECONDS", -1.0)
    monkeypatch.setattr(endings_module, "LATE_SECONDS", -1.0)


def put(plans: Path, *ids: str, **fields: Any) -> None:
    for plan_id in ids:
        write(plans, f"{plan_id}.vibe.json", plan(node("a"), id=plan_id, **fields))


def begun(bundle: VibePlanBundle) -> VibePlanBundle:
    bundle.initialize()
    return bundle


def version_of(bundle: VibePlanBundle) -> str:
    version = bundle.get_current_version()
    assert version is not None
    return version.version


def bag_of(bundle: VibePlanBundle) -> Any:
    from airflow.dag_processing.dagbag import DagBag

    return DagBag(bundle.path, bundle_path=bundle.path, bundle_name="plans")


def errors_of(bundle: VibePlanBundle) -> dict[str, str]:
    """Import errors by the file of the snapshot."""
    errors: dict[str, str] = bag_of(bundle).import_errors
    return errors


def loaders_of(bundle: VibePlanBundle) -> set[str]:
    return {path.relative_to(bundle.path).as_posix() for path in bundle.path.rglob("*.py")}


def disk(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file below with its inode and time, but for the Python that parses leave compiled."""
    files = (path for path in folder.rglob("*") if path.is_file() and path.suffix != ".pyc")
    return {str(path): (path.stat().st_ino, path.stat().st_mtime_ns) for path in files}


# Versions


def test_version_is_of_names_and_contents_not_of_times_or_order(bundle, plans):
    put(plans, "one", "two")
    version = version_of(begun(bundle()))
    for path in plans.iterdir():
        path.rename(path.with_suffix(".away"))
    put(plans, "two", "one")
    os.utime(plans / "one.vibe.json", (1, 1))
    assert version_of(begun(bundle())) == version
    (plans / "one.vibe.json").rename(plans / "three.vibe.json")
    assert version_of(begun(bundle())) != version


def test_refresh_of_an_unchanged_folder_reads_no_content_and_writes_nothing(
    bundle, plans, settled, tmp_path, monkeypatch
):
    put(plans, "one", "two")
    made = begun(bundle())
    before = disk(tmp_path)

    def refuse(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("it opens a file")

    with monkeypatch.context() as patch:
        for module, name in ((os, "open"), (os, "link"), (os, "rename"), (os, "replace"), (os, "mkdir")):
            patch.setattr(module, name, refuse)
        patch.setattr("builtins.open", refuse)
        patch.setattr("io.open", refuse)
        version = version_of(made)
        made.refresh()
        assert version_of(made) == version
    assert disk(tmp_path) == before


def test_changed_plan_is_a_new_version_beside_the_old_one(bundle, plans, settled):
    put(plans, "one", "two")
    made = begun(bundle())
    old = made.path
    put(plans, "two", tags=["new"])
    made.refresh()
    assert made.path != old and old.is_dir()
    assert (made.path / ".plans/one.vibe.json").samefile(old / ".plans/one.vibe.json")
    assert "new" in (made.path / ".plans/two.vibe.json").read_text()
    assert "new" not in (old / ".plans/two.vibe.json").read_text()


def test_change_taken_back_is_the_version_it_was(bundle, plans):
    put(plans, "one")
    made = begun(bundle())
    version = version_of(made)
    put(plans, "one", tags=["new"])
    made.refresh()
    put(plans, "one")
    made.refresh()
    assert version_of(made) == version


def test_pinned_bundle_stays_as_it_is_and_refuses_to_refresh(bundle, plans):
    put(plans, "one")
    version = version_of(begun(bundle()))
    pinned = begun(bundle(version=version))
    put(plans, "one", tags=["new"])
    begun(bundle())
    assert version_of(pinned) == version and "new" not in (pinned.path / ".plans/one.vibe.json").read_text()
    with pytest.raises(SnapshotError, match=f"bundle 'plans' is pinned to version {version}"):
        pinned.refresh()


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_worker_elsewhere_without_the_folder_fetches_the_version(bundle, plans, machine, tmp_path, scheme):
    snapshots = f"{scheme}{tmp_path}/kept"
    put(plans, "one")
    version = version_of(begun(bundle(snapshots=snapshots)))
    shutil.rmtree(plans)
    machine("worker")
    worker = begun(bundle(snapshots=snapshots, version=version))
    assert tmp_path / "machines" / "worker" in worker.path.parents
    assert set(bag_of(worker).dags) == {"one"}


def test_version_that_nobody_has_is_told_with_what_to_do(bundle, tmp_path):
    with pytest.raises(SnapshotError) as raised:
        bundle(version="0123").initialize()
    assert str(raised.value) == (
        f"version 0123 of bundle 'plans' is neither here nor in file://{tmp_path}/kept/plans: give the "
        "bundle 'snapshots' that this machine can read, or run the DAG on its latest version"
    )


def test_folder_that_is_missing_is_told_and_the_version_stays(bundle, plans):
    put(plans, "one")
    made = begun(bundle())
    version, elsewhere = version_of(made), plans.with_name("elsewhere")
    plans.rename(elsewhere)
    with pytest.raises(SnapshotError, match=f"the folder of plans '{plans}' does not exist"):
        made.refresh()
    assert version_of(made) == version and made.path.is_dir()
    elsewhere.rename(plans)
    made.refresh()
    assert version_of(made) == version


def test_folder_that_would_hold_its_own_snapshots_is_refused(bundle, tmp_path):
    with pytest.raises(SnapshotError, match=r"set .dag_processor. dag_bundle_storage_path to another place"):
        bundle(path=str(tmp_path)).initialize()
    assert not (tmp_path / "machines" / "processor" / "plans").exists()


def test_empty_folder_is_a_version_without_plans(bundle):
    made = begun(bundle())
    assert made.path.is_dir() and bag_of(made).dags == {}


def test_snapshots_that_were_cleared_away_are_written_again(bundle, plans, settled, tmp_path):
    put(plans, "one", "two")
    made = begun(bundle())
    shutil.rmtree(tmp_path / "machines")
    made.refresh()
    assert set(bag_of(made).dags) == {"one", "two"}
    shutil.rmtree(made._store.folder)
    put(plans, "one", tags=["new"])
    made.refresh()
    assert set(bag_of(made).dags) == {"one", "two"}


def test_options_that_make_no_sense_are_refused_at_once(bundle):
    for options, said in (
        ({"keep": "5"}, "'keep' of bundle 'plans' is '5'"),
        ({"snapshots": "kept"}, "'kept'"),
    ):
        with pytest.raises(SnapshotError, match=said):
            bundle(**options)


def test_kept_snapshots_that_were_cleared_away_are_kept_again(bundle, plans, settled, tmp_path, monkeypatch):
    put(plans, "one")
    made = begun(bundle())
    kept = tmp_path / "kept" / "plans" / f"{version_of(made)}.zip"
    kept.unlink()
    made.refresh()
    assert not kept.exists()
    monkeypatch.setattr(archive_module, "LOOK_SECONDS", 0.0)
    made.refresh()
    assert kept.exists()


def test_failed_upload_is_tried_again(bundle, plans, tmp_path):
    put(plans, "one")
    (tmp_path / "kept").touch()  # a file where the folder is to be
    made = bundle()
    with pytest.raises(SnapshotError) as raised:
        made.initialize()
    assert f"cannot use 'snapshots' of bundle 'plans', file://{tmp_path}/kept: " in str(raised.value)
    (tmp_path / "kept").unlink()
    made.refresh()
    assert (tmp_path / "kept" / "plans" / f"{version_of(made)}.zip").is_file()


def test_keep_forgets_old_versions_but_not_that_of_an_unfinished_run(bundle, plans, unfinished, tmp_path):
    put(plans, "one")
    made = begun(bundle(keep=2))
    first = version_of(made)
    unfinished(("one", first))
    for number in range(5):
        put(plans, "one", tags=[str(number)])
        made.refresh()
    kept = {path.stem for path in (tmp_path / "kept" / "plans").glob("*.zip")}
    assert first in kept and version_of(made) in kept and len(kept) == 3
    assert kept == {path.name for path in made.versions_dir.iterdir()}


# One plan, one file


def test_each_plan_is_a_file_of_its_own_and_has_its_own_errors(bundle, plans):
    put(plans, "one")
    put(plans / "deep/er", "two")
    write(plans, "bad.vibe.yaml", "id: bad\nsource_vibe: {description: x}\nroot_node: []\n")
    made = begun(bundle())
    bag = bag_of(made)
    assert set(bag.dags) == {"one", "two"}
    errors = errors_of(made)
    assert errors.keys() == {"bad.vibe.py"}
    assert "bad.vibe.yaml:3:1: unknown-key /root_node: a plan has no 'root_node'" in errors["bad.vibe.py"]


def test_second_plan_of_an_id_is_refused_and_names_the_first(bundle, plans):
    write(plans, "a/x.vibe.json", plan(node("first"), id="same"))
    write(plans, "a-b/x.vibe.json", plan(node("dash"), id="same"))
    write(plans, "b.vibe.json", plan(node("second"), id="same"))
    made = begun(bundle())
    assert bag_of(made).dags["same"].has_task("dash")
    errors = errors_of(made)
    assert errors.keys() == {"a/x.vibe.json.py", "b.vibe.json.py"}
    assert (
        "b.vibe.json: duplicate-plan /id: 'same' is already the plan in a-b/x.vibe.json"
        in errors["b.vibe.json.py"]
    )


def test_second_plan_of_an_id_is_refused_too_when_the_first_is_broken(bundle, plans):
    write(plans, "a.vibe.json", '{"id": "same"}')
    write(plans, "b.vibe.json", plan(node("second"), id="same"))
    made = begun(bundle())
    assert bag_of(made).dags == {}
    assert "'same' is already the plan in a.vibe.json" in errors_of(made)["b.vibe.json.py"]


def test_id_is_read_in_the_notation_of_the_file(bundle, plans):
    text = f"# YAML\n{json.dumps(plan(node('a'), id='same'))}"
    write(plans, "a.vibe.yaml", text)
    write(plans, "b.vibe.json", text)
    write(plans, "c.vibe.json", plan(node("c"), id="same"))
    made = begun(bundle())
    assert bag_of(made).dags["same"].has_task("a")
    assert errors_of(made).keys() == {"b.vibe.json.py", "c.vibe.json.py"}


def test_files_that_cannot_be_read_are_errors_of_their_own(bundle, plans, monkeypatch):
    monkeypatch.setenv("AIRFLOW__VIBE__MAX_PLAN_BYTES", "1000")
    put(plans, "good")
    put(plans / "folder.vibe.json", "inner")
    os.mkfifo(plans / "pipe.vibe.json")
    (plans / "circle.vibe.json").symlink_to("circle.vibe.json")
    (plans / "back").symlink_to(plans)
    write(plans, "large.vibe.json", " " * 1001)
    made = begun(bundle())
    errors = errors_of(made)
    assert errors.keys() == {f"{name}.vibe.json.py" for name in ("pipe", "circle", "large")}
    assert "larger than 1,000 bytes" in errors["large.vibe.json.py"]
    assert set(bag_of(made).dags) == {"good", "inner"}


def test_no_name_of_a_file_is_ever_run_or_hurts_another(bundle, plans, tmp_path):
    ran = tmp_path / "ran"
    evil = f"open({str(ran)!r}, 'w')".replace("/", "\\x2f")
    names = [
        "with space.vibe.json",
        "x'); " + evil + "; ('.vibe.json",
        'x"""; ' + evil + ".vibe.json",
        f"new\nline\n{evil}\n.vibe.json",
        "{braces} %s \\N{BELL}.vibe.json",
        "日本.vibe.json",
        "x" * 245 + ".vibe.json",
        "x.py/inner.vibe.json",
        "inner.vibe.json.py/inner.vibe.json",
        "inner.vibe.json",
        os.fsdecode(b"caf\xe9.vibe.json"),
    ]
    for index, name in enumerate(names):
        write(plans, name, plan(node("a"), id=f"p{index}"))
        write(plans / "bad", name, "{")
    made = begun(bundle())
    bag = bag_of(made)
    assert set(bag.dags) == {f"p{index}" for index in range(len(names))}
    assert len(bag.import_errors) == len(names)
    assert not ran.exists()
    for file in made.path.rglob("*"):
        str(file.relative_to(made.path)).encode()  # what a database takes


def test_plan_that_is_a_zip_archive_is_no_dag_file_to_airflow(bundle, plans, tmp_path):
    from airflow.utils.file import find_dag_file_paths

    packed = BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("evil.py", f"# airflow DAG\nopen({str(tmp_path / 'ran')!r}, 'w')")
    (plans / "zip.vibe.json").write_bytes(packed.getvalue())
    (plans / "both.vibe.yaml").write_bytes(b"# plan\n" + packed.getvalue())
    put(plans, "good")
    made = begun(bundle())
    listed = find_dag_file_paths(made.path, safe_mode=True)
    assert all(path.endswith(".py") for path in listed)
    assert set(bag_of(made).dags) == {"good"}
    assert errors_of(made).keys() == {"zip.vibe.json.py", "both.vibe.yaml.py"}
    assert not (tmp_path / "ran").exists()


def test_same_plans_give_the_same_snapshot_byte_for_byte(bundle, plans, machine):
    put(plans, "one")
    put(plans / "sub", "two")
    write(plans, "twin.vibe.json", plan(node("a"), id="one"))
    made = []
    for name in ("processor", "other"):
        machine(name)
        path = begun(bundle()).path
        made.append({file.relative_to(path): file.read_bytes() for file in path.rglob("*") if file.is_file()})
    assert made[0] == made[1]


# In Airflow


def test_code_tab_shows_the_plan_and_another_version_changes_no_serialisation(bundle, plans, airflow_db):
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.serialization.serialized_objects import DagSerialization

    put(plans, "one", "two")
    made = begun(bundle())

    def parsed() -> tuple[str, str]:
        dag = bag_of(made).dags["one"]
        return dag.fileloc, SerializedDagModel.hash(DagSerialization.to_dict(dag))

    file, first = parsed()
    assert file == str(made.path / ".plans/one.vibe.json")
    put(plans, "two", tags=["new"])
    made.refresh()
    other, second = parsed()
    assert other == str(made.path / ".plans/one.vibe.json") != file
    assert first == second
    assert bag_of(made).dags["one"].relative_fileloc == "one.vibe.py"


def test_a_hundred_refreshes_and_parses_of_unchanged_plans_change_nothing(
    bundle, plans, settled, tmp_path, airflow_db
):
    from airflow.models.serialized_dag import SerializedDagModel
    from airflow.serialization.serialized_objects import DagSerialization

    put(plans, "one", "two", schedule={"cron": "0 7 * * 1", "start_date": "2026-01-05"})
    write(plans, "bad.vibe.json", "{")
    made = begun(bundle())
    bag_of(made)
    before, seen = disk(tmp_path), set()
    for _ in range(100):
        made.refresh()
        bag = bag_of(made)
        dags = [DagSerialization.to_dict(bag.dags[dag_id]) for dag_id in sorted(bag.dags)]
        seen.add(
            (
                *map(SerializedDagModel.hash, dags),
                json.dumps(dags, sort_keys=True),
                *bag.import_errors.values(),
            )
        )
    assert len(seen) == 1
    assert disk(tmp_path) == before


# The end of a plan


def test_plan_that_goes_away_stays_without_a_schedule_until_its_run_has_ended(bundle, plans, unfinished):
    put(plans, "stays", "goes", schedule={"cron": "0 7 * * 1", "start_date": "2026-01-05"})
    made = begun(bundle())
    version = version_of(made)
    assert bag_of(made).dags["goes"].schedule is not None
    unfinished(("goes", version))
    (plans / "goes.vibe.json").unlink()
    for _ in range(3):
        made.refresh()
    dags = bag_of(made).dags
    assert set(dags) == {"stays", "goes"}
    assert dags["goes"].schedule is None and dags["stays"].schedule is not None
    unfinished()
    made.refresh()
    assert set(bag_of(made).dags) == {"stays"}


def test_ending_plan_outlives_a_restart_and_a_database_that_does_not_answer(bundle, plans, unfinished):
    put(plans, "stays", "goes")
    version = version_of(begun(bundle()))
    unfinished(("goes", version))
    (plans / "goes.vibe.json").unlink()
    restarted = begun(bundle())
    assert set(bag_of(restarted).dags) == {"stays", "goes"}
    unfinished(known=False)
    restarted.refresh()
    assert set(bag_of(restarted).dags) == {"stays", "goes"}
    unfinished()
    restarted.refresh()
    assert set(bag_of(restarted).dags) == {"stays"}


def test_plan_that_has_moved_is_the_one_that_is_there_and_no_ending_one(bundle, plans, unfinished):
    put(plans, "one")
    made = begun(bundle())
    unfinished(("one", version_of(made)))
    (plans / "one.vibe.json").rename(plans / "moved.vibe.json")
    made.refresh()
    assert loaders_of(made) == {"one.vibe.py"}
    assert not (made.path / ".endings").exists()


def test_plan_that_comes_back_is_itself_again(bundle, plans, unfinished):
    put(plans, "one")
    made = begun(bundle())
    version = version_of(made)
    unfinished(("one", version))
    (plans / "one.vibe.json").unlink()
    made.refresh()
    assert version_of(made) != version
    put(plans, "one")
    made.refresh()
    assert version_of(made) == version


def test_plan_that_moves_or_loses_its_id_to_another_file_stays_where_its_runs_look_for_it(
    bundle, plans, unfinished, machine
):
    put(plans, "one")
    made = begun(bundle())
    version = version_of(made)
    where = bag_of(made).dags["one"].relative_fileloc
    unfinished(("one", version))
    (plans / "one.vibe.json").rename(plans / "z.vibe.json")
    made.refresh()
    assert bag_of(made).dags["one"].relative_fileloc == where
    write(plans, "a.vibe.json", plan(node("other"), id="one"))
    made.refresh()
    dag = bag_of(made).dags["one"]
    assert dag.relative_fileloc == where and dag.has_task("other")
    machine("worker")
    assert bag_of(begun(bundle(version=version))).dags["one"].relative_fileloc == where


@pytest.mark.parametrize("plan_id", ["x.vibe.json", ".hidden", "__init__", "plans", "a b/ç", "x" * 200])
def test_loader_of_any_id_is_found(bundle, plans, plan_id):
    write(plans, "x.vibe.json", plan(node("a"), id=plan_id))
    made = begun(bundle())
    (dag,) = bag_of(made).dags.values()
    assert dag.relative_fileloc == loader_of(plan_id)
    assert loaders_of(made) == {loader_of(plan_id)}


@given(st.text(max_size=6), st.text(max_size=6))
@example("x", "X").via("a file system that ignores case")
@example("X", f"x-{sha256('X')[:8]}").via("an id like a digest of another")
def test_loaders_of_two_dags_never_look_alike(one, other):
    assume(airflow_id(one) != airflow_id(other))
    assert loader_of(one).lower() != loader_of(other).lower()


def test_ids_that_differ_by_case_are_two_plans(bundle, plans):
    for plan_id in ("case", "Case", "CASE"):
        write(plans, f"{plan_id}.vibe.json", plan(node("a"), id=plan_id))
    made = begun(bundle())
    assert set(bag_of(made).dags) == {"case", "Case", "CASE"}
    assert len({name.lower() for name in loaders_of(made)}) == 3


def test_two_ids_that_become_one_dag_id_are_refused(bundle, plans):
    write(plans, "a.vibe.json", plan(node("a"), id="two words"))
    write(plans, "b.vibe.json", plan(node("b"), id=airflow_id("two words")))
    made = begun(bundle())
    (dag,) = bag_of(made).dags.values()
    assert dag.has_task("a")
    (error,) = errors_of(made).values()
    assert f"b.vibe.json: duplicate-plan /id: DAG '{dag.dag_id}' is already the plan in a.vibe.json" in error


def test_file_whose_id_cannot_be_told_has_its_own_error(bundle, plans):
    write(plans, "sub/cut.vibe.json", '{"id": "cut", ')
    write(plans, "none.vibe.yaml", "source_vibe: {description: x}\n")
    errors = errors_of(begun(bundle()))
    assert errors.keys() == {"sub/cut.vibe.json.py", "none.vibe.yaml.py"}
    assert "sub/cut.vibe.json:1:" in errors["sub/cut.vibe.json.py"]


BROKEN = {"id": "one", "root_nodes": []}
SCHEDULE = {"cron": "0 7 * * 1", "start_date": "2026-01-05"}


@pytest.mark.parametrize("change", [BROKEN, plan(node("a", parameters={"tool": "nowhere"}), id="one")])
def test_plan_broken_in_flight_loads_as_its_run_began_and_tells_its_problems_beside(
    bundle, plans, unfinished, change
):
    put(plans, "one", schedule=SCHEDULE, tags=["old"])
    made = begun(bundle())
    unfinished(("one", version_of(made)))
    write(plans, "one.vibe.json", change)
    made.refresh()
    dag = bag_of(made).dags["one"]
    assert "old" in dag.tags and dag.schedule is None and dag.relative_fileloc == "one.vibe.py"
    errors = errors_of(made)
    assert errors.keys() == {"one.vibe.json.py"} and "one.vibe.json:1:" in errors["one.vibe.json.py"]
    unfinished()
    made.refresh()
    assert bag_of(made).dags == {}
    assert errors_of(made).keys() == {"one.vibe.py"} and "one.vibe.json:1:" in errors_of(made)["one.vibe.py"]
    assert loaders_of(made) == {"one.vibe.py"}


def test_plan_changed_in_flight_is_the_new_one_and_has_no_errors(bundle, plans, unfinished):
    put(plans, "one", schedule=SCHEDULE)
    made = begun(bundle())
    unfinished(("one", version_of(made)))
    put(plans, "one", schedule=SCHEDULE, tags=["new"])
    made.refresh()
    bag = bag_of(made)
    assert bag.import_errors == {} and bag.dags["one"].relative_fileloc == "one.vibe.py"
    assert "new" in bag.dags["one"].tags and bag.dags["one"].schedule is not None
    assert bag.dags["one"].vibe_plan_file == str(made.path / ".plans/one.vibe.json")


def test_plan_broken_again_and_again_falls_back_to_what_its_runs_could_begin_with(bundle, plans, unfinished):
    put(plans, "one", tags=["good"])
    made = begun(bundle())
    runs = [("one", version_of(made))]
    for number in range(4):
        unfinished(*runs[-1:])
        write(plans, "one.vibe.json", {**BROKEN, "tags": [str(number)]})
        made.refresh()
        assert "good" in bag_of(made).dags["one"].tags
        runs.append(("one", version_of(made)))  # begun by hand, while the plan is broken
    assert len(list((made.path / ".endings").rglob("*.vibe.json"))) == 1


def test_broken_plan_falls_back_to_the_good_one_of_a_version_that_also_kept_an_older(
    bundle, plans, unfinished
):
    put(plans, "one", tags=["old"])
    made = begun(bundle())
    unfinished(("one", version_of(made)))
    put(plans, "one", tags=["new"])
    made.refresh()
    unfinished(("one", version_of(made)))
    write(plans, "one.vibe.json", BROKEN)
    made.refresh()
    assert "new" in bag_of(made).dags["one"].tags


def test_latest_run_says_what_a_broken_plan_falls_back_to(bundle, plans, unfinished):
    runs = []
    made = None
    for tag in ("first", "second"):
        put(plans, "one", tags=[tag])
        made = begun(bundle())
        runs.insert(0, ("one", version_of(made)))
    unfinished(*runs)
    write(plans, "one.vibe.json", BROKEN)
    made.refresh()
    assert "second" in bag_of(made).dags["one"].tags


def test_plan_of_an_older_run_is_kept_also_when_the_latest_began_with_the_present_one(
    bundle, plans, unfinished
):
    put(plans, "one", tags=["old"])
    made = begun(bundle())
    older = ("one", version_of(made))
    unfinished(older)
    put(plans, "one", tags=["new"])
    made.refresh()
    kept = version_of(made)
    unfinished(("one", kept), older)
    made.refresh()
    assert version_of(made) == kept and (made.path / ".endings").is_dir()


def test_plan_that_comes_back_while_nobody_knows_of_runs_is_itself_again(bundle, plans, unfinished):
    put(plans, "one")
    made = begun(bundle())
    version = version_of(made)
    unfinished(("one", version))
    (plans / "one.vibe.json").unlink()
    made.refresh()
    unfinished(known=False)
    put(plans, "one")
    made.refresh()
    assert version_of(made) == version


def test_ending_plan_outlives_that_this_machine_is_cleared(bundle, plans, unfinished, settled, tmp_path):
    put(plans, "stays", "goes")
    made = begun(bundle())
    unfinished(("goes", version_of(made)))
    (plans / "goes.vibe.json").unlink()
    made.refresh()
    shutil.rmtree(tmp_path / "machines")
    made.refresh()
    assert set(bag_of(made).dags) == {"stays", "goes"}


def test_plan_whose_id_changes_in_flight_ends_under_the_old_one(bundle, plans, unfinished):
    put(plans, "one", schedule=SCHEDULE)
    made = begun(bundle())
    unfinished(("one", version_of(made)))
    for plan_id in ("ONE", "other"):
        write(plans, "one.vibe.json", plan(node("a"), id=plan_id, schedule=SCHEDULE))
        made.refresh()
        dags = bag_of(made).dags
        assert set(dags) == {"one", plan_id} and errors_of(made) == {}
        assert dags["one"].schedule is None and dags[plan_id].schedule is not None
    unfinished()
    made.refresh()
    assert set(bag_of(made).dags) == {"other"}


def test_two_plans_of_one_file_after_the_other_both_end(bundle, plans, unfinished):
    runs = []
    made = bundle()
    for plan_id in ("one", "two", "three"):
        write(plans, "x.vibe.json", plan(node("a"), id=plan_id))
        made.refresh()
        runs.append((plan_id, version_of(made)))
        unfinished(*runs)
    assert set(bag_of(made).dags) == {"one", "two", "three"}


def test_plan_that_can_no_longer_be_read_ends_as_it_was(bundle, plans, unfinished):
    put(plans, "one")
    made = begun(bundle())
    unfinished(("one", version_of(made)))
    (plans / "one.vibe.json").unlink()
    os.mkfifo(plans / "one.vibe.json")
    made.refresh()
    assert set(bag_of(made).dags) == {"one"} and errors_of(made).keys() == {"one.vibe.json.py"}


def test_plan_that_a_translator_refuses_falls_back_too(bundle, plans, unfinished, monkeypatch):
    put(plans, "one", tags=["old"])
    made = begun(bundle())
    unfinished(("one", version_of(made)))
    put(plans, "one", tags=["new"])
    made.refresh()

    def refuse_new(self: PlanTranslator, given: Any) -> list[str]:
        if "new" in given.tags:
            raise LookupError("not this one")
        return list(given.tags)

    monkeypatch.setattr(PlanTranslator, "tags", refuse_new)
    assert "old" in bag_of(made).dags["one"].tags
    assert "LookupError: not this one" in errors_of(made)["one.vibe.json.py"]


def test_plan_that_a_tool_fails_to_check_falls_back_too(bundle, plans, unfinished, monkeypatch):
    put(plans, "one", tags=["old"])
    made = begun(bundle())
    unfinished(("one", version_of(made)))
    put(plans, "one", tags=["new"])
    made.refresh()
    unfinished(("one", version_of(made)))

    def examine(content: bytes, name: str, rules: PlanRules) -> Reading:
        if b"old" not in content:
            raise MemoryError("too much")
        return read_well(content, name, rules)

    read_well = bundle_module.examine
    monkeypatch.setattr(bundle_module, "examine", examine)
    assert "old" in bag_of(made).dags["one"].tags
    assert "it cannot be checked: MemoryError: too much" in errors_of(made)["one.vibe.json.py"]
    put(plans, "one", tags=["newer"])
    made.refresh()
    assert "old" in bag_of(made).dags["one"].tags


def test_lost_version_of_a_run_hurts_nothing_else(bundle, plans, unfinished, caplog):
    put(plans, "one", "two")
    made = begun(bundle())
    unfinished(("one", "0123"), ("gone", version_of(made)))
    put(plans, "one", tags=["new"])
    made.refresh()
    assert set(bag_of(made).dags) == {"one", "two"}
    assert "a run of one.vibe.py may not end" in caplog.text and "a run of gone.vibe.py" in caplog.text


def test_airflow_is_asked_for_runs_only_after_a_change_and_while_plans_end(
    bundle, plans, settled, unfinished
):
    put(plans, "one", "two")
    made = begun(bundle())
    assert unfinished.asked == 1
    made.refresh()
    assert unfinished.asked == 1
    unfinished(("one", version_of(made)))
    (plans / "one.vibe.json").unlink()
    for _ in range(3):
        made.refresh()
    assert unfinished.asked == 4
    unfinished()
    for _ in range(3):
        made.refresh()
    assert unfinished.asked == 5


def test_run_that_airflow_begins_with_the_version_before_is_seen_too(bundle, plans, unfinished):
    put(plans, "one", "two")
    made = begun(bundle())
    before = version_of(made)
    (plans / "one.vibe.json").unlink()
    made.refresh()
    assert set(bag_of(made).dags) == {"two"}
    unfinished(("one", before))
    made.refresh()
    assert set(bag_of(made).dags) == {"one", "two"}
