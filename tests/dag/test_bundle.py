"""A folder of plans as a versioned bundle, as Airflow's processes use it, without these processes."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from io import BytesIO
from typing import Any

import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from airflow_provider_vibe.dag import archive as archive_module
from airflow_provider_vibe.dag.snapshots import SnapshotError, loader_of
from airflow_provider_vibe.plan.identity import airflow_id, sha256
from tests.dag.bundles import bag_of, begun, disk, errors_of, loaders_of, put, version_of
from tests.dag.plans import node, plan, write

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


# Loaders


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
