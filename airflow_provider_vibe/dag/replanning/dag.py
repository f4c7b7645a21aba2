"""The DAG itself."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from airflow.sdk import DAG, task_group

from airflow_provider_vibe.dag.replanning.act import VibeApplyOperator, VibeRerunOperator
from airflow_provider_vibe.dag.replanning.approve import VibeApproveOperator
from airflow_provider_vibe.dag.replanning.case import GROUP
from airflow_provider_vibe.dag.replanning.gather import VibeGatherOperator
from airflow_provider_vibe.dag.replanning.propose import VibeProposeOperator
from airflow_provider_vibe.operators.replan import REPLAN_ASSET
from airflow_provider_vibe.plan.identity import REPLAN_TASK_ID

RERUN_POKE_SECONDS = 10
RETRIES = {"retries": 3, "retry_delay": timedelta(seconds=10)}

DOC = """\
What a run suggests becomes the next revision of its plan, if its `replan.mode` says so.

**gather** the runs that suggested another plan → for each: **propose** a revision → have a person **approve**
it → **apply** it to the plan file → **rerun** the plan, reusing what has not changed.
"""


def replan_dag(
    dag_id: str = REPLAN_TASK_ID, *, approval_timeout: timedelta | None = None, **kwargs: Any
) -> DAG:
    """The DAG that replans.

    :param dag_id: its id.
    :param approval_timeout: how long a person may take to answer; then the proposal has failed. Left out:
        for ever.
    :param kwargs: further arguments of the DAG; ``default_args`` go before those of this one.
    """
    settings = {
        "description": "Makes the next revision of a plan from what a run of it suggests",
        "doc_md": DOC,
        "tags": ["vibe"],
        "max_active_runs": 1000,  # each that waits for a person is active
        **kwargs,
        "default_args": RETRIES | (kwargs.get("default_args") or {}),
    }
    with DAG(dag_id, schedule=[REPLAN_ASSET], catchup=False, **settings) as dag:

        @task_group(group_id=GROUP)
        def one_case(case: Any) -> None:
            (
                VibeProposeOperator(task_id="propose", case=case, max_active_tis_per_dag=1)  # cooldowns hold
                >> VibeApproveOperator(task_id="approve", case=case, response_timeout=approval_timeout)
                >> VibeApplyOperator(task_id="apply", case=case)
                >> VibeRerunOperator(task_id="rerun", case=case, poke_interval=RERUN_POKE_SECONDS)
            )

        one_case.expand(case=VibeGatherOperator(task_id="gather").output)
    return dag
