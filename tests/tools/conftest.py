"""What the tests of tools share: Airflow connections, and a model server on loopback."""

from __future__ import annotations

import json
from typing import Any

import pytest
from pytest_httpserver import HTTPServer

from tests.tools.model_server import KEY, ModelServer


@pytest.fixture
def connection(monkeypatch: pytest.MonkeyPatch):
    """Defines an Airflow connection."""

    def define(conn_id: str = "vibe_llm", **fields: Any) -> None:
        value = json.dumps({"conn_type": "pydanticai", **fields})
        monkeypatch.setenv(f"AIRFLOW_CONN_{conn_id.upper()}", value)

    return define


@pytest.fixture
def model_server(httpserver: HTTPServer, connection: Any) -> ModelServer:
    """A model server that the connection ``vibe_llm`` leads to."""
    started = ModelServer(httpserver)
    connection(password=KEY, host=started.url, extra={"model": "openai-chat:my-model"})
    return started
