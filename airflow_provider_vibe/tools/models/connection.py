"""From an Airflow connection to a model of pydantic-ai, and the proof that the connection is what is used."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlsplit

from airflow_provider_vibe.plan.problems import quoted
from airflow_provider_vibe.tools.base import ToolInputError
from airflow_provider_vibe.tools.models.naming import (
    CHAT,
    GENERIC_TYPE,
    model_asked_of,
    provider_class,
    qualified,
)
from airflow_provider_vibe.tools.models.secrets import Secrets, shown_host

if TYPE_CHECKING:
    from airflow.providers.common.ai.hooks.pydantic_ai import PydanticAIHook
    from airflow.sdk import Connection
    from pydantic_ai.images import ImageGenerationModel

DEFAULT_CONNECTION = "vibe_llm"


def default_connection() -> str:
    """The connection of a call that names none."""
    from airflow.sdk.configuration import conf

    return conf.get("vibe", "llm_conn_id", fallback=DEFAULT_CONNECTION) or DEFAULT_CONNECTION


def model_asked_for(tool: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Which connection and model a call would use, as far as is known without trying. Blocks.

    :param tool: the name of the built-in tool.
    :param inputs: of the call.
    :returns: ``{"connection", "model"}``; the model is None where there is no connection to tell it.
    """
    from airflow.sdk import Connection
    from airflow.sdk.exceptions import AirflowException

    conn_id, model = inputs.get("connection") or default_connection(), inputs.get("model")
    if model is None and isinstance(conn_id, str):
        key = "image_model" if tool == "image_generate" else "model"
        with suppress(AirflowException, ValueError):  # the call itself says what to do about that
            model = Connection.get(conn_id).extra_dejson.get(key)
    return {"connection": conn_id, "model": model}


class Access(NamedTuple):
    """The way to a language model, proven.

    :param hook: common-ai's, its model resolved.
    :param secrets: those of the connection and of its fallbacks.
    """

    hook: PydanticAIHook
    secrets: Secrets


class ImageAccess(NamedTuple):
    """The way to an image model, proven.

    :param secrets: those of the connection.
    """

    model: ImageGenerationModel
    secrets: Secrets


def chat_access(conn_id: str, model: str | None) -> Access:
    """The way to the language model of a connection. Blocking: imports the model library (seconds).

    :param conn_id: the connection; those in its ``fallback_conn_ids`` are held against the same rules.
    :param model: ``provider:name``, or for a connection with a host a name alone; None: the connection's own.
        Without a host it has to be of the provider of the connection's own model, whose key it would get.
    :raises ToolInputError: the connection, its model or the model's package is missing or does not fit.
    """
    with usable(conn_id):
        from airflow.providers.common.ai.hooks.pydantic_ai import PydanticAIHook

        hook: PydanticAIHook = PydanticAIHook.get_hook(conn_id)  # refuses connections of other types
        connection = PydanticAIHook.get_connection(conn_id)
        Secrets.of(connection)  # before anything is said about it
        asked = model_asked_of(connection, model, "model", hook.model_provider)
        name = qualified(connection, asked, CHAT)
        _check_provider(connection, name)
        chain = [connection, *map(_fallback, _fallback_ids(connection))]
        secrets = Secrets.of(*chain)
        hook.model_id = name
        resolved = hook.get_conn()
        for each, its_model in zip(chain, getattr(resolved, "models", [resolved]), strict=True):
            _check_destination(each, its_model)
    return Access(hook, secrets)


def image_model(conn_id: str, model: str | None, timeout: float) -> ImageAccess:
    """The image model of a connection; common-ai has no way to one. Blocking.

    :param conn_id: a connection of type ``pydanticai``.
    :param model: ``provider:name``, or for a connection with a host a name alone; None: the ``image_model``
        of the connection's extra.
    :param timeout: seconds a request may take.
    :raises ToolInputError: as :func:`chat_access`.
    """
    with usable(conn_id):
        from airflow.providers.common.ai.hooks.pydantic_ai import PydanticAIHook
        from pydantic_ai.images import infer_image_generation_model
        from pydantic_ai.providers import infer_provider, infer_provider_class

        connection = PydanticAIHook.get_connection(conn_id)
        if connection.conn_type != GENERIC_TYPE:
            raise ToolInputError(
                f"connection {quoted(conn_id)} is of type {quoted(connection.conn_type)}; images are made"
                f" through connections of type {quoted(GENERIC_TYPE)}"
            )
        secrets = Secrets.of(connection)
        asked = model_asked_of(connection, model, "image_model")
        name = qualified(connection, asked, "openai", key="image_model", example="openai:gpt-image-2")
        _check_provider(connection, name)

        def provider_of(provider_name: str) -> Any:
            given = _credentials(connection)
            provider = (
                infer_provider_class(provider_name)(**given) if given else infer_provider(provider_name)
            )
            for setting, value in (("max_retries", 0), ("timeout", timeout)):
                if hasattr(provider.client, setting):  # of OpenAI's client: Airflow retries the task
                    setattr(provider.client, setting, value)
            _check_destination(connection, provider)
            return provider

        return ImageAccess(infer_image_generation_model(name, provider_factory=provider_of), secrets)


@contextmanager
def usable(conn_id: str) -> Iterator[None]:
    """Turn what is wrong with a connection into a :class:`ToolInputError` that says what to do."""
    from airflow.providers.common.compat.sdk import redact
    from airflow.sdk.exceptions import AirflowException, AirflowNotFoundException
    from pydantic_ai.exceptions import UserError

    try:
        yield
    except ToolInputError:
        raise
    except AirflowNotFoundException:
        raise ToolInputError(_how_to_connect(conn_id)) from None
    except ImportError as error:
        raise ToolInputError(
            f"connection {quoted(conn_id)}: the package of its model provider is not installed: {error};"
            " for OpenAI and Anthropic: pip install 'airflow-provider-vibe[openai]' or '...[anthropic]'"
        ) from error
    except (AirflowException, UserError, ValueError) as error:
        told = redact(str(error))
        raise ToolInputError(f"connection {quoted(conn_id)} cannot be used: {told}") from None


def _fallback_ids(connection: Connection) -> list[str]:
    """The connections that the hook falls back to, in its order; it refuses anything but a list itself."""
    listed = connection.extra_dejson.get("fallback_conn_ids")
    ids = [str(conn_id).strip() for conn_id in listed] if isinstance(listed, list) else []
    return [conn_id for conn_id in ids if conn_id]


def _fallback(conn_id: str) -> Connection:
    from airflow.providers.common.ai.hooks.pydantic_ai import PydanticAIHook

    with usable(conn_id):
        connection = PydanticAIHook.get_connection(conn_id)
        _check_provider(connection, connection.extra_dejson.get("model"))
    return connection


def _credentials(connection: Connection) -> dict[str, str]:
    """What the hook hands to the provider of a generic connection."""
    given = {"api_key": connection.password, "base_url": connection.host}
    return {name: value for name, value in given.items() if value}


def _check_provider(connection: Connection, name: Any) -> None:
    """Refuse a connection whose host or password its provider would not take.

    PydanticAIHook 1.0 drops both then, with a warning alone, and turns to the variables of the environment.
    """
    if connection.conn_type != GENERIC_TYPE:
        return
    if connection.host and not _is_url(connection.host):
        raise ToolInputError(
            f"connection {quoted(connection.conn_id)}: its host should be the whole URL, like"
            f" 'http://localhost:11434/v1', not {quoted(shown_host(connection.host))}"
        )
    provider = provider_class(name) if isinstance(name, str) else None
    if provider is None:
        return
    taken = inspect.signature(provider.__init__).parameters
    words = {"base_url": f"host {quoted(shown_host(connection.host or ''))}", "api_key": "password"}
    ignored = [words[given] for given in _credentials(connection) if given not in taken]
    if ignored:
        raise ToolInputError(
            f"connection {quoted(connection.conn_id)} has the {' and the '.join(ignored)}, but the model"
            f" provider of {quoted(name)} takes none and would go its own way; for a server that speaks"
            f" OpenAI's protocol write the model as '{CHAT}:NAME', or clear that field"
        )


def _is_url(host: str) -> bool:
    try:
        parts = urlsplit(host)
        return parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # its port is no number; the words of the error may be a part of a password
        return False


def _check_destination(connection: Connection, resolved: Any) -> None:
    """Refuse to go on when texts or keys would be sent elsewhere than the connection says.

    :param resolved: the model, or its provider.
    """
    import httpx

    used = getattr(resolved, "base_url", None)
    if connection.conn_type != GENERIC_TYPE or not connection.host or not used:
        return
    host = shown_host(connection.host)
    if str(httpx.URL(str(used))).rstrip("/") != str(httpx.URL(connection.host)).rstrip("/"):
        raise ToolInputError(
            f"connection {quoted(connection.conn_id)} names the host {quoted(host)}, but its model"
            f" provider ignores that and would use {quoted(shown_host(str(used)))}; for a server that"
            f" speaks OpenAI's protocol write the model as '{CHAT}:NAME', or clear the connection's host"
        )
    key = getattr(getattr(resolved, "client", None), "api_key", None)
    if key and not connection.password and key in os.environ.values():
        raise ToolInputError(
            f"connection {quoted(connection.conn_id)} has a host and no password, so the key in the"
            f" environment of the worker would be sent to {quoted(host)}; give it a password (any"
            " text for a server that asks for none)"
        )


def _how_to_connect(conn_id: str) -> str:
    return (
        f"there is no connection {quoted(conn_id)}. Create it, for example:"
        f" airflow connections add {conn_id} --conn-type pydanticai"
        """ --conn-extra '{"model": "openai:gpt-5"}' --conn-password "$OPENAI_API_KEY" """
        "(add --conn-host for a server of your own), or name another with the input 'connection' or with"
        " [vibe] llm_conn_id"
    )
