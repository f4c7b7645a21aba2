"""Whether a proposal becomes the plan: a person says, may edit it, or need not be asked."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
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
from airflow_provider_vibe.replan.writing import plan_data, written
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
    Skipped when the proposal is rejected or only to be read; failed when the edited plan has problems, or
    nobody has answered in time. Who clears the task is asked again.

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
        if answer := Answer.kept_for(proposal, context):
            return self._outcome(proposal, answer, context)
        self.subject = f"Revision {proposal.revision} of the plan {quoted(proposal.plan_id, 100)}"
        self.body = f"{proposed['reason']}\n\n{as_markdown(proposal)}"
        self.params = ParamsDict({PLAN_FIELD: _plan_field(_shown(proposal))})
        return super().execute(context)

    def execute_complete(self, context: Context, event: dict[str, Any]) -> Any:
        """Act on the answer."""
        answered = super().execute_complete(context, event)
        proposal = Proposal.from_json(left_by("propose", context)["proposal"])
        answer = Answer(
            chosen=answered["chosen_options"],
            plan=answered["params_input"].get(PLAN_FIELD),
            by=str((answered["responded_by_user"] or {}).get("name") or "an unnamed person"),
        )
        answer.keep_for(proposal, context)
        return self._outcome(proposal, answer, context)

    def process_trigger_event_error(self, event: dict[str, Any]) -> None:
        """Fail for good: who was asked once is not asked again because of a retry."""
        raise AirflowFailException(
            "nobody has answered in time: clear this task to ask again"
            if event["error_type"] == "timeout"
            else f"the question has failed: {event['error']}"
        )

    def _outcome(self, proposal: Proposal, answer: Answer, context: Context) -> dict[str, Any]:
        if answer.chosen != [APPROVE]:
            raise AirflowSkipException(f"rejected by {answer.by}: the plan stays as it is")
        if answer.plan is None or _lines(answer.plan) == _lines(_shown(proposal)):
            return _approved(proposal, answer.by)
        case, settings = Case.read(self.case, context), Settings.from_airflow()
        try:
            return _approved(edited(proposal, case.plan, answer.plan, case.facts(settings)), answer.by)
        except (PlanError, ProposalError) as error:
            raise AirflowFailException(
                f"the plan as {answer.by} edited it is refused, nothing is written; clear this task to be"
                f" asked again:\n{error}"
            ) from None


@dataclass(frozen=True)
class Answer:
    """What a person has answered.

    It outlives a killed process in the state store of the task; but it stands for the one proposal that was
    shown, and for the time until somebody clears the task.

    :param chosen: the options.
    :param plan: the plan as it stood in the form; None when it was not sent.
    :param by: who.
    """

    chosen: list[str]
    plan: str | None
    by: str

    @classmethod
    def kept_for(cls, proposal: Proposal, context: Context) -> Answer | None:
        """The answer of an attempt before this one; None when there was none."""
        kept: Any = context["task_state_store"].get(ANSWER_KEY)
        if not isinstance(kept, dict) or kept["asked"] != _asked(proposal, context):
            return None
        return cls(**kept["answer"])

    def keep_for(self, proposal: Proposal, context: Context) -> None:
        """Keep it for the attempts after this one."""
        kept: Any = {"asked": _asked(proposal, context), "answer": asdict(self)}
        context["task_state_store"].set(ANSWER_KEY, kept)


def _asked(proposal: Proposal, context: Context) -> str:
    """What was asked; Airflow raises ``max_tries`` when a task is cleared, and not for a retry."""
    return f"{proposal.digest} {context['ti'].max_tries}"


def _lines(text: str) -> list[str]:
    """The lines of a text as a form may send it."""
    return text.strip().splitlines()


def _approved(proposal: Proposal, by: str) -> dict[str, Any]:
    return {"proposal": proposal.as_json(), "digest": proposal.digest, "by": by}


def _shown(proposal: Proposal) -> str:
    """The new plan as the form shows it: YAML, as Airflow 3.3.2 makes an object of a text that is JSON."""
    rules = Settings.from_airflow().rules
    text = written(plan_data(proposal.plan(rules)), "proposal.vibe.yaml", rules.limits.max_plan_bytes)
    return f"# as JSON\n{text}" if text.startswith("{") else text


def _plan_field(text: str) -> Param:
    return Param(
        text,
        type="string",
        format="multiline",
        title="The plan",
        description="What becomes the plan when you approve. You may edit it; it is checked like any other.",
    )
