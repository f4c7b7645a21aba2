"""JSON with the place of everything: a quick reader for good documents, a careful one for the others."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from typing import Any, NoReturn

from airflow_provider_vibe.plan.document_builder import (
    NUMBER,
    Abandoned,
    DocumentBuilder,
    DocumentLimits,
    Unclean,
    is_clean,
)
from airflow_provider_vibe.plan.problems import ProblemCode, quoted

_SPACE = re.compile(r"[ \t\n\r]*")
_SPACES = frozenset(" \t\n\r")
_WORD = re.compile(r"[^\s\[\]{}:,;=\"']{1,60}")
_YAML = re.compile(r"---|[\w$.-]+:(?:\s|$)")
_LITERALS: dict[str, bool | None] = {"true": True, "false": False, "null": None}
_PYTHON_LITERALS = {"True": "true", "False": "false", "None": "null"}
_NOT_FINITE = re.compile(r"-?(?:NaN|Infinity)\b")
_CLOSERS = {"{": "}", "[": "]"}
_MANY_DIGITS = 300  # fewer digits than any integer that is too large for a double


def read_quickly(text: str, limits: DocumentLimits) -> Any:
    """The data of a document with which nothing is wrong.

    :raises Unclean: when something may be wrong with it.
    """
    try:
        data = _DECODER.decode(text)
    except (ValueError, RecursionError):
        raise Unclean from None
    if is_clean(data, limits, may_hold_bad_text="\\u" in text):
        return data
    raise Unclean


def _object(members: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(members)
    if len(result) < len(members):
        raise Unclean
    return result


def _integer(text: str) -> int:
    if len(text) > _MANY_DIGITS:
        raise Unclean
    return int(text)


def _real(text: str) -> float:
    value = float(text)
    if math.isinf(value):
        raise Unclean
    return value


def _constant(text: str) -> float:
    raise Unclean


_DECODER = json.JSONDecoder(
    object_pairs_hook=_object, parse_int=_integer, parse_float=_real, parse_constant=_constant
)


def read_carefully(builder: DocumentBuilder) -> None:
    """Read the builder's source to its end, or to the first error of syntax, and report what is wrong.

    The same language as :func:`json.loads` in its strict mode, without recursion.
    """
    try:
        _Reader(builder).read()
    except Abandoned:
        builder.data = None


_Step = Callable[[], Any]


class _Reader:
    """Each step takes what must come next and returns the step after it; None at the end."""

    def __init__(self, builder: DocumentBuilder) -> None:
        self.builder = builder
        self.text = builder.source.text
        self.position = 0

    def read(self) -> None:
        step: _Step | None = self._value
        while step is not None:
            self._skip_space()
            step = step()

    def _skip_space(self) -> None:
        if self.text[self.position : self.position + 1] in _SPACES:
            space = _SPACE.match(self.text, self.position)
            self.position = space.end() if space else self.position

    @property
    def _next(self) -> str:
        return self.text[self.position : self.position + 1]

    # the steps

    def _value(self) -> _Step:
        char, start = self._next, self.position
        if char == '"':
            self.builder.scalar(self._string(), start)
            return self._after_value
        if char == "{":
            self.position += 1
            self.builder.open({}, start)
            return self._first_key
        if char == "[":
            self.position += 1
            self.builder.open([], start)
            return self._first_item
        if not (self._number() or self._word()):
            self._no_value()
        return self._after_value

    def _first_item(self) -> _Step:
        return self._close if self._next == "]" else self._value

    def _first_key(self) -> _Step:
        return self._close if self._next == "}" else self._key

    def _close(self) -> _Step:
        self.position += 1
        self.builder.close()
        return self._after_value

    def _key(self) -> _Step:
        start = self.position
        if self._next != '"':
            self._no_key()
        key = self._string()
        self._skip_space()
        if self._next != ":":
            self._syntax(f"expected ':' after the key {quoted(key)}, found {self._found()}")
        self.position += 1
        self.builder.key(key, start)
        return self._value

    def _after_value(self) -> _Step | None:
        container, char = self.builder.container, self._next
        if container is None:
            if char:
                self._syntax("something follows the end of the plan", self._hint_for_slip())
            return None
        in_object = isinstance(container, dict)
        if char == ",":
            self.position += 1
            return self._key if in_object else self._value
        if char == ("}" if in_object else "]"):
            return self._close
        self._no_comma("}" if in_object else "]")

    # the scalars

    def _string(self) -> str:
        try:
            value, self.position = _DECODER.raw_decode(self.text, self.position)
        except json.JSONDecodeError as error:
            self._bad_string(error)
        return str(value)

    def _number(self) -> bool:
        start = self.position
        found = NUMBER.match(self.text, start)
        if found is None:
            return False
        word = _WORD.match(self.text, start)
        if word is not None and word.end() > found.end() and word.end() - start < 60:
            hint = "write text in double quotes; numbers have no leading zero, '_' or '0x'"
            self._syntax(f"{quoted(word[0])} is not a number in JSON", hint)
        self.position = found.end()
        self.builder.number(found[0], start)
        return True

    def _word(self) -> bool:
        start = self.position
        not_finite = _NOT_FINITE.match(self.text, start)
        if not_finite:
            self.position = not_finite.end()
            self.builder.not_finite(not_finite[0], start)
            return True
        word = _WORD.match(self.text, start)
        if word is None or word[0] not in _LITERALS:
            return False
        self.position = word.end()
        self.builder.scalar(_LITERALS[word[0]], start)
        return True

    # what is wrong

    def _syntax(self, message: str, hint: str | None = None, at: int | None = None) -> NoReturn:
        if self._next == "\0":
            self.builder.stop(ProblemCode.BAD_TEXT, "a NUL character", self.position, "remove it")
        self.builder.stop(ProblemCode.SYNTAX, message, self.position if at is None else at, hint)

    def _found(self) -> str:
        names = {"": "the end of the file", "'": "a single quote", '"': "a string"}
        word = _WORD.match(self.text, self.position)
        return names.get(self._next) or quoted(word[0] if word else self._next, 30)

    def _no_value(self) -> NoReturn:
        if not self.text.strip():
            self._syntax("the file is empty", at=0)
        if not self._next:
            self._unfinished()
        if self._next == "]" and self.text[: self.position].rstrip().endswith(","):
            self._trailing_comma("]")
        self._syntax(f"expected a value, found {self._found()}", self._hint_for_slip())

    def _no_key(self) -> NoReturn:
        if not self._next:
            self._unfinished()
        if self._next == "}":
            self._trailing_comma("}")
        word = _WORD.match(self.text, self.position)
        hint = self._hint_for_slip()
        if word and word[0].isidentifier():
            hint = f'keys are written in double quotes: "{word[0]}"'
        self._syntax(f"expected a key, found {self._found()}", hint)

    def _trailing_comma(self, closer: str) -> NoReturn:
        comma = self.text.rindex(",", 0, self.position)
        self._syntax(f"a comma before '{closer}'", "remove the comma", comma)

    def _no_comma(self, closer: str) -> NoReturn:
        if not self._next:
            self._unfinished()
        hint = self._hint_for_slip()
        if hint is None and self._next not in "]}:":
            hint = "is there a comma missing?"
        if self._next in "]}":
            line = self.builder.source.line(self.builder.container_start)
            hint = f"the '{'{' if closer == '}' else '['}' of line {line} is closed by '{closer}'"
        self._syntax(f"expected ',' or '{closer}', found {self._found()}", hint)

    def _unfinished(self) -> NoReturn:
        container, start = self.builder.container, self.builder.container_start
        if container is None:
            self._syntax("expected a value, found the end of the file")
        opener = "{" if isinstance(container, dict) else "["
        line = self.builder.source.line(start)
        hint = f"add the closing '{_CLOSERS[opener]}'; is the file cut off?"
        self._syntax(f"the file ends before the '{opener}' of line {line} is closed", hint)

    def _bad_string(self, error: json.JSONDecodeError) -> NoReturn:
        start, self.position = self.position, error.pos
        char = self._next
        if error.msg.startswith("Unterminated"):
            self._syntax("a string that is never closed", "add the closing double quote", start)
        if error.msg.startswith("Invalid control") and char in "\r\n":
            hint = 'close it with a double quote, or write the line break as "\\n"'
            self._syntax("a string runs over the end of its line", hint, start)
        if error.msg.startswith("Invalid control"):
            hint = f'write it as "\\u{ord(char):04x}"' if char != "\t" else 'write it as "\\t"'
            self._syntax("a control character inside a string", hint)
        hint = "a backslash itself is written twice"
        self._syntax("an unknown escape in a string", hint)

    def _hint_for_slip(self) -> str | None:
        rest = self.text[self.position : self.position + 10]
        if rest.startswith("```"):
            return "remove the Markdown fence"
        if rest.startswith(("//", "/*", "#")):
            return "JSON has no comments; a plan in YAML has"
        if rest[:1] in ("'", "\u2018", "\u201c", "\u201d"):
            return 'strings are written in straight double quotes: "text"'
        if self.builder.container is None:
            return self._hint_for_notation()
        word = _WORD.match(self.text, self.position)
        if word and word[0] in _PYTHON_LITERALS:
            return f"write {_PYTHON_LITERALS[word[0]]}"
        if rest[:1] in ("+", ".") and rest[1:2].isdecimal():
            return "a number begins with a digit, or with '-' and a digit"
        return "text is written in double quotes" if word and word[0] != "-" else None

    def _hint_for_notation(self) -> str | None:
        if _YAML.match(self.text, self.position):
            return "a plan in YAML needs a file name that ends in .yaml"
        return "one plan per file" if self._next == "{" else None
