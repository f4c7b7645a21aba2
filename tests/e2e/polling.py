"""Waiting for something that other processes do, with a deadline."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

T = TypeVar("T")


def eventually(check: Callable[[], T | None], timeout: float, what: str, *, interval: float = 0.25) -> T:
    """Call ``check`` until it returns something true, and return that.

    An ``AssertionError`` of ``check`` means "not yet"; its message is then the last value. Any other
    exception passes.

    :param timeout: seconds; ``check`` is called at least once.
    :param what: what is waited for, for the message of the error.
    :param interval: seconds between two calls.
    :raises TimeoutError: naming ``what`` and the last value seen.
    """
    deadline = time.monotonic() + timeout
    while True:
        last: object
        try:
            value = check()
        except AssertionError as error:
            last = str(error)
        else:
            if value:
                return value
            last = value
        if time.monotonic() >= deadline:
            raise TimeoutError(f"waited {timeout:g} s for {what}; last value: {last!r}")
        time.sleep(interval)


def wait_for_file(path: Path, timeout: float = 60) -> str:
    """Wait until another process has written something to ``path``; return the text.

    The writer should write to another name and rename, or the text may be cut short.
    """
    return eventually(lambda: path.read_text() if path.exists() else "", timeout, f"text in the file {path}")
