"""The account of a run with a budget: what each node's attempts used, hold, and ask for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from airflow_provider_vibe.runtime.usage import NOTHING, Usage, total


@dataclass(frozen=True)
class Attempt:
    """One attempt at a node, as far as the budget goes.

    :param used: booked: by calls that ended, and the time they took.
    :param held: set aside for calls in progress.
    :param asked: wanted for a call that may or may not be made.
    """

    used: Usage = NOTHING
    held: Usage = NOTHING
    asked: Usage = NOTHING

    def as_json(self) -> dict[str, Any]:
        """Plain JSON."""
        return {name: part.as_json() for name, part in vars(self).items() if part != NOTHING}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any]) -> Attempt:
        """What :meth:`as_json` made."""
        return cls(**{name: Usage.from_json(part) for name, part in stored.items()})


@dataclass(frozen=True)
class Entry:
    """The account of one node; only the node itself writes it.

    :param attempts: by the number of the try.
    """

    attempts: Mapping[int, Attempt] = field(default_factory=dict)

    def having(self, try_number: int, attempt: Attempt) -> Entry:
        """The entry with another state of one attempt."""
        return Entry({**self.attempts, try_number: attempt})

    @property
    def newest(self) -> Attempt:
        """The attempt that may be going on."""
        return self.attempts[max(self.attempts)] if self.attempts else Attempt()

    @property
    def used(self) -> Usage:
        """What is gone for good, whatever the newest attempt does.

        An older attempt that was killed in a call never says what that used: it is gone as it was held.
        """
        older = total(self.attempts[number].held for number in sorted(self.attempts)[:-1])
        return total(attempt.used for attempt in self.attempts.values()) + _without_answer(older)

    @property
    def used_if_dead(self) -> Usage:
        """What is gone when the newest attempt is over too, without having said so."""
        return self.used + _without_answer(self.newest.held)

    def as_json(self) -> dict[str, Any]:
        """Plain JSON."""
        attempts = {str(number): attempt.as_json() for number, attempt in self.attempts.items()}
        return {"schema": 1, "attempts": attempts}

    @classmethod
    def from_json(cls, stored: Mapping[str, Any] | None) -> Entry:
        """What :meth:`as_json` made; an empty one of None."""
        attempts: Mapping[str, Any] = stored["attempts"] if stored else {}
        return cls({int(number): Attempt.from_json(attempt) for number, attempt in attempts.items()})


def _without_answer(held: Usage) -> Usage:
    return replace(held, unknown_costs=held.requests, unanswered=held.requests)


class EntryStore(Protocol):
    """Where a node keeps its entry, beyond the attempt that writes it."""

    async def read(self, node: str) -> Entry:
        """One entry; an empty one when there is none."""
        ...

    async def write(self, node: str, entry: Entry) -> None:
        """Replace one entry."""
        ...


class LedgerStore(EntryStore, Protocol):
    """Where the entries of a whole run are kept: each is replaced at once, and seen by all."""

    async def read_all(self) -> dict[str, Entry]:
        """The entries of all nodes that may spend."""
        ...

    async def working(self) -> set[str]:
        """The nodes at which an attempt is going on."""
        ...
