"""A proposal: the next revision of a plan, with all that is needed to decide on it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

from pydantic import Field

from airflow_provider_vibe.plan.identity import canonical_json, plan_digest, sha256
from airflow_provider_vibe.plan.models import WorkflowPlan
from airflow_provider_vibe.plan.problems import VibeError, quoted
from airflow_provider_vibe.plan.reading import examine
from airflow_provider_vibe.plan.rules import PlanRules
from airflow_provider_vibe.replan.answering import Note, Planner, Suggestion, answer
from airflow_provider_vibe.replan.delta import CapabilityDelta, capability_delta
from airflow_provider_vibe.replan.diff import Frozen, PlanDiff, diff_plans
from airflow_provider_vibe.replan.facts import RunFacts
from airflow_provider_vibe.replan.forecast import ExpectedTime, expected_time, reusable_nodes
from airflow_provider_vibe.replan.writing import plan_data, written


class ProposalError(VibeError):
    """A proposal that cannot be made of this plan."""


class Proposal(Frozen):
    """The next revision of a plan, and what it comes to.

    :param plan_id: the plan it is of.
    :param base_digest: digest of the plan it was made from; it is good for no other.
    :param base_revision: the revision of that plan.
    :param lineage: the id of the run that the first of these replans followed.
    :param attempt: the how manieth of them it is, from 1.
    :param plan_text: the new plan as the text of a ``.vibe.json`` file.
    :param diff: what it says differently; the revision, which always does, is left out.
    :param delta: what it may do more of, and what holds it back less.
    :param expected_before: how long a run took, or was expected to.
    :param expected_after: how long a run of the new plan is expected to take.
    :param reusable: the nodes whose results can be taken over.
    :param notes: what became of each suggested change.
    """

    schema_version: Literal[1] = Field(default=1, alias="schema")
    plan_id: str
    base_digest: str
    base_revision: int
    lineage: str
    attempt: int
    plan_text: str
    diff: PlanDiff
    delta: CapabilityDelta
    expected_before: ExpectedTime
    expected_after: ExpectedTime
    reusable: tuple[str, ...]
    notes: tuple[Note, ...] = ()

    @property
    def digest(self) -> str:
        """SHA-256 of the whole proposal; who approves it approves this."""
        return sha256(canonical_json(self.as_json()))

    @property
    def revision(self) -> int:
        """The revision that it makes."""
        return self.base_revision + 1

    def as_json(self) -> dict[str, Any]:
        """Plain JSON; :meth:`from_json` takes it back."""
        return self.model_dump(mode="json", by_alias=True)

    @classmethod
    def from_json(cls, data: Any) -> Proposal:
        """The proposal that :meth:`as_json` gave."""
        return cls.model_validate(data)

    def plan(self, rules: PlanRules) -> WorkflowPlan:
        """The new plan.

        :raises PlanError: it is not one that runs here.
        """
        return _read(self.plan_text, "proposal.vibe.json", rules)


def propose(
    plan: WorkflowPlan,
    suggestions: Sequence[Suggestion],
    facts: RunFacts,
    *,
    lineage: str,
    attempt: int = 1,
    planner: Planner | None = None,
) -> Proposal:
    """The proposal that the suggestions of a run lead to; its diff is empty when they lead to nothing.

    :param plan: the plan that ran.
    :param suggestions: what its run suggests.
    :param facts: what is known of that run.
    :param lineage: the run that the first of these replans followed.
    :param attempt: the how manieth of them it is, from 1.
    :param planner: takes over where no strategy helps.
    :raises PlanError: the plan that came of it is not one that runs; with every problem.
    :raises ProposalError: it is another plan.
    """
    new, notes = answer(plan, suggestions, facts, planner)
    return _proposal(plan, new, facts, lineage=lineage, attempt=attempt, notes=notes)


def edited(proposal: Proposal, plan: WorkflowPlan, text: str, facts: RunFacts) -> Proposal:
    """The proposal with the plan that a person made of it; read and checked like any other.

    :param proposal: as it was shown.
    :param plan: the plan it was made from.
    :param text: the new plan, as JSON or YAML; its revision is set in any case.
    :param facts: what is known of the run.
    :raises PlanError: the text is not a plan that runs; with every problem.
    :raises ProposalError: it is another plan, or *plan* is not the one the proposal was made from.
    """
    if plan_digest(plan) != proposal.base_digest:
        raise ProposalError(f"the plan {quoted(plan.id)} is not the one that this proposal was made from")
    is_json = text.lstrip().startswith("{")
    new = _read(text, "edited.vibe.json" if is_json else "edited.vibe.yaml", facts.settings.rules)
    return _proposal(
        plan, new, facts, lineage=proposal.lineage, attempt=proposal.attempt, notes=proposal.notes
    )


def _proposal(
    plan: WorkflowPlan,
    new: WorkflowPlan,
    facts: RunFacts,
    *,
    lineage: str,
    attempt: int,
    notes: tuple[Note, ...],
) -> Proposal:
    if new.id != plan.id:
        raise ProposalError(f"the plan {quoted(plan.id)} cannot become {quoted(new.id)}: keep its id")
    rules = facts.settings.rules
    next_one = new.model_copy(update={"revision": plan.revision + 1})
    text = written(plan_data(next_one), "proposal.vibe.json", rules.limits.max_plan_bytes)
    # what is compared and decided on is what will be read, not what somebody built
    as_read = _read(text, "proposal.vibe.json", rules).model_copy(update={"revision": plan.revision})
    return Proposal(
        plan_id=plan.id,
        base_digest=plan_digest(plan),
        base_revision=plan.revision,
        lineage=lineage,
        attempt=attempt,
        plan_text=text,
        diff=diff_plans(plan, as_read),
        delta=capability_delta(plan, as_read, facts.settings),
        expected_before=expected_time(plan, facts.durations),
        expected_after=expected_time(as_read, _still_true(plan, as_read, facts)),
        reusable=reusable_nodes(plan, as_read, facts.completed),
        notes=notes,
    )


def _still_true(plan: WorkflowPlan, new: WorkflowPlan, facts: RunFacts) -> dict[str, float]:
    """The durations of the nodes whose work is the same."""
    same = set(reusable_nodes(plan, new, None))
    return {node_id: seconds for node_id, seconds in facts.durations.items() if node_id in same}


def _read(text: str, name: str, rules: PlanRules) -> WorkflowPlan:
    return examine(text.encode("utf-8", "surrogatepass"), name, rules).plan_or_raise()
