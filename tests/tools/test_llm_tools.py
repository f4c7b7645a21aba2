"""The model tools that read, rework and judge."""

from __future__ import annotations

import json
from typing import Any

import pytest

from airflow_provider_vibe.tools import ToolInputError, builtin_tools
from airflow_provider_vibe.tools.builtin import MODEL_TOOLS
from airflow_provider_vibe.tools.builtin.llm import (
    ANALYST,
    EDITOR,
    JUDGE,
    SOURCE,
    llm_analyze,
    llm_transform,
    llm_validate,
)
from airflow_provider_vibe.tools.models.prompts import instructions, with_findings, with_material
from tests.tools.helpers import call
from tests.tools.model_server import ModelServer

VIBE = {"description": "A letter", "style": "warm"}
PREVIOUS = {"a": {"text": "facts"}, "b": {"text": "more"}}
USAGE = {"input_tokens": 11, "output_tokens": 3, "requests": 1, "cost": None}


@pytest.fixture
def analysis(model_server: ModelServer) -> dict[str, Any]:
    findings = [{"statement": "Tea is old", "evidence": "5000 years"}, {"statement": "It is warm"}]
    model_server.structured = {"summary": "On tea.", "findings": findings}
    return model_server.structured


def test_analysis_is_summary_and_findings_and_reads_as_a_text(model_server: ModelServer, analysis: Any):
    result = call(llm_analyze, {"prompt": "What is known?", "max_tokens": 40}, vibe=VIBE)
    assert result.output == {
        "text": "On tea.\n\n- Tea is old (5000 years)\n- It is warm",
        "summary": "On tea.",
        "findings": [analysis["findings"][0], {"statement": "It is warm", "evidence": None}],
    }
    assert model_server.told == (instructions(ANALYST, VIBE), "What is known?")
    assert model_server.asked["max_completion_tokens"] == 40
    assert (result.metadata["usage"], result.metadata["finish_reason"]) == (USAGE, "stop")


def test_analysis_without_findings_is_its_summary(model_server: ModelServer):
    model_server.structured = {"summary": "Nothing.", "findings": []}
    assert call(llm_analyze, {"prompt": "p"}).output["text"] == "Nothing."


def test_analysis_reads_its_text_or_else_the_dependencies_as_data(model_server: ModelServer, analysis: Any):
    context = {"workflow_context": "Previous step (a):\nfacts", "findings": ["too short"]}
    call(llm_analyze, {"prompt": "p"}, **context)
    expected = with_findings(with_material("p", context["workflow_context"]), ["too short"])
    assert model_server.told[1] == expected
    call(llm_analyze, {"prompt": "p", "text": "mine"}, **context)
    assert model_server.told[1] == with_findings(with_material("p", "mine"), ["too short"])


def test_transformation_reworks_the_texts_of_the_dependencies(model_server: ModelServer):
    model_server.text = "kurz"
    result = call(
        llm_transform, {"prompt": "Shorten"}, vibe=VIBE, previous_outputs=PREVIOUS, findings=["too long"]
    )
    assert result.output == {"text": "kurz"}
    prompt = with_findings(with_material("Shorten", "facts\n\nmore", SOURCE), ["too long"])
    assert model_server.told == (instructions(EDITOR, VIBE), prompt)
    assert result.metadata["usage"] == USAGE


def test_transformation_takes_the_text_it_is_given(model_server: ModelServer):
    call(llm_transform, {"prompt": "p", "text": "mine"}, previous_outputs=PREVIOUS)
    assert model_server.told[1] == with_material("p", "mine", SOURCE)


@pytest.mark.parametrize(("tool", "task"), [(llm_transform, "prompt"), (llm_validate, "rubric")])
def test_without_a_text_nothing_is_asked(tool: Any, task: str, model_server: ModelServer):
    with pytest.raises(ToolInputError, match="'text' is left out"):
        call(tool, {task: "p"})
    assert model_server.requests == []


def test_judge_says_what_it_thinks_and_passes_the_text_on(model_server: ModelServer):
    model_server.structured = {"passed": False, "score": 0.4, "issues": ["no title"]}
    result = call(llm_validate, {"rubric": "Has a title"}, vibe=VIBE, previous_outputs=PREVIOUS)
    assert result.success
    assert result.output == {"text": "facts\n\nmore", **model_server.structured}
    prompt = with_material("The rubric: Has a title", "facts\n\nmore", SOURCE)
    assert model_server.told == (instructions(JUDGE, VIBE), prompt)
    assert result.metadata["usage"] == USAGE


@pytest.mark.parametrize(("passed", "success"), [(True, True), (False, False)])
def test_strict_judge_fails_the_node_when_the_text_does_not_pass(
    passed: bool, success: bool, model_server: ModelServer
):
    model_server.structured = {"passed": passed, "score": 0.25, "issues": ["no title", "dull"]}
    result = call(llm_validate, {"rubric": "r", "text": "t", "strict": True})
    assert result.success is success
    assert result.error == (None if success else "the text does not pass (score 0.25): no title; dull")
    assert result.metadata["usage"] == USAGE


def test_judge_that_lets_a_useless_text_pass_is_not_believed(model_server: ModelServer):
    model_server.structured = {"passed": True, "score": 0, "issues": []}
    assert call(llm_validate, {"rubric": "r", "text": "t"}).output["passed"] is False


@pytest.mark.parametrize("score", [1.5, -0.1, "high"])
def test_answer_that_does_not_fit_is_an_error_after_one_request(score: Any, model_server: ModelServer):
    model_server.structured = {"passed": True, "score": score, "issues": []}
    with pytest.raises(Exception, match="output retries") as caught:
        call(llm_validate, {"rubric": "r", "text": "t"})
    assert type(caught.value).__name__ == "UnexpectedModelBehavior"
    assert len(model_server.requests) == 1


@pytest.mark.parametrize(
    ("tool", "inputs"),
    [(llm_analyze, {"prompt": "p"}), (llm_validate, {"rubric": "r", "text": "t"})],
)
def test_structured_answers_come_from_the_model_without_a_network_too(
    tool: Any, inputs: Any, connection: Any
):
    connection(extra={"model": "test"})
    assert call(tool, inputs).success


def test_model_tools_are_those_with_a_connection_to_a_model():
    described = {
        tool.name
        for tool in builtin_tools()
        if "model" in tool.input_schema["properties"] and "connection" in tool.input_schema["properties"]
    }
    assert described == MODEL_TOOLS
    json.dumps([tool.input_schema for tool in builtin_tools()])
