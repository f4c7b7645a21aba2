"""Which model a connection leads to, and that nothing goes anywhere else."""

from __future__ import annotations

import sys
from typing import Any

import pytest

from airflow_provider_vibe.tools import ToolInputError
from airflow_provider_vibe.tools.builtin.llm import llm_generate
from airflow_provider_vibe.tools.models.connection import chat_access
from tests.tools.helpers import call
from tests.tools.model_server import KEY, ModelServer


def refused(inputs: dict[str, Any]) -> str:
    with pytest.raises(ToolInputError) as caught:
        call(llm_generate, {"prompt": "p", **inputs})
    assert KEY not in str(caught.value)
    return str(caught.value)


def test_a_missing_connection_says_how_to_make_it():
    message = refused({"connection": "vibe_missing"})
    assert (
        "airflow connections add vibe_missing --conn-type pydanticai"
        ' --conn-extra \'{"model": "openai:gpt-5"}\' --conn-password "$OPENAI_API_KEY"'
    ) in message


def test_a_connection_of_another_type_is_refused(connection: Any):
    connection(conn_type="http", password=KEY)
    assert "'vibe_llm' cannot be used" in refused({})


def test_a_connection_without_a_model_is_refused(connection: Any):
    connection(password=KEY)
    assert refused({}) == (
        "connection 'vibe_llm' names no model: write it into the connection's extra,"
        """ like {"model": "openai:gpt-5"}, or give the input 'model'"""
    )


def test_a_model_without_its_provider_is_refused(connection: Any):
    connection(password=KEY, extra={"model": "gpt-5"})
    assert "provider:model" in refused({})


def test_a_missing_package_says_what_to_install(connection: Any, monkeypatch: pytest.MonkeyPatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "anthropic" or "anthropic" in name]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "anthropic", None)
    connection(password=KEY, extra={"model": "anthropic:claude-x"})
    message = refused({})
    assert "anthropic" in message
    assert "pip install 'airflow-provider-vibe[openai]'" in message


def test_a_host_that_the_model_provider_ignores_is_refused(connection: Any, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setenv("OPENROUTER_API_KEY", "from-the-environment")
    connection(password=KEY, host="http://localhost:9/v1", extra={"model": "openrouter:x/y"})
    message = refused({})
    assert "has the host 'http://localhost:9/v1', but" in message
    assert "openai-chat:NAME" in message


def test_a_password_that_the_model_provider_ignores_is_refused(
    connection: Any, monkeypatch: pytest.MonkeyPatch
):
    from pydantic_ai import providers

    class Keyless:
        def __init__(self) -> None:
            self.base_url = "https://elsewhere.example"

    known = providers.infer_provider_class
    monkeypatch.setattr(
        providers, "infer_provider_class", lambda name: Keyless if name == "keyless" else known(name)
    )
    connection(password=KEY, extra={"model": "keyless:x"})
    assert "has the password, but the model provider of 'keyless:x' takes none" in refused({})


def test_provider_that_takes_a_host_and_goes_elsewhere_is_refused(
    model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
):
    from pydantic_ai.models.openai import OpenAIChatModel

    monkeypatch.setattr(OpenAIChatModel, "base_url", "https://elsewhere.example/v1")
    message = refused({})
    assert f"names the host '{model_server.url}'" in message
    assert "would use 'https://elsewhere.example/v1'" in message
    assert model_server.requests == []


def test_every_model_of_a_fallback_chain_is_held_against_its_own_connection(
    connection: Any, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OPENROUTER_API_KEY", "from-the-environment")
    chain = {"model": "openai-chat:a", "fallback_conn_ids": ["second", " ", "third "]}
    connection(password=KEY, host=model_server.url, extra=chain)
    connection("second", password=KEY, host=model_server.url + "/", extra={"model": "openai-chat:b"})
    connection("third", password=KEY, host="http://localhost:9/v1", extra={"model": "openrouter:x/y"})
    assert "connection 'third' has the host" in refused({})
    connection("third", password=KEY, host=model_server.url, extra={"model": "openai-chat:c"})
    model_server.fail(500, times=2)
    result = call(llm_generate, {"prompt": "p"})
    assert result.output == {"text": "a haiku"}
    assert result.metadata["model"] == "c"
    assert len(model_server.requests) == 3


def test_a_later_model_of_the_chain_that_goes_elsewhere_is_refused(
    connection: Any, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
):
    from pydantic_ai.models.openai import OpenAIChatModel

    def address(model: Any) -> str:
        return model_server.url if model.model_name == "a" else "https://elsewhere.example"

    monkeypatch.setattr(OpenAIChatModel, "base_url", property(address))
    chain = {"model": "openai-chat:a", "fallback_conn_ids": ["second"]}
    connection(password=KEY, host=model_server.url, extra=chain)
    connection("second", password=KEY, host=model_server.url, extra={"model": "openai-chat:b"})
    assert "connection 'second' names the host" in refused({})


def test_a_fallback_that_is_not_there_is_the_one_that_is_named(connection: Any):
    connection(password=KEY, extra={"model": "openai-chat:a", "fallback_conn_ids": ["vibe_gone"]})
    assert "there is no connection 'vibe_gone'" in refused({})


def test_fallbacks_that_are_no_list_are_refused(connection: Any):
    connection(password=KEY, extra={"model": "openai-chat:a", "fallback_conn_ids": "second"})
    assert "must be a list" in refused({})


# whose key it is


@pytest.mark.parametrize("asked", ["deepseek:x", "gateway/openai:gpt-5", "ollama:x"])
def test_a_plan_cannot_send_the_key_of_one_provider_to_another(asked: str, connection: Any):
    connection(password=KEY, extra={"model": "openai:gpt-5"})
    assert f"'vibe_llm' is for models of the provider of 'openai:gpt-5'; '{asked}' is another" in refused(
        {"model": asked}
    )


def test_a_plan_cannot_send_the_key_of_a_vendors_connection_to_another(connection: Any):
    connection(conn_type="pydanticai_azure", password=KEY, host="https://a.example/openai/v1")
    assert "'deepseek:x' is another provider's" in refused({"model": "deepseek:x"})


def test_a_plan_cannot_send_the_key_elsewhere_by_way_of_the_fallbacks(connection: Any):
    connection(password=KEY, extra={"model": "openai:gpt-5", "fallback_conn_ids": ["second"]})
    connection("second", password=KEY)
    assert "'deepseek:x' is another provider's" in refused({"model": "deepseek:x"})
    assert "No model specified for connection 'second'" in refused({"model": "openai:gpt-4o"})


def test_a_key_of_nobody_in_particular_is_sent_to_nobody(connection: Any):
    connection(password=KEY)
    message = refused({"model": "deepseek:x"})
    assert "has a password, and no model that tells whose it is" in message
    assert '{"model": "deepseek:x"}' in message


@pytest.mark.parametrize("asked", ["openai:gpt-4o", "openai-responses:o3", "openai-chat:gpt-4o"])
def test_another_model_of_the_same_provider_is_taken(asked: str, connection: Any):
    connection(password=KEY, extra={"model": "openai:gpt-5"})
    model = chat_access("vibe_llm", asked).hook.get_conn()
    assert (model.model_name, model.base_url) == (asked.partition(":")[2], "https://api.openai.com/v1/")


def test_a_connection_without_model_and_key_lets_the_call_say_the_model(
    connection: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("DEEPSEEK_API_KEY", "of-the-worker")
    connection()
    assert chat_access("vibe_llm", "deepseek:x").hook.get_conn().model_name == "x"


@pytest.mark.parametrize("fields", [{}, {"host": "http://localhost:9/v1"}])
def test_a_plan_cannot_have_its_answers_made_up(fields: dict[str, Any], connection: Any):
    connection(extra={"model": "openai:gpt-5"}, **fields)
    assert "only a connection may name it, in its extra" in refused({"model": "test"})


@pytest.mark.parametrize(
    ("host", "extra"),
    [
        ("{host}/v1", {}),
        ("{host}:nine/v1", {"model": "m"}),
        ("{host}/v1", {"model": "openrouter:x/y"}),
        ("me:s3cret-pw@localhost", {"model": "m"}),
    ],
)
def test_the_user_and_password_of_a_host_are_not_told(
    host: str, extra: dict[str, Any], connection: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-worker-123456")
    connection(host=host.format(host="http://me:s3cret-pw@localhost"), extra=extra)
    message = refused({})
    assert "localhost" in message
    assert "s3cret-pw" not in message


def test_neither_is_that_of_a_host_that_is_gone_around_or_would_get_the_key_of_the_worker(
    connection: Any, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-worker-123456")
    connection(host="http://me:s3cret-pw@localhost:9/v1", extra={"model": "m"})
    assert "would be sent to 'http://localhost:9/v1'" in refused({})
    from pydantic_ai.models.openai import OpenAIChatModel

    monkeypatch.setattr(OpenAIChatModel, "base_url", "https://you:an0ther-pw@elsewhere.example/v1")
    message = refused({})
    assert "names the host 'http://localhost:9/v1'" in message
    assert "would use 'https://elsewhere.example/v1'" in message


# servers of one's own


@pytest.mark.parametrize("name", ["llama3.2", "llama3.1:8b", "Qwen/Qwen3-8B", "openai-chat:llama3.2"])
def test_a_server_is_named_by_its_host_alone_and_needs_no_key(
    name: str, connection: Any, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    connection(host=model_server.url, extra={"model": name})
    assert call(llm_generate, {"prompt": "p"}).output == {"text": "a haiku"}
    assert model_server.asked["model"] == name.removeprefix("openai-chat:")
    call(llm_generate, {"prompt": "p", "model": "other"})
    assert model_server.asked["model"] == "other"


def test_key_of_the_environment_is_sent_to_no_server_of_a_connection(
    connection: Any, model_server: ModelServer, monkeypatch: pytest.MonkeyPatch
):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-of-the-worker-123456")
    connection(host=model_server.url, extra={"model": "llama3.2"})
    message = refused({})
    assert "the key in the environment of the worker would be sent" in message
    assert "sk-of-the-worker" not in message
    assert model_server.requests == []
    connection(host=model_server.url, password="none-needed", extra={"model": "llama3.2"})
    call(llm_generate, {"prompt": "p"})
    assert model_server.requests[-1].headers["Authorization"] == "Bearer none-needed"


def test_a_server_without_a_model_says_where_to_look(connection: Any, model_server: ModelServer):
    connection(host=model_server.url)
    assert f"names no model (its server lists them at {model_server.url}/models)" in refused({})


def test_a_host_without_its_scheme_is_refused(connection: Any):
    connection(host="localhost:11434", extra={"model": "llama3.2"})
    assert "should be the whole URL, like 'http://localhost:11434/v1', not 'localhost:11434'" in refused({})


@pytest.mark.parametrize("written", ["{url}/", "http://LOCALHOST{rest}"])
def test_other_ways_to_write_the_same_host_are_taken(
    written: str, connection: Any, model_server: ModelServer
):
    host = written.format(url=model_server.url, rest=model_server.url.removeprefix("http://localhost"))
    connection(password=KEY, host=host, extra={"model": "m"})
    assert call(llm_generate, {"prompt": "p"}).success
