from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_vibe.runtime.errors import ErrorKind, kind_of
from airflow_provider_vibe.tools import ToolInputError
from airflow_provider_vibe.tools.builtin import json_schema as module
from airflow_provider_vibe.tools.builtin.json_schema import json_schema
from tests.tools.helpers import call, output

PERSON = {
    "type": "object",
    "properties": {"name": {"type": "string"}, "age": {"type": "integer", "minimum": 0}},
    "required": ["name"],
}


def check(schema: dict[str, Any], **inputs: Any) -> dict[str, Any]:
    return output(json_schema, {"schema": schema, **inputs})


def test_a_value_that_fits_is_passed_on():
    found = check(PERSON, value={"name": "Ä", "age": 3})
    assert found == {
        "text": '{"name": "Ä", "age": 3}',
        "value": {"name": "Ä", "age": 3},
        "valid": True,
        "errors": [],
    }


def test_everything_that_does_not_fit_is_told_with_its_place():
    found = check(PERSON, value={"age": -1})
    assert found["valid"] is False
    assert len(found["errors"]) == 2
    assert any("'name' is a required property" in error for error in found["errors"])
    assert any("$.age" in error and "-1 is less than the minimum" in error for error in found["errors"])


@pytest.mark.parametrize(
    "text", ['{"name": "A"}', ' {"name": "A"}\n', '```json\n{"name": "A"}\n```', '```\n{"name": "A"}\n```\n']
)
def test_the_json_in_a_text_is_checked_with_and_without_a_fence(text: str):
    assert check(PERSON, text=text)["value"] == {"name": "A"}


def test_without_value_and_text_the_text_of_the_dependencies_is_checked():
    found = output(json_schema, {"schema": PERSON}, previous_outputs={"a": {"text": '{"name": 1}'}})
    assert found["valid"] is False


@pytest.mark.parametrize("text", ["", "hello", "{", '{"name": NaN}', "[" * 100_000, '{"name": "A"} and more'])
def test_a_text_that_is_no_json_is_reported(text: str):
    found = check(PERSON, text=text)
    assert (found["text"], found["value"], found["valid"]) == (text, None, False)
    assert found["errors"][0].startswith("the text is no JSON: ")


def test_null_can_be_checked_as_a_text():
    assert check({"type": "null"}, text="null")["valid"] is True
    assert check({"type": "string"}, text="null")["valid"] is False


@pytest.mark.parametrize("inputs", [{"value": {}}, {"text": "no JSON"}])
def test_strict_fails_the_node(inputs: dict[str, Any]):
    result = call(json_schema, {"schema": PERSON, "strict": True, **inputs})
    assert not result.success
    assert result.error == result.output["errors"][0]


def test_strict_passes_what_fits():
    assert call(json_schema, {"schema": PERSON, "strict": True, "value": {"name": "A"}}).success


def test_there_are_not_endless_errors():
    assert len(check({"items": {"type": "string"}}, value=[1] * 1000)["errors"]) == module.MOST_ERRORS


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        ({"type": "nonsense"}, "no JSON Schema"),
        ({"$ref": "http://127.0.0.1/schema"}, "no '\\$ref'"),
        ({"$ref": "file:///etc/passwd"}, "no '\\$ref'"),
        ({"properties": {"a": {"$dynamicRef": "#a"}}}, "no '\\$dynamicRef'"),
        ({"pattern": "(a+)+$"}, "could take for ever"),
        ({"patternProperties": {"(a|a)*b": {}}}, "could take for ever"),
        ({"unevaluatedProperties": False}, "for ever"),
    ],
)
def test_a_schema_that_cannot_be_used_is_refused(schema: dict[str, Any], reason: str):
    with pytest.raises(ToolInputError, match=f"the schema cannot be used: .*{reason}"):
        check(schema, value="a" * 40)


def test_a_check_that_takes_too_long_is_given_up(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setattr(module, "TIME_LIMIT", 0.05)
    different = [{"a": number, "b": [number]} for number in range(3000)]
    with pytest.raises(TimeoutError, match=r"took more than 0\.05 seconds") as caught:
        check({"uniqueItems": True}, value=[*different, "x", None, 1.5])
    assert kind_of(caught.value) is ErrorKind.TIMEOUT
