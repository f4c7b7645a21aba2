"""load_vibe_dags(): the plans of a folder, in a DAG folder, without any other configuration.

The loader file holds two lines and nothing that may fail: a plan with problems is left out and logged, so
that the others load. Its problems are raised by a second file, ``vibe_plan_errors.py``, as an import error of
its own.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator, MutableMapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from airflow.sdk import DAG, get_parsing_context

from airflow_provider_vibe.dag.builder import build_dag
from airflow_provider_vibe.dag.folder import plan_files
from airflow_provider_vibe.dag.owners import Owners
from airflow_provider_vibe.dag.translator import PlanTranslator, configured_translator
from airflow_provider_vibe.plan.identity import airflow_id
from airflow_provider_vibe.plan.models import WorkflowPlan
from airflow_provider_vibe.plan.problems import (
    Place,
    PlanError,
    Problem,
    ProblemCode,
    format_problems,
)
from airflow_provider_vibe.plan.reading import (
    Reading,
    examine,
    examine_file,
    place_in,
    plan_id_of,
    read_bytes,
)
from airflow_provider_vibe.plan.rules import PlanRules
from airflow_provider_vibe.settings import Settings

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Translation:
    """What became of one plan file.

    :param path: the file.
    :param dag: its DAG; None when it has problems.
    :param problems: everything wrong with it.
    """

    path: Path
    dag: DAG | None
    problems: tuple[Problem, ...]


def read_plan(source: str | Path | bytes, *, name: str | None = None) -> WorkflowPlan:
    """The plan in a file, held against the tools and limits of this installation.

    :param source: a path, or the bytes of a plan file.
    :param name: what to call it in messages; its ending tells the notation of bytes, JSON when left out.
    :raises PlanError: with every problem.
    """
    rules = Settings.from_airflow().rules
    if isinstance(source, bytes):
        return examine(source, name or "plan.vibe.json", rules).plan_or_raise()
    return examine_file(Path(source), rules).plan_or_raise()


def load_vibe_dags(namespace: MutableMapping[str, Any], folder: str | Path | None = None) -> None:
    """Put the DAGs of a folder of plans into the namespace of a module in a DAG folder.

    On a worker, which asks for one DAG, only that one is built.

    :param namespace: the module's ``globals()``.
    :param folder: the folder, searched with all below it; relative to the module's own, which is the default.
    :raises FileNotFoundError: there is no such folder.
    """
    translator = configured_translator()
    wanted = get_parsing_context().dag_id
    plans = plan_files(_folder_of(namespace, folder))
    for translation in (
        translate_all(plans, translator) if wanted is None else translate_one(plans, wanted, translator)
    ):
        if translation.dag is not None:
            namespace[f"plan {translation.dag.dag_id}"] = translation.dag
        elif translation.problems:
            log.warning("left out a plan with problems:\n%s", format_problems(translation.problems))


def raise_plan_errors(namespace: MutableMapping[str, Any], folder: str | Path | None = None) -> None:
    """Raise the problems of all plans in a folder, so that Airflow's UI shows them among the import errors.

    :param namespace: the ``globals()`` of a module that does nothing else.
    :param folder: as for :func:`load_vibe_dags`.
    :raises PlanError: when any plan has problems.
    """
    plans = plan_files(_folder_of(namespace, folder))
    broken = [each for each in translate_all(plans, configured_translator()) if each.dag is None]
    if broken:
        raise PlanError([problem for translation in broken for problem in translation.problems])


def _folder_of(namespace: MutableMapping[str, Any], folder: str | Path | None) -> Path:
    path = Path(namespace["__file__"]).parent / (folder or ".")
    if not path.is_dir():
        raise FileNotFoundError(f"there is no folder of plans {str(path)!r}")
    return path


def translate_all(paths: list[Path], translator: PlanTranslator) -> Iterator[Translation]:
    """Each plan as a DAG; of two plans with one id, or one DAG id, the first has it, even if it is broken."""
    plans, dags = Owners(), Owners("DAG")
    for path in paths:
        plan_id, reading = _id_and_reading(path, translator)
        translation = translate(path, reading, translator)
        problem = plans.claim(plan_id, str(path))
        if problem is None and translation.dag is not None:
            problem = dags.claim(translation.dag.dag_id, str(path))
        if problem is not None:
            translation = Translation(path, None, (_placed(problem, path, translator),))
        yield translation


def _id_and_reading(path: Path, translator: PlanTranslator) -> tuple[str | None, Reading]:
    rules = translator.settings.rules
    try:
        raw = read_bytes(path, rules.limits.max_plan_bytes)
    except PlanError as error:
        return None, Reading(None, error.problems)
    reading = read_alone(raw, str(path), rules)
    return reading.plan.id if reading.plan else plan_id_of(raw, str(path), rules.limits), reading


def read_alone(raw: bytes, name: str, rules: PlanRules) -> Reading:
    """Read a plan; that a tool fails when it is held against it is a problem of this plan alone.

    :param raw: the bytes of a plan file.
    :param name: its name.
    :param rules: what it is held against.
    """
    try:
        return examine(raw, name, rules)
    except Exception as error:
        return Reading(None, (_refused(name, "it cannot be checked", error),))


def _placed(problem: Problem, path: Path, translator: PlanTranslator) -> Problem:
    """A problem that was found between plans, with the line where the plan says it."""
    limits = translator.settings.rules.limits
    try:
        place = place_in(read_bytes(path, limits.max_plan_bytes), str(path), limits, problem.where.pointer)
    except PlanError:
        return problem  # it was replaced since it was read
    return problem.at(line=place.line, column=place.column)


def translate_one(paths: list[Path], dag_id: str, translator: PlanTranslator) -> Iterator[Translation]:
    """The DAG of one id; files whose bytes mention it are looked at first, the others only when need be."""
    limit = translator.settings.rules.limits.max_plan_bytes
    mentions = {path: _mentions(path, dag_id, limit) for path in paths}
    for path in sorted(paths, key=lambda path: not mentions[path]):
        plan_id, reading = _id_and_reading(path, translator)
        if reading.plan is not None and _dag_id(reading.plan, translator) == dag_id:
            yield translate(path, reading, translator)
            return
        if plan_id is not None and airflow_id(plan_id) == dag_id:
            return  # it is broken, and its id is nobody else's


def _dag_id(plan: WorkflowPlan, translator: PlanTranslator) -> str | None:
    try:
        return translator.dag_id(plan)
    except Exception:
        log.exception("no DAG can be made of the plan %r", plan.id)
        return None


def _mentions(path: Path, dag_id: str, limit: int) -> bool:
    try:
        return dag_id.encode() in read_bytes(path, limit)
    except PlanError:
        return False


def translate(path: Path, reading: Reading, translator: PlanTranslator) -> Translation:
    """The DAG of a plan; what Airflow or a custom translator refuses is a problem of this plan alone."""
    if reading.plan is None:
        return Translation(path, None, reading.problems)
    try:
        dag = build_dag(reading.plan, translator)
        dag.validate()
        dag.vibe_plan_file = str(path)  # type: ignore[attr-defined] # for the Code tab: policy.py
    except Exception as error:
        problem = _refused(str(path), "no DAG can be made of it", error)
        return Translation(path, None, (*reading.problems, problem))
    return Translation(path, dag, reading.problems)


def _refused(name: str, words: str, error: Exception) -> Problem:
    """What is wrong with a plan over which other code than ours has failed: its traceback is logged."""
    log.error("%s: %s", name, words, exc_info=error)
    message = f"{words}: {type(error).__name__}: {error}"
    return Problem(ProblemCode.REFUSED, message, Place(file=name))
