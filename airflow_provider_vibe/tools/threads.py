"""Running blocking code beside an event loop, in a thread that nobody has to wait for."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar

P = ParamSpec("P")
R = TypeVar("R")


async def run_in_thread(function: Callable[P, R], /, *args: P.args, **kwargs: P.kwargs) -> R:
    """Call *function* in a thread of its own and wait for what it returns.

    Unlike ``asyncio.to_thread`` the thread is a daemon and belongs to no pool: a function that never comes
    back delays neither ``asyncio.run`` nor the end of the process. A thread cannot be stopped: cancelling the
    waiting task abandons it, and what it still returns or raises is dropped.

    :param function: any blocking callable; it sees a copy of the caller's context variables.
    :param args: its positional arguments.
    :param kwargs: its keyword arguments.
    :raises BaseException: whatever *function* raises, with its traceback.
    """
    loop = asyncio.get_running_loop()
    done: asyncio.Future[tuple[R | None, BaseException | None]] = loop.create_future()
    context = contextvars.copy_context()

    def work() -> None:
        try:
            outcome: tuple[R | None, BaseException | None] = (context.run(function, *args, **kwargs), None)
        except BaseException as error:  # also SystemExit: it belongs to the caller, not to this thread
            outcome = (None, error)
        _hand_over(loop, done, outcome)

    name = f"vibe-{getattr(function, '__name__', 'tool')}"
    threading.Thread(target=work, name=name, daemon=True).start()
    # The outcome is a pair, not the future's exception: a future refuses to carry StopIteration.
    result, error = await done
    if error is not None:
        raise error
    return result  # type: ignore[return-value]  # None only if the function returned it


def _hand_over(loop: asyncio.AbstractEventLoop, done: asyncio.Future[Any], outcome: Any) -> None:
    def settle() -> None:
        if not done.done():
            done.set_result(outcome)

    try:
        loop.call_soon_threadsafe(settle)
    except RuntimeError:
        if not loop.is_closed():
            raise
        # The loop ended while the function ran: nobody is waiting any more.
