"""What a new plan may do that the old one might not, and what holds it back less."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping
from typing import Literal

from airflow_provider_vibe.plan.models import WorkflowPlan
from airflow_provider_vibe.plan.problems import one_line
from airflow_provider_vibe.replan.capabilities import (
    ANY_TIMEOUT,
    NODE,
    OF_A_NODE,
    Key,
    Level,
    PlanView,
    grants_of,
)
from airflow_provider_vibe.replan.diff import Frozen
from airflow_provider_vibe.replan.safeguards import (
    CONSEQUENCE,
    GETS,
    JUDGED_BY,
    MOST,
    OF_WORK,
    PARAM,
    SCHEDULE,
    STRICTNESS,
    WAITS_FOR,
    WITH_ANOTHER,
    WORDING,
    WORK,
    safeguards_of,
)
from airflow_provider_vibe.settings import Settings

MOST_GATES = 10
"""So many of the gates that a node no longer waits for are told by name: a node may have had thousands."""

Told = str | tuple[str, ...] | None


class Loosening(Frozen):
    """One thing that the new plan may do more of, or that holds it back less.

    :param effect: ``gained`` or ``dropped``.
    :param kind: what it is of, e.g. ``hosts``, ``attempts``, ``check``.
    :param subject: the node, check, parameter or limit; empty for the whole plan.
    :param old: the level in the old plan, for a set only what is gone; None where there was none.
    :param new: the level in the new plan, for a set only what is new; None where there is none.
    """

    effect: Literal["gained", "dropped"]
    kind: str
    subject: str
    old: Told
    new: Told

    def __str__(self) -> str:
        old, new = (", ".join(each) if isinstance(each, tuple) else each for each in (self.old, self.new))
        sentence = _SENTENCES.get(self.kind) or (_GONE if not new else _CHANGED if old else _NEW)
        of = f" of '{self.subject}'" if self.subject else ""
        told = sentence.format(kind=self.kind, of=of, subject=self.subject, old=old, new=new)
        return one_line(told)


_NEW, _CHANGED, _GONE = "{kind}{of}: {new}", "{kind}{of}: {new} (was {old})", "{kind}{of} is dropped: {old}"
_SENTENCES = {
    NODE: "node '{subject}' is new: {new}",
    "outputs read": "'{subject}' now gets the output of {new}",
    "references": "'{subject}' now reads {new}",
    "references of the vibe": "the vibe, which every tool is given, now reads {new}",
    "inputs": "what decides what the tool of '{subject}' does: {new} (was {old})",
    "what reaches it": "what reaches the tool of '{subject}' has changed",
    "content": "what the tool of '{subject}' gives on as it is has changed",
    WORK: "node '{subject}' is gone",
    PARAM: "the param '{subject}' is gone",
    SCHEDULE: "the schedule is gone, or another one: {old}",
    GETS: "'{subject}' no longer gets the output of {old}",
    "validation": "the validation by '{subject}' is gone, or another one: {old}",
    WAITS_FOR: "'{subject}' no longer waits for {old}",
    WORDING: "the model of '{subject}', which comes after a gate, is asked for something else",
    JUDGED_BY: "who judges for '{subject}' is told another vibe",
}


class CapabilityDelta(Frozen):
    """All that the new plan may do more of, and all that holds it back less.

    :param gained: tools, hosts, files, nodes, attempts and so on that the old plan did not have.
    :param dropped: checks, validations, approvals that the new plan does not have, or not so strict.
    """

    gained: tuple[Loosening, ...] = ()
    dropped: tuple[Loosening, ...] = ()

    @property
    def is_empty(self) -> bool:
        """Whether the new plan is no more able than the old one."""
        return not (self.gained or self.dropped)


def capability_delta(old: WorkflowPlan, new: WorkflowPlan, settings: Settings) -> CapabilityDelta:
    """What *new* may do that *old* might not, and what holds it back less.

    :param old: a plan that the reader takes.
    :param new: another.
    :param settings: the defaults both run with.
    """
    before, after = PlanView(old, settings), PlanView(new, settings)
    return CapabilityDelta(
        gained=tuple(_gained(grants_of(before), grants_of(after))),
        dropped=tuple(
            _dropped(safeguards_of(before), safeguards_of(after), {each.id for each in after.nodes})
        ),
    )


def _gained(old: Mapping[Key, Level], new: Mapping[Key, Level]) -> Iterator[Loosening]:
    for key, level in new.items():
        comes_with_its_node = key[0] in OF_A_NODE and (NODE, key[1]) not in old
        if not comes_with_its_node and not _within(level, old.get(key)):
            yield _loosening("gained", key, old.get(key), level)


def _dropped(old: Mapping[Key, Level], new: Mapping[Key, Level], left: set[str]) -> Iterator[Loosening]:
    for key, level in old.items():
        is_moot = key[0] in OF_WORK and key[1] not in left  # what is not done need wait for nothing
        is_told = key[0] in WITH_ANOTHER and key not in new
        if not is_moot and not is_told and not _within(level, new.get(key)):
            yield _loosening("dropped", key, level, new.get(key))


def _within(level: Level, bound: Level | None) -> bool:
    """Whether *level* is no higher than *bound*; nothing at all is below everything but an empty set."""
    if isinstance(level, frozenset):
        return level <= (bound if isinstance(bound, frozenset) else frozenset())
    return isinstance(bound, float) and level <= bound


def _loosening(
    effect: Literal["gained", "dropped"], key: Key, old: Level | None, new: Level | None
) -> Loosening:
    kind, subject = key
    return Loosening(
        effect=effect,
        kind=kind,
        subject=subject,
        old=_told(kind, old, beside=new),
        new=_told(kind, new, beside=old),
    )


def _told(kind: str, level: Level | None, beside: Level | None) -> Told:
    """A level for people: of a set only what the other one lacks."""
    if isinstance(level, frozenset):
        lacking = sorted(level - beside if isinstance(beside, frozenset) else level)
        if kind == WAITS_FOR and len(lacking) > MOST_GATES:
            lacking[MOST_GATES:] = [f"{len(lacking) - MOST_GATES} more"]
        return tuple(lacking)
    if level is None:
        return None
    return "no limit" if math.isinf(level) else _MEASURES.get(kind, "{:g}".format)(level)


_MODES = {level: str(mode) for mode, level in STRICTNESS.items()}
_CONSEQUENCES = {level: str(on_fail) for on_fail, level in CONSEQUENCE.items()}
_MEASURES: dict[str, Callable[[float], str]] = {
    "timeout": lambda level: "an hour or less" if level <= ANY_TIMEOUT else f"{level:g} s",
    "retry delay": lambda level: f"{-level:g} s",
    "replan mode": _MODES.__getitem__,
    "on_fail": _CONSEQUENCES.__getitem__,
    MOST: lambda level: f"{-level:g}",
}
"""How the number of a level is told, where it is not as it is."""
