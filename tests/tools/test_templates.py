from __future__ import annotations

import string
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_vibe.tools import ToolInputError
from airflow_provider_vibe.tools.builtin.templates import TEMPLATES, template_fill
from tests.tools.helpers import call, output

PREVIOUS = {"research": {"text": "facts"}, "a b.c": "plain", "numbers": {"n": 1}}


def fill(template: str, values: dict[str, Any] | None = None, **context: Any) -> str:
    return output(template_fill, {"template": template, "values": values or {}}, **context)["text"]


def refused(template: str, values: dict[str, Any] | None = None, **context: Any) -> str:
    with pytest.raises(ToolInputError) as caught:
        fill(template, values, **context)
    return str(caught.value)


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("Hello {name}!", "Hello Ada!"),
        ("{ name }", "Ada"),
        ("{author.name}", "Grace"),
        ("{list.1.x}", "2"),
        ("{dotted.key}", "exact"),
        ("{list}", '- one\n- {"x":2}\n- two\n  lines'),
        ("{author}", '{"name":"Grace"}'),
        ("{yes} {none} {pi} {zero}", "true null 3.5 0"),
        ("{empty}|", "|"),
        ("{umlaut}", '{"ü":"é"}'),
        ("{{name}} }}{{ {{{name}}}", "{name} }{ {Ada}"),
        ("no gaps", "no gaps"),
        ("", ""),
    ],
)
def test_placeholders_are_looked_up_in_the_values(template: str, expected: str):
    values = {
        "name": "Ada",
        "author": {"name": "Grace"},
        "list": ["one", {"x": 2}, "two\nlines"],
        "dotted.key": "exact",
        "yes": True,
        "none": None,
        "pi": 3.5,
        "zero": 0,
        "empty": [],
        "umlaut": {"ü": "é"},
    }
    assert fill(template, values) == expected


def test_texts_of_dependencies_are_there_by_node_id_and_all_together():
    text = fill("{previous.research}/{previous.a b.c}/{context}", previous_outputs=PREVIOUS)
    assert text == "facts/plain/facts\n\nplain"


def test_a_value_comes_before_a_dependency():
    values = {"context": "mine", "previous": {"research": "mine too"}}
    assert fill("{context} {previous.research}", values, previous_outputs=PREVIOUS) == "mine mine too"


def test_what_was_filled_in_is_not_filled_again():
    assert fill("{a}", {"a": "{b} {{b}}", "b": "no"}) == "{b} {{b}}"


@pytest.mark.parametrize(
    ("template", "parts"),
    [
        ("{titel}", ["'{titel}'", "did you mean 'title'?"]),
        ("{zzz}", ["'{zzz}'", "there is: 'title', 'tags'"]),
        ("{title.length}", ["'length' asks for a part of 'T'"]),
        ("{title.0}", ["'0' asks for a part"]),
        ("{tags.2}", ["'2' is no place in a list of 2"]),
        ("{tags.-1}", ["no place"]),
        ("{tags.x}", ["no place"]),
        ("{tags.²}", ["no place"]),
        ("{previous.reserch}", ["did you mean 'research'?"]),
        ("{previous.numbers}", ["no node of that name with a text"]),
        ("{previous}", ["'{previous}'"]),
        ("{previous.}", ["'{previous.}'"]),
        ("{}", ["'{}'"]),
        ("{title", ["'{' at character 1", "{{ and }}"]),
        ("a } b", ["'}' at character 3"]),
        ('{"json": 1}', ["there is"]),
    ],
)
def test_a_placeholder_without_a_value_is_named_with_what_there_is(template: str, parts: list[str]):
    message = refused(template, {"title": "T", "tags": ["a", "b"]}, previous_outputs=PREVIOUS)
    assert all(part in message for part in parts), message


@pytest.mark.parametrize(
    "hostile",
    [
        "{values.__class__}",
        "{title.__class__.__mro__}",
        "{title!r}",
        "{title:>1000000000}",
        "{tags[0]}",
        "{context.__class__}",
        "{previous.__class__}",
        "{0}",
        "{__import__('os')}",
        "{title.upper()}",
    ],
)
def test_a_placeholder_is_never_code_or_an_attribute(hostile: str):
    assert "nothing to fill" in refused(hostile, {"title": "T", "tags": ["a"]}, previous_outputs=PREVIOUS)


def test_a_hostile_name_does_not_flood_the_message():
    message = refused("{" + "\x1b\n" * 100_000 + "}", {"a" * 10_000: 1})
    assert len(message) < 500 and message.isprintable()


@pytest.mark.parametrize("name", sorted(TEMPLATES))
def test_the_ready_made_templates_take_the_placeholders_of_the_original(name: str):
    placeholders = {
        "blog_post": ["title", "introduction", "key_points", "conclusion", "footer"],
        "social_post": ["hook", "body", "call_to_action", "hashtags"],
        "product_description": ["product_name", "tagline", "features", "benefits", "price_cta"],
    }[name]
    values = {placeholder: f"<{placeholder}>" for placeholder in placeholders}
    text = output(template_fill, {"template_name": name, "values": values})["text"]
    assert all(value in text for value in values.values())
    del values[placeholders[0]]
    with pytest.raises(ToolInputError, match=placeholders[0]):
        call(template_fill, {"template_name": name, "values": values})


@pytest.mark.parametrize("inputs", [{}, {"template": "a", "template_name": "blog_post"}])
def test_exactly_one_template_is_needed(inputs: dict[str, Any]):
    with pytest.raises(ToolInputError, match="either"):
        call(template_fill, inputs)


def test_an_unknown_template_name_is_refused():
    with pytest.raises(ToolInputError, match="blog_post"):
        call(template_fill, {"template_name": "blogpost", "values": {}})


def test_a_huge_template_is_filled_in_one_pass():
    assert len(fill("{a}" * 100_000, {"a": "xy"})) == 200_000


@given(st.text(alphabet=string.printable), st.dictionaries(st.text(), st.text()))
def test_text_with_doubled_braces_is_given_back_whatever_it_is(text: str, values: dict[str, str]):
    doubled = text.replace("{", "{{").replace("}", "}}")
    assert template_fill(template=doubled, values=values, context={}) == text
