"""What a replan takes a node to get is what the translator gives it."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_vibe.plan.models import RunSettings, WorkflowNode
from airflow_provider_vibe.replan.effective import retries_of, retry_delay_of, timeout_of
from tests.replan.plans import SETTINGS, news

runs = st.builds(
    RunSettings,
    retries=st.none() | st.integers(0, 9),
    retry_delay=st.none() | st.floats(0, 100),
    timeout=st.none() | st.floats(1, 1000),
)


@pytest.fixture(scope="module")
def translator():
    from airflow_provider_vibe.dag.translator import PlanTranslator

    return PlanTranslator(SETTINGS)


@given(runs, runs, st.none() | st.integers(-5, 10**8))
def test_as_the_translator(translator, run, defaults, estimate):
    node = WorkflowNode(id="n", type="analyze", description="d", run=run, estimated_duration=estimate)
    plan = news().model_copy(update={"defaults": defaults})
    assert retries_of(plan, node, SETTINGS) == translator.retries(plan, node)
    assert retry_delay_of(plan, node, SETTINGS) == in_seconds(translator.retry_delay(plan, node))
    assert timeout_of(plan, node, SETTINGS) == in_seconds(translator.timeout(plan, node))


def in_seconds(time):
    """A time as it was before it was rounded to microseconds."""
    return None if time is None else pytest.approx(time.total_seconds(), abs=1e-6)
