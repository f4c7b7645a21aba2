"""Suggestions of a run and what becomes of them: a changed plan, and a note where nothing does."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from airflow_provider_vibe.plan.graph import walk
from airflow_provider_vibe.plan.identity import canonical_json
from airflow_provider_vibe.plan.models import WorkflowNode, WorkflowPlan
from airflow_provider_vibe.plan.problems import PlanError, Pointer, did_you_mean, one_line, quoted
from airflow_provider_vibe.plan.reading import examine
from airflow_provider_vibe.plan.rules import PlanRules
from airflow_provider_vibe.replan.diff import WITHOUT_ORDER, Frozen, diff_plans
from airflow_provider_vibe.replan.facts import RunFacts
from airflow_provider_vibe.replan.strategies import SPLITTING, STRATEGIES, Unchanged
from airflow_provider_vibe.replan.writing import plan_data, written

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
    undone = _undone(plan, changed, planned)
    return planned, tuple(
        _kept_by_planner(note, undone) if note.node_id in helped else _of_planner(note, changed, planned)
        for note in notes
    )


def _undone(plan: WorkflowPlan, changed: WorkflowPlan, planned: WorkflowPlan) -> set[str]:
    """The nodes of which a planner has not left everything as the strategies had changed it."""
    wanted, made = _changes_by_node(plan, changed), _changes_by_node(plan, planned)
    return {node_id for node_id, changes in wanted.items() if not changes <= made.get(node_id, set())}


def _changes_by_node(old: WorkflowPlan, new: WorkflowPlan) -> dict[str, set[str]]:
    """What is changed of each node, value by value, and which new ones it holds."""
    diff = diff_plans(old, new)
    found = {
        node.id: {leaf for change in node.changes for leaf in _leaves(change.path, change.new)}
        for node in diff.changed
    }
    for node in diff.added:
        if node.parent is not None:
            found.setdefault(node.parent, set()).add(canonical_json([node.id, node.content]))
    return found


def _leaves(path: Pointer, value: Any) -> Iterator[str]:
    """Every single value in *value*, which stands at *path*, with its own place; in some lists any place."""
    if isinstance(value, dict) and value:
        for key, item in value.items():
            yield from _leaves((*path, key), item)
    elif isinstance(value, list) and path in WITHOUT_ORDER:
        for item in value:
            yield canonical_json([path, item])
    else:
        yield canonical_json([path, value])


def _kept_by_planner(note: Note, undone: set[str]) -> Note:
    """What became of a node's changes by strategies when a planner had rewritten the plan."""
    if note.reason is not None or note.node_id not in undone:
        return note
    return note.model_copy(update={"reason": "the model has undone it, or made something else of it"})


def _of_planner(note: Note, before: WorkflowPlan, after: WorkflowPlan) -> Note:
    """What became of a change that was left to a planner."""
    old, new = (_node_in(plan, note.node_id) for plan in (before, after))
    if old is None and new is None:
        return note
    reason = "the model has left the node as it was" if old == new else None
    return note.model_copy(update={"reason": reason, "planned": True})


def _node_in(plan: WorkflowPlan, node_id: str) -> WorkflowNode | None:
    return next((node for node, _ in walk(plan.root_nodes) if node.id == node_id), None)


def _by_strategies(
    plan: WorkflowPlan, suggestions: Sequence[Suggestion], facts: RunFacts
) -> tuple[WorkflowPlan, list[Note]]:
    """What all strategies together make of a plan; those whose change would not run are left out."""
    changed, notes = _one_by_one(plan, suggestions, facts, read=frozenset())
    for kinds in (SPLITTING, frozenset(STRATEGIES)):  # that they make too many nodes is likeliest
        if not isinstance(_if_it_reads(changed, facts.settings.rules), Unchanged):
            break
        changed, notes = _one_by_one(plan, suggestions, facts, read=kinds)
    return changed, notes


def _one_by_one(
    plan: WorkflowPlan, suggestions: Sequence[Suggestion], facts: RunFacts, *, read: frozenset[str]
) -> tuple[WorkflowPlan, list[Note]]:
    """The same; of the strategies called *read* each result is read, as reading takes time."""
    notes: list[Note] = []
    changed_nodes: set[str] = set()
    for node_id, change in sorted(_suggested(suggestions), key=lambda pair: pair[1] in SPLITTING):
        outcome = _outcome(plan, node_id, change, facts, node_id in changed_nodes)
        if change in read and not isinstance(outcome, Unchanged):
            outcome = _if_it_reads(outcome, facts.settings.rules)
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
    if _node_in(plan, node_id) is None:
        return Unchanged("the plan has no such node any more")
    if (strategy := STRATEGIES.get(change)) is None:
        hint = did_you_mean(change, STRATEGIES)
        return Unchanged("no strategy answers it" + (f" ({hint})" if hint else ""))
    if change in SPLITTING and is_changed:
        return Unchanged("something gentler has changed already")
    return strategy(plan, node_id, facts)


def _if_it_reads(plan: WorkflowPlan, rules: PlanRules) -> WorkflowPlan | Unchanged:
    """*plan*, unless it breaks a rule or a limit that holds for plan files."""
    name = "strategy.vibe.json"
    text = written(plan_data(plan), name, rules.limits.max_plan_bytes)
    try:
        examine(text.encode("utf-8", "surrogatepass"), name, rules).plan_or_raise()
    except PlanError as error:
        first = next(problem for problem in error.problems if not problem.is_warning)
        return Unchanged(f"the plan that it makes would not run: {first.message}")
    return plan
