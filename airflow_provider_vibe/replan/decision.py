"""What becomes of a proposal: nothing, a text to read, a question to a person, or the next revision."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from airflow_provider_vibe.plan.models import Replan, ReplanMode
from airflow_provider_vibe.replan.proposal import Proposal


class Step(StrEnum):
    """What happens next."""

    NOTHING = "nothing"
    LEAVE = "leave"
    """It is left where it can be read."""
    ASK = "ask"
    APPLY = "apply"


@dataclass(frozen=True)
class Decision:
    """What happens next with a proposal, and why."""

    step: Step
    reason: str


def held_back(replan: Replan, attempt: int, since_last: float | None) -> str | None:
    """Why there is no replan now, before any work goes into one; None when there may be one.

    :param replan: what the plan that ran says of replans.
    :param attempt: the how manieth replan after one run it would be, from 1.
    :param since_last: seconds since the plan was last replanned; None when it never was.
    """
    if replan.mode is ReplanMode.OFF:
        return "the plan has replan.mode off"
    if attempt > replan.max_attempts:
        return f"{replan.max_attempts} replans have followed one another, which is replan.max_attempts"
    if since_last is not None and since_last < replan.cooldown:
        wait = replan.cooldown - since_last
        return f"the plan was replanned {since_last:.0f} s ago; replan.cooldown asks for {wait:.0f} s more"
    return None


def decide(proposal: Proposal, replan: Replan, since_last: float | None) -> Decision:
    """What happens next with a proposal.

    :param proposal: what is proposed.
    :param replan: what the plan that it was made from says of replans, never what the new one says.
    :param since_last: seconds since the plan was last replanned; None when it never was.
    """
    if reason := held_back(replan, proposal.attempt, since_last):
        return Decision(Step.NOTHING, reason)
    if proposal.diff.is_empty:
        told = "; ".join(map(str, proposal.notes)) or "nothing was suggested"
        return Decision(Step.NOTHING, f"the proposal changes nothing: {told}")
    if replan.mode is ReplanMode.PROPOSE:
        return Decision(Step.LEAVE, "the plan has replan.mode propose")
    if replan.mode is ReplanMode.APPROVE:
        return Decision(Step.ASK, "the plan has replan.mode approve")
    if not proposal.delta.is_empty:
        loosened = [*proposal.delta.gained, *proposal.delta.dropped]
        more = f" and {len(loosened) - 3} more" if len(loosened) > 3 else ""
        told = "; ".join(map(str, loosened[:3])) + more
        return Decision(Step.ASK, f"the new plan may do more, or is held back less: {told}")
    return Decision(Step.APPLY, "the plan has replan.mode auto, and the new one may do no more than it could")
