"""What real answers of a model server, over HTTP, mean for the next try."""

from __future__ import annotations

import json
import socket
import threading
import traceback
from datetime import timedelta
from typing import Any

import pytest
from airflow.sdk.definitions.retry_policy import RetryAction, RetryDecision

from airflow_provider_vibe.operators.retry import JITTER, VibeRetryPolicy
from airflow_provider_vibe.runtime.errors import ErrorKind, kind_of, message_of
from airflow_provider_vibe.tools.builtin.llm import llm_generate, llm_validate
from tests.tools.conftest import connection, model_server
from tests.tools.helpers import call
from tests.tools.model_server import KEY, ModelServer

__all__ = ["connection", "model_server"]


def failure(tool: Any = llm_generate, **inputs: Any) -> Exception:
    """What a call fails of; checks on the way that the key shows nowhere."""
    with pytest.raises(Exception) as caught:
        call(tool, inputs or {"prompt": "p"})
    shown = [str(caught.value), repr(caught.value), message_of(caught.value)]
    assert KEY not in "\n".join([*shown, *traceback.format_exception(caught.value)])
    return caught.value


def decision(error: Exception) -> RetryDecision:
    return VibeRetryPolicy().evaluate(error, try_number=1, max_tries=3)


def test_rate_limit_waits_as_long_as_the_server_asks_and_then_works(model_server: ModelServer):
    model_server.fail(429, "slow down", retry_after="12")
    error = failure()
    assert kind_of(error) is ErrorKind.RATE_LIMIT
    asked = decision(error)
    assert asked.action is RetryAction.RETRY
    assert timedelta(seconds=12) <= asked.retry_delay <= timedelta(seconds=12 * (1 + JITTER))
    assert call(llm_generate, {"prompt": "p"}).success
    assert len(model_server.requests) == 2


@pytest.mark.parametrize("status", [500, 502, 503, 529])
def test_server_error_twice_and_then_it_works(status: int, model_server: ModelServer):
    model_server.fail(status, times=2)
    for _ in range(2):
        error = failure()
        assert kind_of(error) is ErrorKind.SERVER
        assert decision(error).action is RetryAction.DEFAULT
    assert call(llm_generate, {"prompt": "p"}).success
    assert len(model_server.requests) == 3


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "invalid_api_key", ErrorKind.AUTHENTICATION),
        (403, "forbidden", ErrorKind.AUTHENTICATION),
        (404, "model_not_found", ErrorKind.NOT_FOUND),
        (429, "insufficient_quota", ErrorKind.QUOTA),
        (400, "context_length_exceeded", ErrorKind.TOO_LONG),
        (400, "content_filter", ErrorKind.REFUSED),
        (400, "invalid_value", ErrorKind.WRONG_INPUT),
    ],
)
@pytest.mark.parametrize("echo", ["", f" for Bearer {KEY}"], ids=["plain", "echoes the key"])
def test_what_another_try_cannot_help_is_asked_once(
    status: int, code: str, kind: ErrorKind, echo: str, model_server: ModelServer
):
    model_server.fail(status, f"no{echo}", code, times=3)
    error = failure()
    assert kind_of(error) is kind
    assert decision(error).action is RetryAction.FAIL
    assert len(model_server.requests) == 1


def test_refused_answer_fails_at_once(model_server: ModelServer):
    model_server.text, model_server.finish_reason = "", "content_filter"
    error = failure()
    assert (kind_of(error), decision(error).action) == (ErrorKind.REFUSED, RetryAction.FAIL)


def test_answer_cut_off_before_it_says_anything_fails_at_once(model_server: ModelServer):
    model_server.text, model_server.finish_reason = "", "length"
    error = failure(prompt="p", max_tokens=5)
    assert (kind_of(error), decision(error).action) == (ErrorKind.CUT_OFF, RetryAction.FAIL)
    assert len(model_server.requests) == 1


@pytest.mark.parametrize("body", ["<html>gateway</html>", "{", '{"object": "chat.completion"}', "[]"])
def test_malformed_answer_is_asked_for_again(body: str, model_server: ModelServer):
    model_server.answer_with(body)
    error = failure()
    assert kind_of(error) is ErrorKind.BAD_ANSWER
    assert decision(error).action is RetryAction.DEFAULT
    assert len(model_server.requests) == 1


def test_structured_answer_that_does_not_fit_is_asked_for_again(model_server: ModelServer):
    model_server.structured = {"passed": "perhaps"}
    error = failure(llm_validate, rubric="r", text="t")
    assert (kind_of(error), decision(error).action) == (ErrorKind.BAD_ANSWER, RetryAction.DEFAULT)


def test_server_that_is_not_there_is_asked_again(connection: Any):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        port = closed.getsockname()[1]
    connection(password=KEY, host=f"http://127.0.0.1:{port}/v1", extra={"model": "m"})
    error = failure()
    assert (kind_of(error), decision(error).action) == (ErrorKind.CONNECTION, RetryAction.DEFAULT)


def test_server_that_takes_too_long_is_asked_again(
    httpserver: Any, connection: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("AIRFLOW__VIBE__LLM_TIMEOUT", "0.3")
    asked, answered = [], threading.Event()

    def answer(request: Any) -> None:
        asked.append(request)
        answered.wait(30)

    httpserver.expect_request("/v1/chat/completions").respond_with_handler(answer)
    connection(password=KEY, host=httpserver.url_for("/v1"), extra={"model": "m"})
    error = failure()
    answered.set()
    assert (kind_of(error), decision(error).action) == (ErrorKind.TIMEOUT, RetryAction.DEFAULT)
    assert len(asked) == 1


@pytest.fixture
def chain(connection: Any, model_server: ModelServer) -> ModelServer:
    """Two connections of which the second is the fallback of the first."""
    extra = {"model": "a", "fallback_conn_ids": ["second"]}
    connection(password=KEY, host=model_server.url, extra=extra)
    connection("second", password=KEY, host=model_server.url, extra={"model": "openai-chat:b"})
    return model_server


@pytest.mark.parametrize(
    ("failures", "kind", "action"),
    [
        (([401, {}], [401, {}]), ErrorKind.AUTHENTICATION, RetryAction.FAIL),
        (([401, {}], [500, {}]), ErrorKind.SERVER, RetryAction.DEFAULT),
        (([429, {"retry_after": "3"}], [429, {"retry_after": "9"}]), ErrorKind.RATE_LIMIT, RetryAction.RETRY),
    ],
)
@pytest.mark.parametrize("echo", ["", f" for Bearer {KEY}"], ids=["plain", "echoes the key"])
def test_chain_of_models_is_judged_by_its_members(
    failures: Any, kind: ErrorKind, action: RetryAction, echo: str, chain: ModelServer
):
    for number, (status, headers) in enumerate(failures):
        chain.fail(status, f"failure {number}{echo}", **headers)
    error = failure()
    assert isinstance(error, ExceptionGroup)
    assert kind_of(error) is kind
    decided = decision(error)
    assert decided.action is action
    if action is RetryAction.RETRY:
        assert decided.retry_delay >= timedelta(seconds=9)
    assert "failure 0" in message_of(error)
    assert "failure 1" in message_of(error)


def test_key_is_in_nothing_that_a_call_leaves(model_server: ModelServer):
    model_server.text = f"You sent {KEY}."
    model_server.structured = {"passed": True, "score": 1, "issues": [f"sent {KEY}"]}
    answers = [call(llm_generate, {"prompt": "p"}), call(llm_validate, {"rubric": "r", "text": "t"})]
    assert model_server.requests[-1].headers["Authorization"] == f"Bearer {KEY}"
    assert answers[0].output == {"text": "You sent ***."}
    assert answers[1].output["issues"] == ["sent ***"]
    assert KEY not in json.dumps([[answer.output, answer.metadata] for answer in answers]) + repr(answers)


def test_password_that_is_a_word_takes_nothing_out_of_a_text(connection: Any, model_server: ModelServer):
    connection(password="lm-studio", host=model_server.url, extra={"model": "m"})
    model_server.text = "On lm-studio."
    assert call(llm_generate, {"prompt": "p"}).output == {"text": "On lm-studio."}
