"""Where the file of a plan is, and whether Airflow knows what stands in it."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_vibe.dag.bundle import VibePlanBundle
from airflow_provider_vibe.dag.folder import plan_files
from airflow_provider_vibe.dag.replanning.case import Case
from airflow_provider_vibe.dag.snapshots import loader_of, plans_of
from airflow_provider_vibe.plan.identity import plan_digest
from airflow_provider_vibe.plan.models import WorkflowPlan
from airflow_provider_vibe.plan.problems import quoted
from airflow_provider_vibe.plan.reading import examine, examine_file
from airflow_provider_vibe.replan.applying import PlanChanged, plan_at
from airflow_provider_vibe.settings import Settings

if TYPE_CHECKING:
    from airflow.sdk import Context

PARSE_SECONDS = 10
"""So much longer than the interval at which Airflow parses a file again it may take until it has."""


@dataclass(frozen=True)
class Place:
    """Where the file of a plan is.

    :param path: the file.
    :param root: the folder of its bundle.
    :param why_not: why it is not to be written here; None when it may be.
    """

    path: Path
    root: Path
    why_not: str | None = None


def place_of(case: Case, context: Context) -> Place:
    """Where the plan of a case is kept.

    :param case: the run that suggested another plan.
    :param context: Airflow's task context.
    :raises PlanChanged: the plan is not there any more.
    """
    bundle = _bundle(case, context)
    if isinstance(bundle, VibePlanBundle):
        return Place(_find(bundle.folder, case.plan.id), bundle.folder)
    if not bundle.supports_versioning:
        path = Path(case.plan_file) if case.plan_file else _find(bundle.path, case.plan.id)
        return Place(path, bundle.path)
    bundle.initialize()
    why_not = f"the bundle {quoted(bundle.name)} is not where its files are changed"
    return Place(_find(bundle.path, case.plan.id), bundle.path, why_not)


def why_replaced(plan: WorkflowPlan, case: Case, context: Context) -> str | None:
    """Why *plan* is not what stands in the file of a case any more; None when it is.

    :param plan: what should stand there.
    :param case: the run that suggested another plan.
    :param context: Airflow's task context.
    """
    try:
        now = plan_at(place_of(case, context).path, Settings.from_airflow().rules)
    except PlanChanged as error:
        return str(error)
    if plan_digest(now) == plan_digest(plan):
        return None
    return f"revision {plan.revision} is not what the plan says now: that is revision {now.revision}"


def is_parsed(case: Case, plan: WorkflowPlan, context: Context) -> bool:
    """Whether a run that starts now is a run of *plan*.

    A versioned bundle tells: the version of the DAG holds the plan, or does not. Where there are no versions,
    the file has to be older than the interval at which Airflow parses it again.

    :param case: the run that suggested another plan.
    :param plan: the new revision.
    :param context: Airflow's task context.
    """
    bundle = _bundle(case, context, of_latest_version=True)
    if isinstance(bundle, VibePlanBundle):
        bundle.initialize()
        (name, content), *_ = plans_of(bundle.path, loader_of(plan.id))
        parsed = examine(content, name, Settings.from_airflow().rules).plan
        return parsed is not None and plan_digest(parsed) == plan_digest(plan)
    from airflow.sdk.configuration import conf

    interval = conf.getint("dag_processor", "min_file_process_interval") + PARSE_SECONDS
    return time.time() - place_of(case, context).path.stat().st_mtime > interval


def _bundle(case: Case, context: Context, *, of_latest_version: bool = False) -> Any:
    """The bundle of a case's DAG: as it is now, or as it was when the DAG was parsed last."""
    from airflow.dag_processing.bundles.manager import DagBundlesManager

    dag = context["ti"].get_dag(case.dag_id)
    version = dag.bundle_version if of_latest_version else None
    return DagBundlesManager().get_bundle(str(dag.bundle_name), version)


def _find(folder: Path, plan_id: str) -> Path:
    rules = Settings.from_airflow().rules
    for path in plan_files(folder):
        plan = examine_file(path, rules).plan
        if plan is not None and plan.id == plan_id:
            return path
    raise PlanChanged(f"no file below {folder} holds the plan {quoted(plan_id)} any more")
