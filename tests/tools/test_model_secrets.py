"""Keys that a server says again show nowhere: not in answers, not in metadata, not in errors."""

from __future__ import annotations

import base64
import json
import traceback
from pathlib import Path
from typing import Any

import pytest
from airflow.sdk import Connection
from airflow.sdk.log import mask_secret

from airflow_provider_vibe.runtime.assessment import error_type_of
from airflow_provider_vibe.runtime.errors import ErrorKind, kind_of
from airflow_provider_vibe.tools import ToolFailed
from airflow_provider_vibe.tools.builtin.image_generate import image_generate
from airflow_provider_vibe.tools.builtin.llm import llm_analyze, llm_generate
from airflow_provider_vibe.tools.models.secrets import MASK, Secrets, cleared, shown_host
from tests.tools.helpers import call
from tests.tools.model_server import KEY, ModelServer

CONTEXT = {"run": {"id": "r", "dag_id": "d"}, "try_number": 1}


@pytest.fixture
def painter(
    connection: Any, model_server: ModelServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> ModelServer:
    monkeypatch.setenv("AIRFLOW__VIBE__ARTIFACTS_PATH", str(tmp_path))
    connection(password=KEY, host=model_server.url, extra={"image_model": "gpt-image-1"})
    return model_server


def secrets_of(extra: Any = None, **fields: Any) -> Secrets:
    return Secrets.of(
        Connection(conn_id="c", conn_type="pydanticai", extra=json.dumps(extra or {}), **fields)
    )


# what tools give back


def test_text_and_model_of_an_answer_do_not_hold_the_key(model_server: ModelServer):
    model_server.text = f"You sent {KEY}."
    model_server.model = f"model-for-{KEY}"
    result = call(llm_generate, {"prompt": "p"})
    assert result.output == {"text": f"You sent {MASK}."}
    assert result.metadata["model"] == f"model-for-{MASK}"


def test_object_of_an_answer_does_not_hold_the_key(model_server: ModelServer):
    model_server.structured = {"summary": KEY, "findings": [{"statement": f"a {KEY}", "evidence": KEY}]}
    output = call(llm_analyze, {"prompt": "p"}).output
    assert KEY not in json.dumps(output)
    assert output["findings"] == [{"statement": f"a {MASK}", "evidence": MASK}]


def test_prompt_and_model_of_a_picture_do_not_hold_the_key(
    painter: ModelServer, monkeypatch: pytest.MonkeyPatch
):
    from pydantic_ai.images.openai import OpenAIImageGenerationModel

    monkeypatch.setattr(OpenAIImageGenerationModel, "model_name", f"of {KEY}")
    painter.revised_prompt = f"a better {KEY}"
    result = call(image_generate, {"prompt": "p"}, **CONTEXT)
    assert result.output["prompt"] == f"a better {MASK}"
    assert result.metadata["model"] == f"of {MASK}"


# what is a secret


def test_short_password_is_a_secret_and_a_word_is_none():
    assert secrets_of(password="tr0ub4dor&3").hide("say tr0ub4dor&3") == f"say {MASK}"
    assert secrets_of(password="averylongpassword").hide("averylongpassword") == MASK
    for word in ("lm-studio", "EMPTY", "ollama", "none-needed", "a1b2"):
        assert secrets_of(password=word).hide(f"say {word}") == f"say {word}"


def test_shortest_secret_is_the_one_that_airflow_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("AIRFLOW__LOGGING__MIN_LENGTH_MASKED_SECRET", "8")
    assert secrets_of(password="a1b2c3d").known == ()
    assert secrets_of(password="a1b2c3d4").known == ("a1b2c3d4",)


def test_secrets_of_the_extra_are_those_with_a_telling_name():
    account = {"type": "service-account-1", "private_key": "-----BEGIN\nabc123", "keys": {"token": ["t0k3n"]}}
    secrets = secrets_of(
        {"model": "gpt-5-mini", "aws_secret_access_key": "aws-s3cret", "service_account_info": account}
    )
    assert secrets.hide("gpt-5-mini service-account-1") == "gpt-5-mini service-account-1"
    assert secrets.hide("aws-s3cret t0k3n -----BEGIN\nabc123") == f"{MASK} {MASK} {MASK}"
    assert secrets.hide(json.dumps("-----BEGIN\nabc123")) == f'"{MASK}"'


def test_user_and_password_of_a_host_are_secrets_as_they_are_written_and_as_they_are_sent():
    secrets = secrets_of(host="http://me:p%40ss-w0rd@localhost/v1")
    sent = base64.b64encode(b"me:p@ss-w0rd").decode()
    assert secrets.hide(f"p%40ss-w0rd p@ss-w0rd {sent} me") == f"{MASK} {MASK} {MASK} me"
    assert secrets_of(host="https://t0k3n-alone@localhost").hide("t0k3n-alone") == MASK


@pytest.mark.parametrize(
    ("host", "shown"),
    [
        ("http://localhost:11434/v1", "http://localhost:11434/v1"),
        ("https://me:p/w@rd@localhost", "https://localhost"),
        ("me:pw@localhost", "localhost"),
    ],
)
def test_host_is_shown_without_user_and_password(host: str, shown: str):
    assert shown_host(host) == shown


def test_secret_that_holds_another_is_hidden_whole_and_so_are_those_in_keys():
    secrets = Secrets.of(
        Connection(conn_id="a", conn_type="pydanticai", password="abc123"),
        Connection(conn_id="b", conn_type="pydanticai", password="abc123-more"),
    )
    assert secrets.hide({"abc123-more": ["abc123", 1, None]}) == {MASK: [MASK, 1, None]}


def test_secrets_do_not_show_themselves():
    assert KEY not in repr(secrets_of(password=KEY))


# errors


def in_chain(error: BaseException | None) -> list[BaseException]:
    return [error, *in_chain(error.__cause__), *in_chain(error.__context__)] if error else []


@pytest.mark.parametrize("tool", [llm_generate, image_generate])
def test_error_and_its_whole_chain_do_not_hold_the_key(tool: Any, painter: ModelServer, connection: Any):
    extra = {"model": "m", "image_model": "gpt-image-1"}
    connection(password=KEY, host=painter.url, extra=extra)
    painter.fail(401, f"wrong key: Bearer {KEY}")
    with pytest.raises(ToolFailed, match=r"wrong key: Bearer \*\*\*") as caught:
        call(tool, {"prompt": "p"}, **CONTEXT)
    assert caught.value.status_code == 401  # type: ignore[attr-defined]  # decides about retries
    assert kind_of(caught.value) is ErrorKind.AUTHENTICATION
    assert error_type_of(caught.value) == caught.value.stands_for[0] != "RuntimeError"
    assert KEY not in "".join(map(str, in_chain(caught.value)))


def test_error_does_not_hold_the_password_of_a_host_which_airflow_does_not_know_by_itself(
    model_server: ModelServer, connection: Any
):
    host = model_server.url.replace("http://", "http://me:hush-hush-4711@")
    connection(password=KEY, host=host, extra={"model": "m"})
    model_server.fail(401, "who is me:hush-hush-4711?")
    with pytest.raises(ToolFailed, match=r"who is me:\*\*\*\?"):
        call(llm_generate, {"prompt": "p"})


def raised(error: BaseException, cause: BaseException | None = None) -> BaseException:
    try:
        raise error from cause
    except BaseException as caught:
        return caught


def test_clean_error_keeps_its_class_and_loses_the_secrets_of_its_chain():
    mask_secret(KEY)
    cause = raised(KeyError(KEY), ValueError(KEY))
    error = raised(LookupError("nothing"), raised(OSError("clean"), cause))
    assert isinstance(error, LookupError)
    assert cleared(error) is error
    printed = "".join(traceback.format_exception(error))
    assert KEY not in printed
    assert "OSError: clean" in printed
    assert f"ToolFailed: KeyError: '{MASK}'" in printed


def test_cause_that_is_the_context_too_is_replaced_in_both_places():
    mask_secret(KEY)
    error, cause = LookupError("nothing"), ValueError(KEY)
    error.__cause__ = error.__context__ = cause
    cause.__context__ = error
    cleared(error)
    assert error.__cause__ is error.__context__
    assert str(error.__cause__) == f"ValueError: {MASK}"


def test_notes_of_an_error_are_its_words():
    mask_secret(KEY)
    error = ValueError("clean")
    error.add_note(KEY)
    assert KEY not in "".join(traceback.format_exception(cleared(error)))


def test_group_stays_a_group_and_only_its_dirty_members_are_replaced():
    mask_secret(KEY)
    clean = ValueError("clean")
    group = cleared(ExceptionGroup("all failed", [clean, TimeoutError(KEY)]))
    assert isinstance(group, ExceptionGroup)
    assert group.exceptions[0] is clean
    assert str(group.exceptions[1]) == f"TimeoutError: {MASK}"
    untouched = ExceptionGroup("all failed", [clean])
    assert cleared(untouched) is untouched
