"""When a plan runs: its schedule."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from airflow_provider_vibe.plan.models import YEAR, Budget
from airflow_provider_vibe.plan.outline import PlanOutline
from airflow_provider_vibe.plan.problems import Place, Problem, ProblemCode, did_you_mean, quoted
from airflow_provider_vibe.plan.rules import PlanRules

KINDS = ("cron", "every", "at", "assets")
CRON_PRESETS = ("@hourly", "@daily", "@weekly", "@monthly", "@quarterly", "@yearly")

YEARS = range(1970, 2200)
"""The years a moment may lie in: outside of them calculations with time zones and intervals overflow."""

_DURATION = re.compile(r"P[0-9YMWDTHS.,]{2,40}")
# what begins with a day: pendulum takes a time alone for today's
_MOMENT = re.compile(r"[0-9]{4}-?(?:[0-9]{2}|W[0-9]|[0-9]{3})[0-9TZW:+. -]{0,40}")
_RANDOM_CRON = re.compile(r"[hr]", re.IGNORECASE)
"""A field of croniter's that is chosen by chance or a hash; no month or day begins with these letters."""


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
        if value == []:
            message = f"{quoted(key)} is empty, so the plan would never run by itself"
            hint = "leave the schedule out, or name at least one"
            yield Problem(ProblemCode.BAD_SCHEDULE, message, Place(("schedule", key)), hint)
        for written, at in _each(value, ("schedule", key)):
            if found := check(written):
                yield Problem(ProblemCode.BAD_SCHEDULE, found[0], Place(at), found[1])
    if schedule.get("catchup") is True and schedule.get("start_date") is None:
        message = "'catchup' needs a 'start_date' to begin at"
        yield Problem(ProblemCode.BAD_SCHEDULE, message, Place(("schedule",)))


def _each(value: Any, at: tuple[str | int, ...]) -> Iterator[tuple[str, tuple[str | int, ...]]]:
    if isinstance(value, str):
        yield value, at
    elif isinstance(value, list):
        yield from ((item, (*at, index)) for index, item in enumerate(value) if isinstance(item, str))


def check_budget(outline: PlanOutline, rules: PlanRules) -> Iterator[Problem]:
    """A budget limits something."""
    budget = outline.data.get("budget")
    limits = tuple(Budget.model_fields)
    if isinstance(budget, dict) and all(budget.get(limit) is None for limit in limits):
        message = "the budget limits nothing"
        hint = f"state {', '.join(limits[:-1])} or {limits[-1]}, or leave it out"
        yield Problem(ProblemCode.BAD_VALUE, message, Place(("budget",)), hint)


Found = tuple[str, str | None] | None


def _check_cron(text: str) -> Found:
    if text in CRON_PRESETS or _is_cron(text):
        return None
    hint = did_you_mean(text, CRON_PRESETS) or "five fields: minute hour day month weekday, e.g. '0 7 * * 1'"
    return f"{quoted(text)} is no cron expression", hint


def _is_cron(text: str) -> bool:
    """Whether Airflow can find the next moment for *text* (the 30th of February is none)."""
    from croniter import CroniterError, croniter

    fields = text.split()
    if len(text) >= 200 or len(fields) != 5 or any(map(_RANDOM_CRON.match, fields)):
        return False
    try:
        croniter(text, 0.0).get_next(float)
    except (CroniterError, ValueError, OverflowError):
        return False
    return True


def _check_every(text: str) -> Found:
    hint = "ISO 8601, e.g. 'PT6H' or 'P1D'"
    try:
        seconds = parse_duration(text).total_seconds()
    except ValueError:
        return f"{quoted(text)} is no duration", hint
    if 1 <= seconds <= YEAR:
        return None
    return f"{quoted(text)} is shorter than a second or longer than a year", hint


def parse_duration(text: str) -> Any:
    """An ISO 8601 duration as a :class:`pendulum.Duration`.

    :raises ValueError: when it is none.
    """
    import pendulum

    parsed = _parse(text) if _DURATION.fullmatch(text) else None
    if not isinstance(parsed, pendulum.Duration):
        raise ValueError(f"{quoted(text)} is no ISO 8601 duration")
    return parsed


def parse_moment(text: str, timezone: str) -> Any:
    """A date, or a date and time, as a :class:`pendulum.DateTime`.

    :param timezone: in which it is meant when it has no offset.
    :raises ValueError: when it is none.
    """
    import pendulum

    parsed = _parse(text, tz=timezone) if _MOMENT.fullmatch(text) else None
    if not isinstance(parsed, pendulum.DateTime) or parsed.year not in YEARS:
        raise ValueError(f"{quoted(text)} is no date and time between {YEARS[0]} and {YEARS[-1]}")
    return parsed


def _parse(text: str, **options: Any) -> Any:
    import pendulum

    try:
        return pendulum.parse(text, **options)
    except (OverflowError, TypeError) as error:
        raise ValueError(str(error)) from error


def _check_moment(text: str) -> Found:
    try:
        parse_moment(text, "UTC")
    except ValueError:
        hint = "ISO 8601, e.g. '2026-01-05' or '2026-01-05T07:00:00+01:00'"
        return f"{quoted(text)} is no date between {YEARS[0]} and {YEARS[-1]}", hint
    return None


def _check_timezone(text: str) -> Found:
    import pendulum

    known = pendulum.timezones() - {"localtime", "Factory"}  # these mean something else on each machine
    if text in known:
        return None
    return f"no time zone is called {quoted(text)}", did_you_mean(text, known) or "e.g. 'Europe/Berlin'"


def _check_asset(text: str) -> Found:
    may_stand = text.isascii() and text.isprintable() and not text.startswith("airflow:")
    if text.strip() and may_stand and len(text) <= 1500:
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
