"""Commands that read a fake Airflow."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import contextmanager

import pytest
from airflow import settings
from sqlalchemy import create_engine
from sqlalchemy.orm import scoped_session, sessionmaker

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


@pytest.fixture
def silent_database(monkeypatch, tmp_path) -> None:
    """Airflow's database cannot be reached."""
    engine = create_engine(f"sqlite:///{tmp_path}/nowhere/airflow.db")
    monkeypatch.setattr(settings, "Session", scoped_session(sessionmaker(bind=engine)))
