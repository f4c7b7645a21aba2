"""Bytes -> WorkflowPlan, with the place of every problem.

The passes, in order: the bytes become a document, the document an outline of its nodes and a plan, and every
check looks at the outline, so that all that is wrong is told at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from airflow_provider_vibe.plan import checks, launch_checks, work_checks
from airflow_provider_vibe.plan.documents import Document, DocumentLimits, parse_document, read_bytes
from airflow_provider_vibe.plan.models import WorkflowPlan
from airflow_provider_vibe.plan.outline import PlanOutline
from airflow_provider_vibe.plan.problems import Place, PlanError, Problem, ProblemCode
from airflow_provider_vibe.plan.rules import PlanRules
from airflow_provider_vibe.plan.shape import read_shape

PLAN_SUFFIXES = (".vibe.json", ".vibe.yaml", ".vibe.yml")

CHECKS = (
    checks.check_ids,
    checks.check_task_ids,
    checks.check_dependencies,
    checks.check_cycles,
    checks.check_durations,
    work_checks.check_references,
    work_checks.check_tools,
    launch_checks.check_schedule,
    launch_checks.check_params,
)

_MOST_PROBLEMS = 500


@dataclass(frozen=True)
class Reading:
    """What came of reading a plan file.

    :param plan: the plan, when it can run.
    :param problems: everything wrong with it, in the order of the file; warnings alone do not keep a plan back.
    """

    plan: WorkflowPlan | None
    problems: tuple[Problem, ...]

    def plan_or_raise(self) -> WorkflowPlan:
        """The plan.

        :raises PlanError: with every problem, when there is none.
        """
        if self.plan is None:
            raise PlanError(self.problems)
        return self.plan


def examine_file(path: Path, rules: PlanRules) -> Reading:
    """Read the plan file at *path*; never raises for what is in it."""
    try:
        raw = read_bytes(path, rules.limits.max_plan_bytes)
    except PlanError as error:
        return Reading(None, error.problems)
    return examine(raw, str(path), rules)


def examine(raw: bytes, name: str, rules: PlanRules) -> Reading:
    """Read a plan.

    :param raw: the bytes of a plan file.
    :param name: its name; the ending tells the notation, JSON unless it is ``.yaml`` or ``.yml``.
    :param rules: what it is held against.
    """
    limits = rules.limits
    document = parse_document(
        raw, name, DocumentLimits(limits.max_plan_bytes, limits.max_string_length, limits.max_nesting)
    )
    if not isinstance(document.data, dict):
        return Reading(None, document.problems or (_not_an_object(document),))
    outline = PlanOutline.of(document.data, limits)
    plan, found = (None, outline.problems) if outline.problems else read_shape(document.data)
    found += list(_run_checks(outline, rules)) if not outline.problems else []
    problems = [*document.problems, *(_placed(problem, document) for problem in found[:_MOST_PROBLEMS])]
    problems.sort(key=lambda problem: (problem.where.line or 0, problem.where.column or 0))
    if len(found) > _MOST_PROBLEMS:
        message = f"and {len(found) - _MOST_PROBLEMS} more problems"
        problems.append(Problem(found[-1].code, message, Place(file=name)))
    has_error = any(not problem.is_warning for problem in problems)
    return Reading(None if has_error else plan, tuple(problems))


def _run_checks(outline: PlanOutline, rules: PlanRules) -> Iterator[Problem]:
    for check in CHECKS:
        yield from check(outline, rules)


def _placed(problem: Problem, document: Document) -> Problem:
    place = document.place(problem.where.pointer, key=problem.code is ProblemCode.UNKNOWN_KEY)
    return problem.at(file=place.file, line=place.line, column=place.column)


def _not_an_object(document: Document) -> Problem:
    hint = "it begins with the keys id, source_vibe, root_nodes"
    return Problem(ProblemCode.WRONG_TYPE, "a plan is an object", document.place(()), hint)
