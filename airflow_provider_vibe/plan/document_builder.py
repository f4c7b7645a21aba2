"""What both notations of a plan file share: limits, places, and the builder that careful readers drive."""

from __future__ import annotations

import json
import math
import re
from array import array
from bisect import bisect_right
from dataclasses import dataclass
from functools import cached_property
from itertools import accumulate
from typing import Any, NoReturn

from airflow_provider_vibe.plan.problems import Place, Pointer, Problem, ProblemCode, quoted

MAX_PROBLEMS = 100
"""So many problems of one document are told; then only how many more there are."""

NUMBER = re.compile(r"-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][-+]?[0-9]+)?")
"""A number in JSON (RFC 8259, section 6), and so in both notations."""

_MAX_INTEGER_DIGITS = 309  # the largest double is about 1.8e308
_BAD_CHARACTER = re.compile("[\0\ud800-\udfff]")
_ESCAPED_BAD_CHARACTER = re.compile(r"\\u(?:0000|d[89a-f])")


@dataclass(frozen=True)
class DocumentLimits:
    """How large a document may be.

    :param max_bytes: bytes in the file.
    :param max_string_length: characters in one string or key.
    :param max_nesting: objects and lists inside one another.
    """

    max_bytes: int = 2**20
    max_string_length: int = 20_000
    max_nesting: int = 164

    @property
    def max_values(self) -> int:
        """Values in one document. A plan spends far more than seven bytes on each, only an attack less."""
        return max(1_000, self.max_bytes // 7)


class Unclean(Exception):
    """The quick reader met something that the careful reader must look at."""


class Abandoned(Exception):
    """The careful reader cannot go on; the reason is among the problems."""


class Source:
    """The text of a document and where its lines begin.

    :param text: the whole text, without a byte order mark.
    :param name: the file's name, for the places.
    """

    def __init__(self, text: str, name: str) -> None:
        self.text = text
        self.name = name

    @cached_property
    def _line_starts(self) -> array[int]:
        lines = self.text.replace("\r\n", " \n").replace("\r", "\n").split("\n")
        return array("L", accumulate((len(line) + 1 for line in lines), initial=0))

    def line(self, offset: int) -> int:
        """The line, counted from 1, of the character at *offset*."""
        return bisect_right(self._line_starts, offset)

    def place(self, offset: int, pointer: Pointer = ()) -> Place:
        """The place of the character at *offset*, counted from 0."""
        line = self.line(offset)
        return Place(pointer, line, offset - self._line_starts[line - 1] + 1, self.name)


class Spot:
    """Where an object or a list begins, and its members; the spot of a scalar is just its offset.

    :param start: offset of its first character.
    :param members: the spots of a list's items; by key, an object's (offset of the key, spot of the value).
    """

    __slots__ = ("members", "start")

    def __init__(self, start: int, members: Any) -> None:
        self.start = start
        self.members: dict[str, tuple[int, Spot | int]] | list[Spot | int] = members


def find_offset(spot: Spot | int, pointer: Pointer, key: bool) -> int:
    """The offset of the value at *pointer* below *spot*, or of its nearest ancestor that exists.

    :param key: the offset of the value's key instead, when it has one.
    """
    offset = spot if isinstance(spot, int) else spot.start
    for depth, part in enumerate(pointer, start=1):
        members = None if isinstance(spot, int) else spot.members
        if isinstance(members, dict) and part in members:
            key_offset, spot = members[str(part)]
            if key and depth == len(pointer):
                return key_offset
        elif isinstance(members, list) and isinstance(part, int) and 0 <= part < len(members):
            spot = members[part]
        else:
            break
        offset = spot if isinstance(spot, int) else spot.start
    return offset


def number(text: str) -> int | float | None:
    """The number that JSON's *text* means; None when it is larger than a double can hold."""
    if text.isdecimal() or text[1:].isdecimal():
        if len(text) > _MAX_INTEGER_DIGITS + 1 or math.isinf(float(text)):
            return None
        return int(text)
    real = float(text)
    return None if math.isinf(real) else real


def is_clean(data: Any, limits: DocumentLimits, *, may_hold_bad_text: bool) -> bool:
    """Whether *data* is within the limits and holds no text that is not text.

    :param may_hold_bad_text: False when the source shows that no string can hold a NUL or a surrogate.
    """
    level = [data]
    values = 0
    for depth in range(limits.max_nesting + 1):
        values += len(level)
        if values > limits.max_values:
            return False
        below: list[Any] = []
        for value in level:
            if isinstance(value, str):
                if len(value) > limits.max_string_length:
                    return False
            elif isinstance(value, dict):
                below.extend(value)
                values -= len(value)
                below.extend(value.values())
            elif isinstance(value, list):
                below.extend(value)
        if depth == limits.max_nesting and any(isinstance(value, dict | list) for value in level):
            return False
        if not below:
            return not (may_hold_bad_text and _has_bad_text(data))
        level = below
    return False


def _has_bad_text(data: Any) -> bool:
    try:
        return _ESCAPED_BAD_CHARACTER.search(json.dumps(data)) is not None
    except RecursionError:
        return True  # the careful reader does not recurse


class _Frame:
    """An object or a list that is still open."""

    __slots__ = ("data", "drops", "is_key", "key", "key_start", "members", "start")

    def __init__(self, data: dict[str, Any] | list[Any], spot: Spot, is_key: bool) -> None:
        self.data: Any = data
        self.members: Any = spot.members
        self.start = spot.start
        self.is_key = is_key
        self.key: str | None = None
        self.key_start = 0
        self.drops = False


class DocumentBuilder:
    """Builds the data, the spots and the problems of a document from what a reader meets, in its order.

    :param source: the text that is read.
    :param limits: past them the reading is given up.
    """

    def __init__(self, source: Source, limits: DocumentLimits) -> None:
        self.source = source
        self.limits = limits
        self.data: Any = None
        self.spot: Spot | int | None = None
        self._frames: list[_Frame] = []
        self._values_left = limits.max_values
        self._problems: list[Problem] = []
        self._untold = 0

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Everything that was reported, cut off with a count when it is very much."""
        if not self._untold:
            return tuple(self._problems)
        more = Problem(
            self._problems[-1].code, f"and {self._untold:,} more problems", self._problems[-1].where
        )
        return (*self._problems, more)

    @property
    def expects_key(self) -> bool:
        """True when what comes next is the key of a member."""
        if not self._frames:
            return False
        frame = self._frames[-1]
        return frame.key is None and isinstance(frame.data, dict)

    @property
    def container(self) -> dict[str, Any] | list[Any] | None:
        """The innermost open object or list."""
        return self._frames[-1].data if self._frames else None

    @property
    def container_start(self) -> int:
        """The offset where the innermost open object or list begins."""
        return self._frames[-1].start if self._frames else 0

    def pointer(self) -> Pointer:
        """Where the next value will stand."""
        parts: list[str | int] = []
        for frame in self._frames:
            if isinstance(frame.data, list):
                parts.append(len(frame.data) - (frame is not self._frames[-1]))
            elif frame.key is None or frame.drops or len(frame.key) > self.limits.max_string_length:
                break
            else:
                parts.append(frame.key)
        return tuple(parts)

    def report(self, code: ProblemCode, message: str, start: int, hint: str | None = None) -> None:
        """Record a problem at the offset *start* of the value, or the key, that comes next."""
        if len(self._problems) < MAX_PROBLEMS:
            self._problems.append(Problem(code, message, self.source.place(start, self.pointer()), hint))
        else:
            self._untold += 1

    def stop(self, code: ProblemCode, message: str, start: int, hint: str | None = None) -> NoReturn:
        """Record a problem that ends the reading, and end it.

        :raises Abandoned: always.
        """
        self.data = None
        self._problems.append(Problem(code, message, self.source.place(start, self.pointer()), hint))
        raise Abandoned

    def open(self, container: dict[str, Any] | list[Any], start: int, *, as_key: bool = False) -> None:
        """Begin an object or a list, given empty.

        :param as_key: it stands where a key must be: its content is checked, then left out with its value.
        """
        if len(self._frames) >= self.limits.max_nesting:
            limit = self.limits.max_nesting
            self.stop(ProblemCode.TOO_DEEP, f"nested more than {limit} levels deep", start)
        spot = Spot(start, type(container)())
        if not as_key:
            self._attach(container, spot)
        self._frames.append(_Frame(container, spot, as_key))

    def close(self) -> None:
        """End the innermost object or list."""
        frame = self._frames.pop()
        if frame.is_key:
            self.skip_key()
        else:
            self._member_done()

    def key(self, key: str, start: int) -> None:
        """Take the key of the next member."""
        frame = self._frames[-1]
        frame.key, frame.key_start = key, start
        if len(key) > self.limits.max_string_length or _BAD_CHARACTER.search(key):
            frame.key = _BAD_CHARACTER.sub("\ufffd", key)
            key = self._checked_text(key, start, "key")
        if key in frame.members:
            first = self.source.line(frame.members[key][0])
            self.report(
                ProblemCode.DUPLICATE_KEY,
                f"duplicate key {quoted(key)} (also at line {first})",
                start,
                "keep one of the two",
            )

    def scalar(self, value: str | int | float | bool | None, start: int) -> None:
        """Take a value that is neither object nor list."""
        if isinstance(value, str):
            value = self._checked_text(value, start, "string")
        self._attach(value, start)
        self._member_done()

    def number(self, text: str, start: int) -> None:
        """Take a number as it is written."""
        value = number(text)
        self.not_finite(text, start) if value is None else self.scalar(value, start)

    def not_finite(self, text: str, start: int) -> None:
        """Take a number that is none, or that no double can hold; 0 stands in for it."""
        message = f"{quoted(text, 40)} is not a number that a plan can hold"
        hint = "numbers go up to about 1.8e308" if text[-1].isdecimal() else "JSON has no such number"
        self.report(ProblemCode.NOT_FINITE, message, start, hint)
        self.scalar(0, start)

    def skip_key(self) -> None:
        """Leave the next member out of the data: its key was reported and stands for nothing."""
        self._frames[-1].key = ""
        self._frames[-1].drops = True

    def skip_value(self) -> None:
        """Leave the next value out of the data: it was reported and stands for nothing."""
        self._member_done()

    def _checked_text(self, text: str, start: int, what: str) -> str:
        limit = self.limits.max_string_length
        if len(text) > limit:
            message = f"a {what} of {len(text):,} characters; at most {limit:,} are allowed"
            self.report(ProblemCode.TOO_LONG, message, start)
        bad = _BAD_CHARACTER.search(text)
        if bad is None:
            return text
        if bad[0] == "\0":
            message, hint = f"a NUL character in a {what}", "remove it"
        else:
            message = f"a lone surrogate (U+{ord(bad[0]):04X}) in a {what}: half a character"
            hint = "write the character itself"
        self.report(ProblemCode.BAD_TEXT, message, start, hint)
        return _BAD_CHARACTER.sub("\ufffd", text)

    def _attach(self, value: Any, spot: Spot | int) -> None:
        self._values_left -= 1
        if self._values_left < 0:
            start = spot if isinstance(spot, int) else spot.start
            message = f"more than {self.limits.max_values:,} values in one file"
            self.stop(ProblemCode.TOO_LARGE, message, start)
        if not self._frames:
            self.data, self.spot = value, spot
            return
        frame = self._frames[-1]
        if isinstance(frame.data, list):
            frame.data.append(value)
            frame.members.append(spot)
        elif not frame.drops:
            frame.data[frame.key] = value
            frame.members[frame.key] = (frame.key_start, spot)

    def _member_done(self) -> None:
        if self._frames:
            self._frames[-1].key = None
            self._frames[-1].drops = False
