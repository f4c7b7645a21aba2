"""What a request used that failed: it may have been billed all the same."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from airflow_provider_vibe.runtime.errors import ErrorKind, class_names, kind_of
from airflow_provider_vibe.runtime.usage import NOTHING, Usage

_NEVER_BILLED = frozenset(
    {
        ErrorKind.RATE_LIMIT,
        ErrorKind.SERVER,
        ErrorKind.AUTHENTICATION,
        ErrorKind.QUOTA,
        ErrorKind.NOT_FOUND,
        ErrorKind.TOO_LONG,
        ErrorKind.WRONG_INPUT,
    }
)
"""A server that answers with one of these has not let a model work."""

_ANSWERED = frozenset({ErrorKind.BAD_ANSWER, ErrorKind.REFUSED, ErrorKind.CUT_OFF, ErrorKind.UNKNOWN})
"""The request was answered; it is the answer that was refused."""


def used_by_failed_request(claim: Usage, error: BaseException, known: Usage) -> Usage:
    """What the request used that a call failed at, beyond what is *known* to be used.

    :param claim: what was reserved for it.
    :param error: what the call raised.
    :param known: of the requests that were answered.
    """
    kind = kind_of(error)
    if kind in _NEVER_BILLED or _never_arrived(error):
        return Usage(requests=1)
    if known.requests and kind in _ANSWERED and not isinstance(error, asyncio.CancelledError):
        return NOTHING
    return replace(claim, unknown_costs=1, unanswered=1)


def _never_arrived(error: BaseException) -> bool:
    """Whether no connection came about, so that no model can have worked."""
    phase = getattr(error, "phase", None)  # of pydantic_ai's ModelConnectionError
    return phase == "connect" or not {"ConnectionRefusedError", "ConnectError"}.isdisjoint(class_names(error))
