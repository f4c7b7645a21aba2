"""What kind of error it was: whether another try, or another plan, can help.

The kinds decide Airflow's retries (``operators/retry.py``); the analysis of an error for the feedback keeps to
vibe-aigc's own rules and asks here only about failures that a tool reports in words.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Any

from airflow_provider_vibe.plan.problems import PlanError
from airflow_provider_vibe.plan.references import BadReference
from airflow_provider_vibe.tools.base import ToolError, ToolInputError

LONGEST_RETRY_AFTER = 3600.0
"""Seconds; a server that asks for more is not waited for longer."""


class ErrorKind(StrEnum):
    """Why a node failed, as far as it matters for what to do next."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    RATE_LIMIT = "rate limit"
    SERVER = "server error"
    MEMORY = "memory"
    AUTHENTICATION = "authentication"
    NOT_FOUND = "not found"
    WRONG_INPUT = "wrong input"
    UNKNOWN = "unknown"


WORTH_ANOTHER_TRY = frozenset(
    {ErrorKind.TIMEOUT, ErrorKind.CONNECTION, ErrorKind.RATE_LIMIT, ErrorKind.SERVER, ErrorKind.MEMORY}
)
HOPELESS = frozenset({ErrorKind.AUTHENTICATION, ErrorKind.NOT_FOUND, ErrorKind.WRONG_INPUT})

_OURS = (PlanError, BadReference, ToolError, ToolInputError)

_BY_CLASS = (
    ("Timeout", ErrorKind.TIMEOUT),
    ("RateLimit", ErrorKind.RATE_LIMIT),
    ("Authentication", ErrorKind.AUTHENTICATION),
    ("PermissionDenied", ErrorKind.AUTHENTICATION),
    ("MemoryError", ErrorKind.MEMORY),
    ("ConnectionError", ErrorKind.CONNECTION),
    ("ConnectError", ErrorKind.CONNECTION),
)
"""Parts of class names, the most telling first: each library has classes of its own."""

_BY_WORDS = (
    (
        ErrorKind.AUTHENTICATION,
        ("api key", "api_key", "unauthorized", "authentication", "forbidden", "401", "403"),
    ),
    (ErrorKind.RATE_LIMIT, ("rate limit", "too many requests", "429")),
    (ErrorKind.TIMEOUT, ("timeout", "timed out")),
    (
        ErrorKind.WRONG_INPUT,
        ("invalid input", "invalid argument", "invalid parameter", "bad request", "validation"),
    ),
    (ErrorKind.MEMORY, ("memory",)),
    (ErrorKind.CONNECTION, ("connection",)),
)


def class_names(error: BaseException) -> list[str]:
    """The name of an error's class and of all its parents."""
    return [cls.__name__ for cls in type(error).__mro__]


def kind_of(error: BaseException) -> ErrorKind:
    """The kind of an error, told by its class, its HTTP status, or failing these its words."""
    if isinstance(error, _OURS):
        return ErrorKind.WRONG_INPUT
    status = _http_status(error)
    if status is not None:
        return _kind_of_status(status)
    for name in class_names(error):
        for part, kind in _BY_CLASS:
            if part in name:
                return kind
    return kind_of_message(str(error))


def kind_of_message(message: str) -> ErrorKind:
    """The kind of a failure that is only told in words."""
    lowered = message.lower()
    for kind, words in _BY_WORDS:
        if any(word in lowered for word in words):
            return kind
    return ErrorKind.UNKNOWN


def _http_status(error: BaseException) -> int | None:
    for owner in (error, getattr(error, "response", None)):
        status = getattr(owner, "status_code", None)
        if isinstance(status, int):
            return status
    return None


def _kind_of_status(status: int) -> ErrorKind:
    exact = {
        401: ErrorKind.AUTHENTICATION,
        403: ErrorKind.AUTHENTICATION,
        404: ErrorKind.NOT_FOUND,
        408: ErrorKind.TIMEOUT,
        429: ErrorKind.RATE_LIMIT,
        504: ErrorKind.TIMEOUT,
    }
    if status in exact:
        return exact[status]
    if status >= 500:
        return ErrorKind.SERVER
    return ErrorKind.WRONG_INPUT if status >= 400 else ErrorKind.UNKNOWN


def retry_after(error: BaseException) -> float | None:
    """Seconds that a server asked to wait before another try, at most an hour; None when it did not say."""
    headers: Any = getattr(getattr(error, "response", None), "headers", None)
    asked: Any = getattr(error, "retry_after", None)
    if asked is None and isinstance(headers, Mapping):
        asked = headers.get("retry-after")
    try:
        seconds = float(asked)
    except (TypeError, ValueError):
        return None
    return min(max(seconds, 0.0), LONGEST_RETRY_AFTER) if seconds == seconds else None
