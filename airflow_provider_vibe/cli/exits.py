"""How a command writes, and how it ends when it cannot do what it was asked for."""

from __future__ import annotations

import codecs
import io
import json
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_vibe.plan.problems import VibeError

CANNOT = 2
"""The exit code of a command that was asked for something that is not there, or cannot be read."""

INTERRUPTED = 130
"""The exit code of a command that Ctrl-C has ended, as shells have it."""

ESCAPES = "airflow_provider_vibe.escapes"
"""The name of what writes a character that a terminal, or a file, does not take as JSON does."""


@contextmanager
def errors_told(command: str) -> Iterator[None]:
    """An error made on purpose ends the command with a line on stderr and exit code 2.

    :param command: the name of the command, as it is typed.
    """
    _escape_on_stdout()
    try:
        try:
            yield
        finally:
            sys.stdout.flush()  # else a pipe that takes no more is told as Python ends
    except VibeError as error:
        print(f"airflow vibe {command}: {error}", file=sys.stderr)
        sys.exit(CANNOT)
    except BrokenPipeError:  # `airflow vibe watch … --events | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains as it ends
        sys.exit(CANNOT)
    except KeyboardInterrupt:
        sys.exit(INTERRUPTED)


@contextmanager
def logs_on_stderr() -> Iterator[None]:
    """Meanwhile what Airflow logs to stdout, which is for what was asked for alone, goes to stderr."""
    sys.stdout.flush()
    stdout = os.dup(1)
    os.dup2(2, 1)
    try:
        yield
    finally:
        sys.stdout.flush()
        os.dup2(stdout, 1)
        os.close(stdout)


def _escape_on_stdout() -> None:
    """From here on stdout takes every character, also where it is Latin-1 or ASCII; JSON stays JSON."""
    codecs.register_error(ESCAPES, _as_in_json)
    if isinstance(sys.stdout, io.TextIOWrapper):
        sys.stdout.reconfigure(errors=ESCAPES)


def _as_in_json(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeEncodeError):
        raise error
    return json.dumps(error.object[error.start : error.end])[1:-1], error.end
