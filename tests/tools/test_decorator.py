from __future__ import annotations

import threading
from typing import Annotated, Any, Literal

import pytest
from pydantic import BaseModel, Field

from airflow_provider_vibe.tools import Tool, ToolError, ToolInputError, ToolResult, tool
from tests.tools.helpers import call, output


class Person(BaseModel):
    name: str
    age: int = 0


@tool("greet", description="Says hello.")
def greet(
    who: Annotated[str, Field(description="Whom to greet.")],
    times: int = 1,
    tone: Literal["warm", "dry"] = "warm",
) -> str:
    return f"{tone}: " + "hello " * times + who


def test_the_schema_comes_from_the_signature():
    schema = greet.input_schema
    assert schema["additionalProperties"] is False
    assert schema["required"] == ["who"]
    assert schema["properties"]["who"]["description"] == "Whom to greet."
    assert schema["properties"]["times"]["default"] == 1
    assert schema["properties"]["tone"]["enum"] == ["warm", "dry"]


def test_is_a_tool_and_still_the_function():
    assert isinstance(greet, Tool)
    assert (greet.name, greet.description) == ("greet", "Says hello.")
    assert greet("Ada", times=2) == "warm: hello hello Ada"


def test_bare_decorator_takes_name_and_description_from_the_function():
    @tool
    def shorten(text: str) -> str:
        """Make a text
        shorter.

        :param text: which.
        """
        return text[:3]

    assert (shorten.name, shorten.description) == ("shorten", "Make a text shorter.")


def test_a_text_becomes_an_object_with_a_text_and_defaults_apply():
    assert output(greet, {"who": "Ada"}) == {"text": "warm: hello Ada"}


def test_other_values_are_the_output_as_they_are():
    @tool
    def numbers() -> list[int]:
        return [1, 2]

    assert output(numbers) == [1, 2]


def test_a_tool_result_is_passed_on():
    given = ToolResult(False, None, {"model": "m"}, "no luck")

    @tool
    def unlucky() -> ToolResult:
        return given

    assert call(unlucky) is given


def test_a_plain_function_runs_in_a_thread_and_an_async_one_does_not():
    @tool
    def plain() -> int:
        return threading.get_ident()

    @tool
    async def quick() -> int:
        return threading.get_ident()

    assert output(plain) != threading.get_ident()
    assert output(quick) == threading.get_ident()


def test_context_is_passed_and_is_no_input():
    @tool
    def where(context: dict[str, Any]) -> str:
        return context["node_id"]

    assert where.input_schema["properties"] == {}
    assert output(where, node_id="n1") == {"text": "n1"}
    with pytest.raises(ToolInputError, match="context"):
        call(where, {"context": {"node_id": "forged"}})


def test_inputs_are_converted_to_the_types_of_the_signature():
    @tool
    def age(person: Person) -> int:
        return person.age

    assert output(age, {"person": {"name": "Ada", "age": 36}}) == 36


def test_parameters_may_have_any_name():
    @tool
    def odd(schema: str, model_config: str, json: str, self: str) -> str:
        return schema + model_config + json + self

    given = {"schema": "a", "model_config": "b", "json": "c", "self": "d"}
    assert output(odd, given) == {"text": "abcd"}


def test_wrong_inputs_are_one_line_that_names_each():
    with pytest.raises(ToolInputError) as caught:
        call(greet, {"times": "many", "whom": "Ada"})
    text = str(caught.value)
    assert "\n" not in text
    assert "tool 'greet'" in text
    assert all(name in text for name in ("times", "who:", "whom"))


def test_an_error_of_the_function_passes_as_it_is():
    @tool
    def breaks(text: str) -> str:
        raise KeyError(text)

    with pytest.raises(KeyError, match="boom"):
        call(breaks, {"text": "boom"})


@pytest.mark.parametrize("write", ["*texts", "**texts", "text, /"])
def test_a_parameter_that_cannot_be_passed_by_name_is_refused(write: str):
    namespace: dict[str, Any] = {}
    exec(f"def odd({write}): pass", namespace)
    with pytest.raises(ToolError, match="by name"):
        tool(namespace["odd"])


def test_a_type_that_json_does_not_know_is_refused_when_decorating():
    with pytest.raises(ToolError, match="cannot be described as JSON"):

        @tool
        def odd(lock: threading.Thread) -> None: ...


def test_a_type_that_cannot_be_found_is_refused_when_decorating():
    def odd(thing: Nowhere) -> None: ...  # type: ignore[name-defined]  # noqa: F821  # that is the point

    with pytest.raises(ToolError, match=r"Nowhere.*TYPE_CHECKING"):
        tool(odd)


def test_only_functions_can_be_decorated():
    with pytest.raises(ToolError, match="is for functions"):
        tool(Person)


def test_a_tool_says_whether_it_asks_models():
    @tool(calls_models=True)
    def asks() -> str:
        return "a model's"

    @tool
    def asks_none() -> str:
        return "mine"

    assert (asks.calls_models, asks_none.calls_models) == (True, False)
