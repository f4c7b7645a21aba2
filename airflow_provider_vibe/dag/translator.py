"""PlanTranslator: what each part of a DAG is, told from a plan.

One method for each derived attribute. To change one, override its method in a subclass and name the subclass
in ``[vibe] translator``::

    class OurTranslator(PlanTranslator):
        def pool(self, plan, node):
            return "models" if node.type == "generate" else super().pool(plan, node)
"""

from __future__ import annotations

import pkgutil
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypeVar

from airflow.sdk import (
    Asset,
    CronTriggerTimetable,
    DeltaTriggerTimetable,
    EventsTimetable,
    Param,
    TriggerRule,
)
from airflow.sdk.configuration import conf
from dateutil.relativedelta import relativedelta

from airflow_provider_vibe.operators.analyze import VibeAnalyzeOperator
from airflow_provider_vibe.operators.composite import VibeCompositeOperator
from airflow_provider_vibe.operators.generate import VibeGenerateOperator
from airflow_provider_vibe.operators.retry import VibeRetryPolicy
from airflow_provider_vibe.operators.transform import VibeTransformOperator
from airflow_provider_vibe.operators.validate import VibeValidateOperator
from airflow_provider_vibe.plan.identity import airflow_id, group_id, plan_digest
from airflow_provider_vibe.plan.launch_checks import parse_duration, parse_moment
from airflow_provider_vibe.plan.models import YEAR, NodeType, Schedule, WorkflowNode, WorkflowPlan
from airflow_provider_vibe.plan.problems import quoted
from airflow_provider_vibe.settings import Settings, SettingsError
from airflow_provider_vibe.tools.builtin import MODEL_TOOLS

if TYPE_CHECKING:
    from airflow.sdk.definitions.retry_policy import RetryPolicy

    from airflow_provider_vibe.operators.base import VibeNodeOperator

T = TypeVar("T")

LEAST_TIMEOUT = 60.0
"""Seconds a node may take at the least when its timeout comes from its estimate."""

LONGEST_RETRY_DELAY = timedelta(hours=1)

OPERATORS: dict[NodeType, type[VibeNodeOperator]] = {
    NodeType.ANALYZE: VibeAnalyzeOperator,
    NodeType.GENERATE: VibeGenerateOperator,
    NodeType.TRANSFORM: VibeTransformOperator,
    NodeType.VALIDATE: VibeValidateOperator,
    NodeType.COMPOSITE: VibeCompositeOperator,
}


class PlanTranslator:
    """Derives the attributes of a DAG and its tasks from a plan.

    A pure function of the plan and the settings: no clock, no database, no network.

    :param settings: the configuration section ``[vibe]``.
    """

    def __init__(self, settings: Settings) -> None:
        self.settings = settings

    # the DAG

    def dag_id(self, plan: WorkflowPlan) -> str:
        """The id of the DAG."""
        return airflow_id(plan.id)

    def dag_display_name(self, plan: WorkflowPlan) -> str:
        """The name the UI shows."""
        return plan.id

    def description(self, plan: WorkflowPlan) -> str:
        """The line the UI shows below the name."""
        return plan.source_vibe.description

    def doc(self, plan: WorkflowPlan) -> str:
        """The documentation of the DAG, Markdown. It must not end in ``.md``: Airflow would read a file.

        By the digest in it each change of a plan is a version of the DAG: Airflow keeps nothing else that the
        inputs of a tool are in, say.
        """
        vibe, revision = plan.source_vibe, f"{plan.revision} (`{plan_digest(plan)[:12]}`)"
        facts = [("Style", vibe.style), ("Domain", vibe.domain), ("Revision", revision)]
        lines = [vibe.description, "", *(f"- **{name}**: {text}" for name, text in facts if text)]
        lines += [f"- {constraint}" for constraint in vibe.constraints]
        return "\n".join(lines) + "\n"

    def tags(self, plan: WorkflowPlan) -> list[str]:
        """The tags of the DAG."""
        return sorted({"vibe", *plan.tags})

    def params(self, plan: WorkflowPlan) -> dict[str, Param]:
        """The form of "Trigger DAG"."""
        return {name: _param(schema) for name, schema in plan.params.items()}

    def schedule(self, plan: WorkflowPlan) -> Any:
        """When the DAG runs by itself; None for never."""
        return _timetable(plan.schedule) if plan.schedule else None

    def start_date(self, plan: WorkflowPlan) -> datetime | None:
        """The first moment it may run for."""
        if plan.schedule is None or plan.schedule.start_date is None:
            return None
        moment: datetime = parse_moment(plan.schedule.start_date, plan.schedule.timezone)
        return moment

    def catchup(self, plan: WorkflowPlan) -> bool:
        """Whether missed runs are made up for."""
        return plan.schedule is not None and plan.schedule.catchup

    def max_active_runs(self, plan: WorkflowPlan) -> int:
        """How many runs may go on at once."""
        return plan.max_active_runs or conf.getint("core", "max_active_runs_per_dag")

    def timezone(self, plan: WorkflowPlan) -> str:
        """The time zone in which the day of a run is told."""
        return plan.schedule.timezone if plan.schedule else "UTC"

    # a node

    def task_id(self, plan: WorkflowPlan, node: WorkflowNode) -> str:
        """The id of a node's task; must depend on the node alone."""
        return airflow_id(node.id)

    def group_id(self, plan: WorkflowPlan, node: WorkflowNode) -> str:
        """The id of the TaskGroup of a node with children."""
        return group_id(node.id)

    def display_name(self, plan: WorkflowPlan, node: WorkflowNode) -> str:
        """The name the UI shows for a node."""
        return node.id

    def node_doc(self, plan: WorkflowPlan, node: WorkflowNode) -> str | None:
        """The documentation of a node's task, Markdown."""
        return node.description

    def operator_class(self, plan: WorkflowPlan, node: WorkflowNode) -> type[VibeNodeOperator]:
        """The operator that runs a node."""
        return OPERATORS[node.type]

    def operator_kwargs(self, plan: WorkflowPlan, node: WorkflowNode) -> dict[str, Any]:
        """Further arguments of the operator, of Airflow's or of a class of your own."""
        return {}

    def retries(self, plan: WorkflowPlan, node: WorkflowNode) -> int:
        """How often a node is tried again."""
        return first_given(node.run.retries, plan.defaults.retries, self.settings.default_retries)

    def retry_delay(self, plan: WorkflowPlan, node: WorkflowNode) -> timedelta:
        """The time before the first retry; it doubles with each further one."""
        given = (node.run.retry_delay, plan.defaults.retry_delay)
        seconds = first_given(*given, self.settings.default_retry_delay)
        return timedelta(seconds=seconds)

    def retry_policy(self, plan: WorkflowPlan, node: WorkflowNode) -> RetryPolicy | None:
        """Which failures are tried again."""
        return VibeRetryPolicy()

    def timeout(self, plan: WorkflowPlan, node: WorkflowNode) -> timedelta | None:
        """The time one attempt may take; without a timeout in the plan it comes from the estimate."""
        seconds = node.run.timeout or plan.defaults.timeout
        if seconds is None and node.estimated_duration is not None and node.estimated_duration >= 0:
            seconds = max(LEAST_TIMEOUT, min(YEAR, node.estimated_duration * self.settings.timeout_factor))
        return None if seconds is None else timedelta(seconds=seconds)

    def pool(self, plan: WorkflowPlan, node: WorkflowNode) -> str | None:
        """The pool a node takes a slot of; None for Airflow's default.

        Nodes that ask models through one connection may share a pool, so that a server's limit slows them
        all instead of each hammering on.
        """
        return node.run.pool or plan.defaults.pool or self._pool_of_connection(node)

    def trigger_rule(self, plan: WorkflowPlan, node: WorkflowNode) -> TriggerRule:
        """When a node may start: when all it depends on succeeded."""
        return TriggerRule.ALL_SUCCESS

    def _pool_of_connection(self, node: WorkflowNode) -> str | None:
        """The pool of the first connection that a node asks a model through: its tool's, or a judge's."""
        asked = [each.judge.connection for each in node.checks if each.judge]
        if self.settings.rules.tool_of(node.type, node.parameters) in MODEL_TOOLS:
            asked.insert(0, (node.parameters.get("tool_inputs") or {}).get("connection"))
        pools = (self.settings.llm_pools.get(conn_id or self.settings.llm_conn_id) for conn_id in asked)
        return next((pool for pool in pools if pool), None)


def configured_translator(settings: Settings | None = None) -> PlanTranslator:
    """The translator named in ``[vibe] translator``.

    :param settings: left out, those of this Airflow installation.
    :raises SettingsError: the name leads to no translator.
    """
    settings = settings or Settings.from_airflow()
    try:
        translator = pkgutil.resolve_name(settings.translator)
    except (ImportError, AttributeError, ValueError) as error:
        raise SettingsError(f"[vibe] translator: {error}") from error
    if not (isinstance(translator, type) and issubclass(translator, PlanTranslator)):
        raise SettingsError(
            f"[vibe] translator: {quoted(settings.translator)} is no subclass of PlanTranslator"
        )
    return translator(settings)


def first_given(*values: T | None) -> T:
    """The first of *values* that is not None; the last one never is."""
    return next(value for value in values if value is not None)


def _param(schema: dict[str, Any]) -> Param:
    rules = {key: value for key, value in schema.items() if key not in ("default", "description")}
    default = {"default": schema["default"]} if "default" in schema else {}
    return Param(**default, description=schema.get("description"), schema=rules)


def _timetable(schedule: Schedule) -> Any:
    if schedule.cron is not None:
        return CronTriggerTimetable(schedule.cron, timezone=schedule.timezone)
    if schedule.every is not None:
        return DeltaTriggerTimetable(_delta(schedule.every))
    if schedule.at is not None:
        return EventsTimetable([parse_moment(moment, schedule.timezone) for moment in schedule.at])
    return [Asset(uri=uri, name=uri) for uri in schedule.assets or ()]


def _delta(duration: str) -> timedelta | relativedelta:
    """A duration of months and years has no fixed number of seconds."""
    parsed = parse_duration(duration)
    if parsed.years or parsed.months:
        return relativedelta(
            years=parsed.years,
            months=parsed.months,
            days=parsed.remaining_days + 7 * parsed.weeks,
            seconds=parsed.hours * 3600 + parsed.minutes * 60 + parsed.remaining_seconds,
        )
    return timedelta(seconds=parsed.total_seconds())
