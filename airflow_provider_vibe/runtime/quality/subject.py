"""What the checks of a node look at: its output, the text in it, and what it was asked for."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

NO_JSON = object()

_FENCED = re.compile(r"^```[\w-]*[ \t]*\n(.*?)^```", re.DOTALL | re.MULTILINE)
_BEGINNING = re.compile(r"^[ \t]*(?=[\[{])", re.MULTILINE)
_MOST_BEGINNINGS = 50


@dataclass(frozen=True)
class Subject:
    """The output of a node.

    :param value: the output as the tool gave it.
    :param asked: what the tool was asked for: the node's description, the prompt.
    :param is_truncated: whether the model had to stop before its end.
    """

    value: Any
    asked: tuple[str, ...] = ()
    is_truncated: bool = False

    @property
    def text(self) -> str:
        """The text of the output; empty when it has none."""
        text = self.value.get("text") if isinstance(self.value, dict) else self.value
        return text if isinstance(text, str) else ""

    @cached_property
    def prose(self) -> str:
        """What a person would read of the text: where it is JSON, the texts in that."""
        document = _whole_document(self.text)
        return self.text if document is NO_JSON else "\n\n".join(_texts(document))

    @cached_property
    def document(self) -> Any:
        """The JSON in the text; where there is none, an output that has more than a text; else NO_JSON."""
        document = _whole_document(self.text)
        if document is not NO_JSON:
            return document
        has_more = self.value.keys() != {"text"} if isinstance(self.value, dict) else self.value != self.text
        return self.value if has_more else _document_inside(self.text)


def _whole_document(text: str) -> Any:
    fenced = _FENCED.search(text)
    for candidate in (text, fenced[1] if fenced else ""):
        if candidate.strip()[:1] in ("{", "["):
            try:
                return json.loads(candidate)
            except (ValueError, RecursionError):
                continue
    return NO_JSON


def _document_inside(text: str) -> Any:
    decoder = json.JSONDecoder()
    for begun, beginning in enumerate(_BEGINNING.finditer(text)):
        if begun == _MOST_BEGINNINGS:
            break
        try:
            return decoder.raw_decode(text, beginning.end())[0]
        except (ValueError, RecursionError):
            continue
    return NO_JSON


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for child in value.values() if isinstance(value, dict) else value:
            yield from _texts(child)
