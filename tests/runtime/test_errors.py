"""What kind of error it was, and how long a server asked to wait."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from types import SimpleNamespace

import httpx
import pytest

from airflow_provider_vibe.plan.problems import PlanError
from airflow_provider_vibe.plan.references import BadReference
from airflow_provider_vibe.runtime.errors import HOPELESS, ErrorKind, kind_of, message_of, retry_after
from airflow_provider_vibe.tools.base import ToolError, ToolFailed, ToolInputError
from tests.runtime.foreign_errors import (
    AiohttpResponseError,
    ContentFilterError,
    GoogleAPIError,
    HTTPStatusError,
    IncompleteToolCall,
    ModelAPIError,
    ModelAuthenticationError,
    ModelConnectionError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    ModelNotFoundError,
    ModelQuotaExceededError,
    ModelRateLimitError,
    ModelRequestRejectedError,
    ModelTimeoutError,
    PermissionDeniedError,
    UnexpectedModelBehavior,
)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ModelHTTPError(429), ErrorKind.RATE_LIMIT),
        (ModelHTTPError(500), ErrorKind.SERVER),
        (ModelHTTPError(503), ErrorKind.SERVER),
        (ModelHTTPError(529), ErrorKind.SERVER),
        (ModelHTTPError(504), ErrorKind.TIMEOUT),
        (ModelHTTPError(408), ErrorKind.TIMEOUT),
        (ModelHTTPError(409), ErrorKind.SERVER),
        (ModelHTTPError(425), ErrorKind.SERVER),
        (ModelHTTPError(401), ErrorKind.AUTHENTICATION),
        (ModelHTTPError(403), ErrorKind.AUTHENTICATION),
        (ModelHTTPError(404), ErrorKind.NOT_FOUND),
        (ModelHTTPError(400), ErrorKind.WRONG_INPUT),
        (ModelHTTPError(422), ErrorKind.WRONG_INPUT),
        (ModelHTTPError(302), ErrorKind.UNKNOWN),
        (HTTPStatusError(429), ErrorKind.RATE_LIMIT),
        (AiohttpResponseError(401), ErrorKind.AUTHENTICATION),
        (GoogleAPIError(), ErrorKind.SERVER),
    ],
)
def test_http_status_tells_the_kind(error, kind):
    assert kind_of(error) is kind


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ModelRateLimitError(), ErrorKind.RATE_LIMIT),
        (ModelTimeoutError(), ErrorKind.TIMEOUT),
        (ModelConnectionError(), ErrorKind.CONNECTION),
        (ModelAuthenticationError(), ErrorKind.AUTHENTICATION),
        (PermissionDeniedError(), ErrorKind.AUTHENTICATION),
        (httpx.ConnectError("no route"), ErrorKind.CONNECTION),
        (httpx.ConnectTimeout("slow"), ErrorKind.TIMEOUT),
        (ConnectionRefusedError(), ErrorKind.CONNECTION),
        (TimeoutError(), ErrorKind.TIMEOUT),
        (MemoryError(), ErrorKind.MEMORY),
    ],
)
def test_class_name_or_that_of_a_parent_tells_the_kind(error, kind):
    assert kind_of(error) is kind


@pytest.mark.parametrize(
    "error", [PlanError([]), BadReference("b"), ToolError("unknown tool"), ToolInputError("i")]
)
def test_our_own_errors_are_wrong_inputs(error):
    assert kind_of(error) is ErrorKind.WRONG_INPUT


@pytest.mark.parametrize(
    ("told", "kind"),
    [
        ("invalid api key", ErrorKind.AUTHENTICATION),
        ("Incorrect API key provided: sk-***", ErrorKind.AUTHENTICATION),
        ("the api_key is not valid", ErrorKind.AUTHENTICATION),
        ("Client error '401 Unauthorized' for url", ErrorKind.AUTHENTICATION),
        ("HTTP 403", ErrorKind.AUTHENTICATION),
        ("Error code: 401 - {}", ErrorKind.AUTHENTICATION),
        ("status_code: 401, body: {}", ErrorKind.AUTHENTICATION),
        ("Rate limit reached", ErrorKind.RATE_LIMIT),
        ("status 429", ErrorKind.RATE_LIMIT),
        ("the read operation timed out", ErrorKind.TIMEOUT),
        ("400 Bad Request", ErrorKind.WRONG_INPUT),
        ("1 validation error for Inputs", ErrorKind.WRONG_INPUT),
        ("CUDA out of memory", ErrorKind.MEMORY),
        ("Connection reset by peer", ErrorKind.CONNECTION),
        ("no luck", ErrorKind.UNKNOWN),
        ("401 words, at most 400 are allowed", ErrorKind.UNKNOWN),
        ("validation failed: too short", ErrorKind.UNKNOWN),
    ],
)
def test_words_tell_the_kind_of_a_failure_that_a_tool_reports(told, kind):
    assert kind_of(ToolFailed(f"Tool execution failed: {told}")) is kind


@pytest.mark.parametrize("told", ["1 validation error for Answer", "got 401 rows", "invalid api key"])
def test_words_of_any_other_exception_prove_nothing(told):
    assert kind_of(ValueError(told)) is ErrorKind.UNKNOWN


def test_status_of_a_reported_failure_goes_before_its_words():
    masked = ToolFailed("ModelHTTPError: bad request with key ***")
    masked.status_code = 429  # type: ignore[attr-defined]  # as tools.builtin.llm hides a secret
    assert kind_of(masked) is ErrorKind.RATE_LIMIT


def test_number_that_is_no_http_status_is_not_taken_for_one():
    assert kind_of(AiohttpResponseError(1)) is ErrorKind.UNKNOWN


WORTH_ANOTHER_TRY = {
    *(ErrorKind.TIMEOUT, ErrorKind.CONNECTION, ErrorKind.RATE_LIMIT, ErrorKind.SERVER, ErrorKind.MEMORY),
    *(ErrorKind.BAD_ANSWER, ErrorKind.UNKNOWN),
}


@pytest.mark.parametrize("kind", sorted({*ErrorKind} & {*WORTH_ANOTHER_TRY}))
def test_what_may_pass_by_itself_is_worth_another_try(kind):
    assert kind not in HOPELESS


@pytest.mark.parametrize(
    "kind",
    [
        *(ErrorKind.AUTHENTICATION, ErrorKind.QUOTA, ErrorKind.NOT_FOUND, ErrorKind.WRONG_INPUT),
        *(ErrorKind.TOO_LONG, ErrorKind.REFUSED, ErrorKind.CUT_OFF),
    ],
)
def test_what_would_only_happen_again_is_hopeless(kind):
    assert kind in HOPELESS


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (ModelQuotaExceededError(429), ErrorKind.QUOTA),
        (ModelContextWindowExceededError(400), ErrorKind.TOO_LONG),
        (ContentFilterError(), ErrorKind.REFUSED),
        (IncompleteToolCall(), ErrorKind.CUT_OFF),
        (UnexpectedModelBehavior(), ErrorKind.BAD_ANSWER),
        (ModelAPIError("no JSON"), ErrorKind.BAD_ANSWER),
        (ModelNotFoundError(), ErrorKind.NOT_FOUND),
        (ModelRequestRejectedError(), ErrorKind.REFUSED),
    ],
)
def test_class_of_pydantic_ai_knows_more_than_the_status(error, kind):
    assert kind_of(error) is kind


def test_refused_prompt_is_told_by_the_code_of_the_provider():
    error = ModelHTTPError(400)
    error.provider_error_code = "content_filter"
    assert kind_of(error) is ErrorKind.REFUSED
    error.provider_error_code = "invalid_value"
    assert kind_of(error) is ErrorKind.WRONG_INPUT


def test_file_that_is_not_there_is_no_missing_model():
    assert kind_of(FileNotFoundError("x")) is ErrorKind.UNKNOWN


def test_masked_error_is_of_the_kind_of_the_one_it_stands_for():
    masked = ToolFailed("ModelQuotaExceededError: no")
    masked.stands_for = tuple(cls.__name__ for cls in ModelQuotaExceededError.__mro__)
    masked.status_code = 429  # type: ignore[attr-defined]  # as tools.models.asking keeps it
    assert kind_of(masked) is ErrorKind.QUOTA


def test_group_of_errors_is_what_another_try_can_help_if_anything():
    hopeless, limited = ModelHTTPError(401), ModelHTTPError(429, retry_after=5)
    assert kind_of(ExceptionGroup("all", [hopeless, limited])) is ErrorKind.RATE_LIMIT
    assert kind_of(ExceptionGroup("all", [hopeless, ModelHTTPError(404)])) is ErrorKind.AUTHENTICATION


def test_group_of_errors_waits_as_long_as_the_slowest_that_is_asked_again():
    group = ExceptionGroup(
        "all",
        [ModelHTTPError(429, retry_after=5), ModelHTTPError(503, retry_after=8), ModelHTTPError(500)],
    )
    assert retry_after(group) == 8
    assert retry_after(ExceptionGroup("all", [ModelHTTPError(401, retry_after=9), group])) == 8
    assert retry_after(ExceptionGroup("all", [ModelHTTPError(500)])) is None


def test_message_of_a_group_says_what_its_members_say():
    group = ExceptionGroup("all models failed", [ValueError("a\0"), ValueError("b")])
    assert message_of(group) == "all models failed: a\\x00; b"


@pytest.mark.parametrize(
    ("asked", "seconds"),
    [
        (7, 7.0),
        (0.5, 0.5),
        ("12", 12.0),
        (" 12.5 ", 12.5),
        (0, 0.0),
        (-3, 0.0),
        (3600, 3600.0),
        (86400, 3600.0),
        ("inf", 3600.0),
        (float("nan"), None),
        (10**400, 3600.0),
        (-(10**400), 0.0),
        ("soon", None),
        ("", None),
        (None, None),
        ([5], None),
    ],
)
def test_wait_that_a_server_asks_for_is_at_most_an_hour(asked, seconds):
    assert retry_after(ModelAPIError(retry_after=asked)) == seconds


def test_wait_may_be_told_as_a_date():
    moment = datetime.now(UTC) + timedelta(minutes=5)
    waited = retry_after(HTTPStatusError(503, {"Retry-After": format_datetime(moment, usegmt=True)}))
    assert waited is not None
    assert 290 < waited <= 300


def test_date_that_has_passed_means_now():
    past = datetime(2020, 1, 1, tzinfo=UTC)
    assert retry_after(HTTPStatusError(503, {"Retry-After": format_datetime(past, usegmt=True)})) == 0.0


@pytest.mark.parametrize(
    "error",
    [
        HTTPStatusError(429, {"retry-after": "30"}),
        AiohttpResponseError(429, {"Retry-After": "30"}),
        SimpleNamespace(response=SimpleNamespace(headers={"RETRY-AFTER": "30"})),
    ],
)
def test_wait_is_found_in_the_headers_of_the_error_or_its_response(error):
    assert retry_after(error) == 30.0


def test_error_without_headers_asks_for_nothing():
    assert retry_after(ValueError("x")) is None
    assert retry_after(HTTPStatusError(500)) is None


def test_message_of_an_error_can_always_be_kept():
    assert message_of(ValueError("a\0b\ud800c")) == "a\\x00b\\ud800c"
    assert message_of(ValueError("größer 🙂")) == "größer 🙂"


@pytest.mark.parametrize(
    "error",
    [
        ValueError("begin" + "x" * 5_000_000 + "end"),
        ValueError("begin" + "\0" * 1_999 + "end"),
        ExceptionGroup("begin", [ValueError("x" * 1_500), ValueError("x" * 1_500 + "end")]),
    ],
)
def test_long_message_loses_its_middle(error):
    told = message_of(error)
    assert len(told) == 2_000
    assert told.startswith("begin") and told.endswith("end")
    assert "the middle is left out" in told


def test_message_that_is_short_enough_is_told_whole():
    assert message_of(ValueError("x" * 2_000)) == "x" * 2_000
