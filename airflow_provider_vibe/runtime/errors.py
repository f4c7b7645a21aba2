"""What kind of error it was: whether another try, or another plan, can help.

The kinds decide Airflow's retries (``operators/retry.py``); the analysis of an error for the feedback keeps
to vibe-aigc's own rules and asks here only about failures that a tool reports in words.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from airflow_provider_vibe.plan.problems import PlanError, VibeError
from airflow_provider_vibe.plan.references import BadReference
from airflow_provider_vibe.tools.base import ToolError, ToolFailed, ToolInputError
from airflow_provider_vibe.tools.budget import BudgetSpent

if TYPE_CHECKING:
    from airflow_provider_vibe.runtime.quality.verdict import Verdict

LONGEST_MESSAGE = 2_000
"""Characters of what an error says that are kept; a server may answer with megabytes."""

LONGEST_RETRY_AFTER = 3600.0
"""Seconds; a server that asks for more is not waited for longer."""


class ErrorKind(StrEnum):
    """Why a node failed, as far as it matters for what to do next."""

    TIMEOUT = "timeout"
    CONNECTION = "connection"
    RATE_LIMIT = "rate limit"
    SERVER = "server error"
    MEMORY = "memory"
    BAD_ANSWER = "malformed answer"
    AUTHENTICATION = "authentication"
    QUOTA = "quota exceeded"
    NOT_FOUND = "not found"
    TOO_LONG = "context too long"
    REFUSED = "refused content"
    CUT_OFF = "answer cut off"
    BUDGET = "budget spent"
    QUALITY = "quality refused"
    WRONG_INPUT = "wrong input"
    UNKNOWN = "unknown"


BEYOND_ANY_PLAN = frozenset(
    {ErrorKind.AUTHENTICATION, ErrorKind.QUOTA, ErrorKind.NOT_FOUND, ErrorKind.WRONG_INPUT}
)
"""What no other plan can help."""

HOPELESS = BEYOND_ANY_PLAN | {
    ErrorKind.TOO_LONG,
    ErrorKind.REFUSED,
    ErrorKind.CUT_OFF,
    ErrorKind.BUDGET,
    ErrorKind.QUALITY,
}
"""What another try cannot help: it would ask for the same again."""


class QualityRefused(VibeError):
    """An output that does not pass the checks of its node, whose ``on_fail`` does not let it pass.

    :param verdict: what is wrong with it.
    :param again: whether another try is wanted.
    """

    def __init__(self, verdict: Verdict, again: bool) -> None:
        super().__init__(verdict, again)
        self.verdict = verdict
        self.again = again

    def __str__(self) -> str:
        return self.verdict.complaint


_OURS = (PlanError, BadReference, ToolError, ToolInputError)

_BY_MODEL_CLASS = (
    ("QuotaExceeded", ErrorKind.QUOTA),
    ("ContextWindowExceeded", ErrorKind.TOO_LONG),
    ("ContentFilter", ErrorKind.REFUSED),
    ("OutputTokenLimitExceeded", ErrorKind.CUT_OFF),
)
"""Of pydantic-ai; these know more than the HTTP status, which is 429 for a spent quota too."""

_REFUSALS = frozenset({"content_filter", "content_policy_violation"})
"""What OpenAI and Azure give as the code of a refused prompt, in pydantic-ai's ``provider_error_code``."""

_BY_CLASS = (
    ("Timeout", ErrorKind.TIMEOUT),
    ("RateLimit", ErrorKind.RATE_LIMIT),
    ("Authentication", ErrorKind.AUTHENTICATION),
    ("PermissionDenied", ErrorKind.AUTHENTICATION),
    ("MemoryError", ErrorKind.MEMORY),
    ("ConnectionError", ErrorKind.CONNECTION),
    ("ConnectError", ErrorKind.CONNECTION),
    ("ModelNotFound", ErrorKind.NOT_FOUND),
    ("ModelRequestRejected", ErrorKind.REFUSED),
    ("ModelServerError", ErrorKind.SERVER),
    ("ModelUnavailable", ErrorKind.SERVER),
    ("UnexpectedModelBehavior", ErrorKind.BAD_ANSWER),
    ("ModelAPIError", ErrorKind.BAD_ANSWER),  # itself, for an answer that is no JSON; its children are above
    ("ArtifactError", ErrorKind.NOT_FOUND),
    ("NothingToReuse", ErrorKind.NOT_FOUND),
    ("CheckpointError", ErrorKind.NOT_FOUND),
)
"""Parts of class names, the most telling first: each library has classes of its own."""

_STATUS = r"(?:http|status|code|error)[\W_]*"
_BY_WORDS = (
    (
        ErrorKind.AUTHENTICATION,
        re.compile(
            r"(?:invalid|incorrect|wrong|missing|expired|no) api[ _-]?key"
            r"|api[ _-]?key (?:is |was )?(?:not|in)|unauthori[sz]ed|not authenticated"
            r"|authentication (?:error|failed|required)|forbidden"
            rf"|access denied|permission denied|{_STATUS}40[13]\b"
        ),
    ),
    (ErrorKind.RATE_LIMIT, re.compile(rf"rate.?limit|too many requests|{_STATUS}429\b")),
    (ErrorKind.TIMEOUT, re.compile(r"timeout|timed out")),
    (
        ErrorKind.WRONG_INPUT,
        re.compile(r"invalid (?:input|argument|parameter)|bad request|validation error"),
    ),
    (ErrorKind.MEMORY, re.compile("memory")),
    (ErrorKind.CONNECTION, re.compile("connection")),
)
"""A tool quotes the texts it works on; so a bare number or noun says nothing of the kind of failure."""


def class_names(error: BaseException) -> list[str]:
    """The name of an error's class and of all its parents, and of those of an error that it stands for."""
    return [*(cls.__name__ for cls in type(error).__mro__), *getattr(error, "stands_for", ())]


def message_of(error: BaseException) -> str:
    """What an error says, as JSON, XCom and the database can hold it: no NUL, no lone surrogates.

    A group of errors, of a chain of models say, says what its members say. A long message loses its middle.
    """
    if isinstance(error, BaseExceptionGroup):
        return shortened(f"{error.message}: {'; '.join(map(message_of, error.exceptions))}")
    message = shortened(str(error))
    return shortened(message.replace("\0", "\\x00").encode("utf-8", "backslashreplace").decode())


def shortened(message: str) -> str:
    """*message* with its middle left out, and said so, where it is longer than :data:`LONGEST_MESSAGE`."""
    if len(message) <= LONGEST_MESSAGE:
        return message
    note = f" … [{len(message):,} characters; the middle is left out] … "
    kept = LONGEST_MESSAGE - len(note)
    return f"{message[: kept - kept // 2]}{note}{message[-(kept // 2) :]}"


def kind_of(error: BaseException) -> ErrorKind:
    """The kind of an error, told by its class or its HTTP status; by its words if a tool reported it.

    Of a group of errors the first that another try can help counts, if there is one.
    """
    if isinstance(error, BaseExceptionGroup):
        kinds = [kind_of(member) for member in error.exceptions]
        return next((kind for kind in kinds if kind not in HOPELESS), kinds[0])
    if isinstance(error, BudgetSpent):
        return ErrorKind.BUDGET
    if isinstance(error, QualityRefused):
        return ErrorKind.UNKNOWN if error.again else ErrorKind.QUALITY
    if isinstance(error, _OURS):
        return ErrorKind.WRONG_INPUT
    if (kind := _kind_of_class(error, _BY_MODEL_CLASS)) is not None:
        return kind
    status = _http_status(error)
    if status is not None:
        is_refusal = getattr(error, "provider_error_code", None) in _REFUSALS
        return ErrorKind.REFUSED if is_refusal else _kind_of_status(status)
    if (kind := _kind_of_class(error, _BY_CLASS)) is not None:
        return kind
    return kind_of_message(str(error)) if isinstance(error, ToolFailed) else ErrorKind.UNKNOWN


def _kind_of_class(error: BaseException, table: Iterable[tuple[str, ErrorKind]]) -> ErrorKind | None:
    names = class_names(error)
    return next((kind for name in names for part, kind in table if part in name), None)


def kind_of_message(message: str) -> ErrorKind:
    """The kind of a failure that is only told in words."""
    lowered = message.lower()
    return next((kind for kind, words in _BY_WORDS if words.search(lowered)), ErrorKind.UNKNOWN)


def _http_status(error: BaseException) -> int | None:
    """The status of an HTTP response, wherever a client library keeps it."""
    if isinstance(error, SystemExit):
        return None  # its code is no HTTP status
    for owner in (error, getattr(error, "response", None)):
        for name in ("status_code", "status", "code"):
            status = getattr(owner, name, None)
            if isinstance(status, int) and 100 <= status < 600:
                return status
    return None


def _kind_of_status(status: int) -> ErrorKind:
    exact = {
        401: ErrorKind.AUTHENTICATION,
        403: ErrorKind.AUTHENTICATION,
        404: ErrorKind.NOT_FOUND,
        408: ErrorKind.TIMEOUT,
        409: ErrorKind.SERVER,  # something else holds what was asked for
        425: ErrorKind.SERVER,  # asked too early
        429: ErrorKind.RATE_LIMIT,
        504: ErrorKind.TIMEOUT,
    }
    if status in exact:
        return exact[status]
    if status >= 500:
        return ErrorKind.SERVER
    return ErrorKind.WRONG_INPUT if status >= 400 else ErrorKind.UNKNOWN


def retry_after(error: BaseException) -> float | None:
    """Seconds that a server asked to wait before another try, at most an hour; None when it did not say.

    Of a group of errors the longest of those that another try can help: a try asks all of them again.
    """
    if isinstance(error, BaseExceptionGroup):
        waits = [retry_after(member) for member in error.exceptions if kind_of(member) not in HOPELESS]
        return max((wait for wait in waits if wait is not None), default=None)
    asked: Any = getattr(error, "retry_after", None)
    for owner in (error, getattr(error, "response", None)):
        headers = getattr(owner, "headers", None)
        if asked is None and isinstance(headers, Mapping):
            asked = next((value for name, value in headers.items() if name.lower() == "retry-after"), None)
    seconds = _seconds_from_now(asked)
    return None if seconds is None else min(max(seconds, 0.0), LONGEST_RETRY_AFTER)


def _seconds_from_now(asked: Any) -> float | None:
    """A ``Retry-After`` is a number of seconds or a date (RFC 9110, 10.2.3)."""
    try:
        seconds = float(asked)
        return None if seconds != seconds else seconds
    except OverflowError:
        return LONGEST_RETRY_AFTER if asked > 0 else 0.0
    except (TypeError, ValueError):
        pass
    try:
        moment = parsedate_to_datetime(str(asked))
    except (TypeError, ValueError):
        return None
    return (moment.replace(tzinfo=moment.tzinfo or UTC) - datetime.now(UTC)).total_seconds()
