"""The plan of a DAG, as the Airflow it is deployed to shows its source."""

from __future__ import annotations

from pathlib import Path

from airflow_provider_vibe.cli.runs import NotFound, RunReader, no_such_dag
from airflow_provider_vibe.plan.models import WorkflowPlan
from airflow_provider_vibe.plan.problems import quoted
from airflow_provider_vibe.plan.reading import Reading, examine, examine_file
from airflow_provider_vibe.plan.rules import PlanRules
from airflow_provider_vibe.settings import Settings


def plan_of_dag(reader: RunReader, dag_id: str, version: int | None, path: str | None) -> WorkflowPlan:
    """The plan of a DAG.

    :param reader: reads the Airflow it is deployed to.
    :param dag_id: the DAG.
    :param version: of the DAG; the latest for None.
    :param path: the plan file, where a person names it.
    :raises NotFound: there is no such DAG, or its source is no plan.
    :raises PlanError: the file that was named is no plan.
    """
    # its tools may be on the Airflow machine only
    rules = PlanRules(Settings.from_airflow().rules.limits, simulate_missing=True)
    if path is not None:
        return examine_file(Path(path), rules).plan_or_raise()
    text = reader.source(dag_id, version)
    if text is None and reader.run_ids(dag_id) is None:
        raise no_such_dag(reader, dag_id)
    reading = None if text is None else _examine(text, dag_id, rules)
    if reading is None or reading.plan is None:
        raise NotFound(f"the source of DAG {quoted(dag_id)} is no plan (name its plan file with --plan)")
    return reading.plan


def _examine(text: str, dag_id: str, rules: PlanRules) -> Reading:
    notation = "json" if text.lstrip().startswith("{") else "yaml"
    return examine(text.encode("utf-8", "surrogatepass"), f"{dag_id}.vibe.{notation}", rules)
