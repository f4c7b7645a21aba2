"""A run with a budget, in which a test says whose step comes next: every request to the store is one step."""

from __future__ import annotations

import json
from collections.abc import Coroutine, Generator, Mapping
from dataclasses import dataclass, field
from types import coroutine
from typing import Any

from airflow_provider_vibe.plan.models import Budget
from airflow_provider_vibe.runtime.budget import BudgetSpent, NodeAccount
from airflow_provider_vibe.runtime.ledger import Entry
from airflow_provider_vibe.runtime.usage import Usage, total


@coroutine
def step(what: str) -> Generator[str, None, None]:
    yield what


@dataclass
class SharedStore:
    """Entries as JSON. Each is read and written in a step of its own: nobody sees them all at one moment."""

    nodes: tuple[str, ...]
    kept: dict[str, str] = field(default_factory=dict)
    alive: set[str] = field(default_factory=set)
    seen: dict[str, list[str]] = field(default_factory=dict)

    def entry(self, node: str) -> Entry:
        return Entry.from_json(json.loads(self.kept[node]) if node in self.kept else None)

    def seen_by(self, reader: str) -> _View:
        return _View(self, reader)


@dataclass
class _View:
    store: SharedStore
    reader: str

    def _saw(self, what: str) -> None:
        self.store.seen.setdefault(self.reader, []).append(what)

    async def read(self, node: str) -> Entry:
        return self.store.entry(node)  # its own: nobody else writes it

    async def read_all(self) -> dict[str, Entry]:
        found = {}
        for node in self.store.nodes:
            if node != self.reader:
                await step(f"read {node}")
            found[node] = self.store.entry(node)
            self._saw(self.store.kept.get(node, ""))
        return found

    async def write(self, node: str, entry: Entry) -> None:
        await step("write")
        self.store.kept[node] = json.dumps(entry.as_json())

    async def working(self) -> set[str]:
        await step("states")
        self._saw(",".join(sorted(self.store.alive)))
        return set(self.store.alive)


class Simulation:
    """Nodes that each want to make one call.

    :param budget: of all of them.
    :param claims: tokens of the answer that each reserves, by node.
    :param used: tokens that each answer really has.
    """

    def __init__(self, budget: Budget, claims: Mapping[str, int], used: int | None = None) -> None:
        self.budget, self.claims, self.used = budget, claims, used
        self.store = SharedStore(tuple(claims), alive=set(claims))
        self.called: list[str] = []
        self.refused: list[str] = []
        self.in_call: set[str] = set()
        self._going: dict[str, Coroutine[Any, Any, None]] = {
            node: self._spend(node, tokens) for node, tokens in claims.items()
        }
        for going in self._going.values():
            going.send(None)
        self.steps: dict[str, int] = dict.fromkeys(claims, 0)
        self.paused: dict[str, int] = dict.fromkeys(claims, 0)

    async def _pause(self, seconds: float) -> None:
        await step("pause")

    async def _spend(self, node: str, tokens: int) -> None:
        await step("begin")
        store = self.store.seen_by(node)
        account = NodeAccount(node, 1, store, self.budget, pause=self._pause, clock=lambda: 0.0)
        await account.open()
        try:
            reservation = await account.reserve(tokens, 0)
            self.called.append(node)
            self.in_call.add(node)
            await step("call")
            self.in_call.discard(node)
            usage = {"output_tokens": tokens if self.used is None else self.used, "requests": 1, "cost": 0}
            await account.settle(reservation, usage)
        except BudgetSpent:
            self.refused.append(node)
        await account.finish(0.0)

    @property
    def waiting(self) -> list[str]:
        """The nodes that have not come to an end."""
        return list(self._going)

    def go(self, node: str) -> None:
        """Let a node take one step."""
        self.steps[node] += 1
        try:
            if self._going[node].send(None) == "pause":
                self.paused[node] += 1
        except StopIteration:
            del self._going[node]
            self.store.alive.discard(node)

    def kill(self, node: str) -> None:
        """End a node as a lost worker does: without a word."""
        self._going.pop(node)
        self.store.alive.discard(node)

    def finish_in_turn(self, most: int = 400) -> None:
        """Let all nodes that are left take steps in turn until they are done."""
        for _ in range(most):
            if not self._going:
                return
            for node in self.waiting:
                self.go(node)
        raise AssertionError(f"{self.waiting} never get on")

    @property
    def spent(self) -> Usage:
        """What calls have used, or may use yet."""
        settled = [
            self.claims[n] if n in self.in_call or self.used is None else self.used for n in self.called
        ]
        return total(Usage(output_tokens=tokens, requests=1) for tokens in settled)

    def check(self) -> None:
        """The budget is kept at this moment."""
        limits = self.budget
        assert limits.requests is None or self.spent.requests <= limits.requests, self.called
        assert limits.tokens is None or self.spent.tokens <= limits.tokens, self.called

    def state(self) -> str:
        """Everything that decides what can happen next."""
        return json.dumps([self.store.kept, self.store.seen, self.steps], sort_keys=True)
