"""VibeNodeOperator: Airflow's side of a node."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Coroutine, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException, AirflowTaskTimeout

from airflow_provider_vibe.plan.models import NodeType, Vibe, WorkflowNode
from airflow_provider_vibe.plan.problems import quoted
from airflow_provider_vibe.plan.rules import PlanRules
from airflow_provider_vibe.plan.work_checks import SIMULATE_PARAM
from airflow_provider_vibe.runtime.context import NodeContext, output_of
from airflow_provider_vibe.runtime.node import do_work, failed_outcome, run_node, skipped_outcome
from airflow_provider_vibe.runtime.outcome import OUTCOME_KEY, NodeOutcome
from airflow_provider_vibe.settings import Settings

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_vibe.tools.registry import ToolRegistry


SIGNAL_GRACE = 5.0
"""Seconds that a tool has to end after it was cancelled; one that blocks is interrupted then."""


class _OutOfTime(Exception):
    """The attempt was cancelled for having taken too long."""


class VibeNodeOperator(BaseOperator):
    """Runs one node of a plan.

    No field is a template: a plan is data, and its texts reach Jinja nowhere.

    :param node: the node.
    :param vibe: the intent behind its plan.
    :param upstream: the task ids of the nodes whose outputs it may look at, by node id.
    :param timezone: of the plan; tells which day a run is for.
    :param settings: how plans are run; left out, the configuration is read when the node runs.
    """

    template_fields: Sequence[str] = ()
    shallow_copy_attrs: Sequence[str] = ("node", "vibe", "settings")
    node_type: ClassVar[NodeType | None] = None

    def __init__(
        self,
        *,
        node: WorkflowNode,
        vibe: Vibe | None = None,
        upstream: Mapping[str, str] | None = None,
        timezone: str = "UTC",
        settings: Settings | None = None,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        if self.node_type is not None and node.type is not self.node_type:
            raise ValueError(
                f"{type(self).__name__} runs nodes of type {self.node_type};"
                f" {quoted(node.id)} is of type {node.type}"
            )
        self.node = node
        self.vibe = vibe or Vibe(description="")
        self.upstream = dict(upstream or {})
        self.timezone = timezone
        self.settings = settings

    def execute(self, context: Context) -> Any:
        """Run the node, leave its outcome in XCom, and return its result or raise what it failed of."""
        started_at, clock = datetime.now(UTC), time.monotonic()
        try:
            outcome = _run(self._in_time(self._attempt(context)))
        except (_OutOfTime, AirflowTaskTimeout):
            signal.setitimer(signal.ITIMER_REAL, 0)  # what is left to do is to tell it
            outcome = failed_outcome(self.node, self._timed_out(), started_at, time.monotonic() - clock)
            outcome.exception = AirflowTaskTimeout(outcome.error)
        except (Exception, SystemExit) as error:
            outcome = failed_outcome(self.node, error, started_at, time.monotonic() - clock)
        if isinstance(outcome.exception, AirflowSkipException):
            outcome = skipped_outcome(outcome)
        outcome.try_number = context["ti"].try_number
        context["ti"].xcom_push(key=OUTCOME_KEY, value=outcome.as_json())
        if outcome.exception is not None:
            raise outcome.exception
        return outcome.result

    async def work(
        self, node: WorkflowNode, context: NodeContext, tools: ToolRegistry, rules: PlanRules
    ) -> Any:
        """Do the node's work; a subclass may do it in its own way.

        :param node: the node.
        :param context: what it may see.
        :param tools: who can do it.
        :param rules: default tools and whether a node without one is simulated.
        """
        return await do_work(node, context, tools, rules)

    def _attempt(self, context: Context) -> Coroutine[Any, Any, NodeOutcome]:
        settings = self.settings or Settings.from_airflow()
        rules = settings.rules
        simulate = rules.simulate_missing or context["params"].get(SIMULATE_PARAM) is True
        return run_node(
            self.node,
            node_context(context, self.vibe, self.upstream, self.timezone),
            settings.tools,
            PlanRules(rules.limits, rules.tools, rules.default_tools, simulate),
            quality_threshold=settings.quality_threshold,
            work=self.work,
        )

    async def _in_time(self, attempt: Coroutine[Any, Any, NodeOutcome]) -> NodeOutcome:
        """Cancel an attempt that takes too long.

        Airflow would end it by raising from a signal handler. That is right for code that blocks; but in the
        middle of an event loop's own bookkeeping it may leave the loop waiting forever. So the signal comes
        a little later.
        """
        limit = self._limit
        if limit and signal.getitimer(signal.ITIMER_REAL)[0]:
            signal.setitimer(signal.ITIMER_REAL, limit + SIGNAL_GRACE)
        try:
            async with asyncio.timeout(limit):
                return await attempt
        except TimeoutError:
            raise _OutOfTime from None

    @property
    def _limit(self) -> float | None:
        return self.execution_timeout.total_seconds() if self.execution_timeout else None

    def _timed_out(self) -> TimeoutError:
        limit = self._limit or 0.0
        return TimeoutError(f"{quoted(self.node.id)} timed out: an attempt may take {limit:g} seconds")


def _run(attempt: Coroutine[Any, Any, NodeOutcome]) -> NodeOutcome:
    """Run an attempt as :func:`asyncio.run` does; one that nothing can end is left behind, not waited for."""
    runner = asyncio.Runner()
    try:
        outcome = runner.run(attempt)
    except AirflowTaskTimeout:
        raise
    except BaseException:
        runner.close()
        raise
    runner.close()
    return outcome


def node_context(
    context: Context, vibe: Vibe, upstream: Mapping[str, str], timezone: str = "UTC"
) -> NodeContext:
    """What a node may see, taken from Airflow's task context and XCom.

    :param context: Airflow's task context.
    :param vibe: the intent behind the plan.
    :param upstream: task ids by node id; each is asked for its result.
    :param timezone: of the plan.
    """
    outputs = {}
    for node_id, task_id in upstream.items():
        result = context["ti"].xcom_pull(task_ids=task_id, map_indexes=-1)
        has_output, output = output_of(result)
        if has_output:
            outputs[node_id] = output
    return NodeContext(
        outputs=outputs,
        without_output=frozenset(upstream.keys() - outputs.keys()),
        params=dict(context["params"]),
        run=run_fields(context, timezone),
        vibe=vibe,
    )


def run_fields(context: Context, timezone: str) -> dict[str, Any]:
    """What a plan may ask of a run; a run without a logical date has its own time instead.

    :param context: Airflow's task context.
    :param timezone: in which the day of the run is told.
    """
    import pendulum

    dag_run = context["dag_run"]
    moment = pendulum.instance(dag_run.logical_date or dag_run.run_after).in_timezone(timezone)
    return {
        "id": dag_run.run_id,
        "dag_id": dag_run.dag_id,
        "date": moment.to_date_string(),
        "logical_date": moment.isoformat(),
    }
