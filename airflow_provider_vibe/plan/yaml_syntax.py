"""What a syntax error of libyaml means in plain words, and what was probably meant."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import NoReturn

import yaml

from airflow_provider_vibe.plan.document_builder import DocumentBuilder
from airflow_provider_vibe.plan.problems import ProblemCode, quoted

_INDENTATION = "check the indentation"
_NO_SPACE_AFTER_COLON = re.compile(r"[ \t]*(?:- +)?[\w$.-]+:(?![\s/]|\Z)")
_QUOTE_IT = "a text that begins so is written in quotes"


@dataclass(frozen=True)
class _Slip:
    """What one kind of error means.

    :param words: found in "CONTEXT: PROBLEM" as libyaml, or PyYAML's own parser, says it.
    :param at_context: the place is where the broken thing begins, not where libyaml gave up.
    """

    words: str
    message: str
    hint: str
    code: ProblemCode = ProblemCode.SYNTAX
    at_context: bool = False


_SLIPS = (
    _Slip(
        "unexpected end of stream", "a quote that is never closed", "add the closing quote", at_context=True
    ),
    _Slip(
        "unexpected document indicator",
        "a quote that is never closed",
        "add the closing quote",
        at_context=True,
    ),
    _Slip(
        "unknown escape character",
        "an unknown escape in double quotes",
        "a backslash itself is written twice there, or put the text in single quotes",
    ),
    _Slip(
        "invalid Unicode character escape code",
        "an escape that is half a character (a surrogate)",
        "write the character itself, or one escape of eight digits such as \\U0001F600",
        ProblemCode.BAD_TEXT,
    ),
    _Slip(
        "mapping values are not allowed",
        "a ':' where no key can be",
        f"{_INDENTATION}; a text with ': ' in it is written in quotes",
    ),
    _Slip(
        "could not find expected ':'",
        "a key without its ':'",
        f"write 'key: value', and {_INDENTATION}",
        at_context=True,
    ),
    _Slip(
        "block sequence entries are not allowed",
        "a list begins where none can",
        "begin it on a line of its own",
    ),
    _Slip("mapping keys are not allowed", "a '?' where no key can be", _QUOTE_IT),
    _Slip(
        "scanning a directive",
        "a YAML directive",
        "remove the line",
        ProblemCode.FORBIDDEN_YAML,
        at_context=True,
    ),
    _Slip("undefined tag handle", "a tag", _QUOTE_IT, ProblemCode.FORBIDDEN_YAML),
    _Slip("a tag", "a tag", _QUOTE_IT, ProblemCode.FORBIDDEN_YAML, at_context=True),
    _Slip("scanning an anchor", "a value that begins with '&'", _QUOTE_IT, at_context=True),
    _Slip("scanning an alias", "a value that begins with '*'", _QUOTE_IT, at_context=True),
    _Slip(
        "flow sequence",
        "a '[' that is not closed as a list",
        f"close it with ']'; {_QUOTE_IT}",
        at_context=True,
    ),
    _Slip(
        "flow mapping",
        "a '{' that is not closed as an object",
        f"close it with '}}'; {_QUOTE_IT}",
        at_context=True,
    ),
    _Slip(
        "block scalar",
        "a text block that is not well-formed",
        "after '|' or '>' comes a new line, indented with spaces",
    ),
    _Slip(
        "expected node content",
        "expected a value",
        "a text that begins with one of ,]}%@`!&* is written in quotes",
    ),
    _Slip("expected <document start>", "something follows the end of the plan", _INDENTATION),
    _Slip("expected '-' indicator", "a line that is no item of the list it stands in", _INDENTATION),
    _Slip("<block end>", "a line that does not fit what is above it", f"{_INDENTATION} and the quotes"),
    _Slip("expected key", "a line that does not fit what is above it", f"{_INDENTATION} and the quotes"),
)


def explain(error: yaml.MarkedYAMLError, builder: DocumentBuilder, text: str) -> NoReturn:
    """Report *error* to the builder and end the reading.

    :param text: what was parsed; its offsets are those of the builder's source.
    """
    said = f"{error.context or ''}: {error.problem or ''}"
    unknown = _Slip("", f"not YAML: {quoted(error.problem or said, 100)}", _INDENTATION)
    slip = next((slip for slip in _SLIPS if slip.words in said), unknown)
    mark = (slip.at_context and error.context_mark) or error.problem_mark or error.context_mark
    offset = min(mark.index, len(text)) if mark else 0
    at_character = _at_the_character(text, offset)
    message, hint = at_character or (slip.message, _missing_space(text, offset) or slip.hint)
    builder.stop(slip.code, message, offset, hint)


def _at_the_character(text: str, offset: int) -> tuple[str, str] | None:
    char = text[offset : offset + 1]
    before = text[_line_start(text, offset) : offset]
    if char == "\t" or ("\t" in before and not before.strip()):
        return "a tab in the indentation", "indent with spaces"
    if text.startswith("```", offset):
        return "a Markdown fence", "remove it"
    if char in ("@", "`", "%"):
        return f"a value that begins with '{char}'", "write it in quotes"
    return None


def _missing_space(text: str, offset: int) -> str | None:
    """A hint when the line at *offset*, or the one before it, looks like ``key:value``."""
    start = _line_start(text, offset)
    lines = (_line_start(text, max(start - 1, 0)), start)
    is_colon = text.startswith(":", offset) and text[offset + 1 : offset + 2].strip()
    if is_colon or any(_NO_SPACE_AFTER_COLON.match(text, line) for line in lines):
        return "write a space after the colon of a key"
    return None


def _line_start(text: str, offset: int) -> int:
    return max(text.rfind("\n", 0, offset), text.rfind("\r", 0, offset)) + 1
