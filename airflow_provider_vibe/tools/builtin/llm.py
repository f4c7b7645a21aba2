"""The tools that ask a language model, through an Airflow connection of the common-ai provider.

Each is the default tool of a node type: its first input is the node's description when the plan says nothing
else.
"""

from __future__ import annotations

from typing import Annotated, Any, Self

from pydantic import BaseModel, Field, model_validator

from airflow_provider_vibe.tools.base import ToolResult
from airflow_provider_vibe.tools.builtin.previous import TextInput, text_or_previous
from airflow_provider_vibe.tools.decorator import tool
from airflow_provider_vibe.tools.models.asking import (
    Choice,
    ConnectionInput,
    MaxTokensInput,
    ModelInput,
    SystemInput,
    TemperatureInput,
    ask,
)
from airflow_provider_vibe.tools.models.prompts import instructions, with_findings, with_material

WRITER = (
    "You write one part of a larger piece of content. Answer with that part alone, without remarks about it."
)
ANALYST = (
    "You analyze material for a larger piece of content. Tell what you find in a short summary and in single"
    " findings, each with its evidence. Claim nothing that you do not know."
)
EDITOR = (
    "You rework a text that is one part of a larger piece of content: you rewrite, translate or shorten it"
    " as you are told. Keep what you are not told to change. Answer with the whole new text alone, without"
    " remarks about it."
)
JUDGE = (
    "You judge a text that somebody else wrote, by the rubric you are given and by nothing else. 'passed'"
    " says whether it is good enough to be used, 'score' how good it is from 0 to 1, and 'issues' lists what"
    " is wrong, each in one sentence, the worst first; it is empty when nothing is."
)
SOURCE = "The text is"


class Finding(BaseModel):
    """One thing that was found."""

    statement: str = Field(description="What was found, in one sentence.")
    evidence: str | None = Field(default=None, description="What shows it: a quotation, a number, a source.")


class Analysis(BaseModel):
    """What an analysis brings."""

    summary: str = Field(description="The most important, in a few sentences.")
    findings: list[Finding] = Field(description="What was found, the most important first.")

    def as_text(self) -> str:
        """Summary and findings, for the nodes that read on."""
        lines = [f"- {found.statement}" + _in_brackets(found.evidence) for found in self.findings]
        return "\n".join([self.summary, "", *lines]) if lines else self.summary


class Verdict(BaseModel):
    """What a judge says."""

    passed: bool = Field(description="Whether the text is good enough to be used.")
    score: float = Field(ge=0, le=1, description="How good it is: 0 useless, 1 flawless.")
    issues: list[str] = Field(description="What is wrong, the worst first; empty when nothing is.")

    @model_validator(mode="after")
    def _useless_text_does_not_pass(self) -> Self:
        if self.score == 0:  # with 'passed', the judge contradicts itself
            self.passed = False
        return self


@tool("llm_generate")
async def llm_generate(
    prompt: Annotated[str, Field(min_length=1, description="What to write.")],
    system: SystemInput = None,
    max_tokens: MaxTokensInput = None,
    temperature: TemperatureInput = None,
    model: ModelInput = None,
    connection: ConnectionInput = None,
    *,
    context: dict[str, Any],
) -> ToolResult:
    """Write a text with a language model, through an Airflow connection of a ``pydanticai`` type.

    The texts of the node's dependencies go along, marked as data; the vibe is part of the instructions. One
    request and no retry of the SDK's own: Airflow retries the task. Limits not given are the model's; a
    reasoning model ignores *temperature*.

    :returns: ``{"text": ...}``. The metadata hold ``model``, ``provider``, ``connection``, ``finish_reason``,
        ``truncated`` (only when the answer hit the token limit) and ``usage`` ``{input_tokens,
        output_tokens, requests, cost}``; ``cost`` is in US dollars, null when the price is not known.
    :raises ToolInputError: the connection, its model or the model's package is missing or does not fit.
    """
    text, metadata = await ask(
        with_findings(with_material(prompt, context.get("workflow_context") or ""), context.get("findings")),
        instructions(system or WRITER, context.get("vibe") or {}),
        Choice(connection, model, max_tokens, temperature),
    )
    return ToolResult(success=True, output={"text": text}, metadata=metadata)


@tool("llm_analyze")
async def llm_analyze(
    prompt: Annotated[str, Field(min_length=1, description="What to find out.")],
    text: TextInput = None,
    system: SystemInput = None,
    max_tokens: MaxTokensInput = None,
    temperature: TemperatureInput = None,
    model: ModelInput = None,
    connection: ConnectionInput = None,
    *,
    context: dict[str, Any],
) -> ToolResult:
    """Find things out with a language model: a summary and single findings.

    Without a text, given or left by a dependency, the model answers from what it knows.

    :returns: ``{"text": summary and findings, "summary": text, "findings": [{"statement", "evidence"}]}``;
        the metadata are those of ``llm_generate``.
    :raises ToolInputError: as ``llm_generate``.
    """
    material = text if text is not None else context.get("workflow_context") or ""
    analysis, metadata = await ask(
        with_findings(with_material(prompt, material), context.get("findings")),
        instructions(system or ANALYST, context.get("vibe") or {}),
        Choice(connection, model, max_tokens, temperature),
        Analysis,
    )
    return ToolResult(True, {"text": analysis.as_text(), **analysis.model_dump(mode="json")}, metadata)


@tool("llm_transform")
async def llm_transform(
    prompt: Annotated[str, Field(min_length=1, description="What to make of the text.")],
    text: TextInput = None,
    system: SystemInput = None,
    max_tokens: MaxTokensInput = None,
    temperature: TemperatureInput = None,
    model: ModelInput = None,
    connection: ConnectionInput = None,
    *,
    context: dict[str, Any],
) -> ToolResult:
    """Rework a text with a language model: rewrite, translate, shorten.

    :returns: ``{"text": the new text}``; the metadata are those of ``llm_generate``.
    :raises ToolInputError: as ``llm_generate``, and when there is no text to work on.
    """
    source = text_or_previous(text, context)
    new_text, metadata = await ask(
        with_findings(with_material(prompt, source, SOURCE), context.get("findings")),
        instructions(system or EDITOR, context.get("vibe") or {}),
        Choice(connection, model, max_tokens, temperature),
    )
    return ToolResult(True, {"text": new_text}, metadata)


@tool("llm_validate")
async def llm_validate(
    rubric: Annotated[str, Field(min_length=1, description="What a good text is like.")],
    text: TextInput = None,
    strict: Annotated[bool, Field(description="Fail the node when the text does not pass.")] = False,
    system: SystemInput = None,
    max_tokens: MaxTokensInput = None,
    temperature: TemperatureInput = None,
    model: ModelInput = None,
    connection: ConnectionInput = None,
    *,
    context: dict[str, Any],
) -> ToolResult:
    """Let a language model judge a text, and pass it on unchanged.

    :returns: ``{"text": the same text, "passed": bool, "score": 0 to 1, "issues": [what is wrong, ...]}``;
        with *strict*, a text that does not pass is a result without success whose error lists the issues. The
        metadata are those of ``llm_generate``.
    :raises ToolInputError: as ``llm_generate``, and when there is no text to judge.
    """
    judged = text_or_previous(text, context)
    verdict, metadata = await ask(
        with_material(f"The rubric: {rubric}", judged, SOURCE),
        instructions(system or JUDGE, context.get("vibe") or {}),
        Choice(connection, model, max_tokens, temperature),
        Verdict,
    )
    output = {"text": judged, **verdict.model_dump(mode="json")}
    if strict and not verdict.passed:
        reasons = "; ".join(verdict.issues) or "the judge names no reason"
        told = f"the text does not pass (score {verdict.score:g}): {reasons}"
        return ToolResult(False, output, metadata, told)
    return ToolResult(True, output, metadata)


def _in_brackets(evidence: str | None) -> str:
    return f" ({evidence})" if evidence else ""
