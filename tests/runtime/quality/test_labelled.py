"""What the checks are worth on a labelled set, and that `docs/quality.md` tells these very numbers."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.runtime.quality.labelled import Labelled, labelled, precision_and_recall

DOCS = Path(__file__).parents[3] / "docs" / "quality.md"

PARTS: dict[str, Callable[[Labelled], bool]] = {
    "all": lambda each: True,
    "seen while the checks were made": lambda each: not (each.is_held_out or each.is_later),
    "held out": lambda each: each.is_held_out and not each.is_later,
    "written later": lambda each: each.is_later,
}


@pytest.fixture(scope="module")
def told() -> list[tuple[Labelled, bool]]:
    """Each labelled output, and whether our checks find it bad."""
    return [(each, not each.verdict().passed) for each in labelled()]


def test_set_is_large_and_has_every_kind_of_bad_output():
    each = labelled()
    assert sum(one.kind is None for one in each) >= 40
    assert sum(one.kind is not None for one in each) >= 40
    kinds = {one.kind for one in each}
    asked = "empty, cut off, repeated, refusal, placeholder, off-language, wrong format, prompt echoed"
    assert kinds >= set(asked.split(", "))


def test_checks_find_the_bad_outputs_and_leave_the_good_ones_alone(told):
    precision, recall = precision_and_recall((is_found, each.kind is not None) for each, is_found in told)
    assert precision >= 0.95
    assert recall >= 0.9


def test_docs_tell_the_numbers_as_measured(told):
    assert table(told) in DOCS.read_text("utf-8"), f"renew the table:\n{table(told)}"


def table(told: list[tuple[Labelled, bool]]) -> str:
    rows = [
        "| outputs | good | bad | precision | recall | precision, original | recall, original |",
        "|---|---|---|---|---|---|---|",
    ]
    for part, belongs in PARTS.items():
        these = [(each, is_found) for each, is_found in told if belongs(each)]
        ours = precision_and_recall((is_found, each.kind is not None) for each, is_found in these)
        original = precision_and_recall(
            (each.original_says_bad(), each.kind is not None) for each, _ in these
        )
        bad = sum(each.kind is not None for each, _ in these)
        numbers = " | ".join(f"{number:.2f}" for number in (*ours, *original))
        rows.append(f"| {part} | {len(these) - bad} | {bad} | {numbers} |")
    return "\n".join(rows) + "\n"
