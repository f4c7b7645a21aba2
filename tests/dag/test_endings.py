"""The end of a plan whose runs go on: what a bundle keeps beside the plans of its folder."""

from __future__ import annotations

import os
import shutil
from typing import Any

import pytest

from airflow_provider_vibe.dag import loader as loader_module
from airflow_provider_vibe.dag.translator import PlanTranslator
from airflow_provider_vibe.plan.reading import Reading
from airflow_provider_vibe.plan.rules import PlanRules
from tests.dag.bundles import bag_of, begun, errors_of, loaders_of, put, version_of
from tests.dag.plans import node, plan, write


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

    read_well = loader_module.examine
    monkeypatch.setattr(loader_module, "examine", examine)
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
