"""What a node's checks make of its outcome, and what a judge is asked."""

from __future__ import annotations

import pickle
import threading

import pytest

from airflow_provider_vibe.runtime.context import NodeContext, read_by
from airflow_provider_vibe.runtime.errors import ErrorKind, QualityRefused, kind_of
from airflow_provider_vibe.runtime.outcome import ExecutionStatus
from airflow_provider_vibe.tools.base import ToolResult
from tests.runtime.helpers import Working, node, run

SHORT = {"min_words": 50, "weight": 3}


def writing(text="The mill by the river", **metadata):
    return Working(lambda inputs, context: ToolResult(True, {"text": text}, metadata))


def judging(**output):
    return Working(lambda inputs, context: output, name="llm_validate")


def outcome_of(*checks, text="The mill by the river", tools=(), context=None, **fields):
    a_node = node(checks=list(checks), tool="work", **fields)
    return run(a_node, writing(text), *tools, context=context)


def test_quality_is_the_mean_of_the_scores_by_weight():
    phrases = {"must_contain": ["mill", "miller"], "weight": 2}
    outcome = outcome_of(SHORT, phrases, {"max_words": 9})
    assert outcome.feedback["execution_quality"] == 0.3333  # (3 * 0 + 2 * 0.5 + 1 * 1) / 6
    assert outcome.feedback["checks"] == [
        {
            "check": "min_words",
            "passed": False,
            "score": 0.0,
            "weight": 3.0,
            "reason": "5 words, at least 50 are asked for",
        },
        {
            "check": "must_contain",
            "passed": False,
            "score": 0.5,
            "weight": 2.0,
            "reason": "'miller' does not occur",
        },
        {"check": "max_words", "passed": True, "score": 1.0, "weight": 1.0, "reason": None},
    ]


def test_good_output_needs_no_suggestion():
    outcome = outcome_of({"max_words": 9})
    assert (outcome.feedback["execution_quality"], outcome.replan_suggestion) == (1.0, None)
    assert outcome.feedback["replan_indicators"] == []


def test_one_failed_check_is_enough_for_a_suggestion():
    outcome = outcome_of({"min_words": 50}, *[{"max_words": 9}] * 9)
    assert outcome.status is ExecutionStatus.COMPLETED
    assert outcome.feedback["execution_quality"] == 0.9
    assert outcome.replan_suggestion["reason"] == "failed_checks"
    assert outcome.replan_suggestion["findings"] == ["min_words: 5 words, at least 50 are asked for"]


def test_node_without_checks_has_the_heuristic_of_the_original():
    outcome = run(node(tool="work"), writing())
    assert outcome.feedback["execution_quality"] == 0.8
    assert "checks" not in outcome.feedback


def test_made_up_result_is_not_held_against_checks():
    outcome = run(node(checks=[SHORT], on_fail="fail"), simulate=True)
    assert (outcome.status, outcome.feedback["execution_quality"]) == (ExecutionStatus.COMPLETED, None)


def test_composite_is_checked_by_the_texts_it_gathers():
    composite = node(type="composite", children=[node("child")], checks=[{"must_contain": ["owl"]}])
    outcome = run(composite, context=NodeContext(outputs={"child": {"text": "An owl"}}))
    assert outcome.feedback["execution_quality"] == 1.0


@pytest.mark.parametrize(
    ("on_fail", "kind", "again"), [("retry", ErrorKind.UNKNOWN, True), ("fail", ErrorKind.QUALITY, False)]
)
def test_refused_output_fails_the_node_with_the_reasons(on_fail, kind, again):
    outcome = outcome_of(SHORT, {"max_words": 9}, on_fail=on_fail)
    assert (outcome.status, outcome.error_type, outcome.result) == (
        ExecutionStatus.FAILED,
        "QualityRefused",
        None,
    )
    assert outcome.error == (
        "the output does not pass 1 of 2 checks: min_words: 5 words, at least 50 are asked for"
    )
    assert (kind_of(outcome.exception), outcome.exception.again) == (kind, again)
    assert (outcome.feedback["execution_quality"], len(outcome.feedback["checks"])) == (0.25, 2)
    assert outcome.replan_suggestion["error"] == outcome.error


def test_words_of_an_output_are_not_taken_for_the_kind_of_failure():
    outcome = outcome_of({"must_contain": ["timeout", "memory"]}, on_fail="fail")
    assert outcome.feedback["suggested_changes"] == ["retry_with_different_parameters"]


def test_error_can_be_sent_between_processes():
    error = outcome_of(SHORT, on_fail="retry").exception
    copy = pickle.loads(pickle.dumps(error))
    assert isinstance(copy, QualityRefused)
    assert (str(copy), copy.again) == (str(error), True)


def test_references_in_checks_are_filled_in_as_data():
    context = NodeContext(
        params={"topic": "MILL", "code": "$${params.topic}"}, outputs={"a": {"text": "river"}}
    )
    found = outcome_of({"must_contain": ["${params.topic}", "${nodes.a.text}"]}, context=context)
    assert found.feedback["execution_quality"] == 1.0
    assert outcome_of({"must_contain": ["${params.code}"]}, context=context).feedback["checks"][0][
        "reason"
    ] == ("'$${params.topic}' does not occur")
    assert outcome_of({"matches": "${params.topic}"}, context=context).feedback["execution_quality"] == 0


def test_phrase_that_a_reference_leaves_empty_asks_for_nothing():
    context = NodeContext(params={"name": ""})
    outcome = outcome_of({"must_contain": ["${params.name}"]}, context=context)
    assert outcome.feedback["execution_quality"] == 1.0


def test_node_reads_what_its_checks_refer_to():
    a_node = node(checks=[{"must_contain": ["${nodes.a.text}"]}, {"judge": "Like ${nodes.b.text}"}])
    assert set(read_by(a_node, {"a": 1, "b": 1})) == {"a", "b"}


def test_truncated_answer_is_a_placeholder():
    a_node = node(tool="work", checks=[{"not_placeholder": True}])
    assert run(a_node, writing(truncated=True)).feedback["execution_quality"] == 0


def test_long_reasons_are_cut():
    outcome = outcome_of({"must_contain": [f"word{number}" for number in range(200)]})
    assert len(outcome.feedback["checks"][0]["reason"]) == 500


def test_changed_checks_are_another_work():
    plain, checked, other = (
        run(node(tool="work", checks=checks), writing()).fingerprint
        for checks in ([], [{"max_words": 9}], [{"max_words": 8}])
    )
    assert len({plain, checked, other}) == 3


def test_judge_is_asked_with_the_text_and_the_rubric_and_its_score_counts():
    judge = judging(passed=False, score=0.4, issues=["dull", "long"])
    check = {"judge": {"rubric": "Says ${params.topic}", "connection": "c", "model": "m"}}
    outcome = outcome_of(
        check, tools=[judge], context=NodeContext(params={"topic": "mill"}, findings=["old"])
    )
    assert judge.inputs == {
        "text": "The mill by the river",
        "rubric": "Says mill",
        "connection": "c",
        "model": "m",
    }
    assert judge.context["findings"] == []
    result = outcome.feedback["checks"][0]
    assert (result["passed"], result["score"], result["reason"]) == (False, 0.4, "dull; long")


@pytest.mark.parametrize(
    ("asked", "said", "passes"),
    [
        ({}, {"passed": True, "score": 0.1}, True),
        ({}, {"passed": True, "score": 0.0}, False),
        ({}, {"passed": False, "score": 0.9}, False),
        ({"pass_score": 0.5}, {"passed": False, "score": 0.5}, True),
        ({"pass_score": 0.5}, {"passed": True, "score": 0.49}, False),
    ],
)
def test_what_passes_is_for_the_judge_to_say_unless_the_plan_does(asked, said, passes):
    outcome = outcome_of({"judge": {"rubric": "Good", **asked}}, tools=[judging(**said)])
    assert outcome.feedback["checks"][0]["passed"] is passes


def test_judge_is_not_asked_about_nothing():
    judge = judging(passed=True, score=1)
    assert outcome_of({"judge": "Good"}, text=" ", tools=[judge]).feedback["execution_quality"] == 0
    assert judge.inputs == {}


@pytest.mark.parametrize("output", [{}, {"score": "1"}, {"score": True}, {"score": 1.5}, {"score": None}])
def test_judge_without_a_score_fails_the_node(output):
    outcome = outcome_of({"judge": "Good"}, tools=[judging(**output)])
    assert (outcome.status, outcome.error_type) == (ExecutionStatus.FAILED, "ToolError")


def test_judge_that_cannot_be_asked_fails_the_node_by_its_own_kind():
    judge = Working(lambda inputs, context: ConnectionError("lost"), name="llm_validate")
    outcome = outcome_of({"judge": "Good"}, tools=[judge])
    assert kind_of(outcome.exception) is ErrorKind.CONNECTION
    assert "cannot be judged" in outcome_of({"judge": "Good"}).error


def test_checks_do_not_hold_up_the_event_loop(monkeypatch):
    threads = []

    def check(kind, wanted, subject):
        threads.append(threading.current_thread())
        return 1.0, None

    monkeypatch.setattr("airflow_provider_vibe.runtime.quality.verdict.check", check)
    assert outcome_of({"min_words": 1}).status is ExecutionStatus.COMPLETED
    assert threads and threading.current_thread() not in threads
