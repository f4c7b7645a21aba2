"""How good a result is, and what an error says: vibe-aigc 0.7.1's rules and numbers, and ours.

The source of each number is `vibe_aigc/executor.py`: `_assess_result_quality`, `_calculate_node_efficiency`,
`_check_replan_indicators`, `_suggest_optimizations`, `_analyze_execution_error`, `_suggest_error_recovery`.
Different on purpose: what a tool says *inside* its output counts, a subclass counts as its parent,
"timed out" is a timeout, a failure that a tool reports is replannable by its kind, a simulated result has no
quality, and an answer that was cut off at its token limit calls for a replan.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_vibe.runtime.errors import (
    BEYOND_ANY_PLAN,
    ErrorKind,
    QualityRefused,
    class_names,
    kind_of,
    message_of,
)
from airflow_provider_vibe.tools.base import ToolFailed

if TYPE_CHECKING:
    from airflow_provider_vibe.runtime.quality.verdict import Verdict

QUALITY_THRESHOLD = 0.7
POOR_QUALITY = 0.3
MEANINGFUL_LENGTH = 10
DETAILED_LENGTH = 20
SLOW_FACTOR = 1.5
REPLANNABLE = frozenset({"TimeoutError", "ConnectionError", "HTTPError", "MemoryError", "RuntimeError"})

Feedback = dict[str, Any]
Suggestion = dict[str, Any]


def assess_result(
    node_id: str,
    result: Any,
    duration: float,
    estimated_duration: int | None,
    quality_threshold: float = QUALITY_THRESHOLD,
    verdict: Verdict | None = None,
) -> tuple[Feedback, Suggestion | None]:
    """The feedback on a node that completed, and a suggestion to replan where it calls for one.

    :param node_id: the node.
    :param result: what it made, any JSON.
    :param duration: seconds it took.
    :param estimated_duration: seconds it was expected to take; None, 0 and below mean unknown.
    :param quality_threshold: below it a replan is suggested.
    :param verdict: what came of the node's checks; tells the quality in place of the original's heuristic.
    """
    quality = _quality(result, verdict)
    indicators = _indicators(result, quality)
    if verdict is not None and not verdict.passed:
        indicators.append("failed_checks")
    suggestions = _optimizations(result, duration, estimated_duration)
    feedback: Feedback = {
        "execution_quality": quality,
        "resource_usage": _resource_usage(duration, estimated_duration),
        "performance_metrics": {
            "duration": duration,
            "expected_duration": estimated_duration,
            "efficiency": efficiency(duration, estimated_duration),
        },
        "replan_indicators": indicators,
        "optimization_suggestions": suggestions,
    }
    if verdict is not None:
        feedback["checks"] = verdict.as_json()
    findings = {"findings": verdict.findings} if verdict is not None and not verdict.passed else {}
    if quality is None or (quality >= quality_threshold and not findings and not _is_cut_off(result)):
        return feedback, None
    reason = indicators[0] if indicators else "low_quality_output"
    return feedback, {"node_id": node_id, "reason": reason, "suggested_changes": suggestions, **findings}


def _quality(result: Any, verdict: Verdict | None) -> float | None:
    if verdict is not None:
        return verdict.quality
    return None if is_simulated(result) else quality_of(result)


def quality_of(result: Any) -> float:
    """0.0 for nothing, 0.7 for a plain value, 0.1 to 0.8 for a result with fields."""
    if not isinstance(result, dict):
        return 0.7 if result else 0.0
    content = result.get("result")
    quality = 0.8 if content and len(str(content)) > MEANINGFUL_LENGTH else 0.5
    if _says(result, "error") or _says(result, "failed") or _is_cut_off(result):
        quality = max(0.1, quality - 0.4)
    return round(quality, 10)


def efficiency(duration: float, estimated_duration: int | None) -> float:
    """The expected over the real duration, at most 2.0; 1.0 without an estimate."""
    if not estimated_duration or estimated_duration <= 0:
        return 1.0
    return min(2.0, estimated_duration / max(0.1, duration))


def analyze_error(
    node_id: str, error: BaseException, duration: float, estimated_duration: int | None
) -> tuple[Feedback, Suggestion | None]:
    """The feedback on a node that failed, and a suggestion to replan where another plan can help.

    :param node_id: the node.
    :param error: what it failed of.
    :param duration: seconds until it failed.
    :param estimated_duration: seconds it was expected to take.
    """
    changes = _recovery(error)
    message = message_of(error)
    replannable = is_replannable(error)
    feedback = {
        "error_type": error_type_of(error),
        "error_message": message,
        "replannable": replannable,
        "execution_quality": 0.0,
        "resource_usage": _resource_usage(duration, estimated_duration),
        "performance_metrics": {
            "duration": duration,
            "expected_duration": estimated_duration,
            "failure_point": "execution",
        },
        "suggested_changes": changes,
        "replan_reason": f"execution_failure_{error_type_of(error).lower()}",
    }
    if isinstance(error, QualityRefused):
        feedback |= {"execution_quality": error.verdict.quality, "checks": error.verdict.as_json()}
    if not replannable:
        return feedback, None
    return feedback, {
        "node_id": node_id,
        "error": message,
        "replan_reason": "execution_failure",
        "suggested_changes": changes,
    }


def error_type_of(error: BaseException) -> str:
    """The name of an error's class; a failure a tool reports is the original's RuntimeError."""
    if isinstance(error, ToolFailed):
        return error.stands_for[0] if error.stands_for else "RuntimeError"
    return type(error).__name__


def is_replannable(error: BaseException) -> bool:
    """Whether another plan can help."""
    if isinstance(error, QualityRefused):
        return True
    if kind_of(error) in BEYOND_ANY_PLAN:
        return False  # a refused key, say, whatever class a client library gives it
    names = set(class_names(error))
    return isinstance(error, ToolFailed) or bool(REPLANNABLE & names) or _is_timeout(error)


def _is_timeout(error: BaseException) -> bool:
    message = str(error).lower()
    return "timeout" in message or "timed out" in message or "TimeoutError" in class_names(error)


_RECOVERY_BY_KIND = {
    ErrorKind.CUT_OFF: ["increase_max_tokens", "break_into_smaller_tasks"],
    ErrorKind.TOO_LONG: ["reduce_data_size", "break_into_smaller_tasks"],
}
"""What helps against failures that the original does not know."""


def _recovery(error: BaseException) -> list[str]:
    if isinstance(error, QualityRefused):  # it quotes an output, whose words say nothing of the failure
        return ["retry_with_different_parameters"]
    if (changes := _RECOVERY_BY_KIND.get(kind_of(error))) is not None:
        return changes
    message, names = str(error).lower(), class_names(error)
    if _is_timeout(error):
        return ["increase_timeout", "break_into_smaller_tasks"]
    if "memory" in message or "MemoryError" in names:
        return ["reduce_data_size", "use_streaming_approach"]
    if "connection" in message or {"ConnectionError", "HTTPError"} & set(names):
        return ["retry_with_backoff", "use_alternative_endpoint"]
    return ["retry_with_different_parameters"]


def _resource_usage(duration: float, estimated_duration: int | None) -> dict[str, Any]:
    ratio = efficiency(duration, estimated_duration)
    return {"cpu_time": duration, "memory_usage": "normal", "efficiency_ratio": ratio}


def _indicators(result: Any, quality: float | None) -> list[str]:
    indicators = ["low_quality_output"] if quality is not None and quality < POOR_QUALITY else []
    if _says(result, "error"):
        indicators.append("execution_error")
    if _says(result, "timeout"):
        indicators.append("performance_issue")
    if _is_cut_off(result):
        indicators.append("output_truncated")
    return indicators


def _optimizations(result: Any, duration: float, estimated_duration: int | None) -> list[str]:
    suggestions = []
    if estimated_duration and estimated_duration > 0:
        if duration > estimated_duration * SLOW_FACTOR:
            suggestions += ["reduce_task_complexity", "parallelize_subtasks"]
    elif estimated_duration == 0 and duration > 0.1:
        suggestions.append("reduce_task_complexity")
    if isinstance(result, dict) and len(str(result.get("result", ""))) < DETAILED_LENGTH:
        suggestions.append("enhance_output_detail")
    if _is_cut_off(result):
        suggestions += _RECOVERY_BY_KIND[ErrorKind.CUT_OFF]
    return suggestions


def _says(result: Any, key: str) -> bool:
    """Whether a result, or the output of a tool inside it, has *key* set."""
    if not isinstance(result, dict):
        return False
    output = result.get("result") if "tool" in result else None
    return bool(result.get(key) or (isinstance(output, dict) and output.get(key)))


def _is_cut_off(result: Any) -> bool:
    """Whether a model's answer hit the token limit: what it says may be good, but it is not all of it."""
    metadata = result.get("metadata") if isinstance(result, dict) else None
    return isinstance(metadata, dict) and metadata.get("truncated") is True


def is_simulated(result: Any) -> bool:
    """Whether a result was made up, with no tool behind it."""
    return isinstance(result, dict) and result.get("simulated") is True
