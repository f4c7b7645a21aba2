"""Bytes -> plain JSON data, with the place of everything, in JSON and in YAML.

Whatever the bytes, the answer is a :class:`Document`: data, problems, or both. A good document is read by a
quick reader that knows no places. When something may be wrong, or a place is wanted, a careful one reads it.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from airflow_provider_vibe.plan import json_document, yaml_document
from airflow_provider_vibe.plan.document_builder import (
    DocumentBuilder,
    DocumentLimits,
    Source,
    Spot,
    Unclean,
    find_offset,
)
from airflow_provider_vibe.plan.problems import Place, PlanError, Pointer, Problem, ProblemCode

__all__ = ["Document", "DocumentLimits", "parse_document", "read_bytes"]

YAML_SUFFIXES = (".yaml", ".yml")

_BYTE_ORDER_MARK = "\ufeff"


@dataclass(frozen=True)
class Document:
    """What was in a file.

    :param data: plain JSON (dict, list, str, int, float, bool, None); None when nothing could be made of it.
    :param problems: everything wrong with it as a document; the data may be usable all the same.
    """

    data: Any
    problems: tuple[Problem, ...]
    _source: Source = field(repr=False, compare=False)
    _find_spots: Callable[[], Spot | int | None] = field(repr=False, compare=False)

    def place(self, pointer: Pointer, *, key: bool = False) -> Place:
        """The place of a value; of its nearest ancestor in the file when there is no such value.

        :param pointer: leads to the value.
        :param key: the place of the value's key instead.
        """
        if self._spots is None:
            return Place(pointer, file=self._source.name)
        return self._source.place(find_offset(self._spots, pointer, key), pointer)

    @cached_property
    def _spots(self) -> Spot | int | None:
        return self._find_spots()


def parse_document(raw: bytes, name: str, limits: DocumentLimits) -> Document:
    """Read a document; never raises for what is in it.

    :param raw: the bytes of the file.
    :param name: its name, for the places; YAML when it ends in ``.yaml`` or ``.yml``, else JSON.
    :param limits: past them the document is refused.
    """
    if len(raw) > limits.max_bytes:
        return _nothing(_too_large(name, limits.max_bytes))
    source = _decode(raw, name)
    if isinstance(source, Problem):
        return _nothing(source)
    notation = yaml_document if name.lower().endswith(YAML_SUFFIXES) else json_document

    def read_carefully() -> DocumentBuilder:
        builder = DocumentBuilder(source, limits)
        notation.read_carefully(builder)
        return builder

    try:
        data = notation.read_quickly(source.text, limits)
    except Unclean:
        builder = read_carefully()
        return Document(builder.data, builder.problems, source, lambda: builder.spot)
    return Document(data, (), source, lambda: read_carefully().spot)


def read_bytes(path: Path, max_bytes: int) -> bytes:
    """The content of a regular file; never waits for a pipe or a device.

    :param path: of the file; it may be replaced while it is read: it is opened once.
    :param max_bytes: nothing is read of a file that is larger; it may grow meanwhile.
    :raises PlanError: when it cannot be read or is larger.
    """
    name = str(path)
    try:
        if stat.S_ISREG(os.stat(path).st_mode):  # opening a device may already do something
            with open(os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), "rb") as file:
                opened = os.fstat(file.fileno())
                if stat.S_ISREG(opened.st_mode):
                    raw = b"" if opened.st_size > max_bytes else file.read(max_bytes + 1)
                    if max(opened.st_size, len(raw)) > max_bytes:
                        raise PlanError([_too_large(name, max_bytes)])
                    return raw
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
        raise PlanError([_unreadable(name, reason)]) from error
    raise PlanError([_unreadable(name, "not a regular file")])


def _unreadable(name: str, reason: str) -> Problem:
    return Problem(ProblemCode.UNREADABLE, f"cannot be read: {reason}", Place(file=name))


def _too_large(name: str, max_bytes: int) -> Problem:
    return Problem(ProblemCode.TOO_LARGE, f"larger than {max_bytes:,} bytes", Place(file=name))


def _decode(raw: bytes, name: str) -> Source | Problem:
    encoding = json.detect_encoding(raw)
    start = raw[:64]
    if not encoding.startswith("utf-8") and (
        raw[0] > 0x7F or b"\0\0" in start[:4] or start.count(0) * 4 >= len(start)
    ):
        message = f"the file is not UTF-8 but {encoding.upper()}"
        return Problem(ProblemCode.BAD_ENCODING, message, Place((), 1, 1, name), "save it as UTF-8")
    try:
        return Source(raw.decode().lstrip(_BYTE_ORDER_MARK), name)
    except UnicodeDecodeError as error:
        before = raw[: error.start].decode().lstrip(_BYTE_ORDER_MARK)
        place = Source(before, name).place(len(before))
        message = f"byte 0x{raw[error.start]:02X} is not UTF-8"
        return Problem(ProblemCode.BAD_ENCODING, message, place, "save the file as UTF-8")


def _nothing(problem: Problem) -> Document:
    return Document(None, (problem,), Source("", problem.where.file or ""), lambda: None)
