"""The change of a text as a patch that ``git apply`` takes."""

from __future__ import annotations

import difflib
import json

_NO_END = "\n\\ No newline at end of file\n"


def unified_patch(old: str, new: str, name: str) -> str:
    """The change from *old* to *new*; empty when there is none.

    :param name: of the file, as it stands in the patch.
    """
    lines = difflib.unified_diff(
        _lines(old), _lines(new), _quoted(f"a/{name}"), _quoted(f"b/{name}"), lineterm="\n"
    )
    return "".join(line if line.endswith("\n") else line + _NO_END for line in lines)


def _lines(text: str) -> list[str]:
    """The lines with their ends; a line ends at a line feed and nowhere else."""
    *whole, rest = text.split("\n")
    return [line + "\n" for line in whole] + ([rest] if rest else [])


def _quoted(name: str) -> str:
    return name if name.isprintable() else json.dumps(name)
