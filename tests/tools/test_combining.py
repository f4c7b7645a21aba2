from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_vibe.tools import ToolInputError
from airflow_provider_vibe.tools.builtin.combining import combine
from tests.tools.helpers import call, output

PREVIOUS = {
    "intro": {"text": "first"},
    "group": {"text": "second", "children": {"x": {"text": "inner"}}},
    "numbers": {"n": 1},
    "plain": "third",
}


def combined(inputs: dict[str, Any], previous: dict[str, Any] = PREVIOUS) -> dict[str, Any]:
    return output(combine, inputs, previous_outputs=previous)


def test_without_pieces_the_texts_of_the_dependencies_are_joined_in_their_order():
    assert combined({}) == {"text": "first\n\nsecond\n\nthird", "pieces": 3}


def test_pieces_are_joined_with_the_separator():
    assert combined({"pieces": ["a", "", "b"], "separator": " - "}) == {"text": "a - b", "pieces": 2}


def test_order_puts_the_named_dependencies_first_and_the_others_behind():
    assert combined({"order": ["plain", "group"]})["text"] == "third\n\nsecond\n\nfirst"


def test_order_may_hold_places_in_pieces_as_in_the_original():
    assert combined({"pieces": ["a", "b", "c"], "order": [2]})["text"] == "c\n\na\n\nb"


def test_naming_one_twice_does_not_repeat_it():
    assert combined({"order": ["plain", "plain"]})["pieces"] == 3


@pytest.mark.parametrize(
    ("inputs", "hint"),
    [
        ({"order": ["intor"]}, "did you mean 'intro'"),
        ({"order": ["numbers"]}, "there is: 'intro', 'group', 'plain'"),
        ({"order": [0]}, "there is: 'intro'"),
        ({"pieces": ["a"], "order": [1]}, "there is: '0'"),
        ({"pieces": ["a"], "order": ["intro"]}, "there is: '0'"),
    ],
)
def test_an_order_that_names_what_is_not_there_is_refused(inputs: dict[str, Any], hint: str):
    with pytest.raises(ToolInputError) as caught:
        combined(inputs)
    assert hint in str(caught.value)


@pytest.mark.parametrize(
    ("inputs", "previous"), [({}, {}), ({}, {"numbers": {"n": 1}}), ({"pieces": []}, PREVIOUS)]
)
def test_nothing_to_combine_is_an_error_that_says_what_to_do(
    inputs: dict[str, Any], previous: dict[str, Any]
):
    with pytest.raises(ToolInputError, match="dependencies"):
        combined(inputs, previous)


@pytest.mark.parametrize("pieces", [[1], "abc", [None], [["a"]]])
def test_pieces_that_are_no_strings_are_refused(pieces: Any):
    with pytest.raises(ToolInputError, match="pieces"):
        call(combine, {"pieces": pieces})
