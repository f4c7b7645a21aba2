"""ModelPlanner: a model writes a plan, or its next revision, until our own reader takes it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from pydantic import ConfigDict, GetJsonSchemaHandler, RootModel
from pydantic_core import CoreSchema

from airflow_provider_vibe.plan.models import WorkflowPlan
from airflow_provider_vibe.plan.problems import Place, PlanError, Problem, ProblemCode, VibeError, quoted
from airflow_provider_vibe.plan.reading import examine
from airflow_provider_vibe.plan.rules import PlanRules
from airflow_provider_vibe.replan.answering import Suggestion
from airflow_provider_vibe.replan.briefing import (
    FOR_EDITORS,
    instructions,
    task_of_suggestions,
    task_of_vibe,
)
from airflow_provider_vibe.runtime.usage import NOTHING, Usage
from airflow_provider_vibe.settings import Settings
from airflow_provider_vibe.tools.models.asking import Choice, Refused, Review, ask, reason_of

MORE_REQUESTS = 3
"""So many times a model may mend its plan."""

MOST_TOLD = 40
"""So many problems of a plan a model is told at once."""


class NoPlan(VibeError):
    """A model that was asked for a plan gave none that runs here; says what is wrong with its last one."""


class PlanDraft(RootModel[dict[str, Any]]):
    """What a model answers: any object, whose schema says that it should be a plan.

    So the reader tells all that is wrong with it, as it does of a file, and not pydantic, at any length.
    """

    model_config = ConfigDict(ser_json_inf_nan="constants")  # the reader tells what it has against them

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> dict[str, Any]:
        plan = handler.resolve_ref_schema(handler(WorkflowPlan.__pydantic_core_schema__))
        properties = {key: value for key, value in plan["properties"].items() if key != FOR_EDITORS}
        return {**plan, "properties": properties}


class ModelPlanner:
    """Plans with a language model, through an Airflow connection; each call is at most four requests.

    It is a :class:`~airflow_provider_vibe.replan.answering.Planner`. It blocks, and runs an event loop of its
    own: call it from where there is none.

    :param settings: of the installation the plans are for: its tools, limits and connection.
    :param choice: which model; by default that of ``[vibe] llm_conn_id``.
    """

    def __init__(self, settings: Settings, choice: Choice = Choice()) -> None:  # noqa: B008  # it is frozen
        self.usage: Usage = NOTHING
        """What all calls have used so far, also those that failed."""
        self._settings = settings
        self._choice = replace(choice, connection=choice.connection or settings.llm_conn_id or None)

    def plan_for(self, vibe_text: str, plan_id: str | None = None) -> WorkflowPlan:
        """A plan that does what a vibe wants.

        :param vibe_text: the vibe, in anybody's words.
        :param plan_id: the id of the plan; None leaves it to the model.
        :raises PlanError: no plan can have this id.
        :raises NoPlan: the model gave no plan that runs here.
        :raises ToolInputError: the connection, its model or the model's package is missing or does not fit.
        """
        rules = self._settings.rules
        if plan_id is not None:
            _check_id(plan_id, rules)
        return self._ask(task_of_vibe(vibe_text, plan_id), plan_id)

    def propose(self, plan: WorkflowPlan, suggestions: Sequence[Suggestion]) -> WorkflowPlan:
        """The next revision of a plan, with the same id.

        :param plan: the plan as it is now.
        :param suggestions: what a run of it has suggested.
        :raises NoPlan: the model gave no plan of this id that runs here.
        :raises ToolInputError: as for :meth:`plan_for`.
        """
        proposed = self._ask(task_of_suggestions(plan, suggestions), plan.id)
        return proposed.model_copy(update={"schema_uri": plan.schema_uri})

    def _ask(self, task: str, plan_id: str | None) -> WorkflowPlan:
        from pydantic_ai.exceptions import UnexpectedModelBehavior

        review = Review(_Reader(self._settings.rules, plan_id).accept, MORE_REQUESTS)
        asking = ask(
            task, instructions(self._settings), self._choice, PlanDraft, review=review, book=self._book
        )
        try:
            plan, _ = asyncio.run(asking)
        except UnexpectedModelBehavior as error:
            raise NoPlan(f"the model gave no plan that runs here: {reason_of(error)}") from error
        assert isinstance(plan, WorkflowPlan)  # the reader gives no other
        return plan

    def _book(self, usage: Mapping[str, Any]) -> None:
        self.usage += Usage.reported(usage)


@dataclass(frozen=True)
class _Reader:
    """Takes the answers that are plans.

    :param rules: what they are held against.
    :param plan_id: the id they must have; None: any.
    """

    rules: PlanRules
    plan_id: str | None

    def accept(self, draft: PlanDraft) -> WorkflowPlan:
        """The plan that a draft is.

        :raises Refused: it is none that runs here; tells the problems.
        """
        reading = examine(draft.model_dump_json().encode(), "plan", self.rules)
        errors = [problem for problem in reading.problems if not problem.is_warning]
        written = draft.root.get("id")
        if self.plan_id is not None and isinstance(written, str) and written != self.plan_id:
            message = f"the plan is called {quoted(self.plan_id)}, not {quoted(written)}"
            errors.append(Problem(ProblemCode.BAD_VALUE, message, Place(("id",)), "keep its id"))
        if errors or reading.plan is None:
            raise Refused(_told(errors))
        return reading.plan


def _told(errors: Sequence[Problem]) -> str:
    """The problems, without the lines of a file that the model never wrote."""
    lines = [str(problem.at(file=None, line=None, column=None)) for problem in errors[:MOST_TOLD]]
    if len(errors) > MOST_TOLD:
        lines.append(f"and {len(errors) - MOST_TOLD} more")
    return "the plan has problems:\n" + "\n".join(lines)


def _check_id(plan_id: str, rules: PlanRules) -> None:
    """Refuse an id that the reader would, before a model is asked to write it.

    :raises PlanError: says why.
    """
    reading = examine(json.dumps({"id": plan_id}).encode(), "--id", rules)
    if found := [problem for problem in reading.problems if problem.where.pointer == ("id",)]:
        raise PlanError(found)
