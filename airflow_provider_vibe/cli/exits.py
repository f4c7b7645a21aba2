"""How a command ends when it cannot do what it was asked for."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from airflow_provider_vibe.plan.problems import VibeError

CANNOT = 2
"""The exit code of a command that was asked for something that is not there, or cannot be read."""


@contextmanager
def errors_told(command: str) -> Iterator[None]:
    """An error made on purpose ends the command with a line on stderr and exit code 2.

    :param command: the name of the command, as it is typed.
    """
    try:
        yield
    except VibeError as error:
        print(f"airflow vibe {command}: {error}", file=sys.stderr)
        sys.exit(CANNOT)
    except BrokenPipeError:  # `airflow vibe watch … --events | head`
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # else Python complains as it ends
        sys.exit(CANNOT)
    except KeyboardInterrupt:
        sys.exit(130)
