"""Whether a proposal becomes the plan: a person says, may edit it, or need not be asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from airflow.providers.standard.operators.hitl import HITLOperator
from airflow.sdk import Param
from airflow.sdk.definitions.param import ParamsDict
from airflow.sdk.exceptions import AirflowFailException, AirflowSkipException

from airflow_provider_vibe.dag.replanning.case import Case, left_by
from airflow_provider_vibe.plan.problems import PlanError, quoted
from airflow_provider_vibe.replan.decision import Step
from airflow_provider_vibe.replan.markdown import as_markdown
from airflow_provider_vibe.replan.proposal import Proposal, ProposalError, edited
from airflow_provider_vibe.settings import Settings

if TYPE_CHECKING:
    from airflow.sdk import Context

APPROVE, REJECT = "Approve", "Reject"
PLAN_FIELD = "plan"
ANSWER_KEY = "vibe_answer"
"""What the state store of the task, which outlives a killed process, says was answered."""


class VibeApproveOperator(HITLOperator):
    """Asks a person for the consent to a proposal; waits without holding a worker.

    The person sees what changes and what the new plan may do more, and may approve, reject, or approve a plan
    edited in the form. Its XCom is ``{"proposal", "digest", "by"}``; what is approved is bound to the digest.
    Skipped when the proposal is rejected or only to be read; failed when the edited plan has problems: clear
    the task to be asked again.

    :param case: ``{"dag_id", "run_id"}`` of the run.
    """

    template_fields: Sequence[str] = ("case",)

    def __init__(self, *, case: Mapping[str, str], **kwargs: Any) -> None:
        subject = "The next revision of a plan"
        super().__init__(subject=subject, options=[APPROVE, REJECT], **kwargs)
        self.case = case

    def execute(self, context: Context) -> Any:
        """Ask, unless nobody needs to be, or has answered already."""
        proposed = left_by("propose", context)
        proposal = Proposal.from_json(proposed["proposal"])
        if proposed["step"] == Step.LEAVE:
            raise AirflowSkipException(f"{proposed['reason']}: the proposal stands in the log of 'propose'")
        if proposed["step"] == Step.APPLY:
            return _approved(proposal, by="replan.mode auto")
        answer = context["task_state_store"].get(ANSWER_KEY)
        if isinstance(answer, dict):
            return self._outcome(proposal, answer, context)
        self.subject = f"Revision {proposal.revision} of the plan {quoted(proposal.plan_id, 100)}"
        self.body = f"{proposed['reason']}\n\n{as_markdown(proposal)}"
        self.params = ParamsDict({PLAN_FIELD: _plan_field(proposal)})
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Act on the answer."""
        answered = super().execute_complete(context, event)
        answer = {
            "chosen": answered["chosen_options"],
            "plan": answered["params_input"].get(PLAN_FIELD),
            "by": str((answered["responded_by_user"] or {}).get("name") or "an unnamed person"),
        }
        context["task_state_store"].set(ANSWER_KEY, answer)
        proposal = Proposal.from_json(left_by("propose", context)["proposal"])
        return self._outcome(proposal, answer, context)

    def _outcome(self, proposal: Proposal, answer: Mapping[str, Any], context: Context) -> dict[str, Any]:
        if answer["chosen"] != [APPROVE]:
            raise AirflowSkipException(f"rejected by {answer['by']}: the plan stays as it is")
        text = answer["plan"]
        if text is None or text.strip() == proposal.plan_text.strip():
            return _approved(proposal, answer["by"])
        case, settings = Case.read(self.case, context), Settings.from_airflow()
        try:
            return _approved(edited(proposal, case.plan, text, case.facts(settings)), answer["by"])
        except (PlanError, ProposalError) as error:
            context["task_state_store"].delete(ANSWER_KEY)
            raise AirflowFailException(
                f"the plan as {answer['by']} edited it is refused, nothing is written; clear this task to be"
                f" asked again:\n{error}"
            ) from None


def _approved(proposal: Proposal, by: str) -> dict[str, Any]:
    return {"proposal": proposal.as_json(), "digest": proposal.digest, "by": by}


def _plan_field(proposal: Proposal) -> Param:
    return Param(
        proposal.plan_text,
        type="string",
        format="multiline",
        title="The plan",
        description="What becomes the plan when you approve. You may edit it; it is checked like any other.",
    )
