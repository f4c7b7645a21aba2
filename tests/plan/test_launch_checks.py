from __future__ import annotations

from datetime import timedelta

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from airflow_provider_vibe.plan.launch_checks import parse_duration, parse_moment
from airflow_provider_vibe.plan.problems import ProblemCode
from tests.plan.plans import NOTATIONS, good, place_of, plan, problem, problems, read, written

in_both_notations = pytest.mark.parametrize("notation", NOTATIONS)

GOOD = [
    {"cron": "0 7 * * 1"},
    {"cron": "*/15 8-18 * jan,FEB mon-fri"},
    {"cron": "0 0 29 2 *"},
    {"cron": "0 0 L * *"},
    {"cron": "0 9 * * mon#1"},
    {"every": "PT6H"},
    {"every": "P1D"},
    {"every": "P2W"},
    {"every": "P1M"},
    {"every": "P1Y"},
    {"every": "PT1S"},
    {"every": "P1DT12H30M"},
    {"at": ["2026-01-05"]},
    {"at": ["2026-01-05T07:00:00+01:00", "2026-01-05 07:00", "20260105T070000Z", "2026-W02-1", "2026-005"]},
    {"assets": ["s3://bucket/briefings", "plain name"]},
    *({"cron": f"@{preset}"} for preset in ("hourly", "daily", "weekly", "monthly", "quarterly", "yearly")),
]

NO_CRON = [
    "daily",
    "",
    "* * * *",
    "* * * * * *",
    "@once",
    "@continuous",
    "@dayly",
    "60 * * * *",
    "* * * * 9",
    "0 0 30 2 *",  # a day that never comes
    "0 0 31 4,6 *",
    "H H * * *",  # croniter's own: a time chosen by a hash, or by chance
    "R R * * *",
    "r(0-5) * * * *",
    "* * * * *" + " " * 300,
]

NO_DURATION = [
    "",
    "6h",
    "P",
    "PT",
    "PT0S",
    "P0D",
    "PT0.1S",
    "-P1D",
    "P-1D",
    "P2Y",
    "P367D",
    "P9999Y",
    "P99999999999D",
    "P9999999999999999Y",
    "P1D/2026-01-05",
    "2026-01-05",
    "PT6H\n",
    "P" + "1" * 40 + "D",
]

NO_MOMENT = [
    "",
    "now",
    "tomorrow",
    "12:30",  # which pendulum would read as today's
    "T12:30",
    "1230",
    "123456",
    "120000+01:00",
    "2026",
    "2026-13-01",
    "2026-02-30",
    "2026-01-05T25:00",
    "2026-01-05T07:00:00+99:00",
    "2026-01-05/2026-02-01",
    "2026-01-05/P1D",
    "0001-01-01",
    "1969-12-31",
    "2200-01-01",
    "9999-12-31T23:59:59",
    "\u0662\u0660\u0662\u0666-\u0660\u0661-\u0660\u0665",  # digits that are not ASCII
    "P1D",
    "05.01.2026",
    "1" * 60,
]


@in_both_notations
@pytest.mark.parametrize("schedule", GOOD, ids=str)
def test_every_kind_of_schedule_is_taken(schedule, notation):
    more = {**schedule, "timezone": "Europe/Berlin", "start_date": "2026-01-05", "catchup": True}
    read_plan = good(plan(schedule=more), notation=notation)
    assert read_plan.schedule is not None
    assert read_plan.schedule.catchup is True


@in_both_notations
@pytest.mark.parametrize(
    ("schedule", "says"),
    [
        ({}, "this one says none"),
        ({"timezone": "UTC"}, "this one says none"),
        ({"cron": None}, "this one says none"),
        ({"cron": "@daily", "every": "P1D"}, "this one says cron and every"),
        ({"at": ["2026-01-05"], "assets": ["x"], "every": "P1D"}, "this one says every and at and assets"),
    ],
)
def test_a_schedule_says_exactly_one_thing(schedule, says, notation):
    found = problem(plan(schedule=schedule), notation=notation)
    assert found.code is ProblemCode.BAD_SCHEDULE
    assert found.where.json_pointer == "/schedule"
    assert says in found.message


@in_both_notations
@pytest.mark.parametrize("schedule", [None, {"cron": "@daily", "every": None, "at": None, "assets": None}])
def test_what_is_null_is_not_said(schedule, notation):
    good(plan(schedule=schedule), notation=notation)


@in_both_notations
@pytest.mark.parametrize(
    ("key", "values"),
    [
        ("cron", NO_CRON),
        ("every", NO_DURATION),
        ("at", NO_MOMENT),
        ("start_date", NO_MOMENT),
        (
            "timezone",
            ["Europe/Berlim", "Mars", "", "..", "../../etc/passwd", "localtime", "utc", "+01:00", "\u00e9"],
        ),
        ("assets", ["", "  ", "airflow://x", "caf\u00e9", "a\nb", "x" * 1501]),
    ],
)
def test_what_a_scheduler_does_not_understand_is_refused_where_it_stands(key, values, notation):
    for value in values:
        schedule = {} if key in ("cron", "every", "at", "assets") else {"cron": "@daily"}
        schedule[key] = [value] if key in ("at", "assets") else value
        found = problem(plan(schedule=schedule), notation=notation)
        assert found.code is ProblemCode.BAD_SCHEDULE, value
        pointer = f"/schedule/{key}" + ("/0" if key in ("at", "assets") else "")
        assert found.where.json_pointer == pointer, value
        assert found.hint, value


@in_both_notations
def test_each_bad_part_of_a_schedule_is_told_at_its_place_with_a_hint(notation):
    data = plan(
        schedule={
            "at": ["2026-01-05", "someday"],
            "timezone": "Europe/Berlim",
            "start_date": "yesterday",
        }
    )
    found = problems(data, notation=notation)
    text = written(data, notation)
    assert [(each.where.line, each.where.column) for each in found] == [
        place_of(text, "someday"),
        place_of(text, "Europe/Berlim"),
        place_of(text, "yesterday"),
    ]
    assert found[1].hint == "did you mean 'Europe/Berlin'?"


@in_both_notations
def test_a_misspelt_preset_is_corrected(notation):
    assert problem(plan(schedule={"cron": "@dayly"}), notation=notation).hint == "did you mean '@daily'?"


@in_both_notations
@pytest.mark.parametrize("key", ["at", "assets"])
def test_an_empty_list_would_never_run_the_plan(key, notation):
    found = problem(plan(schedule={key: []}), notation=notation)
    assert (found.code, found.where.json_pointer) == (ProblemCode.BAD_SCHEDULE, f"/schedule/{key}")


@in_both_notations
def test_catching_up_needs_a_day_to_begin_at(notation):
    found = problem(plan(schedule={"cron": "@daily", "catchup": True}), notation=notation)
    assert (found.code, found.message) == (
        ProblemCode.BAD_SCHEDULE,
        "'catchup' needs a 'start_date' to begin at",
    )
    good(plan(schedule={"cron": "@daily", "catchup": False}), notation=notation)


def test_a_moment_without_an_offset_is_meant_in_the_time_zone():
    assert parse_moment("2026-07-05", "Europe/Berlin").isoformat() == "2026-07-05T00:00:00+02:00"
    assert parse_moment("2026-07-05 07:30", "Europe/Berlin").isoformat() == "2026-07-05T07:30:00+02:00"
    assert parse_moment("2026-07-05T07:30Z", "Europe/Berlin").isoformat() == "2026-07-05T07:30:00+00:00"


def test_a_duration_is_as_long_as_it_says():
    assert parse_duration("P1DT6H").total_seconds() == timedelta(days=1, hours=6).total_seconds()
    assert parse_duration("P2W").total_seconds() == timedelta(weeks=2).total_seconds()
    assert (parse_duration("P3M").months, parse_duration("P1Y").years) == (3, 1)


near_misses = st.text("0123456789PTYMWDHS-:/+.,Z *LHR#@", max_size=20) | st.text(max_size=20)


@settings(deadline=None)
@given(near_misses, st.sampled_from(["cron", "every", "at", "assets", "start_date", "timezone"]))
@example("P1D/2026-01-05", "every")
@example("P99999999999D", "every")
@example("9999-12-31T23:59:59-14:00", "at")
def test_any_schedule_is_read_or_refused(text, key):
    schedule = {key: [text] if key in ("at", "assets") else text}
    reading = read(plan(schedule=schedule))
    assert (reading.plan is None) == bool(reading.problems)


@settings(deadline=None)
@given(near_misses)
def test_what_is_taken_for_a_moment_or_a_duration_can_be_used(text):
    for parse in (parse_duration, lambda moment: parse_moment(moment, "America/St_Johns").in_timezone("UTC")):
        try:
            parse(text)
        except ValueError:
            continue
