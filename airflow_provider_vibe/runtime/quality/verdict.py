"""How good an output is by the checks of its node, and what is wrong with it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from airflow_provider_vibe.plan.models import WITH_REFERENCES, Judge, QualityCheck, WorkflowNode
from airflow_provider_vibe.plan.problems import quoted
from airflow_provider_vibe.plan.quality_checks import JUDGE_TOOL
from airflow_provider_vibe.plan.references import as_text
from airflow_provider_vibe.runtime.context import NodeContext, output_part
from airflow_provider_vibe.runtime.quality.checks import check
from airflow_provider_vibe.runtime.quality.subject import Subject
from airflow_provider_vibe.tools.base import ToolError
from airflow_provider_vibe.tools.threads import run_in_thread

Answer = tuple[Any, dict[str, Any]]
Ask = Callable[[str, dict[str, Any]], Awaitable[Answer]]
"""Calls a tool by its name with these inputs and gives its output and metadata."""

LONGEST_REASON = 500
"""Characters; reasons are kept in XCom and told to models."""


@dataclass(frozen=True)
class CheckResult:
    """What came of one check.

    :param check: which of the kinds it is.
    :param passed: whether the output is what it asks for.
    :param score: 0 to 1.
    :param weight: how much it counts.
    :param reason: what is wrong; None when nothing is.
    """

    check: str
    passed: bool
    score: float
    weight: float
    reason: str | None

    def as_json(self) -> dict[str, Any]:
        """The result as it stands in the feedback."""
        return {
            "check": self.check,
            "passed": self.passed,
            "score": round(self.score, 4),
            "weight": self.weight,
            "reason": self.reason,
        }


@dataclass(frozen=True)
class Verdict:
    """What came of all checks of a node.

    :param results: one for each check, in their order.
    """

    results: Sequence[CheckResult]

    @property
    def quality(self) -> float:
        """The mean of the scores by weight, 0 to 1."""
        weights = sum(result.weight for result in self.results)
        return round(sum(result.score * result.weight for result in self.results) / weights, 4)

    @property
    def passed(self) -> bool:
        """Whether every check is passed."""
        return all(result.passed for result in self.results)

    @property
    def complaint(self) -> str:
        """What is wrong, in a line."""
        findings = self.findings
        return (
            f"the output does not pass {len(findings)} of {len(self.results)} checks: {'; '.join(findings)}"
        )

    @property
    def findings(self) -> list[str]:
        """What is wrong, a text for each check that is not passed."""
        return [f"{result.check}: {result.reason}" for result in self.results if not result.passed]

    def as_json(self) -> list[dict[str, Any]]:
        """The results as they stand in the feedback."""
        return [result.as_json() for result in self.results]


async def verdict_on(node: WorkflowNode, result: Any, context: NodeContext, ask: Ask) -> Verdict:
    """Hold the result of a node against its checks.

    :param node: the node, with at least one check.
    :param result: what it made.
    :param context: what it may see; fills the references in the checks.
    :param ask: calls the tool of a judge.
    :raises Exception: whatever a judge fails of; an output that could not be judged is neither good nor bad.
    """
    subject = _subject(node, result, context)
    return Verdict([await _result(each, subject, context, ask) for each in node.checks])


async def _result(each: QualityCheck, subject: Subject, context: NodeContext, ask: Ask) -> CheckResult:
    wanted = _wanted(each, context)
    if isinstance(wanted, Judge) and subject.text.strip():
        passed, score, reason = await _judged(wanted, subject.text, ask)
    else:
        score, reason = await run_in_thread(check, each.kind, wanted, subject)  # a long text takes its time
        passed = score >= 1
    if reason is not None and len(reason) > LONGEST_REASON:
        reason = reason[: LONGEST_REASON - 1] + "…"
    return CheckResult(each.kind, passed, score, each.weight, reason)


def _subject(node: WorkflowNode, result: Any, context: NodeContext) -> Subject:
    part = output_part(result)
    inputs = context.resolve(node.parameters.get("tool_inputs"))
    prompt = inputs.get("prompt") if isinstance(inputs, dict) else None
    metadata = result.get("metadata") if isinstance(result, dict) else None
    return Subject(
        value=None if part is None else result.get(part),
        asked=tuple(filter(None, [context.resolve_text(node.description), as_text(prompt or "")])),
        is_truncated=isinstance(metadata, dict) and metadata.get("truncated") is True,
    )


def _wanted(each: QualityCheck, context: NodeContext) -> Any:
    """What a check asks for, references filled in; a text stays one, whatever they lead to."""
    wanted = getattr(each, each.kind)
    if each.kind not in WITH_REFERENCES:
        return wanted
    if isinstance(wanted, Judge):
        return wanted.model_copy(update={"rubric": context.resolve_text(wanted.rubric)})
    if isinstance(wanted, str):
        return context.resolve_text(wanted)
    return [phrase for phrase in map(context.resolve_text, wanted) if phrase.strip()]


async def _judged(judge: Judge, text: str, ask: Ask) -> tuple[bool, float, str | None]:
    """Whether a model lets a text pass, the score it gives, and what is wrong."""
    inputs = {"text": text, **judge.model_dump(exclude_none=True, exclude={"pass_score"})}
    output, _ = await ask(JUDGE_TOOL, inputs)
    score = output.get("score") if isinstance(output, dict) else None
    if isinstance(score, bool) or not isinstance(score, int | float) or not 0 <= score <= 1:
        raise ToolError(f"{quoted(JUDGE_TOOL)} gave no score from 0 to 1")
    passed = output.get("passed") is True and score > 0  # a judge may contradict itself
    if passed if judge.pass_score is None else score >= judge.pass_score:
        return True, score, None
    issues = "; ".join(map(str, output.get("issues") or ()))
    return False, score, issues or f"the judge gave it a score of {score:g}"
