"""``${params.topic}``, ``${nodes.research.text}``: data substitution, never code.

A string that is exactly one reference keeps the value's JSON type; inside a longer string the value is
written as text. ``$${`` is a literal ``${``. What was substituted is never looked at again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Container, Iterator
from dataclasses import dataclass
from typing import Any

from airflow_provider_vibe.plan.problems import Pointer, VibeError, did_you_mean, one_line, quoted

ROOTS = ("params", "nodes", "run", "vibe")
RUN_FIELDS = ("id", "date", "logical_date")
_TOKEN = re.compile(r"\$\$\{|\$\{([^{}]*)\}|\$\{")
_HINT_LITERAL = "write $${ for a literal ${"
_LONGEST_ID = 1_000
"""Characters of a node's id that a reference looks for; a path can be much longer."""


class BadReference(VibeError):
    """A reference cannot be read, or leads to nothing in the data of this run."""


@dataclass(frozen=True)
class Reference:
    """A reference as written: ``${root.path}``.

    :param root: one of ``params``, ``nodes``, ``run``, ``vibe``.
    :param path: what stands behind the root, split at the dots.
    """

    root: str
    path: tuple[str, ...]

    def __str__(self) -> str:
        """As it stands in a message: on one line, and cut where it is very long."""
        path = ".".join((self.root, *self.path))
        return "${" + one_line(path if len(path) <= 200 else path[:199] + "…") + "}"

    def split_node(self, known_ids: Container[str]) -> tuple[str, tuple[str, ...]]:
        """The node a ``nodes`` reference means, and the path into its output; an id may itself hold dots.

        :param known_ids: the ids there are; the longest that fits is meant, else the first part.
        """
        longest = 1
        node_id = ""
        for length, part in enumerate(self.path, start=1):
            node_id = f"{node_id}.{part}" if node_id else part
            if len(node_id) > _LONGEST_ID:
                break
            if node_id in known_ids:
                longest = length
        return ".".join(self.path[:longest]), self.path[longest:]


Part = str | Reference


def scan_template(text: str) -> Iterator[Part | BadReference]:
    """The literal texts and references *text* is made of.

    A ``${`` that begins no reference is given as the error it is.
    """
    end = 0
    for match in _TOKEN.finditer(text):
        if match.start() > end:
            yield text[end : match.start()]
        end = match.end()
        if match[0] == "$${":
            yield "${"
        else:
            try:
                yield _reference(match[1], text[match.start() : match.start() + 40])
            except BadReference as error:
                yield error
    if end < len(text):
        yield text[end:]


def parse_template(text: str) -> list[Part]:
    """The literal texts and references *text* is made of.

    :raises BadReference: a ``${`` that begins no reference, or one of a form that does not exist.
    """
    parts: list[Part] = []
    for part in scan_template(text):
        if isinstance(part, BadReference):
            raise part
        parts.append(part)
    return parts


def _reference(inside: str | None, text: str) -> Reference:
    if inside is None:
        raise BadReference(f"{quoted(text, 30)} begins a reference that has no end ({_HINT_LITERAL})")
    root, *path = inside.split(".")
    written = quoted("${" + inside + "}")
    if root not in ROOTS:
        hint = did_you_mean(root, ROOTS) or f"a reference begins with {', '.join(ROOTS)}; {_HINT_LITERAL}"
        raise BadReference(f"{written} is no reference ({hint})")
    if not path or not all(path):
        raise BadReference(f"{written} names nothing behind {quoted(root)} (write ${{{root}.NAME}})")
    if root == "run" and (len(path) > 1 or path[0] not in RUN_FIELDS):
        hint = did_you_mean(path[0], RUN_FIELDS) or f"a run has {', '.join(RUN_FIELDS)}"
        raise BadReference(f"{written} is nothing a run has ({hint})")
    return Reference(root, tuple(path))


def has_reference(value: Any) -> bool:
    """Whether *value* is a string that reads differently once references are filled in."""
    return isinstance(value, str) and "${" in value


def strings_with_references(value: Any, at: Pointer = ()) -> Iterator[tuple[Pointer, str]]:
    """Every string in *value*, however deep, that holds a reference, with its place."""
    stack = [(at, value)]
    while stack:
        pointer, current = stack.pop()
        if isinstance(current, dict):
            stack.extend(((*pointer, key), item) for key, item in current.items())
        elif isinstance(current, list):
            stack.extend(((*pointer, index), item) for index, item in enumerate(current))
        elif has_reference(current):
            yield pointer, current


def substitute(value: Any, look_up: Callable[[Reference], Any]) -> Any:
    """A deep copy of *value* with every reference filled in.

    :param value: plain JSON.
    :param look_up: gives the value a reference leads to.
    :raises BadReference: passed on from *look_up*.
    """
    if isinstance(value, dict):
        return {key: substitute(item, look_up) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [substitute(item, look_up) for item in value]
    if not has_reference(value):
        return value
    parts = parse_template(value)
    if len(parts) == 1 and isinstance(parts[0], Reference):
        return look_up(parts[0])
    return "".join(part if isinstance(part, str) else as_text(look_up(part)) for part in parts)


def as_text(value: Any) -> str:
    """A value as it is written inside a longer string: text as it is, anything else as compact JSON."""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def follow(reference: Reference, value: Any, path: tuple[str, ...]) -> Any:
    """What *path*, keys and list indexes, leads to in *value*.

    :raises BadReference: a step that is not there, named with what is.
    """
    for step, key in enumerate(path):
        if isinstance(value, dict) and key in value:
            value = value[key]
        elif isinstance(value, list) and key.isdecimal() and len(key) < 10 and int(key) < len(value):
            value = value[int(key)]
        else:
            raise BadReference(f"{reference} leads nowhere: {_what_is_there(value, key, path[:step])}")
    return value


def _what_is_there(value: Any, key: str, before: tuple[str, ...]) -> str:
    inside = f"{quoted('.'.join(before))} has" if before else "there is"
    if isinstance(value, dict):
        hint = did_you_mean(key, value) or "there are " + (
            ", ".join(map(quoted, list(value)[:20])) or "no keys"
        )
        return f"{inside} no key {quoted(key)} ({hint})"
    if isinstance(value, list):
        return f"{inside} no item {quoted(key)} in a list of {len(value)}"
    return f"{inside} no key {quoted(key)} in {quoted(value, 40)}"
