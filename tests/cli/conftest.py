"""Commands that read a fake Airflow."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager

import pytest

from tests.cli.fakes import FakeReader

COMMANDS = ("watch", "result", "graph", "compare", "checkpoint")


@pytest.fixture
def reading(monkeypatch) -> Callable[[FakeReader], FakeReader]:
    """``reading(reader)`` makes the commands read that one, whatever the URL."""

    def use(reader: FakeReader) -> FakeReader:
        @contextmanager
        def open_fake(url):
            yield reader

        for command in COMMANDS:
            monkeypatch.setattr(f"airflow_provider_vibe.cli.{command}.open_reader", open_fake)
        return reader

    return use
