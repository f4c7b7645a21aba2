"""The progress events of a run: each once, in an order that makes sense, with a percent that is right."""

from __future__ import annotations

from datetime import datetime

import pytest

from airflow_provider_vibe.cli.events import EventTeller
from airflow_provider_vibe.cli.looks import Observer
from airflow_provider_vibe.cli.runs import TaskState
from tests.cli.fakes import FakeReader, done, outcome, unreached, working
from tests.dag.plans import composite, node, plan

LINEAR = plan(node("a"), node("b", "a"), node("c", "b"))


def events_of(reader: FakeReader) -> list:
    """All events until the run has ended."""
    run = reader.run(reader.dag_id, reader.run_id)
    reader.steps.insert(0, (run.state, reader._tasks))
    observer = Observer(reader, run)
    teller, found = EventTeller(observer), []
    while True:
        look = observer.look()
        found += teller.events(look)
        if look.run.is_over:
            return found


def told(events) -> list[str]:
    """Kind and node, or for a group its number."""
    names = [event.node_id or event.message.rpartition(" ")[2] for event in events]
    return [f"{event.event_type} {name}" for event, name in zip(events, names, strict=True)]


WHOLE_STORY = [
    "workflow_started plan",
    "group_started 1/3",
    "node_started a",
    "node_completed a",
    "group_completed 1/3",
    "group_started 2/3",
    "node_started b",
    "node_completed b",
    "group_completed 2/3",
    "group_started 3/3",
    "node_started c",
    "node_completed c",
    "group_completed 3/3",
    "workflow_completed plan",
]


def test_each_change_is_told_once_when_each_look_sees_one():
    reader = FakeReader(
        LINEAR,
        ("queued", {}),
        ("running", {}),
        ("running", {"a": working(1)}),
        ("running", {"a": working(1)}),
        ("running", {"a": done(1, 2)}),
        ("running", {"a": done(1, 2), "b": working(3)}),
        ("running", {"a": done(1, 2), "b": done(3, 4)}),
        ("running", {"a": done(1, 2), "b": done(3, 4), "c": working(5)}),
        ("running", {"a": done(1, 2), "b": done(3, 4), "c": done(5, 6)}),
        ("success", {"a": done(1, 2), "b": done(3, 4), "c": done(5, 6), "vibe_feedback": done(7, 8)}),
    )
    assert told(events_of(reader)) == WHOLE_STORY


def test_story_is_the_same_when_one_look_sees_it_all():
    reader = FakeReader(LINEAR, ("success", {"a": done(1, 2), "b": done(3, 4), "c": done(5, 6)}))
    events = events_of(reader)
    assert told(events) == WHOLE_STORY
    assert [event.progress_percent for event in events] == [
        *(0, 0, 0, 33.33, 33.33),
        *(33.33, 33.33, 66.67, 66.67),
        *(66.67, 66.67, 100, 100, 100),
    ]
    times = [datetime.fromisoformat(event.timestamp) for event in events]
    assert times == sorted(times)


def test_clocks_that_differ_turn_nothing_around():
    late_clock = {"a": done(101, 102), "b": done(3, 4), "c": done(5, 4)}
    assert told(events_of(FakeReader(LINEAR, ("success", late_clock)))) == WHOLE_STORY


def test_node_is_never_told_before_all_it_waits_for():
    diamond = plan(node("a"), node("b", "a"), node("c", "a"), node("d", "b", "c"))
    c_by_another_clock = {"a": done(1, 2), "b": done(3, 4), "c": done(100, 101), "d": done(5, 6)}
    story = told(events_of(FakeReader(diamond, ("success", c_by_another_clock))))
    assert story.index("node_completed c") < story.index("node_started d")


def test_tasks_without_times_stand_where_the_plan_puts_them():
    marked = {task: TaskState(task, "success") for task in ("a", "b", "c")}
    assert told(events_of(FakeReader(LINEAR, ("success", marked)))) == WHOLE_STORY


def test_what_ran_side_by_side_is_told_in_the_order_of_the_clock():
    reader = FakeReader(plan(node("a"), node("b")), ("success", {"a": done(1, 9), "b": done(2, 3)}))
    assert [line for line in told(events_of(reader)) if "node" in line] == [
        "node_started a",
        "node_started b",
        "node_completed b",
        "node_completed a",
    ]


FAILING = plan(node("a"), composite("both", [node("x"), node("y")], "a"), node("z", "both"))


def failing_run() -> FakeReader:
    tasks = {
        "a": done(1, 2),
        "both__open": done(3, 3),
        "x": done(4, 6, "failed", try_number=3),
        "y": done(4, 5),
        "both": unreached(7),
        "z": unreached(8),
        "vibe_feedback": done(9, 10, "failed"),
    }
    left = {
        ("x", "vibe_outcome"): outcome("failed", 0.0, error="the server is gone"),
        ("y", "vibe_outcome"): outcome(),
        ("y", "return_value"): {"result": "y" * 200},
    }
    return FakeReader(FAILING, ("failed", tasks), left=left)


def test_failure_is_told_with_its_composite_and_what_was_skipped_for_it():
    events = events_of(failing_run())
    assert told(events) == [
        *("workflow_started plan", "group_started 1/4", "node_started a"),
        *("node_completed a", "group_completed 1/4"),
        *("group_started 2/4", "node_started both"),
        *("group_started 3/4", "node_started x", "node_started y"),
        *("node_completed y", "node_failed x", "group_completed 3/4"),
        *("node_failed both", "group_completed 2/4"),
        *("group_started 4/4", "node_skipped z", "group_completed 4/4"),
        "workflow_completed plan",
    ]
    by_name = dict(zip(told(events), events, strict=True))
    failed = by_name["node_failed x"]
    assert failed.message == "Failed: Step x - the server is gone"
    assert failed.metadata == {"duration": 1.5, "try_number": 3, "error": "the server is gone"}
    assert by_name["node_failed both"].metadata["error"] == "1 of 2 children failed: x"
    assert by_name["node_skipped z"].message == "Skipped: Step z - 'x' failed"
    assert by_name["node_skipped z"].metadata == {"reason": "'x' failed"}
    completed = by_name["node_completed y"].metadata
    assert completed["result_preview"] == str({"result": "y" * 200})[:100]
    last = by_name["workflow_completed plan"]
    assert (last.progress_percent, last.message) == (100.0, "Workflow failed: plan")
    assert last.metadata == {
        "status": "failed",
        "total_nodes": 5,
        "completed": 2,
        "failed": 1,
        "unclosed": 1,
        "skipped": 1,
    }


def test_events_have_the_fields_of_the_original():
    for event in events_of(failing_run()):
        assert list(event.as_json()) == [
            "event_type",
            "node_id",
            "progress_percent",
            "message",
            "metadata",
            "timestamp",
        ]


def test_group_events_say_who_is_in_the_group():
    (first, *_) = [event for event in events_of(failing_run()) if event.event_type == "group_started"]
    assert first.message == "Starting parallel group 1/4"
    assert (first.node_id, first.metadata) == (None, {"group_size": 1, "group_nodes": ["a"]})


def test_node_tried_again_has_started_once_and_failed_never():
    waiting = done(1, 2, "up_for_retry", try_number=1)
    reader = FakeReader(
        plan(node("a")),
        ("running", {"a": working(1)}),
        ("running", {"a": waiting}),
        ("running", {"a": working(5, try_number=2)}),
        ("success", {"a": done(5, 6, try_number=2)}),
    )
    assert [line for line in told(events_of(reader)) if "node" in line] == [
        "node_started a",
        "node_completed a",
    ]


def test_node_cleared_meanwhile_starts_and_ends_again_and_the_percent_never_falls():
    b_failed = {"a": done(1, 2), "b": done(3, 4, "failed"), "c": unreached(5)}
    reader = FakeReader(
        LINEAR,
        ("running", b_failed),
        ("running", {"a": done(1, 2)}),
        ("running", {"a": done(1, 2), "b": working(11, 2)}),
        ("success", {"a": done(1, 2), "b": done(11, 12, try_number=2), "c": done(13, 14)}),
    )
    events = events_of(reader)
    assert [line for line in told(events) if line.startswith("node")] == [
        *("node_started a", "node_completed a"),
        *("node_started b", "node_failed b", "node_skipped c"),
        *("node_started b", "node_completed b"),
        *("node_started c", "node_completed c"),
    ]
    percents = [event.progress_percent for event in events]
    assert percents == sorted(percents)
    assert percents[-1] == 100


def test_cleared_and_done_again_between_two_looks_is_told_too():
    reader = FakeReader(
        plan(node("a"), node("z")),
        ("running", {"a": done(1, 2, "failed")}),
        ("success", {"a": done(11, 12, try_number=2), "z": done(1, 13)}),
    )
    assert [line for line in told(events_of(reader)) if line.endswith(" a")] == [
        *("node_started a", "node_failed a"),
        *("node_started a", "node_completed a"),
    ]


def test_node_marked_by_hand_is_told_by_its_new_end_alone():
    reader = FakeReader(
        plan(node("a"), node("z")),
        ("running", {"a": done(1, 2, "failed")}),
        ("success", {"a": done(1, 2), "z": done(1, 13)}),
    )
    assert [line for line in told(events_of(reader)) if line.endswith(" a")] == [
        *("node_started a", "node_failed a"),
        "node_completed a",
    ]


def test_node_skipped_by_its_own_tool_has_worked():
    left = {("a", "vibe_outcome"): outcome("skipped", error="nothing to do today")}
    reader = FakeReader(plan(node("a")), ("success", {"a": done(1, 2, "skipped")}), left=left)
    events = events_of(reader)
    assert [line for line in told(events) if "node" in line] == ["node_started a", "node_skipped a"]
    assert events[-1].message == "Workflow failed: plan"
    (skipped,) = [event for event in events if event.event_type == "node_skipped"]
    assert skipped.message == "Skipped: Step a - nothing to do today"


def test_resumed_run_says_how_many_nodes_were_already_complete():
    reader = FakeReader(LINEAR, ("success", {"a": done(-9, -8), "b": done(1, 2), "c": done(3, 4)}))
    assert events_of(reader)[0].message == "Resuming workflow: plan (1 nodes already complete)"


def test_killed_node_left_no_word():
    reader = FakeReader(plan(node("a")), ("failed", {"a": done(1, 4, "failed")}))
    (failed,) = [event for event in events_of(reader) if event.event_type == "node_failed"]
    assert failed.message == "Failed: Step a - it left no word"
    assert failed.metadata["duration"] == 3.0


def test_outcome_of_an_earlier_try_is_not_taken_for_this_one():
    left = {("a", "vibe_outcome"): outcome("failed", error="the first try")}
    reader = FakeReader(plan(node("a")), ("success", {"a": done(1, 4)}), left=left)
    (completed,) = [event for event in events_of(reader) if event.event_type == "node_completed"]
    assert completed.metadata["duration"] == 3.0


@pytest.mark.parametrize("state", ["queued", "scheduled", None])
def test_nothing_is_told_of_a_run_that_waits(state):
    reader = FakeReader(LINEAR, ("queued", {"a": TaskState("a", state)}), ("success", {}))
    assert told(events_of(reader)) == ["workflow_started plan", "workflow_completed plan"]
