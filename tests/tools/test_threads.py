from __future__ import annotations

import asyncio
import contextvars
import subprocess
import sys
import threading
import traceback
from typing import Any

import pytest

from airflow_provider_vibe.tools.threads import run_in_thread

colour: contextvars.ContextVar[str] = contextvars.ContextVar("colour", default="none")


def test_gives_back_what_the_function_returns_from_another_thread():
    async def main() -> tuple[int, int]:
        return await run_in_thread(lambda offset: (threading.get_ident(), offset + 1), offset=1)

    ident, value = asyncio.run(main())
    assert ident != threading.get_ident()
    assert value == 2


def test_sees_the_context_variables_of_the_caller_and_cannot_change_them():
    def paint() -> str:
        seen = colour.get()
        colour.set("blue")
        return seen

    async def main() -> tuple[str, str]:
        colour.set("red")
        return await run_in_thread(paint), colour.get()

    assert asyncio.run(main()) == ("red", "red")


def test_an_exception_keeps_the_traceback_into_the_function():
    def breaks() -> None:
        raise LookupError("deep inside")

    with pytest.raises(LookupError, match="deep inside") as caught:
        asyncio.run(run_in_thread(breaks))
    assert "breaks" in [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]


def test_stop_iteration_does_not_hang_the_caller():
    with pytest.raises(RuntimeError) as caught:
        asyncio.run(asyncio.wait_for(run_in_thread(next, iter(())), timeout=5))
    assert isinstance(caught.value.__cause__, StopIteration)


def test_a_timeout_abandons_the_thread_and_what_it_returns_later_is_dropped():
    release = threading.Event()
    complaints: list[dict[str, Any]] = []

    async def main() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, complaint: complaints.append(complaint))
        before = set(threading.enumerate())
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(run_in_thread(release.wait, 10), timeout=0.02)
        (late,) = set(threading.enumerate()) - before
        release.set()
        await asyncio.to_thread(late.join, 5)
        await asyncio.sleep(0)

    asyncio.run(main())
    assert complaints == []


@pytest.mark.filterwarnings("error::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_ends_after_the_loop_is_closed_says_nothing():
    release = threading.Event()

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(run_in_thread(release.wait, 10), timeout=0.02)

    before = set(threading.enumerate())
    asyncio.run(main())
    (late,) = set(threading.enumerate()) - before
    release.set()
    late.join(5)
    assert not late.is_alive()


def test_a_stuck_thread_holds_up_neither_asyncio_nor_the_end_of_the_process():
    program = """
import asyncio, threading
from airflow_provider_vibe.tools.threads import run_in_thread
async def main():
    try:
        await asyncio.wait_for(run_in_thread(threading.Event().wait), 0.05)
    except TimeoutError:
        print("abandoned")
asyncio.run(main())
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=20)
    assert (ended.returncode, ended.stdout.strip()) == (0, "abandoned"), ended.stderr
