from __future__ import annotations

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_vibe.plan.references import (
    BadReference,
    Reference,
    follow,
    has_reference,
    parse_template,
    scan_template,
    strings_with_references,
    substitute,
)
from tests.plan.plans import at_most

DATA = {
    "params": {
        "topic": "AI",
        "count": 3,
        "a": "${params.b}",
        "b": "never",
        "flag": True,
        "none": None,
        "ratio": 0.5,
        "deep": {"list": [{"x": "y"}]},
        "dollar": "$",
    },
    "nodes": {
        "research": {"text": "facts", "items": ["one", {"two": 2}]},
        "v1.2": {"text": "dotted"},
        "v1": {},
    },
    "run": {"id": "manual__1", "date": "2026-01-05", "logical_date": None},
    "vibe": {"style": "warm", "constraints": ["short"]},
}

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text("ab${}.", max_size=12),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


def look_up(reference: Reference):
    if reference.root == "nodes":
        node_id, path = reference.split_node(DATA["nodes"])
        return follow(reference, DATA["nodes"][node_id], path)
    return follow(reference, DATA[reference.root], reference.path)


def filled(value):
    return substitute(value, look_up)


# what is written, and what it gives


@pytest.mark.parametrize(
    ("written", "gives"),
    [
        ("${params.topic}", "AI"),
        ("${params.deep.list.0.x}", "y"),
        ("${nodes.research.text}", "facts"),
        ("${nodes.research.items.1.two}", 2),
        ("${nodes.research}", DATA["nodes"]["research"]),
        ("${nodes.v1.2.text}", "dotted"),
        ("${nodes.v1}", {}),
        ("${run.id}", "manual__1"),
        ("${run.date}", "2026-01-05"),
        ("${run.logical_date}", None),
        ("${vibe.style}", "warm"),
        ("${vibe.constraints.0}", "short"),
    ],
)
def test_every_form_of_reference_gives_its_value(written, gives):
    assert filled(written) == gives


@pytest.mark.parametrize("name", ["count", "flag", "none", "ratio", "deep"])
def test_a_string_that_is_exactly_one_reference_keeps_the_type(name):
    value = filled("${params." + name + "}")
    assert value == DATA["params"][name]
    assert type(value) is type(DATA["params"][name])


@pytest.mark.parametrize(
    ("written", "gives"),
    [
        ("About ${params.topic}.", "About AI."),
        ("${params.topic}${params.topic}", "AIAI"),
        (" ${params.count}", " 3"),
        ("is ${params.flag}, ${params.none}, ${params.ratio}", "is true, null, 0.5"),
        ("= ${params.deep}", '= {"list":[{"x":"y"}]}'),
        ("${nodes.research.items}!", '["one",{"two":2}]!'),
    ],
)
def test_inside_a_longer_string_a_value_is_written_as_text_or_compact_json(written, gives):
    assert filled(written) == gives


def test_text_that_is_not_ascii_stays_readable_inside_json():
    assert substitute("= ${params.x}", lambda reference: {"é": "日"}) == '= {"é":"日"}'


@pytest.mark.parametrize(
    ("written", "gives"),
    [
        ("$${", "${"),
        ("$${params.topic}", "${params.topic}"),
        ("$$${params.topic}", "$${params.topic}"),
        ("$${${params.topic}}", "${AI}"),
        ("${params.topic}$${params.topic}", "AI${params.topic}"),
        ("cost: $5 {x} $ {y} }", "cost: $5 {x} $ {y} }"),
        ("$$", "$$"),
        ("a$${b$${", "a${b${"),
    ],
)
def test_a_doubled_dollar_writes_the_beginning_of_a_reference(written, gives):
    assert filled(written) == gives


def test_substituted_text_is_never_substituted_again():
    assert filled("${params.a}") == "${params.b}"
    assert filled("<${params.a}>") == "<${params.b}>"
    assert filled("${params.dollar}{params.b}") == "${params.b}"


def test_references_are_filled_in_anywhere_in_a_value_but_not_in_keys():
    assert filled({"${params.b}": [{"x": ("${params.count}", 1)}, "n"]}) == {
        "${params.b}": [{"x": [3, 1]}, "n"]
    }


@settings(deadline=None)
@given(st.text().filter(lambda text: "${" not in text))
def test_a_text_without_a_reference_stays_as_it_is(text):
    assert not has_reference(text)
    assert "".join(parse_template(text)) == text
    assert filled(text) == text


@settings(deadline=None)
@given(st.text())
def test_any_text_becomes_what_it_was_once_its_references_are_escaped(text):
    escaped = text.replace("${", "$${")
    if "$$${" not in escaped:  # a dollar before it would join the escape
        assert substitute(escaped, look_up) == text


@settings(deadline=None)
@given(json_values)
def test_substituting_changes_nothing_that_was_given(value):
    before = copy.deepcopy(value)
    try:
        result = substitute(value, lambda reference: {"new": []})
    except BadReference:
        result = None
    assert value == before
    assert result is None or json.dumps(result)


def test_what_is_given_back_is_a_copy():
    value = {"a": [{"b": []}]}
    result = substitute(value, look_up)
    result["a"][0]["b"].append(1)
    assert value == {"a": [{"b": []}]}


# what cannot be read


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("${", "has no end"),
        ("${params.topic", "has no end"),
        ("a ${params.{x}}", "has no end"),
        ("${}", "is no reference"),
        ("${topic}", "a reference begins with params, nodes, run, vibe"),
        ("${param.topic}", "did you mean 'params'?"),
        ("${PARAMS.topic}", "is no reference"),
        ("${ params.topic }", "did you mean 'params'?"),
        ("${params}", "names nothing behind 'params'"),
        ("${params.}", "names nothing behind 'params'"),
        ("${nodes..text}", "names nothing behind 'nodes'"),
        ("${run.ids}", "did you mean 'id'?"),
        ("${run.conf}", "a run has id, date, logical_date"),
        ("${run.id.x}", "is nothing a run has"),
        ("${params.topic}${", "has no end"),
        ("${{ params.topic }}", "has no end"),
        ("${__import__('os')}", "is no reference"),
    ],
)
def test_a_reference_of_no_known_form_is_refused_and_explained(written, says):
    with pytest.raises(BadReference, match=r".") as raised:
        parse_template(written)
    assert says in str(raised.value)


def test_an_unfinished_reference_says_how_to_write_its_beginning():
    with pytest.raises(BadReference, match=r"write \$\$\{ for a literal \$\{"):
        parse_template("costs ${5")


def test_all_bad_references_of_a_text_are_found_beside_the_good_ones():
    parts = list(scan_template("${x} and ${params.topic} and ${"))
    assert [type(part).__name__ for part in parts] == [
        "BadReference",
        "str",
        "Reference",
        "str",
        "BadReference",
    ]


@settings(deadline=None)
@given(st.text("${}params.nodrvi x", max_size=40))
def test_any_text_is_read_or_refused(text):
    parts = list(scan_template(text))
    assert all(isinstance(part, str | Reference | BadReference) for part in parts)


# what leads nowhere


@pytest.mark.parametrize(
    ("written", "says"),
    [
        ("${nodes.research.texts}", "no key 'texts' (did you mean 'text'?)"),
        ("${nodes.research.zzz}", "no key 'zzz' (there are 'text', 'items')"),
        ("${nodes.v1.x}", "no key 'x' (there are no keys)"),
        ("${nodes.research.items.2}", "no item '2' in a list of 2"),
        ("${nodes.research.items.-1}", "no item '-1' in a list of 2"),
        ("${nodes.research.items.one}", "no item 'one' in a list of 2"),
        ("${nodes.research.items.1.three}", "'items.1' has no key 'three'"),
        ("${nodes.research.text.0}", "'text' has no key '0' in 'facts'"),
        ("${nodes.research.text.__class__}", "no key '__class__'"),
        ("${params.none.x}", "'none' has no key 'x' in 'null'"),
    ],
)
def test_a_path_that_is_missing_is_named_with_what_is_there(written, says):
    with pytest.raises(BadReference) as raised:
        filled(written)
    assert str(raised.value).startswith(written + " leads nowhere")
    assert says in str(raised.value)


def test_a_key_of_digits_is_a_key_in_an_object_and_an_index_in_a_list():
    reference = Reference("params", ("x", "0"))
    assert follow(reference, {"0": "key"}, ("0",)) == "key"
    assert follow(reference, ["item"], ("0",)) == "item"


@pytest.mark.parametrize("index", ["²", "9" * 5000, "1_0", "0x1", ""])
def test_what_only_looks_like_an_index_is_none(index):
    with pytest.raises(BadReference):
        follow(Reference("params", (index,)), list(range(100)), (index,))


# the ids of nodes


@pytest.mark.parametrize(
    ("path", "known", "node_id", "rest"),
    [
        ("a.b.c", {"a"}, "a", ("b", "c")),
        ("a.b.c", {"a", "a.b"}, "a.b", ("c",)),
        ("a.b.c", {"a", "a.b", "a.b.c"}, "a.b.c", ()),
        ("a.b.c", {"a.b.c.d"}, "a", ("b", "c")),
        ("a.b.c", {"a.b.c", "b"}, "a.b.c", ()),
        ("a", set(), "a", ()),
    ],
)
def test_of_ids_with_dots_the_longest_that_fits_is_meant(path, known, node_id, rest):
    assert Reference("nodes", tuple(path.split("."))).split_node(known) == (node_id, rest)


def test_a_path_of_a_hundred_thousand_steps_costs_next_to_nothing():
    (reference,) = parse_template("${nodes" + ".a" * 100_000 + "}")
    with at_most(1):
        assert reference.split_node({"a"})[0] == "a"


def test_a_reference_in_a_message_is_short_and_on_one_line():
    assert str(Reference("nodes", ("a\nb", "c"))) == "${nodes.a\\nb.c}"
    assert len(str(Reference("params", ("x" * 5_000,)))) < 300


# finding them


def test_every_string_with_a_reference_is_found_with_its_place():
    value = {"a": ["x", {"b": "${params.x}"}], "c": "$${", "d": 5, "${params.k}": None}
    assert dict(strings_with_references(value, ("top",))) == {
        ("top", "a", 1, "b"): "${params.x}",
        ("top", "c"): "$${",
    }
    assert list(strings_with_references("${params.x}")) == [((), "${params.x}")]
    assert list(strings_with_references(None)) == []
