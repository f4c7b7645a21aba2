"""Suggestions of a run and what becomes of them: a changed plan, and a note where nothing does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Protocol

from airflow_provider_vibe.plan.graph import walk
from airflow_provider_vibe.plan.models import WorkflowNode, WorkflowPlan
from airflow_provider_vibe.plan.problems import did_you_mean, one_line, quoted
from airflow_provider_vibe.replan.diff import Frozen
from airflow_provider_vibe.replan.facts import RunFacts
from airflow_provider_vibe.replan.strategies import SPLITTING, STRATEGIES, Unchanged

Suggestion = Mapping[str, Any]
"""As the feedback of a run has them: ``node_id``, ``suggested_changes``, and why."""


class Planner(Protocol):
    """Who can rewrite a plan with an understanding of its task: a model, say."""

    def propose(self, plan: WorkflowPlan, suggestions: Sequence[Suggestion]) -> WorkflowPlan:
        """Another plan of the same id.

        :param plan: the plan as it is now.
        :param suggestions: those that are still to be answered.
        """
        ...


class Note(Frozen):
    """What became of one suggested change.

    :param node_id: the node it was suggested for.
    :param change: the kind of change; where none was named, why there was a suggestion.
    :param reason: why it changed nothing; None when it did.
    :param planned: whether it was left to a planner.
    """

    node_id: str
    change: str
    reason: str | None = None
    planned: bool = False

    def __str__(self) -> str:
        done = "done by the model" if self.planned else "done"
        outcome = done if self.reason is None else f"changes nothing: {self.reason}"
        return one_line(f"{self.change} of {quoted(self.node_id)} {outcome}")


def answer(
    plan: WorkflowPlan, suggestions: Sequence[Suggestion], facts: RunFacts, planner: Planner | None = None
) -> tuple[WorkflowPlan, tuple[Note, ...]]:
    """The plan that the suggestions lead to, and what became of each of them.

    :param plan: the plan that ran.
    :param suggestions: what its run suggests.
    :param facts: what is known of that run.
    :param planner: takes over for the nodes that no strategy could change; left out, nobody does.
    """
    changed, notes = _by_strategies(plan, suggestions, facts)
    helped = {note.node_id for note in notes if note.reason is None}
    left = [each for each in suggestions if str(each.get("node_id")) not in helped]
    if planner is None or not left:
        return changed, tuple(notes)
    planned = planner.propose(changed, left)
    return planned, tuple(
        note if note.node_id in helped else _of_planner(note, changed, planned) for note in notes
    )


def _of_planner(note: Note, before: WorkflowPlan, after: WorkflowPlan) -> Note:
    """What became of a change that was left to a planner."""
    same = _words_of(note.node_id, before) == _words_of(note.node_id, after)
    reason = "the model has left the node as it was" if same else None
    return note.model_copy(update={"reason": reason, "planned": True})


def _words_of(node_id: str, plan: WorkflowPlan) -> WorkflowNode | None:
    return next((node for node, _ in walk(plan.root_nodes) if node.id == node_id), None)


def _by_strategies(
    plan: WorkflowPlan, suggestions: Sequence[Suggestion], facts: RunFacts
) -> tuple[WorkflowPlan, list[Note]]:
    notes: list[Note] = []
    changed_nodes: set[str] = set()
    for node_id, change in sorted(_suggested(suggestions), key=lambda pair: pair[1] in SPLITTING):
        outcome = _outcome(plan, node_id, change, facts, node_id in changed_nodes)
        if isinstance(outcome, Unchanged):
            notes.append(Note(node_id=node_id, change=change, reason=str(outcome)))
            continue
        plan = outcome
        changed_nodes.add(node_id)
        notes.append(Note(node_id=node_id, change=change))
    return plan, notes


def _suggested(suggestions: Sequence[Suggestion]) -> Iterable[tuple[str, str]]:
    """Each node with each change suggested for it, once; with the reason where no change was named."""
    pairs = (
        (str(each.get("node_id")), str(change))
        for each in suggestions
        for change in each.get("suggested_changes") or (each.get("reason") or "a suggestion",)
    )
    return dict.fromkeys(pairs)


def _outcome(
    plan: WorkflowPlan, node_id: str, change: str, facts: RunFacts, is_changed: bool
) -> WorkflowPlan | Unchanged:
    if node_id not in {node.id for node, _ in walk(plan.root_nodes)}:
        return Unchanged("the plan has no such node any more")
    if (strategy := STRATEGIES.get(change)) is None:
        hint = did_you_mean(change, STRATEGIES)
        return Unchanged("no strategy answers it" + (f" ({hint})" if hint else ""))
    if change in SPLITTING and is_changed:
        return Unchanged("something gentler has changed already")
    return strategy(plan, node_id, facts)
