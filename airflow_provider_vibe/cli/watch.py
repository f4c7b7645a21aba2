"""`airflow vibe watch`."""

from __future__ import annotations

import json
import sys
import time
from argparse import Namespace
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol

from rich.console import Console
from rich.live import Live

from airflow_provider_vibe.cli.events import EventTeller, ProgressEvent
from airflow_provider_vibe.cli.exits import errors_told
from airflow_provider_vibe.cli.looks import Look, Observer
from airflow_provider_vibe.cli.report import MOST_OF_A_REASON, as_text, open_console, run_tree
from airflow_provider_vibe.cli.runs import Unavailable, find_run, open_reader
from airflow_provider_vibe.runtime.outcome import ExecutionStatus

COMPLETED, FAILED = 0, 1
PATIENCE = 60.0
"""Seconds an Airflow that gave answers before may give none."""
LEAST_INTERVAL, LONGEST_INTERVAL = 0.1, 3600.0

_MARKS = {
    "node_started": "[cyan]▶[/]",
    "node_completed": "[green]✔[/]",
    "node_failed": "[red]✘[/]",
    "node_skipped": "[yellow]↷[/]",
}


def watch(args: Namespace) -> None:
    """Show the progress of a run until it has ended, and exit.

    :param args: ``dag``, ``run``, ``events``, ``interval`` and ``url``.
    """
    with errors_told("watch"), open_reader(args.url) as reader:
        observer = Observer(reader, find_run(reader, args.dag, args.run))
        console = open_console()
        view: View
        if args.events:
            view = EventLines(observer)
        else:
            view = LiveTree(observer, console) if console.is_terminal else Lines(observer, console)
        last = follow(observer, view, min(max(LEAST_INTERVAL, args.interval), LONGEST_INTERVAL))
    sys.exit(COMPLETED if last.status is ExecutionStatus.COMPLETED else FAILED)


class View(Protocol):
    """Shows looks at a run."""

    def shown(self) -> AbstractContextManager[object]:
        """While this is open, there is something to see."""
        ...

    def show(self, look: Look) -> None:
        """Show where the run stands now."""
        ...


def follow(observer: Observer, view: View, interval: float) -> Look:
    """Look at a run until it has ended; gives the last look.

    :param observer: looks at the run.
    :param view: shows it.
    :param interval: seconds between two looks.
    """
    with view.shown():
        for look in _looks(observer, interval):
            view.show(look)
    return look


def _looks(observer: Observer, interval: float) -> Iterator[Look]:
    look = observer.look()
    yield look
    answered, is_away = time.monotonic(), False
    while not look.run.is_over:
        time.sleep(interval)
        try:
            look = observer.look()
        except Unavailable as error:
            if time.monotonic() - answered > PATIENCE:
                raise
            if not is_away:
                print(f"airflow vibe watch: {error}; trying again", file=sys.stderr)
            is_away = True
            continue
        yield look
        answered, is_away = time.monotonic(), False


class EventLines:
    """Prints each event as a line of JSON.

    :param observer: knows what the nodes left behind.
    """

    def __init__(self, observer: Observer) -> None:
        self._teller = EventTeller(observer)

    def shown(self) -> AbstractContextManager[object]:
        """Nothing to prepare."""
        return nullcontext()

    def show(self, look: Look) -> None:
        """Print what happened since the last look."""
        for event in self._teller.events(look):
            print(json.dumps(event.as_json(), ensure_ascii=False), flush=True)


class LiveTree:
    """Redraws the tree of nodes in a terminal.

    :param observer: knows what the nodes left behind.
    :param console: the terminal.
    """

    def __init__(self, observer: Observer, console: Console) -> None:
        self._observer = observer
        self._live = Live(console=console, auto_refresh=False)

    def shown(self) -> AbstractContextManager[object]:
        """The terminal is ours meanwhile."""
        return self._live

    def show(self, look: Look) -> None:
        """Redraw the tree; the last one stays, whole, however long it is."""
        if look.run.is_over:
            self._live.vertical_overflow = "visible"
        self._live.update(run_tree(look, self._observer), refresh=True)


class Lines:
    """Prints a line for each thing that happens to a node, and the tree at the end: for a log.

    :param observer: knows what the nodes left behind.
    :param console: where to.
    """

    def __init__(self, observer: Observer, console: Console) -> None:
        self._observer = observer
        self._teller = EventTeller(observer)
        self._console = console

    def shown(self) -> AbstractContextManager[object]:
        """Nothing to prepare."""
        return nullcontext()

    def show(self, look: Look) -> None:
        """Print what happened since the last look."""
        for event in self._teller.events(look):
            if line := _line_of(event):
                self._console.print(line, highlight=False)
        if look.run.is_over:
            self._console.print(run_tree(look, self._observer))


def _line_of(event: ProgressEvent) -> str | None:
    if event.node_id is None:
        return None
    line = f"{_MARKS[event.event_type]} {event.progress_percent:3.0f} % {as_text(event.node_id)}"
    why = event.metadata.get("error") or event.metadata.get("reason")
    return f"{line}: {as_text(str(why)[:MOST_OF_A_REASON])}" if why else line
