"""Every number of vibe-aigc 0.7.1's assessment, and every declared difference of ours."""

from __future__ import annotations

import pytest

from airflow_provider_vibe.runtime.assessment import (
    analyze_error,
    assess_result,
    efficiency,
    is_replannable,
    quality_of,
)
from airflow_provider_vibe.tools.base import ToolFailed
from tests.runtime.foreign_errors import (
    ContentFilterError,
    IncompleteToolCall,
    ModelContextWindowExceededError,
    ModelHTTPError,
    ModelQuotaExceededError,
)


class HTTPError(Exception):
    """Replannable by its name: each HTTP library has its own."""


class ReadTimeout(HTTPError):
    """As httpx and requests have one."""


class RateLimitError(Exception):
    """Not among the original's replannable names."""


def through_a_tool(output):
    return {"type": "tool_execution", "tool": "t", "description": "d", "result": output, "metadata": {}}


@pytest.mark.parametrize(
    ("result", "quality"),
    [
        (None, 0.0),
        ("", 0.0),
        (0, 0.0),
        (False, 0.0),
        ([], 0.0),
        ("hello", 0.7),
        ([1], 0.7),
        (5, 0.7),
        (True, 0.7),
        ({}, 0.5),
        ({"x": 1}, 0.5),
        ({"result": None}, 0.5),
        ({"result": ""}, 0.5),
        ({"result": "x" * 10}, 0.5),
        ({"result": "x" * 11}, 0.8),
        ({"result": [1, 2, 3, 4]}, 0.8),
        ({"result": {"a": 1}}, 0.5),
        ({"error": "e"}, 0.1),
        ({"failed": True}, 0.1),
        ({"error": "", "failed": 0, "result": "x" * 11}, 0.8),
        ({"result": "x" * 11, "error": "e"}, 0.4),
        ({"result": "x" * 11, "failed": True, "error": "e"}, 0.4),
        ({"result": "x" * 11, "timeout": True}, 0.8),
    ],
)
def test_quality_of_a_result(result, quality):
    assert quality_of(result) == quality


@pytest.mark.parametrize("output", [None, "", 0, {}, False, [], "x" * 10])
def test_empty_or_short_output_of_a_tool_scores_a_half(output):
    assert quality_of(through_a_tool(output)) == 0.5


@pytest.mark.parametrize("output", ["x" * 11, {"text": "x"}, [1, 2, 3, 4]])
def test_output_of_a_tool_of_more_than_ten_characters_scores_point_eight(output):
    assert quality_of(through_a_tool(output)) == 0.8


@pytest.mark.parametrize(
    ("output", "quality", "indicators"),
    [
        ({"text": "long enough", "error": "e"}, 0.4, ["execution_error"]),
        ({"text": "long enough", "failed": True}, 0.4, []),
        ({"text": "long enough", "timeout": True}, 0.8, ["performance_issue"]),
        ({"error": 1}, 0.4, ["execution_error"]),
        ({"text": "long enough", "error": None}, 0.8, []),
    ],
)
def test_what_a_tool_says_inside_its_output_counts(output, quality, indicators):
    feedback, _ = assess_result("n", through_a_tool(output), 0.0, None)
    assert feedback["execution_quality"] == quality
    assert feedback["replan_indicators"] == indicators


def test_error_inside_the_result_of_a_handler_that_called_no_tool_does_not_count():
    assert quality_of({"result": {"error": "e", "text": "long enough"}}) == 0.8


def test_simulated_result_has_no_quality_and_no_suggestion():
    result = {"type": "analysis", "result": "short", "simulated": True}
    feedback, suggestion = assess_result("n", result, 0.0, None)
    assert feedback["execution_quality"] is None
    assert feedback["replan_indicators"] == []
    assert suggestion is None


@pytest.mark.parametrize(
    ("duration", "estimate", "expected"),
    [
        (1.0, None, 1.0),
        (1.0, 0, 1.0),
        (1.0, -5, 1.0),
        (1.0, 1, 1.0),
        (0.0, 10, 2.0),
        (5.0, 10, 2.0),
        (8.0, 10, 1.25),
        (2.0, 1, 0.5),
        (0.01, 1, 2.0),
    ],
)
def test_efficiency_is_the_estimate_over_the_duration_at_most_two(duration, estimate, expected):
    assert efficiency(duration, estimate) == expected


def test_efficiency_counts_less_than_a_tenth_of_a_second_as_a_tenth():
    assert efficiency(0.0, 0.15) == pytest.approx(1.5)  # type: ignore[arg-type]  # a round number of the rule


@pytest.mark.parametrize(
    ("duration", "estimate", "expected"),
    [
        (1.5, 1, []),
        (1.51, 1, ["reduce_task_complexity", "parallelize_subtasks"]),
        (15.0, 10, []),
        (15.1, 10, ["reduce_task_complexity", "parallelize_subtasks"]),
        (0.1, 0, []),
        (0.11, 0, ["reduce_task_complexity"]),
        (99.0, None, []),
        (99.0, -1, []),
    ],
)
def test_slow_node_is_told_so(duration, estimate, expected):
    feedback, suggestion = assess_result("n", {"result": "x" * 20}, duration, estimate)
    assert feedback["optimization_suggestions"] == expected
    assert suggestion is None, "slow alone is no reason to replan"


@pytest.mark.parametrize(
    ("result", "is_told"),
    [
        ({"result": "x" * 19}, True),
        ({"result": "x" * 20}, False),
        ({"result": None}, True),
        ({}, True),
        ("short", False),
        (None, False),
    ],
)
def test_result_of_less_than_twenty_characters_is_asked_for_more_detail(result, is_told):
    feedback, _ = assess_result("n", result, 0.0, None)
    assert ("enhance_output_detail" in feedback["optimization_suggestions"]) is is_told


def test_feedback_on_a_completed_node_has_the_originals_form():
    feedback, _ = assess_result("n", {"result": "x" * 20}, 2.0, 1)
    assert feedback == {
        "execution_quality": 0.8,
        "resource_usage": {"cpu_time": 2.0, "memory_usage": "normal", "efficiency_ratio": 0.5},
        "performance_metrics": {"duration": 2.0, "expected_duration": 1, "efficiency": 0.5},
        "replan_indicators": [],
        "optimization_suggestions": ["reduce_task_complexity", "parallelize_subtasks"],
    }


@pytest.mark.parametrize(("result", "is_suggested"), [("plain", False), ({"result": "short"}, True)])
def test_replan_is_suggested_below_a_quality_of_point_seven(result, is_suggested):
    _, suggestion = assess_result("n", result, 0.0, None)
    assert (suggestion is not None) is is_suggested


@pytest.mark.parametrize(("threshold", "is_suggested"), [(0.5, False), (0.51, True), (0.0, False)])
def test_quality_threshold_is_configurable(threshold, is_suggested):
    _, suggestion = assess_result("n", {"result": "short"}, 0.0, None, threshold)
    assert (suggestion is not None) is is_suggested


def test_suggestion_carries_the_optimizations():
    _, suggestion = assess_result("n", {"result": "short"}, 2.0, 1)
    assert suggestion == {
        "node_id": "n",
        "reason": "low_quality_output",
        "suggested_changes": ["reduce_task_complexity", "parallelize_subtasks", "enhance_output_detail"],
    }


@pytest.mark.parametrize(
    ("result", "indicators", "reason"),
    [
        (None, ["low_quality_output"], "low_quality_output"),
        ({"error": "e"}, ["low_quality_output", "execution_error"], "low_quality_output"),
        ({"result": "x" * 11, "error": "e"}, ["execution_error"], "execution_error"),
        ({"result": "x", "timeout": 1}, ["performance_issue"], "performance_issue"),
        ({"failed": 1}, ["low_quality_output"], "low_quality_output"),
        ({"result": "x"}, [], "low_quality_output"),
    ],
)
def test_reason_names_the_first_indicator(result, indicators, reason):
    feedback, suggestion = assess_result("n", result, 0.0, None)
    assert feedback["replan_indicators"] == indicators
    assert suggestion is not None
    assert suggestion["reason"] == reason


def answered(**metadata):
    return {**through_a_tool({"text": "A text that is long enough to be good"}), "metadata": metadata}


@pytest.mark.parametrize("threshold", [0.7, 0.1])
def test_answer_cut_off_at_its_token_limit_calls_for_a_replan(threshold):
    result = answered(finish_reason="length", truncated=True)
    feedback, suggestion = assess_result("n", result, 1.0, None, threshold)
    assert feedback["execution_quality"] == 0.4
    assert feedback["replan_indicators"] == ["output_truncated"]
    assert suggestion == {
        "node_id": "n",
        "reason": "output_truncated",
        "suggested_changes": ["increase_max_tokens", "break_into_smaller_tasks"],
    }


def test_answer_that_came_to_its_end_does_not():
    feedback, suggestion = assess_result("n", answered(finish_reason="stop"), 1.0, None)
    assert (feedback["execution_quality"], feedback["replan_indicators"], suggestion) == (0.8, [], None)


@pytest.mark.parametrize(
    ("error", "expected"),
    [
        (TimeoutError(), True),
        (ConnectionError("c"), True),
        (HTTPError("h"), True),
        (MemoryError("m"), True),
        (RuntimeError("r"), True),
        (ValueError("the Timeout was reached"), True),
        (ValueError("bad"), False),
        (KeyError("k"), False),
        (RateLimitError("slow down"), False),
        (ValueError("CUDA out of memory"), False),
        # ours: a subclass counts as its parent, "timed out" as a timeout
        (ConnectionRefusedError("c"), True),
        (ConnectionResetError("c"), True),
        (ReadTimeout("r"), True),
        (ValueError("request timed out"), True),
        # ours: what a tool reports counts by its kind
        (ToolFailed("Tool execution failed: no luck"), True),
        (ToolFailed("Tool execution failed: invalid api key"), False),
        (ToolFailed("Tool execution failed: HTTP 403"), False),
        (ToolFailed("Tool execution failed: invalid argument: width"), False),
        (ToolFailed("Tool execution failed: too many requests"), True),
        # ours: what no plan can help is not, whatever its class
        (ModelHTTPError(401), False),
        (ModelHTTPError(404), False),
        (ModelQuotaExceededError(429), False),
        (ModelHTTPError(429), True),
        (ModelHTTPError(500), True),
        (ModelContextWindowExceededError(400), True),
        (ContentFilterError(), True),
        (IncompleteToolCall(), True),
    ],
)
def test_whether_another_plan_can_help(error, expected):
    assert is_replannable(error) is expected


@pytest.mark.parametrize(
    "told",
    [
        "1 of 1 rules are broken: 401 words, at most 400 are allowed",
        "1 of 1 rules are broken: 'authentication' does not occur",
        "1 of 1 rules are broken: 'api key' occurs",
        "validation failed: the text is too short",
    ],
)
def test_words_of_a_text_that_a_tool_quotes_do_not_count_as_its_error(told):
    assert is_replannable(ToolFailed(f"Tool execution failed: {told}"))


@pytest.mark.parametrize(
    ("error", "changes"),
    [
        (TimeoutError(), ["increase_timeout", "break_into_smaller_tasks"]),
        (ValueError("memory timeout"), ["increase_timeout", "break_into_smaller_tasks"]),
        (ValueError("it timed out"), ["increase_timeout", "break_into_smaller_tasks"]),
        (MemoryError(), ["reduce_data_size", "use_streaming_approach"]),
        (ValueError("out of memory: connection"), ["reduce_data_size", "use_streaming_approach"]),
        (ConnectionError(), ["retry_with_backoff", "use_alternative_endpoint"]),
        (ConnectionRefusedError(), ["retry_with_backoff", "use_alternative_endpoint"]),
        (HTTPError(), ["retry_with_backoff", "use_alternative_endpoint"]),
        (ValueError("Connection lost"), ["retry_with_backoff", "use_alternative_endpoint"]),
        (ValueError("bad"), ["retry_with_different_parameters"]),
    ],
)
def test_first_match_decides_what_to_change_after_an_error(error, changes):
    feedback, _ = analyze_error("n", error, 0.0, None)
    assert feedback["suggested_changes"] == changes


@pytest.mark.parametrize(
    ("error", "changes"),
    [
        (IncompleteToolCall("connection"), ["increase_max_tokens", "break_into_smaller_tasks"]),
        (ModelContextWindowExceededError(400), ["reduce_data_size", "break_into_smaller_tasks"]),
    ],
)
def test_what_a_model_could_not_hold_is_to_be_made_smaller(error, changes):
    feedback, suggestion = analyze_error("n", error, 1.0, None)
    assert feedback["suggested_changes"] == changes
    assert suggestion is not None and suggestion["suggested_changes"] == changes


def test_feedback_on_a_replannable_error_has_the_originals_form():
    feedback, suggestion = analyze_error("n", ConnectionRefusedError("no one there"), 2.0, 1)
    changes = ["retry_with_backoff", "use_alternative_endpoint"]
    assert feedback == {
        "error_type": "ConnectionRefusedError",
        "error_message": "no one there",
        "replannable": True,
        "execution_quality": 0.0,
        "resource_usage": {"cpu_time": 2.0, "memory_usage": "normal", "efficiency_ratio": 0.5},
        "performance_metrics": {"duration": 2.0, "expected_duration": 1, "failure_point": "execution"},
        "suggested_changes": changes,
        "replan_reason": "execution_failure_connectionrefusederror",
    }
    assert suggestion == {
        "node_id": "n",
        "error": "no one there",
        "replan_reason": "execution_failure",
        "suggested_changes": changes,
    }


def test_error_that_no_other_plan_can_help_is_no_suggestion():
    feedback, suggestion = analyze_error("n", ValueError("bad"), 0.0, None)
    assert feedback["replannable"] is False
    assert suggestion is None


def test_failure_that_a_tool_reports_is_the_originals_runtime_error():
    feedback, _ = analyze_error("n", ToolFailed("Tool execution failed: x"), 0.0, None)
    assert feedback["error_type"] == "RuntimeError"
    assert feedback["replan_reason"] == "execution_failure_runtimeerror"
