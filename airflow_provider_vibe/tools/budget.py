"""Spending what a plan allows: each call of a model is reserved before it and settled after it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from contextvars import ContextVar
from typing import Any, Protocol, TypeVar

from airflow_provider_vibe.plan.problems import VibeError
from airflow_provider_vibe.tools.base import Tool, ToolResult

R = TypeVar("R")

BYTES_PER_TOKEN = 3
"""Of a prompt in UTF-8, for its estimate. English has about four a token, Chinese three: rather too many."""


class BudgetSpent(VibeError):
    """The plan's budget does not allow another call; trying again gives no new money."""


class CallBudget(Protocol):
    """Keeps the account of what one attempt at a node spends, and of what its run may.

    A reservation is a number that this budget gave out; each is settled once.
    """

    async def reserve(self, output_tokens: int | None, prompt_tokens: int) -> int:
        """Set aside one request and its tokens, waiting while calls in progress decide whether they are left.

        :param output_tokens: the longest answer; None: what the configuration sets aside.
        :param prompt_tokens: an estimate.
        :raises BudgetSpent: they are not.
        """
        ...

    async def settle(self, reservation: int, usage: Mapping[str, Any]) -> None:
        """Book what the call really used in place of the reservation."""
        ...

    async def settle_failed(
        self, reservation: int, error: BaseException, usage: Mapping[str, Any] | None
    ) -> None:
        """Book a call that raised *error*; *usage* is what is known of it, None where nothing is."""
        ...

    async def check(self) -> None:
        """Look whether anything is left, without setting it aside.

        :raises BudgetSpent: nothing is.
        """
        ...

    def mark(self) -> Any:
        """A moment in the account, for :meth:`note`."""
        ...

    async def note(self, usage: Mapping[str, Any], since: Any) -> None:
        """Book what a tool says it used beyond what was booked call by call *since* a moment."""
        ...


current_budget: ContextVar[CallBudget | None] = ContextVar("vibe_call_budget", default=None)
"""The budget of the node at work here; None where nobody counts."""


async def within_budget(
    call: Callable[[], Awaitable[R]],
    *,
    max_tokens: int | None,
    usage_of: Callable[[R], Mapping[str, Any]],
    prompt: str = "",
    usage_when_failed: Callable[[], Mapping[str, Any] | None] | None = None,
) -> R:
    """Make a call of a model if the plan's budget allows it, and book what it used, also when it failed.

    Without a budget it only makes the call. One call may be several requests (a structured answer asked for
    again): one is reserved, the real number is booked.

    :param call: makes the call.
    :param max_tokens: the longest answer it asks for; None when it states no limit.
    :param usage_of: of the answer: ``input_tokens``, ``output_tokens``, ``requests``, ``cost`` (US dollars,
        None when not known).
    :param prompt: everything that is sent, for the estimate of its tokens.
    :param usage_when_failed: what is known to be used by a call that failed; None where nothing is.
    :raises BudgetSpent: the call is not made.
    """
    budget = current_budget.get()
    if budget is None:
        return await call()
    prompt_tokens = -(-len(prompt.encode("utf-8", "surrogatepass")) // BYTES_PER_TOKEN)
    reservation = await budget.reserve(max_tokens, prompt_tokens)
    try:
        answer = await call()
        usage = usage_of(answer)
    except BaseException as error:  # a cancelled call has been sent as well
        known = usage_when_failed() if usage_when_failed else None
        await budget.settle_failed(reservation, error, known)
        raise
    await budget.settle(reservation, usage)
    return answer


async def accounted(tool: Tool, call: Callable[[], Awaitable[ToolResult]]) -> ToolResult:
    """Let a tool work, and book what it says it used where it did not come through :func:`within_budget`.

    :param tool: with ``calls_models = True`` it is not started once the budget is spent.
    :param call: lets it work.
    :raises BudgetSpent: it is not started.
    """
    budget = current_budget.get()
    if budget is None:
        return await call()
    if getattr(tool, "calls_models", False):
        await budget.check()
    mark = budget.mark()
    result = await call()
    metadata = getattr(result, "metadata", None)
    usage = metadata.get("usage") if isinstance(metadata, Mapping) else None
    if isinstance(usage, Mapping):
        await budget.note(usage, since=mark)
    return result
