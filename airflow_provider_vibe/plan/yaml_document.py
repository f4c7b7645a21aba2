"""YAML with JSON's meaning and the place of everything: a quick reader for good documents, a careful one.

Both work on the events of libyaml, in a loop: nothing is composed, resolved or constructed, so no tag, anchor
or alias ever does anything, and depth costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final, Protocol

import yaml

from airflow_provider_vibe.plan.document_builder import (
    MAX_PROBLEMS,
    NUMBER,
    Abandoned,
    DocumentBuilder,
    DocumentLimits,
    Unclean,
    is_clean,
    number,
)
from airflow_provider_vibe.plan.problems import ProblemCode, quoted
from airflow_provider_vibe.plan.yaml_syntax import explain

_LITERALS: Final[dict[str, bool | None]] = {"": None, "null": None, "true": True, "false": False}
_NUMBER_START = frozenset("-0123456789")
_DIRECTIVE = re.compile("%(?<![^\n\r\ufeff]%)[^\n\r]*")
_BLANK = re.compile(r"[ \t\n\r\ufeff]++|#[^\n\r]*+|(?<![^\n\r])\.\.\.(?=[ \t\n\r]|\Z)")
_UNFIT = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff\ufffe\uffff]")
"""What YAML refuses even inside quotes, and what only YAML 1.1 takes for the end of a line."""
_UNFIT_BREAK = re.compile("[\x85\u2028\u2029]")

FORBIDDEN = ProblemCode.FORBIDDEN_YAML


class _Parser(Protocol):
    def get_event(self) -> Any: ...
    def dispose(self) -> None: ...


def _parser(text: str) -> _Parser:
    loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)  # PyYAML may be built without libyaml
    parser: _Parser = loader(text)
    return parser


def read_quickly(text: str, limits: DocumentLimits) -> Any:
    """The data of a document with which nothing is wrong.

    :raises Unclean: when something may be wrong with it.
    """
    if _DIRECTIVE.search(text) or not (text.isascii() or _UNFIT_BREAK.search(text) is None):
        raise Unclean
    try:
        parser = _parser(text)
        try:
            data = _QuickReader(limits).read(parser)
        finally:
            parser.dispose()
    except yaml.YAMLError:
        raise Unclean from None
    if is_clean(data, limits, may_hold_bad_text="\\" in text):
        return data
    raise Unclean


class _QuickReader:
    """Builds the data of one document from events, or raises :class:`Unclean`."""

    def __init__(self, limits: DocumentLimits) -> None:
        self._max_nesting = limits.max_nesting
        self._values_left = limits.max_values
        self._open: list[Any] = []
        self._container: Any = None
        self._key: str | None = None
        self._roots: list[Any] = []

    def read(self, parser: _Parser) -> Any:
        handlers: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.MappingStartEvent: self._start,
            yaml.SequenceStartEvent: self._start,
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
        }
        next_event = parser.get_event
        while event := next_event():
            handler = handlers.get(type(event))
            if handler is not None:
                handler(event)
            elif type(event) is yaml.AliasEvent:
                raise Unclean
        if not self._roots:
            raise Unclean
        return self._roots[0]

    def _scalar(self, event: Any) -> None:
        value = event.value
        if event.tag is not None or event.anchor is not None:
            raise Unclean
        container = self._container
        if self._key is None and type(container) is dict:
            if value in container or value == "<<":
                raise Unclean
            self._key = value
        else:
            self._take(value if event.style else _plain(value))

    def _take(self, value: Any) -> None:
        self._values_left -= 1
        if self._values_left < 0:
            raise Unclean
        container = self._container
        if type(container) is dict:
            container[self._key] = value
            self._key = None
        elif container is not None:
            container.append(value)
        elif self._roots:
            raise Unclean
        else:
            self._roots.append(value)

    def _start(self, event: Any) -> None:
        if event.tag is not None or event.anchor is not None or len(self._open) >= self._max_nesting:
            raise Unclean
        if self._key is None and type(self._container) is dict:
            raise Unclean
        container: Any = {} if type(event) is yaml.MappingStartEvent else []
        self._take(container)
        self._open.append(self._container)
        self._container = container

    def _end(self, event: Any) -> None:
        self._container = self._open.pop()


def _plain(text: str) -> str | int | float | bool | None:
    """What a scalar without quotes means: JSON's literals and numbers, anything else is text."""
    if text in _LITERALS:
        return _LITERALS[text]
    if text[0] not in _NUMBER_START or not NUMBER.fullmatch(text):
        return text
    value = number(text)
    if value is None:
        raise Unclean
    return value


def read_carefully(builder: DocumentBuilder) -> None:
    """Read the builder's source to its end, or to the first error of syntax, and report what is wrong."""
    try:
        text = _without_directives(builder, _without_unfit_characters(builder))
        _CarefulReader(builder, text).read()
    except Abandoned:
        builder.data = None


def _without_unfit_characters(builder: DocumentBuilder) -> str:
    text = builder.source.text
    for count, found in enumerate(_UNFIT.finditer(text)):
        if count == MAX_PROBLEMS:
            builder.stop(ProblemCode.BAD_TEXT, "more such characters: this is no text", found.start())
        is_nul = found[0] == "\0"
        what = "a NUL character" if is_nul else f"U+{ord(found[0]):04X} cannot stand in YAML as it is"
        hint = "remove it" if is_nul else "remove it, or write it as an escape in double quotes"
        builder.report(ProblemCode.BAD_TEXT, what, found.start(), hint)
    return _UNFIT.sub("\ufffd", text)


def _without_directives(builder: DocumentBuilder, text: str) -> str:
    """*text* with its directives made comments: libyaml's time grows with the square of their number."""
    position = _content_after(text, 0)
    pieces = [text[:position]]
    while directive := _DIRECTIVE.match(text, position):
        builder.report(FORBIDDEN, "a YAML directive", position, "remove the line")
        position = _content_after(text, directive.end())
        pieces.append("#" + text[directive.start() + 1 : position])
    return "".join(pieces) + text[position:]


def _content_after(text: str, position: int) -> int:
    """The offset of the first thing that is neither blank nor comment nor the end of a document."""
    while blank := _BLANK.match(text, position):
        position = blank.end()
    return position


class _CarefulReader:
    """Drives a builder with the events of one document."""

    def __init__(self, builder: DocumentBuilder, text: str) -> None:
        self._builder = builder
        self._text = text
        self._handlers: dict[type, Callable[[Any], None]] = {
            yaml.ScalarEvent: self._scalar,
            yaml.AliasEvent: self._alias,
            yaml.MappingStartEvent: self._start,
            yaml.SequenceStartEvent: self._start,
            yaml.MappingEndEvent: self._end,
            yaml.SequenceEndEvent: self._end,
        }

    def read(self) -> None:
        """Read the first document; say so when there is none, or a second."""
        parser = _parser(self._text)
        try:
            self._read(parser)
        except yaml.MarkedYAMLError as error:
            explain(error, self._builder, self._text)
        finally:
            parser.dispose()

    def _read(self, parser: _Parser) -> None:
        has_document = False
        while event := parser.get_event():
            kind = type(event)
            if kind in self._handlers:
                self._handlers[kind](event)
            elif kind is yaml.DocumentStartEvent:
                if has_document:
                    return self._another_document(event.start_mark.index)
                has_document = True
            elif kind is yaml.DocumentEndEvent:
                following = _content_after(self._text, event.end_mark.index)
                if _DIRECTIVE.match(self._text, following):
                    return self._another_document(following)
        if not has_document:
            self._builder.stop(ProblemCode.SYNTAX, "the file is empty", 0)

    def _another_document(self, start: int) -> None:
        self._builder.report(FORBIDDEN, "a second document in the same file", start, "one plan per file")

    def _scalar(self, event: Any) -> None:
        builder, text, start = self._builder, event.value, event.start_mark.index
        self._report_properties(event, start)
        if builder.expects_key:
            if text == "<<" and not event.style:
                builder.report(FORBIDDEN, "a merge key '<<'", start, "write the keys out")
                builder.skip_key()
            else:
                builder.key(text, start)
        elif event.style:
            builder.scalar(text, start)
        elif text in _LITERALS:
            builder.scalar(_LITERALS[text], start)
        elif NUMBER.fullmatch(text):
            builder.number(text, start)
        else:
            builder.scalar(text, start)

    def _alias(self, event: Any) -> None:
        name = quoted("*" + str(event.anchor), 30)
        self._builder.report(FORBIDDEN, f"an alias {name}", event.start_mark.index, "write the value out")
        if self._builder.expects_key:
            self._builder.skip_key()
        else:
            self._builder.skip_value()

    def _start(self, event: Any) -> None:
        start = event.start_mark.index
        self._report_properties(event, start)
        as_key = self._builder.expects_key
        if as_key:
            hint = "a key is plain text; a text that begins with '{' or '[' is written in quotes"
            self._builder.report(FORBIDDEN, "an object or a list as a key", start, hint)
        self._builder.open({} if isinstance(event, yaml.MappingStartEvent) else [], start, as_key=as_key)

    def _end(self, event: Any) -> None:
        self._builder.close()

    def _report_properties(self, event: Any, start: int) -> None:
        tag: str | None = getattr(event, "tag", None)
        if tag is not None:
            hint = "remove it; a text that begins with '!' is written in quotes"
            written = tag.replace("tag:yaml.org,2002:", "!!", 1)
            self._builder.report(FORBIDDEN, f"a tag {quoted(written, 40)}", start, hint)
        if event.anchor is not None:
            hint = "remove it; a text that begins with '&' is written in quotes"
            self._builder.report(FORBIDDEN, f"an anchor {quoted('&' + event.anchor, 30)}", start, hint)
