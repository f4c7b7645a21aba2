"""VibeNodeOperator: Airflow's side of a node."""

from __future__ import annotations

import asyncio
import logging
import signal
import time
from collections.abc import Coroutine, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, ClassVar

from airflow.sdk import BaseOperator
from airflow.sdk.exceptions import AirflowSkipException, AirflowTaskTimeout

from airflow_provider_vibe.operators.findings import findings_before, keep_findings
from airflow_provider_vibe.plan.identity import node_digest
from airflow_provider_vibe.plan.models import NodeType, Vibe, WorkflowNode
from airflow_provider_vibe.plan.problems import quoted
from airflow_provider_vibe.plan.rules import PlanRules
from airflow_provider_vibe.plan.work_checks import SIMULATE_PARAM
from airflow_provider_vibe.runtime.budget import NodeAccount
from airflow_provider_vibe.runtime.context import NodeContext
from airflow_provider_vibe.runtime.kept import keep_large_parts, load_output
from airflow_provider_vibe.runtime.node import do_work, failed_outcome, run_node, skipped_outcome
from airflow_provider_vibe.runtime.outcome import OUTCOME_KEY, NodeOutcome
from airflow_provider_vibe.runtime.reuse import ARTIFACTS_KEY, earlier_runs, with_earlier_runs
from airflow_provider_vibe.settings import Settings
from airflow_provider_vibe.tools.budget import current_budget
from airflow_provider_vibe.tools.threads import run_in_thread
from airflow_provider_vibe.xcom_ledger import SharedBudget, account_of

if TYPE_CHECKING:
    from airflow.sdk import Context

    from airflow_provider_vibe.tools.registry import ToolRegistry

log = logging.getLogger(__name__)

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
    :param budget: what all nodes of a run may use together; None: what it takes.
    """

    template_fields: Sequence[str] = ()
    shallow_copy_attrs: Sequence[str] = ("node", "vibe", "settings", "budget")
    node_type: ClassVar[NodeType | None] = None

    def __init__(
        self,
        *,
        node: WorkflowNode,
        vibe: Vibe | None = None,
        upstream: Mapping[str, str] | None = None,
        timezone: str = "UTC",
        settings: Settings | None = None,
        budget: SharedBudget | None = None,
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
        self.budget = budget

    def execute(self, context: Context) -> Any:
        """Run the node, leave its outcome in XCom, and return its result or raise what it failed of."""
        started_at, clock = datetime.now(UTC), time.monotonic()
        account = account_of(self.task_id, context, self.budget)
        try:
            outcome = _run(self._in_time(_on_account(account, self._attempt(context))))
        except (_OutOfTime, AirflowTaskTimeout):
            signal.setitimer(signal.ITIMER_REAL, 0)  # what is left to do is to tell it
            outcome = failed_outcome(self.node, self._timed_out(), started_at, time.monotonic() - clock)
            outcome.exception = AirflowTaskTimeout(outcome.error)
        except (Exception, SystemExit) as error:
            outcome = failed_outcome(self.node, error, started_at, time.monotonic() - clock)
        if isinstance(outcome.exception, AirflowSkipException):
            outcome = skipped_outcome(outcome)
        outcome.try_number = context["ti"].try_number
        outcome.node_digest = node_digest(self.node, self.vibe)
        if self.node.type is not NodeType.COMPOSITE:
            with _outcome_stands("book what it used"):
                asyncio.run(account.finish(time.monotonic() - clock))
            used = account.used
            outcome.usage = used.as_json() if used.requests or self.budget else None
        with _outcome_stands("keep the findings of its checks"):
            keep_findings(self.node, outcome, context)
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
        from airflow_provider_vibe.operators.earlier import earlier_work  # no parse needs it

        settings = self.settings or Settings.from_airflow()
        rules = settings.rules
        simulate = rules.simulate_missing or context["params"].get(SIMULATE_PARAM) is True
        seen = node_context(context, self.vibe, self.upstream, self.timezone)
        is_work = self.node.type is not NodeType.COMPOSITE
        attempt = run_node(
            self.node,
            replace(seen, findings=findings_before(self.node, context)),
            settings.tools,
            replace(rules, simulate_missing=simulate),
            quality_threshold=settings.quality_threshold,
            work=self.work,
            earlier=earlier_work(self.node, self.vibe, context) if is_work else None,
        )
        return self._fit_to_keep(attempt, seen, settings.xcom_max_bytes)

    async def _fit_to_keep(
        self, attempt: Coroutine[Any, Any, NodeOutcome], seen: NodeContext, limit: int
    ) -> NodeOutcome:
        """What came of an attempt: its result small enough for XCom, and saying where it may lead."""
        outcome = await attempt
        outcome.result = with_earlier_runs(outcome.result, seen.earlier_runs)
        if outcome.reused_from and isinstance(outcome.result, dict) and ARTIFACTS_KEY in outcome.result:
            return outcome  # the run that keeps it has made it fit
        place = {"run": seen.run, "node_id": self.node.id, "try_number": seen.try_number}
        outcome.result = await run_in_thread(keep_large_parts, outcome.result, place, limit)
        return outcome

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


async def _on_account(account: NodeAccount, attempt: Coroutine[Any, Any, NodeOutcome]) -> NodeOutcome:
    """Let an attempt spend on the account of its node."""
    current_budget.set(account)
    await account.open()
    return await attempt


@contextmanager
def _outcome_stands(doing: str) -> Iterator[None]:
    """What fails inside is logged: it must not keep the outcome of the work from being told.

    :param doing: what is done inside, in words.
    """
    try:
        yield
    except Exception:
        log.exception("could not %s; what came of the node stands", doing)


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
    :raises ArtifactError: a result that was kept as an artifact cannot be given back.
    """
    run = run_fields(context, timezone)
    outputs, earlier = {}, set()
    for node_id, task_id in upstream.items():
        result = context["ti"].xcom_pull(task_ids=task_id, map_indexes=-1)
        earlier.update(earlier_runs(result))
        output = load_output(result, run, node_id)
        if output is not None:
            outputs[node_id] = output
    return NodeContext(
        outputs={node_id: output.value for node_id, output in outputs.items()},
        without_output=frozenset(upstream.keys() - outputs.keys()),
        params=dict(context["params"]),
        run=run,
        vibe=vibe,
        try_number=context["ti"].try_number,
        digests={node_id: output.digest for node_id, output in outputs.items() if output.digest},
        earlier_runs=sorted(earlier),
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
