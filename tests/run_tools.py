"""Tools for runs in this process, named in ``[vibe] tool_factories``; what they were given is kept here."""

from __future__ import annotations

import asyncio
import contextlib
import sys
import threading
from collections import Counter
from typing import Any

from airflow_provider_vibe.tools import Tool, ToolInputError, ToolResult, tool

calls: list[dict[str, Any]] = []
"""The contexts of all calls, in their order."""


def calls_of(node_id: str) -> list[dict[str, Any]]:
    return [call for call in calls if call["node_id"] == node_id]


def _note(context: dict[str, Any]) -> int:
    calls.append(context)
    return Counter(call["node_id"] for call in calls)[context["node_id"]]


@tool("echo")
async def echo(say: Any = None, *, context: dict[str, Any]) -> ToolResult:
    _note(context)
    output = {"text": f"{context['node_id']}: {say}", "say": say}
    return ToolResult(True, output, {"usage": {"input_tokens": 3}})


@tool("flaky")
async def flaky(*, context: dict[str, Any]) -> str:
    if _note(context) == 1:
        raise ConnectionError("lost")
    return "worked"


@tool("limited")
async def limited(*, context: dict[str, Any]) -> str:
    if _note(context) == 1:
        error = RuntimeError("slow down")
        error.retry_after = 0  # type: ignore[attr-defined]  # as pydantic_ai's errors have it
        raise error
    return "worked"


@tool("picky")
async def picky(*, context: dict[str, Any]) -> str:
    _note(context)
    raise ToolInputError("not this")


@tool("broken")
async def broken(*, context: dict[str, Any]) -> str:
    _note(context)
    raise ValueError("broken\0")


@tool("reports")
async def reports(*, context: dict[str, Any]) -> ToolResult:
    _note(context)
    return ToolResult(False, None, error="no luck")


@tool("cancelled")
async def cancelled() -> str:
    raise asyncio.CancelledError


@tool("exits")
def exits() -> str:
    sys.exit(3)


@tool("skips")
async def skips() -> str:
    from airflow.sdk.exceptions import AirflowSkipException

    raise AirflowSkipException("nothing new today")


@tool("gives_up")
async def gives_up() -> str:
    from airflow.sdk.exceptions import AirflowFailException

    raise AirflowFailException("no use")


@tool("sleeps")
async def sleeps() -> str:
    await asyncio.sleep(600)
    return "never"


@tool("blocks")
def blocks() -> str:
    threading.Event().wait()
    return "never"


@tool("hogs")
async def hogs() -> str:
    while True:
        pass


@tool("spins")
async def spins() -> str:
    while True:
        await asyncio.sleep(0)


@tool("clings")
async def clings() -> str:
    while True:
        with contextlib.suppress(asyncio.CancelledError):
            await asyncio.sleep(600)


@tool("tabs")
async def tabs(a: int, b: int) -> dict[str, int]:
    return {"sum": a + b}


@tool("large")
def large(size: int) -> dict[str, Any]:
    return {"text": "x" * size, "count": size}


@tool("copies")
def copies(value: Any = None, *, context: dict[str, Any]) -> Any:
    _note(context)
    return value


@tool("learns")
async def learns(*, context: dict[str, Any]) -> str:
    """Too short, then out of reach, then as the findings ask for."""
    if _note(context) == 2:
        raise ConnectionError("lost")
    return "long enough at last" if context["findings"] else "short"


@tool("stubborn")
async def stubborn(*, context: dict[str, Any]) -> str:
    _note(context)
    return "short"


def make_tools() -> list[Tool]:
    return [
        *(learns, stubborn),
        *(large, copies),
        *(echo, flaky, limited, picky, broken, reports, cancelled, exits, skips, gives_up),
        *(sleeps, blocks, hogs, spins, clings, tabs),
    ]
