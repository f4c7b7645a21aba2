"""A plan becomes a DAG, pass by pass."""

from __future__ import annotations

from functools import cached_property

from airflow.providers.standard.operators.empty import EmptyOperator
from airflow.sdk import DAG, BaseOperator, TaskGroup

from airflow_provider_vibe.dag.translator import (
    LONGEST_RETRY_DELAY,
    PlanTranslator,
    configured_translator,
)
from airflow_provider_vibe.dag.wiring import Wiring, has_gate, is_group, wire
from airflow_provider_vibe.operators.replan import VibeReplanOperator
from airflow_provider_vibe.plan.graph import PlanGraph
from airflow_provider_vibe.plan.identity import BUDGET_TASK_ID, FEEDBACK_TASK_ID, REPLAN_TASK_ID, open_id
from airflow_provider_vibe.plan.models import NodeType, ReplanMode, WorkflowNode, WorkflowPlan
from airflow_provider_vibe.runtime.context import read_by
from airflow_provider_vibe.sensors.feedback import VibeFeedbackSensor
from airflow_provider_vibe.xcom_ledger import SharedBudget

FEEDBACK_POKE_SECONDS = 5


class DagBuilder:
    """Builds the DAG of one plan.

    :param plan: a plan that was read without problems.
    :param translator: tells what each part is.
    """

    def __init__(self, plan: WorkflowPlan, translator: PlanTranslator) -> None:
        self.plan = plan
        self.translator = translator
        self.graph = PlanGraph(plan.root_nodes)
        self._groups: dict[str, TaskGroup] = {}
        self._tasks: dict[str, BaseOperator] = {}

    def build(self) -> DAG:
        """The DAG."""
        wiring = wire(self.graph, lambda node: self._task_ids[node.id])
        self._make_groups()
        self._make_tasks()
        self._make_joins(wiring)
        self._make_ledger(wiring)
        self._connect(wiring)
        self._gather(wiring)
        return self.dag

    @cached_property
    def dag(self) -> DAG:
        """The DAG, without tasks at first."""
        plan, derive = self.plan, self.translator
        return DAG(
            derive.dag_id(plan),
            dag_display_name=derive.dag_display_name(plan),
            description=derive.description(plan),
            doc_md=derive.doc(plan),
            schedule=derive.schedule(plan),
            start_date=derive.start_date(plan),
            catchup=derive.catchup(plan),
            params=derive.params(plan),
            tags=derive.tags(plan),
            max_active_runs=derive.max_active_runs(plan),
        )

    @cached_property
    def _task_ids(self) -> dict[str, str]:
        return {id_: self.translator.task_id(self.plan, node) for id_, node in self.graph.nodes.items()}

    @cached_property
    def _budget(self) -> SharedBudget | None:
        if self.plan.budget is None:
            return None
        workers = [id_ for id_, node in self.graph.nodes.items() if node.type is not NodeType.COMPOSITE]
        task_ids = tuple(self._task_ids[id_] for id_ in workers)
        return SharedBudget(self.plan.budget, task_ids, self.translator.settings.budget_reserve_tokens)

    def _make_groups(self) -> None:
        for node in filter(is_group, self.graph.nodes.values()):
            self._groups[node.id] = TaskGroup(
                self.translator.group_id(self.plan, node),
                group_display_name=self.translator.display_name(self.plan, node),
                tooltip=node.description,
                prefix_group_id=False,
                parent_group=self._group_around(self.graph.parents[node.id]),
                dag=self.dag,
            )

    def _group_around(self, node_id: str | None) -> TaskGroup:
        return self.dag.task_group if node_id is None else self._groups[node_id]

    def _make_tasks(self) -> None:
        for node in self.graph.nodes.values():
            group = self._groups.get(node.id) or self._group_around(self.graph.parents[node.id])
            if has_gate(node):
                name = f"open {self.translator.display_name(self.plan, node)}"
                self._make_helper(open_id(node.id), name, group)
            self._add(self._node_task(node, group))

    def _node_task(self, node: WorkflowNode, group: TaskGroup) -> BaseOperator:
        plan, derive = self.plan, self.translator
        return derive.operator_class(plan, node)(
            task_id=self._task_ids[node.id],
            task_display_name=derive.display_name(plan, node),
            doc_md=derive.node_doc(plan, node),
            node=node,
            vibe=plan.source_vibe,
            upstream=self._upstream_of(node),
            timezone=derive.timezone(plan),
            settings=derive.settings,
            budget=self._budget,
            retries=derive.retries(plan, node),
            retry_delay=derive.retry_delay(plan, node),
            retry_exponential_backoff=2.0,
            max_retry_delay=LONGEST_RETRY_DELAY,
            retry_policy=derive.retry_policy(plan, node),
            pool=derive.pool(plan, node),
            execution_timeout=derive.timeout(plan, node),
            trigger_rule=derive.trigger_rule(plan, node),
            task_group=group,
            dag=self.dag,
            **derive.operator_kwargs(plan, node),
        )

    def _upstream_of(self, node: WorkflowNode) -> dict[str, str]:
        """The tasks of the nodes whose outputs *node* may look at; a composite around it has none yet."""
        return {
            read: self._task_ids[read]
            for read in read_by(node, self.graph.nodes)
            if not (has_gate(self.graph.nodes[read]) and self.graph.is_inside(node.id, read))
        }

    def _make_joins(self, wiring: Wiring) -> None:
        for task_id, node_id in wiring.joins.items():
            self._make_helper(task_id, "join", self._group_around(node_id))

    def _make_ledger(self, wiring: Wiring) -> None:
        """The task whose XComs are the account of a run with a budget.

        It comes before all others: where Airflow does run it, as `airflow dags test` does, that begins with
        deleting its XComs.
        """
        if self.plan.budget is None:
            return
        self._make_helper(BUDGET_TASK_ID, "budget", self.dag.task_group)
        for task_id, before in wiring.upstream.items():
            wiring.upstream[task_id] = before or (BUDGET_TASK_ID,)

    def _make_helper(self, task_id: str, name: str, group: TaskGroup) -> None:
        """A task that costs nothing: the scheduler itself sets it to success."""
        self._add(EmptyOperator(task_id=task_id, task_display_name=name, task_group=group, dag=self.dag))

    def _add(self, task: BaseOperator) -> None:
        self._tasks[task.task_id] = task

    def _connect(self, wiring: Wiring) -> None:
        """Set the edges, all between tasks of this DAG.

        Not by ``set_upstream``: it hashes the DAG, task ids and all, for every call, which makes the edges of
        2,000 nodes cost more than everything else together.
        """
        for task_id, before in wiring.upstream.items():
            self._tasks[task_id].upstream_task_ids.update(before)
            for earlier in before:
                self._tasks[earlier].downstream_task_ids.add(task_id)

    def _gather(self, wiring: Wiring) -> None:
        """Behind all leaves comes the teardown that gathers the feedback, whatever happened."""
        feedback = VibeFeedbackSensor(
            task_id=FEEDBACK_TASK_ID,
            plan=self.plan,
            task_ids=self._task_ids,
            budget=self._budget,
            mode="reschedule",
            poke_interval=FEEDBACK_POKE_SECONDS,
            retries=0,
            dag=self.dag,
        )
        feedback.set_upstream([self._tasks[leaf] for leaf in wiring.leaves()])
        feedback.as_teardown()
        if self.plan.replan.mode is not ReplanMode.OFF:
            replan = VibeReplanOperator(task_id=REPLAN_TASK_ID, plan=self.plan, retries=2, dag=self.dag)
            replan.set_upstream(feedback)
            replan.as_teardown()


def build_dag(plan: WorkflowPlan, translator: PlanTranslator | None = None) -> DAG:
    """The Airflow DAG of a plan.

    :param plan: a plan, as :func:`airflow_provider_vibe.read_plan` gives it.
    :param translator: tells what each part is; left out, the one of ``[vibe] translator``.
    """
    return DagBuilder(plan, translator or configured_translator()).build()
