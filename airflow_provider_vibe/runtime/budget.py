"""What one attempt at a node spends, and how the attempts of a run share a budget without a lock.

An attempt writes what it asks for, and only then reads what all others ask for, hold and have used. If all of
that together fits, the call is made. Of any calls that were let through, the one whose request was written
last has seen all the others: so together they fit. If it does not fit, all but the first in the order of ids
take their request back and do not ask again before that one has been answered: so one always gets on.
"""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from airflow_provider_vibe.plan.models import Budget
from airflow_provider_vibe.plan.problems import VibeError, quoted
from airflow_provider_vibe.runtime.failed_requests import used_by_failed_request
from airflow_provider_vibe.runtime.ledger import Attempt, Entry, EntryStore, LedgerStore
from airflow_provider_vibe.runtime.limits import whats_against
from airflow_provider_vibe.runtime.outcome import some
from airflow_provider_vibe.runtime.usage import NOTHING, Usage, total
from airflow_provider_vibe.tools.budget import BudgetSpent

RESERVED_TOKENS = 4_000
"""Of an answer whose length the call does not limit."""

LONGEST_WAIT = 600.0
"""Seconds that a call waits for others to say what they used."""

_SHORTEST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0

Pause = Callable[[float], Awaitable[Any]]


class BudgetBusy(VibeError, TimeoutError):
    """Calls in progress hold what is left of the budget, and did not end in time; another try can help."""


@dataclass(frozen=True)
class Standing:
    """Where a call stands among all others of the run.

    :param fits: it may be made, even if every other one is made too.
    :param gone: what no call in progress can give back.
    :param is_behind: another call, earlier in the order, waits for an answer.
    :param holders: the nodes whose calls in progress may leave something.
    """

    fits: bool
    gone: Usage
    is_behind: bool
    holders: list[str]


class NodeAccount:
    """The account of one attempt at a node; a :class:`~airflow_provider_vibe.tools.budget.CallBudget`.

    :param node: the id under which the node keeps its entry.
    :param try_number: of the attempt.
    :param store: where its entry is kept; None: nowhere.
    :param budget: what the run may use; with it *store* must be a :class:`LedgerStore`. None: whatever it
        takes.
    :param reserved_tokens: set aside for an answer whose length the call does not limit.
    :param pause: waits so many seconds.
    :param clock: tells seconds.
    """

    def __init__(
        self,
        node: str,
        try_number: int,
        store: EntryStore | None = None,
        budget: Budget | None = None,
        *,
        reserved_tokens: int = RESERVED_TOKENS,
        pause: Pause = asyncio.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._node = node
        self._try_number = try_number
        self._store = store
        self._budget = budget
        self._reserved_tokens = reserved_tokens
        self._pause = pause
        self._clock = clock
        self._began = clock()
        self._waited = 0.0
        self._entry = Entry()
        self._used, self._asked = NOTHING, NOTHING
        self._claims: dict[int, Usage] = {}
        self._given_out = 0
        self._question, self._pen = asyncio.Lock(), asyncio.Lock()

    async def open(self) -> None:
        """Read what earlier attempts at the node used."""
        if self._store is not None and (self._budget or self._try_number > 1):
            self._entry = await self._store.read(self._node)
            # the same try again: its worker was lost before Airflow knew that it had begun
            self._used = Entry({0: self._entry.attempts.get(self._try_number, Attempt())}).used_if_dead

    async def finish(self, duration: float) -> Usage:
        """Book the time an attempt took, and give what is :attr:`used` then.

        :param duration: seconds, those of waiting for other nodes among them.
        """
        self._used += Usage(seconds=max(0.0, duration - self._waited))
        self._asked = NOTHING
        if self._budget or self._used.requests or self._entry.attempts:
            await self._write()
        return self.used

    @property
    def used(self) -> Usage:
        """What the node has used in all its attempts, as far as this one knows."""
        return self._entry.having(self._try_number, self._mine).used_if_dead

    # a CallBudget

    async def reserve(self, output_tokens: int | None, prompt_tokens: int) -> int:
        """See :class:`~airflow_provider_vibe.tools.budget.CallBudget`.

        :raises BudgetBusy: it could not be told in time whether anything is left.
        """
        answer = self._reserved_tokens if output_tokens is None else output_tokens
        claim = Usage(input_tokens=prompt_tokens, output_tokens=answer, requests=1)
        if self._budget is None:
            return self._hold(claim)
        async with self._question:  # of two calls of one node the second asks when the first was answered
            before = self._clock()
            try:
                await self._be_let_through(claim)
                return await self._hold_openly(claim)
            finally:
                self._waited += self._clock() - before

    async def settle(self, reservation: int, usage: Mapping[str, Any]) -> None:
        """See :class:`~airflow_provider_vibe.tools.budget.CallBudget`."""
        await self._book(reservation, Usage.reported(usage))

    async def settle_failed(
        self, reservation: int, error: BaseException, usage: Mapping[str, Any] | None
    ) -> None:
        """Book a failed call: its request counts; its tokens do, too, unless it was surely not billed."""
        known = Usage.reported(usage) if usage else NOTHING
        await self._book(reservation, known + used_by_failed_request(self._claims[reservation], error, known))

    async def check(self) -> None:
        """See :class:`~airflow_provider_vibe.tools.budget.CallBudget`."""
        if self._budget is not None:
            least = Usage(input_tokens=1, requests=1)
            self._refuse_if_spent(await self._look(least), least)

    def mark(self) -> Usage:
        """See :class:`~airflow_provider_vibe.tools.budget.CallBudget`."""
        return self._used

    async def note(self, usage: Mapping[str, Any], since: Usage) -> None:
        """See :class:`~airflow_provider_vibe.tools.budget.CallBudget`."""
        beyond = Usage.reported(usage) - (self._used - since)
        if beyond != NOTHING:
            self._used += beyond
            await self._publish()

    # the protocol

    async def _be_let_through(self, claim: Usage) -> None:
        """Ask, and wait until the call fits beside all others that were made or are asked for.

        What is asked for stays written when it was let through, to be held next.
        """
        give_up_at = self._clock() + LONGEST_WAIT
        pause = _SHORTEST_PAUSE
        try:
            await self._ask(claim)
            while True:
                standing = await self._look(claim)
                self._refuse_if_spent(standing, claim)
                is_asking = self._asked != NOTHING
                if standing.fits and is_asking:
                    return
                if is_asking and standing.is_behind:
                    await self._ask(NOTHING)
                elif standing.fits and not standing.is_behind:
                    await self._ask(claim)
                    continue
                if self._clock() >= give_up_at:
                    raise self._busy(standing)
                await self._pause(pause * random.uniform(0.5, 1.5))
                pause = min(pause * 1.5, _LONGEST_PAUSE)
        except (Exception, asyncio.CancelledError):
            if self._asked != NOTHING:
                await self._ask(NOTHING)
            raise

    async def _ask(self, claim: Usage) -> None:
        self._asked = claim
        await self._publish()

    def _hold(self, claim: Usage) -> int:
        self._given_out += 1
        self._claims[self._given_out] = claim
        return self._given_out

    async def _hold_openly(self, claim: Usage) -> int:
        reservation = self._hold(claim)
        self._asked = NOTHING
        try:
            await self._publish()
        except BaseException:
            del self._claims[reservation]  # the call is not made
            raise
        return reservation

    async def _book(self, reservation: int, used: Usage) -> None:
        self._used += used
        del self._claims[reservation]
        await self._publish()

    async def _look(self, claim: Usage) -> Standing:
        """Where a call stands; whether others are still at work is asked only when it matters."""
        store = cast(LedgerStore, self._store)
        entries = await store.read_all()
        if entries.get(self._node, Entry()).attempts.get(self._try_number, Attempt()) != self._mine:
            await self._publish()  # another attempt at this node, left over on a lost worker, wrote meanwhile
            entries = await store.read_all()
        standing = self._standing(entries, entries.keys(), claim)
        if standing.fits and not standing.is_behind:
            return standing
        # in this order: what is read of a node that has ended before is its last word
        working = await store.working()
        return self._standing(await store.read_all(), working, claim)

    def _standing(self, entries: Mapping[str, Entry], working: Collection[str], claim: Usage) -> Standing:
        gone, open_ = NOTHING, self._mine.held
        holders, is_behind = [], False
        for node, entry in entries.items():
            if node == self._node:
                gone += entry.having(self._try_number, Attempt(self._used)).used_if_dead
            elif node not in working:
                gone += entry.used_if_dead
            else:
                gone += entry.used
                newest = entry.newest
                open_ += newest.held + newest.asked
                holders += [node] if newest.held != NOTHING else []
                is_behind |= newest.asked != NOTHING and node < self._node
        fits = not self._whats_against(gone + open_, claim)
        return Standing(fits, gone, is_behind, holders)

    def _whats_against(self, used: Usage, claim: Usage) -> list[str]:
        assert self._budget is not None  # told by the callers
        worked = self._clock() - self._began - self._waited
        return whats_against(self._budget, used, replace(claim, seconds=worked))

    def _refuse_if_spent(self, standing: Standing, claim: Usage) -> None:
        if reasons := self._whats_against(standing.gone, claim):
            told = "; ".join(reasons)
            raise BudgetSpent(f"{quoted(self._node)} may call no model: the plan's budget is spent: {told}")

    def _busy(self, standing: Standing) -> BudgetBusy:
        held = f"calls of {some(standing.holders)} hold the rest" if standing.holders else "others ask for it"
        return BudgetBusy(
            f"{quoted(self._node)} waited {LONGEST_WAIT:g} seconds for its share of the plan's budget: {held}"
        )

    # the entry

    @property
    def _mine(self) -> Attempt:
        return Attempt(self._used, total(self._claims.values()), self._asked)

    async def _publish(self) -> None:
        if self._budget is not None:
            async with self._pen:
                await self._write()

    async def _write(self) -> None:
        """Write the entry of this node; what another attempt at it wrote stays."""
        if self._store is not None:
            stored = await self._store.read(self._node)
            self._entry = stored.having(self._try_number, self._mine)
            await self._store.write(self._node, self._entry)
