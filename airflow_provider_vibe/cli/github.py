"""Problems as GitHub shows them beside the lines of a pull request: workflow commands on stdout.

The escapes are those of GitHub's own toolkit (`@actions/core`, `command.ts`).
"""

from __future__ import annotations

from collections.abc import Iterable

from airflow_provider_vibe.plan.problems import Problem, one_line


def github_annotations(problems: Iterable[Problem]) -> str:
    """One workflow command a line.

    :param problems: what is wrong with the plans.
    """
    return "\n".join(map(_annotation, problems))


def _annotation(problem: Problem) -> str:
    where = {"file": problem.where.file, "line": problem.where.line, "col": problem.where.column}
    properties = {**where, "title": str(problem.code)}
    told = ",".join(f"{key}={_property(value)}" for key, value in properties.items() if value is not None)
    hint = f" ({problem.hint})" if problem.hint else ""
    return f"::{'warning' if problem.is_warning else 'error'} {told}::{_data(problem.message + hint)}"


def _data(text: str) -> str:
    return one_line(text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A"))


def _property(value: object) -> str:
    return _data(str(value)).replace(":", "%3A").replace(",", "%2C")
