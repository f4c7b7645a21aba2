"""What nodes used, and how it adds up."""

from __future__ import annotations

import json
from dataclasses import asdict

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_vibe.runtime.usage import MOST, NOTHING, Usage, total

counts = st.integers(0, 10**6)
amounts = st.floats(0, 10**6, allow_nan=False)
usages = st.builds(Usage, counts, counts, counts, amounts, counts, st.just(0), amounts)


@given(usages)
def test_usage_comes_back_from_json(usage):
    assert Usage.from_json(json.loads(json.dumps(usage.as_json()))) == usage


@given(usages, usages)
def test_what_was_added_can_be_taken_away(one, other):
    rest = (one + other) - other
    assert rest.tokens == one.tokens and rest.known_cost == pytest.approx(one.known_cost, abs=1e-6)
    assert one - one == NOTHING


def test_a_sum_has_a_cost_only_when_each_part_has_one():
    priced, unpriced = Usage(requests=1, known_cost=0.1), Usage(requests=1, unknown_costs=1)
    assert total([priced, priced, priced]).cost == 0.3
    assert total([priced, unpriced]).cost is None
    assert total([priced, unpriced]).known_cost == 0.1
    assert total([]).cost == 0


@pytest.mark.parametrize(
    ("reported", "expected"),
    [
        ({"input_tokens": 3}, Usage(input_tokens=3, requests=1, unknown_costs=1)),
        ({"input_tokens": 3, "requests": 2, "cost": None}, Usage(3, 0, 2, unknown_costs=2)),
        ({"requests": 0, "cost": 0}, NOTHING),
        ({"cost": 0.5}, Usage(requests=1, known_cost=0.5)),
        ({"input_tokens": "3", "output_tokens": -1, "cost": True}, Usage(requests=1, unknown_costs=1)),
        ({"cost": float("nan"), "requests": float("inf")}, Usage(requests=1, unknown_costs=1)),
        ({"input_tokens": 10**30, "output_tokens": 2**53}, Usage(0, 2**53, 1, unknown_costs=1)),
        ({"requests": 10**400, "cost": 1e308}, Usage(requests=1, unknown_costs=1)),
    ],
)
def test_what_a_tool_does_not_say_in_numbers_is_not_known(reported, expected):
    assert Usage.reported(reported) == expected
    assert Usage.from_json(reported) == expected


def test_a_field_of_a_later_version_is_left_out():
    assert Usage.from_json({"known_cost": 0.5, "requests": 1, "audio_minutes": 3}) == Usage(
        requests=1, known_cost=0.5
    )


lies = st.one_of(st.integers(), st.floats(), st.integers(2**52, 2**54), st.none(), st.text(), st.booleans())
reports = st.dictionaries(st.sampled_from([*NOTHING.as_json()]), lies)


@given(st.lists(reports, max_size=20))
def test_whatever_is_said_adds_up_to_numbers_that_can_be_kept(said):
    used = total(map(Usage.from_json, said))
    assert all(0 <= value <= MOST for value in asdict(used).values())
    assert Usage.from_json(json.loads(json.dumps(used.as_json(), allow_nan=False))) == used
