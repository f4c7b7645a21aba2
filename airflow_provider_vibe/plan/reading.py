"""Bytes -> WorkflowPlan, with the place of every problem.

The passes, in order: the bytes become a document, the document an outline of its nodes and a plan, and every
check looks at the outline, so that all that is wrong is told at once.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import chain
from pathlib import Path
from typing import Any

from airflow_provider_vibe.plan import checks, launch_checks, param_checks, quality_checks, work_checks
from airflow_provider_vibe.plan.documents import Document, DocumentLimits, parse_document, read_bytes
from airflow_provider_vibe.plan.models import WorkflowPlan
from airflow_provider_vibe.plan.outline import PlanOutline
from airflow_provider_vibe.plan.problems import Place, PlanError, Pointer, Problem, ProblemCode
from airflow_provider_vibe.plan.rules import Limits, PlanRules
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
    quality_checks.check_quality,
    launch_checks.check_schedule,
    launch_checks.check_budget,
    param_checks.check_params,
)

_MOST_PROBLEMS = 500
"""So many errors, and so many warnings, of one file are told; then only that there are more."""


@dataclass(frozen=True)
class Reading:
    """What came of reading a plan file.

    :param plan: the plan, when it can run.
    :param problems: everything wrong with it, in the order of the file; warnings do not keep a plan back.
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


def plan_id_of(raw: bytes, name: str, limits: Limits) -> str | None:
    """The id a plan file says it has, whatever else may be wrong with it; None when it says none.

    :param raw: the bytes of a plan file.
    :param name: its name.
    :param limits: how large it may be.
    """
    data = read_data(raw, name, limits)
    plan_id = data.get("id") if isinstance(data, dict) else None
    return plan_id if isinstance(plan_id, str) else None


def place_in(raw: bytes, name: str, limits: Limits, pointer: Pointer) -> Place:
    """Where in a plan file something stands.

    :param raw: the bytes of a plan file.
    :param name: its name.
    :param limits: how large it may be.
    :param pointer: leads to it.
    """
    return parse_document(raw, name, _document_limits(limits)).place(pointer)


def read_data(raw: bytes, name: str, limits: Limits) -> Any:
    """What a plan file says, as plain JSON with the keys that begin with ``x-``; None when it says nothing.

    :param raw: the bytes of a plan file.
    :param name: its name.
    :param limits: how large it may be.
    """
    return parse_document(raw, name, _document_limits(limits)).data


def _document_limits(limits: Limits) -> DocumentLimits:
    return DocumentLimits(limits.max_plan_bytes, limits.max_string_length, limits.max_nesting)


def examine(raw: bytes, name: str, rules: PlanRules) -> Reading:
    """Read a plan.

    :param raw: the bytes of a plan file.
    :param name: its name; the ending tells the notation, JSON unless it is ``.yaml`` or ``.yml``.
    :param rules: what it is held against.
    """
    document = parse_document(raw, name, _document_limits(rules.limits))
    if not isinstance(document.data, dict):
        gave_up = document.data is None and document.problems
        further = () if gave_up else (_not_an_object(document),)
        return Reading(None, (*document.problems, *further))
    outline = PlanOutline.of(document.data, rules.limits)
    plan, misshapen = read_shape(document.data)
    found, more = _first_of(chain(outline.problems, misshapen, _run_checks(outline, rules)))
    problems = [*document.problems, *(_placed(problem, document) for problem in found)]
    problems.sort(key=lambda problem: (problem.where.line or 0, problem.where.column or 0))
    if more:
        problems.append(Problem(more, "and more problems than are told here", Place(file=name)))
    has_error = any(not problem.is_warning for problem in problems)
    return Reading(None if has_error else plan, tuple(problems))


def _run_checks(outline: PlanOutline, rules: PlanRules) -> Iterator[Problem]:
    if outline.problems:
        return  # it holds only some of the nodes
    for check in CHECKS:
        yield from check(outline, rules)


def _first_of(found: Iterable[Problem]) -> tuple[list[Problem], ProblemCode | None]:
    """The problems that are told, and the code of one that is not; stops when there are errors enough."""
    errors: list[Problem] = []
    warnings: list[Problem] = []
    more = None
    for problem in found:
        kind = warnings if problem.is_warning else errors
        if len(kind) < _MOST_PROBLEMS:
            kind.append(problem)
            continue
        more = problem.code
        if not problem.is_warning:
            break
    return [*errors, *warnings], more


def _placed(problem: Problem, document: Document) -> Problem:
    place = document.place(problem.where.pointer, key=problem.code is ProblemCode.UNKNOWN_KEY)
    return problem.at(file=place.file, line=place.line, column=place.column)


def _not_an_object(document: Document) -> Problem:
    hint = "it begins with the keys id, source_vibe, root_nodes"
    return Problem(ProblemCode.WRONG_TYPE, "a plan is an object", document.place(()), hint)
