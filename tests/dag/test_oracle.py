"""Every recorded run of vibe-aigc 0.7.1's own executor against ours: real DAGs, real operators, `dag.test()`.

Every key of a record must be in ours with an equal value, but for the differences declared below.
"""

from __future__ import annotations

import json
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from airflow_provider_vibe.plan.diagram import ascii_diagram, mermaid_diagram
from airflow_provider_vibe.plan.problems import ProblemCode
from airflow_provider_vibe.plan.reading import examine
from airflow_provider_vibe.runtime.outcome import ExecutionResult
from tests.dag.scripted import Script

CASES = Path(__file__).parents[1] / "data" / "oracle" / "cases"
OURS = "ours"

REFUSED = {
    "31_unknown_tool_name": ([ProblemCode.UNKNOWN_TOOL] * 4, "a misspelt tool is never simulated"),
    "41_duplicate_ids_root": ([ProblemCode.DUPLICATE_ID], "the first of two nodes was dropped in silence"),
    "44_unknown_dep": ([ProblemCode.UNKNOWN_DEPENDENCY] * 2, "skipped nodes were called completed"),
    "46_cycle_2": ([ProblemCode.CYCLE], "skipped nodes were called completed"),
}
"""Cases whose plan is refused before anything runs, with the problems and why."""

REFUSED_SAMPLES = {
    "test_visualization_test_empty_workflow_handling": [ProblemCode.EMPTY_PLAN],
    "test_checkpoint_serialization_test_checkpoint_serialization_roundtrip": [ProblemCode.UNKNOWN_DEPENDENCY],
}
"""Sample plans that cannot run: one has no nodes, one depends on a node that is not there."""

DECLARED: dict[str, dict[str, tuple[Any, str]]] = {
    "03_nested_3_deep": {
        "execution_groups": (
            [["C0"], ["C1"], ["C2"], ["x"], ["y"], ["z"], ["w"], ["after"]],
            "the levels of the whole tree, not of the roots alone",
        ),
        "summary.execution_groups": (8, "the levels of the whole tree"),
        "tool_calls.*.context.*": (OURS, "a composite hands on what its children made"),
    },
    "12_failure_of_node_with_children": {
        "execution_groups": (
            [["P", "sib"], ["k1", "k2"], ["dep_k1", "g"], ["dep"]],
            "the levels of the whole tree; a dependency on a child counts",
        ),
        "summary.execution_groups": (4, "the levels of the whole tree"),
        "summary.total_nodes": (7, "no node is ever lost"),
        "ascii.*": (OURS, "no node is ever lost: the children of a failed node are skipped, not pending"),
        "mermaid.*": (OURS, "no node is ever lost: the children of a failed node are skipped, not pending"),
    },
    "15_timeout_errors": {
        "feedback_data.t4.replannable": (True, '"timed out" is a timeout'),
        "feedback_data.t4.suggested_changes": (
            ["increase_timeout", "break_into_smaller_tasks"],
            '"timed out" is a timeout',
        ),
        "replan_suggestions.t4": (OURS, '"timed out" is a timeout'),
    },
    "16_connection_errors": {
        "feedback_data.c2.replannable": (True, "a subclass counts as its parent class"),
        "feedback_data.c2.suggested_changes": (
            ["retry_with_backoff", "use_alternative_endpoint"],
            "a subclass counts as its parent class",
        ),
        "feedback_data.c3.replannable": (True, "a subclass counts as its parent class"),
        "replan_suggestions.c2": (OURS, "a subclass counts as its parent class"),
        "replan_suggestions.c3": (OURS, "a subclass counts as its parent class"),
    },
    "21_raw_handler_results": {
        "replan_suggestions.dict_error_long.reason": ("execution_error", "the first indicator is the reason"),
        "replan_suggestions.dict_error_timeout.reason": (
            "execution_error",
            "the first indicator is the reason",
        ),
    },
    "22_error_key_inside_tool_output": {
        "feedback_data.a.execution_quality": (0.4, "an error inside a tool's output counts"),
        "feedback_data.a.replan_indicators": (["execution_error"], "an error inside a tool's output counts"),
        "replan_suggestions.a": (OURS, "an error inside a tool's output counts"),
        "should_replan": (True, "an error inside a tool's output counts"),
    },
    "29_llm_default_for_generate": {
        "feedback_data.an.execution_quality": (None, "a simulated result has no quality"),
    },
    "32_no_tool": {
        f"feedback_data.{node}.execution_quality": (None, "a simulated result has no quality")
        for node in "agtv"
    },
    "52_cancelled_error_vanishes": {
        "status": ("failed", "a cancelled tool is a failure"),
        "summary.status": ("failed", "a cancelled tool is a failure"),
        "summary.failed": (1, "a cancelled tool is a failure"),
        "summary.total_nodes": (3, "no node is ever lost"),
        "ascii.*": (OURS, "a cancelled tool is a failure"),
        "mermaid.*": (OURS, "a cancelled tool is a failure"),
    },
}
"""Where ours differs on purpose: the place in the record (a glob), our value, and why."""


def record_of(case: str) -> tuple[dict[str, Any], dict[str, Any], dict[str, Any]]:
    folder = CASES / case
    return tuple(json.loads((folder / f"{name}.json").read_text()) for name in ("plan", "script", "expected"))


def all_cases() -> list[str]:
    return sorted(folder.name for folder in CASES.iterdir())


@pytest.mark.parametrize("case", [case for case in all_cases() if case not in REFUSED])
def test_run_agrees_with_the_original(case, run_scripted):
    plan, script, expected = record_of(case)
    if case == "29_llm_default_for_generate":
        plan["root_nodes"][3][
            "parameters"
        ] = {}  # 'nope' is refused (see 31); without a name it is the same node
    run, result = run_scripted(plan, Script(script))
    ours = our_record(run, result, expected)
    found = dict(mismatches(expected, ours))
    declared = DECLARED.get(case, {})
    undeclared = {path: value for path, value in found.items() if not matching(path, declared)}
    assert undeclared == {}
    for pattern, (value, reason) in declared.items():
        paths = [path for path in found if fnmatch(path, pattern)]
        assert paths, f"{pattern} agrees with the original, but is declared to differ ({reason})"
        assert value == OURS or [found[path] for path in paths] == [value]


@pytest.mark.parametrize("case", sorted(REFUSED))
def test_plan_that_the_original_ran_wrong_is_refused(case, scripted_settings):
    plan, script, _ = record_of(case)
    settings = scripted_settings(Script(script))
    reading = examine(json.dumps(plan).encode(), "plan.vibe.json", settings.rules)
    assert reading.plan is None
    assert [problem.code for problem in reading.problems] == REFUSED[case][0]


SAMPLES = [
    path
    for folder in ("docs_examples", "test_plans")
    for path in sorted((CASES.parent / "samples" / folder).glob("*.json"))
]


@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.stem)
def test_every_plan_of_the_original_is_read(path, scripted_settings):
    settings = scripted_settings(Script({"nodes": {}}))
    reading = examine(path.read_bytes(), path.name, settings.rules)
    expected = REFUSED_SAMPLES.get(path.stem, [])
    assert [problem.code for problem in reading.problems] == expected


def our_record(plan: Any, result: ExecutionResult, expected: dict[str, Any]) -> dict[str, Any]:
    data = result.as_json()
    statuses = {node_id: node.status.value for node_id, node in result.node_results.items()}
    summary = {
        **result.get_summary(),
        "duration": sum(node.duration for node in result.node_results.values()),
    }
    return {
        **{key: data[key] for key in ("status", "node_results", "execution_groups", "should_replan")},
        "statuses": statuses,
        "feedback_data": rounded(data["feedback_data"]),
        "replan_suggestions": by_node(data["replan_suggestions"]),
        "is_complete": result.is_complete(),
        "summary": data["summary"],
        "tool_calls": {call["node"]: call for call in plan.calls},
        "ascii_plan": numbered(ascii_diagram(plan.plan).splitlines()),
        "mermaid_plan": numbered(mermaid_diagram(plan.plan).splitlines()),
        "ascii": numbered(
            masked(ascii_diagram(plan.plan, statuses, summary).splitlines(), expected["ascii"])
        ),
        "mermaid": numbered(mermaid_diagram(plan.plan, statuses).splitlines()),
    }


def mismatches(expected: dict[str, Any], ours: dict[str, Any]):
    """The places where a value of the record is not in ours, with our value."""
    record = {
        **expected,
        "replan_suggestions": by_node(expected["replan_suggestions"]),
        "tool_calls": {call["node"]: call for call in expected["tool_calls"]},
        **{key: numbered(expected[key]) for key in ("ascii_plan", "mermaid_plan", "ascii", "mermaid")},
    }
    for key, mine in ours.items():
        yield from differences(record[key], mine, key)
    for node_id in ours["replan_suggestions"].keys() - record["replan_suggestions"].keys():
        yield f"replan_suggestions.{node_id}", ours["replan_suggestions"][node_id]


def differences(theirs: Any, ours: Any, path: str):
    if isinstance(theirs, dict) and isinstance(ours, dict):
        for key, value in theirs.items():
            if key not in ours:
                yield f"{path}.{key}", "missing"
            else:
                yield from differences(value, ours[key], f"{path}.{key}")
    elif theirs != ours:
        yield path, ours


def matching(path: str, patterns: dict[str, Any]) -> bool:
    return any(fnmatch(path, pattern) for pattern in patterns)


def by_node(suggestions: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    return {suggestion["node_id"]: suggestion for suggestion in suggestions}


def numbered(lines: list[str]) -> dict[str, str]:
    return {str(index): line for index, line in enumerate(lines)}


def masked(lines: list[str], pattern: list[str]) -> list[str]:
    """Our lines with a `*` wherever the record has one instead of a time."""
    return [
        theirs if theirs.endswith("*") and ours.startswith(theirs[:-1]) else ours
        for ours, theirs in zip(lines, pattern, strict=False)
    ] + lines[len(pattern) :]


def rounded(value: Any) -> Any:
    """The record keeps one decimal of efficiencies, whose last digits are the machine's."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    return round(value, 1) if isinstance(value, float) else value


def test_declared_differences_name_cases_that_exist():
    assert set(DECLARED) | set(REFUSED) <= set(all_cases())
