"""Problem, PlanError: one catalogue of everything that can be wrong with a plan, and one way to print it."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from typing import Any

Pointer = tuple[str | int, ...]
"""The keys and list indexes that lead from the top of a document to one of its values."""


class VibeError(Exception):
    """Base of every error this provider raises on purpose."""


class ProblemCode(StrEnum):
    """Everything that can be wrong with a plan file."""

    # the file
    UNREADABLE = "unreadable"
    TOO_LARGE = "too-large"
    BAD_ENCODING = "bad-encoding"
    SYNTAX = "syntax"
    FORBIDDEN_YAML = "forbidden-yaml"
    DUPLICATE_KEY = "duplicate-key"
    NOT_FINITE = "not-finite"
    BAD_TEXT = "bad-text"
    TOO_LONG = "too-long"
    TOO_DEEP = "too-deep"
    # the shape
    MISSING_KEY = "missing-key"
    UNKNOWN_KEY = "unknown-key"
    WRONG_TYPE = "wrong-type"
    BAD_VALUE = "bad-value"
    EMPTY_PLAN = "empty-plan"
    # the nodes
    TOO_MANY_NODES = "too-many-nodes"
    TOO_MANY_EDGES = "too-many-edges"
    EMPTY_ID = "empty-id"
    DUPLICATE_ID = "duplicate-id"
    TASK_ID_COLLISION = "task-id-collision"
    RESERVED_ID = "reserved-id"
    UNKNOWN_DEPENDENCY = "unknown-dependency"
    SELF_DEPENDENCY = "self-dependency"
    DESCENDANT_DEPENDENCY = "descendant-dependency"
    CYCLE = "cycle"
    # what the nodes do
    BAD_REFERENCE = "bad-reference"
    UNKNOWN_PARAM = "unknown-param"
    UNKNOWN_NODE = "unknown-node"
    NOT_UPSTREAM = "not-upstream"
    UNKNOWN_TOOL = "unknown-tool"
    MISSING_TOOL = "missing-tool"
    BAD_TOOL_INPUTS = "bad-tool-inputs"
    BAD_CHECK = "bad-check"
    # when it runs
    BAD_SCHEDULE = "bad-schedule"
    BAD_PARAM = "bad-param"
    DUPLICATE_PLAN = "duplicate-plan"
    REFUSED = "refused"
    # only worth a warning
    REPEATED_DEPENDENCY = "repeated-dependency"
    NEGATIVE_DURATION = "negative-duration"
    COERCED = "coerced"
    IGNORED_TOOL = "ignored-tool"


WARNINGS = frozenset(
    {
        ProblemCode.REPEATED_DEPENDENCY,
        ProblemCode.NEGATIVE_DURATION,
        ProblemCode.COERCED,
        ProblemCode.IGNORED_TOOL,
    }
)


@dataclass(frozen=True)
class Place:
    """Where in a plan file something stands.

    :param pointer: keys and list indexes from the top of the document.
    :param line: counted from 1; None when the text has no such place.
    :param column: counted from 1, in characters.
    :param file: the name of the file as the caller gave it.
    """

    pointer: Pointer = ()
    line: int | None = None
    column: int | None = None
    file: str | None = None

    @property
    def json_pointer(self) -> str:
        """The pointer in the notation of RFC 6901."""
        return "".join("/" + str(part).replace("~", "~0").replace("/", "~1") for part in self.pointer)


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong with a plan: what, where, and what to do.

    :param code: which of the known problems it is.
    :param message: a sentence for a person.
    :param where: the place in the file.
    :param hint: what to do about it ("did you mean 'research'?").
    """

    code: ProblemCode
    message: str
    where: Place = Place()
    hint: str | None = None

    @property
    def is_warning(self) -> bool:
        """True when the plan can run all the same."""
        return self.code in WARNINGS

    def __str__(self) -> str:
        parts = (self.where.file or "plan", self.where.line, self.where.column)
        place = ":".join(str(part) for part in parts if part is not None)
        severity = "warning: " if self.is_warning else ""
        pointer = f"{one_line(self.where.json_pointer)}: " if self.where.pointer else ""
        hint = f" ({self.hint})" if self.hint else ""
        return f"{one_line(place)}: {self.code} {severity}{pointer}{one_line(self.message + hint)}"

    def as_json(self) -> dict[str, Any]:
        """The problem as plain JSON, for editors and `airflow vibe lint --format json`."""
        return {
            "code": str(self.code),
            "severity": "warning" if self.is_warning else "error",
            "message": self.message,
            "hint": self.hint,
            "file": self.where.file,
            "line": self.where.line,
            "column": self.where.column,
            "pointer": self.where.json_pointer,
        }

    def at(self, **changes: Any) -> Problem:
        """The same problem with a better known place (any field of :class:`Place`)."""
        return replace(self, where=replace(self.where, **changes))


class PlanError(VibeError):
    """A plan that cannot run, with everything that is wrong with it.

    :param problems: the problems, at least one of them an error.
    """

    def __init__(self, problems: Sequence[Problem]) -> None:
        self.problems = tuple(problems)
        super().__init__(format_problems(self.problems))


def format_problems(problems: Iterable[Problem]) -> str:
    """One problem a line."""
    return "\n".join(str(problem) for problem in problems)


def quoted(value: object, limit: int = 60) -> str:
    """*value* as it may stand inside a message: on one line, escaped, at most *limit* characters."""
    text = value if isinstance(value, str) else json.dumps(value, default=str)
    if len(text) > limit:
        text = text[: limit - 1] + "…"
    return f"'{one_line(text)}'"


def one_line(text: str) -> str:
    """*text* with everything that a terminal or a log would not print as it stands, or unseen, escaped."""
    if text.isprintable() and not _UNSEEN.search(text):
        return text
    return "".join(char if _is_seen(char) else char.encode("unicode_escape").decode() for char in text)


def _is_seen(char: str) -> bool:
    return char.isprintable() and not _UNSEEN.match(char)


_UNSEEN = re.compile(
    "[\u034f\u115f\u1160\u17b4\u17b5\u180b-\u180f\u2800\u3164\ufe00-\ufe0f\uffa0\U000e0100-\U000e01ef]"
)
"""Letters and marks that count as printable, but show nothing: fillers, variation selectors and the like."""


def did_you_mean(word: object, known: Iterable[str]) -> str | None:
    """A hint that names what *word* was probably meant to be; None when nothing is close."""
    if not isinstance(word, str):
        return None
    close = difflib.get_close_matches(word[:80], list(known), n=1, cutoff=0.6)
    return f"did you mean {quoted(close[0])}?" if close else None
