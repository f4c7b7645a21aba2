"""Which model a call may have of a connection, and what it is called with its provider."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_vibe.plan.problems import quoted
from airflow_provider_vibe.tools.base import ToolInputError
from airflow_provider_vibe.tools.models.secrets import shown_host

if TYPE_CHECKING:
    from airflow.sdk import Connection

GENERIC_TYPE = "pydanticai"
CHAT = "openai-chat"
"""What a server that is named by its host alone speaks: Ollama, vLLM, LM Studio and others do."""

PRETENDING = "test"
"""The model of pydantic-ai that makes its answers up."""


def model_asked_of(connection: Connection, asked: str | None, key: str, vendor: str | None = None) -> Any:
    """The model to use: the one *asked* for, if the connection's key may go to its provider, or its own.

    A connection with a host sends its key there, whatever the model. Any other sends it to the model's
    provider, and a plan must not choose who gets a key.

    :param key: of the connection's extra, under which its own model stands.
    :param vendor: the provider of a connection's type, for models without one.
    :raises ToolInputError: it may not, or the model is one that pretends.
    """
    extra = connection.extra_dejson
    if not asked:
        return extra.get(key)
    if asked == PRETENDING:
        raise ToolInputError(
            f"the model {quoted(asked)} makes its answers up; only a connection may name it, in its extra"
        )
    if connection.conn_type == GENERIC_TYPE and connection.host:
        return asked
    own = extra.get(key) or extra.get("model")
    home, target = _home_of(own, vendor), _home_of(asked, vendor)
    if home is None and connection.password:
        raise ToolInputError(
            f"connection {quoted(connection.conn_id)} has a password, and no model that tells whose it is:"
            f""" write one into its extra, like {{"{key}": {json.dumps(asked)}}}"""
        )
    if home is not None and target is not None and home != target:
        raise ToolInputError(
            f"connection {quoted(connection.conn_id)} is for models of the provider of {quoted(str(own))};"
            f" {quoted(asked)} is another provider's, who is not to get its key: name a connection for that"
            " one with the input 'connection'"
        )
    return asked


def _home_of(model_name: Any, vendor: str | None) -> tuple[type[Any], bool] | None:
    """Where the requests for a model go: its provider, and whether through pydantic-ai's gateway."""
    if not isinstance(model_name, str):
        model_name = ""
    found = provider_class(model_name)
    if found is None:
        found = provider_class(f"{vendor}:") if vendor else None
    return None if found is None else (found, model_name.startswith("gateway/"))


def qualified(
    connection: Connection, name: Any, protocol: str, *, key: str = "model", example: str = "openai:gpt-5"
) -> str:
    """*name* as common-ai takes it: with its provider, which a connection with a host need not name.

    :raises ToolInputError: there is no name.
    """
    if not name or not isinstance(name, str):
        listed = (
            f" (its server lists them at {shown_host(connection.host).rstrip('/')}/models)"
            if connection.host
            else ""
        )
        raise ToolInputError(
            f"connection {quoted(connection.conn_id)} names no model{listed}: write it into the connection's"
            f""" extra, like {{"{key}": "{example}"}}, or give the input 'model'"""
        )
    is_own_server = connection.conn_type == GENERIC_TYPE and connection.host
    return f"{protocol}:{name}" if is_own_server and name != PRETENDING and not provider_class(name) else name


def provider_class(model_name: str) -> type[Any] | None:
    """The provider in front of a model's name; None when that is part of the name (``llama3:8b``).

    :raises ImportError: its package is not installed.
    """
    from pydantic_ai.providers import infer_provider_class

    provider, colon, _ = model_name.partition(":")
    try:
        return infer_provider_class(provider) if colon else None
    except ValueError:
        return None
