"""When and with what a plan runs: its schedule and its parameters."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from airflow_provider_vibe.plan.outline import PlanOutline
from airflow_provider_vibe.plan.problems import Place, Problem, ProblemCode, did_you_mean, quoted
from airflow_provider_vibe.plan.rules import PlanRules

KINDS = ("cron", "every", "at", "assets")
CRON_PRESETS = ("@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly")


def check_schedule(outline: PlanOutline, rules: PlanRules) -> Iterator[Problem]:
    """A schedule says exactly one thing, and that in words a scheduler understands."""
    schedule = outline.data.get("schedule")
    if not isinstance(schedule, dict):
        return
    said = [kind for kind in KINDS if schedule.get(kind) is not None]
    if len(said) != 1:
        message = f"a schedule says one of {', '.join(KINDS)}; this one says {' and '.join(said) or 'none'}"
        yield Problem(ProblemCode.BAD_SCHEDULE, message, Place(("schedule",)))
    for key, check in _CHECKS.items():
        value = schedule.get(key)
        for written, at in _each(value, ("schedule", key)):
            found = check(written)
            if found:
                message, hint = found
                yield Problem(ProblemCode.BAD_SCHEDULE, message, Place(at), hint)
    if schedule.get("catchup") is True and schedule.get("start_date") is None:
        message = "'catchup' needs a 'start_date' to begin at"
        yield Problem(ProblemCode.BAD_SCHEDULE, message, Place(("schedule",)))


def _each(value: Any, at: tuple[str | int, ...]) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    if isinstance(value, str):
        yield value, at
    elif isinstance(value, list):
        yield from ((item, (*at, index)) for index, item in enumerate(value) if isinstance(item, str))


Found = tuple[str, str | None] | None


def _check_cron(text: str) -> Found:
    from croniter import croniter

    if text in CRON_PRESETS or (len(text) < 200 and len(text.split()) == 5 and croniter.is_valid(text)):
        return None
    hint = did_you_mean(text, CRON_PRESETS) or "five fields: minute hour day month weekday, e.g. '0 7 * * 1'"
    return f"{quoted(text)} is no cron expression", hint


def _check_every(text: str) -> Found:
    try:
        positive = parse_duration(text).total_seconds() > 0
    except ValueError:
        positive = False
    return None if positive else (f"{quoted(text)} is no duration", "ISO 8601, e.g. 'PT6H' or 'P1D'")


def parse_duration(text: str) -> Any:
    """An ISO 8601 duration as a :class:`pendulum.Duration`.

    :raises ValueError: when it is none.
    """
    import pendulum

    parsed = pendulum.parse(text, exact=True) if text.startswith("P") and len(text) < 50 else None
    if not isinstance(parsed, pendulum.Duration):
        raise ValueError(f"{quoted(text)} is no ISO 8601 duration")
    return parsed


def parse_moment(text: str, timezone: str) -> Any:
    """A date, or a date and time, as a :class:`pendulum.DateTime`; without an offset it is meant in *timezone*.

    :raises ValueError: when it is none.
    """
    import pendulum

    parsed = pendulum.parse(text, tz=timezone) if text[:1].isdecimal() and len(text) < 50 else None
    if not isinstance(parsed, pendulum.DateTime):
        raise ValueError(f"{quoted(text)} is no date and time")
    return parsed


def _check_moment(text: str) -> Found:
    try:
        parse_moment(text, "UTC")
    except ValueError:
        return f"{quoted(text)} is no date", "ISO 8601, e.g. '2026-01-05' or '2026-01-05T07:00:00+01:00'"
    return None


def _check_timezone(text: str) -> Found:
    import zoneinfo

    known = zoneinfo.available_timezones()
    if text in known:
        return None
    return f"no time zone is called {quoted(text)}", did_you_mean(text, known) or "e.g. 'Europe/Berlin'"


def _check_asset(text: str) -> Found:
    if (
        text
        and text.isascii()
        and text.isprintable()
        and len(text) <= 1500
        and not text.startswith("airflow:")
    ):
        return None
    return f"{quoted(text)} is no URI of an asset", "e.g. 's3://bucket/briefings'"


_CHECKS = {
    "cron": _check_cron,
    "every": _check_every,
    "at": _check_moment,
    "start_date": _check_moment,
    "timezone": _check_timezone,
    "assets": _check_asset,
}


def check_params(outline: PlanOutline, rules: PlanRules) -> Iterator[Problem]:
    """Each parameter is a JSON Schema of its own that its default satisfies; a scheduled plan has all defaults."""
    params = outline.data.get("params")
    if not isinstance(params, dict):
        return
    is_scheduled = isinstance(outline.data.get("schedule"), dict)
    for name, schema in params.items():
        if not isinstance(schema, dict):
            continue
        place = Place(("params", name))
        message = _schema_issue(schema)
        if message:
            yield Problem(ProblemCode.BAD_PARAM, f"parameter {quoted(name)}: {message}", place)
        elif "default" not in schema and is_scheduled:
            message = f"parameter {quoted(name)} has no default, so the schedule cannot start the plan"
            yield Problem(ProblemCode.BAD_PARAM, message, place, "add a default, or take the schedule out")


def _schema_issue(schema: dict[str, Any]) -> str | None:
    from jsonschema import Draft202012Validator, SchemaError, ValidationError

    if "$ref" in str(schema) or "$dynamicRef" in str(schema):
        return "a parameter's schema stands by itself: it may hold no '$ref'"
    try:
        Draft202012Validator.check_schema(schema)
        if "default" in schema:
            Draft202012Validator(schema).validate(schema["default"])
    except SchemaError as error:
        return f"no JSON Schema: {error.message[:200]}"
    except ValidationError as error:
        return f"its default does not fit its own schema: {error.message[:200]}"
    return None
