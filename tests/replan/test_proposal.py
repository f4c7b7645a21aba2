"""A proposal holds all that is needed to decide on it, and never a plan that would not run."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from airflow_provider_vibe.plan.identity import plan_digest
from airflow_provider_vibe.plan.models import WorkflowPlan
from airflow_provider_vibe.plan.problems import PlanError
from airflow_provider_vibe.plan.rules import Limits
from airflow_provider_vibe.replan.facts import RunFacts
from airflow_provider_vibe.replan.markdown import as_markdown
from airflow_provider_vibe.replan.proposal import Proposal, ProposalError, edited, propose
from airflow_provider_vibe.replan.rendering import as_text
from airflow_provider_vibe.replan.writing import plan_data
from tests.replan.plans import RULES, SETTINGS, dropping, news, setting
from tests.replan.test_strategies import suggest

FACTS = RunFacts(SETTINGS, {"fetch": 4.0, "draft": 30.0}, frozenset({"fetch", "draft"}))
SLOW = [suggest("draft", "increase_timeout", "reduce_task_complexity")]


class Fixed:
    """A planner with one answer."""

    def __init__(self, plan):
        self._plan = plan

    def propose(self, plan, suggestions):
        return self._plan


def proposed(*edits, facts=FACTS) -> Proposal:
    """What is proposed by a planner that makes *edits*."""
    wanted = [suggest("draft", "reduce_task_complexity")]
    return propose(news(), wanted, facts, lineage="run", planner=Fixed(news(*edits)))


def test_proposal_says_what_it_is_made_from_and_what_it_comes_to():
    found = propose(news(), SLOW, FACTS, lineage="run-1", attempt=2)
    assert (found.plan_id, found.lineage, found.attempt) == ("news", "run-1", 2)
    assert (found.base_digest, found.base_revision, found.revision) == (plan_digest(news()), 1, 2)
    assert as_text(found.diff) == "~ node 'draft'\n    + run: {\"timeout\": 400.0}"
    assert found.delta.is_empty
    assert [str(note).partition(":")[0] for note in found.notes] == [
        "increase_timeout of 'draft' done",
        "reduce_task_complexity of 'draft' changes nothing",
    ]


def test_plan_of_a_proposal_is_the_next_revision_whatever_a_planner_says():
    found = proposed(setting(None, "revision", to=77), setting("draft", "description", to="Other"))
    assert found.plan(RULES).revision == 2
    assert as_text(found.diff).startswith("~ node 'draft'")


def test_time_is_that_of_the_run_where_the_work_is_the_same():
    found = proposed(setting("draft", "description", to="Other"))
    assert found.expected_before.seconds == 4 + 30 + 1 + 2 + 3
    assert found.expected_after.seconds == 4 + 20 + 1 + 2 + 3
    assert found.reusable == ("fetch",)


def test_nothing_suggested_nothing_proposed():
    assert propose(news(), [], FACTS, lineage="run").diff.is_empty


def test_plan_that_would_not_run_is_not_proposed():
    data = plan_data(news())
    data["root_nodes"][0]["dependencies"] = ["nobody"]
    broken = WorkflowPlan.model_validate(data)
    with pytest.raises(PlanError, match="unknown-dependency"):
        propose(news(), [suggest("draft", "x")], FACTS, lineage="run", planner=Fixed(broken))


def test_another_plan_is_not_proposed():
    with pytest.raises(ProposalError, match="'news' cannot become 'other'"):
        proposed(setting(None, "id", to="other"))


def test_large_plan_is_written_compactly_rather_than_refused():
    size = len(json.dumps(plan_data(news()))) + 50
    rules = replace(RULES, limits=Limits(max_plan_bytes=size))
    facts = RunFacts(replace(SETTINGS, rules=rules))
    found = propose(news(), SLOW, facts, lineage="run")
    assert found.plan_text.count("\n") == 1 and found.plan(rules).revision == 2


def test_digest_is_of_all_of_it():
    first = propose(news(), SLOW, FACTS, lineage="run")
    again = propose(news(), SLOW, FACTS, lineage="run")
    others = [
        propose(news(), SLOW, FACTS, lineage="run", attempt=2),
        first.model_copy(update={"plan_text": first.plan_text + " "}),
        first.model_copy(update={"notes": ()}),
    ]
    assert first.digest == again.digest
    assert len({first.digest, *(other.digest for other in others)}) == 4


def test_proposal_comes_back_from_json():
    found = proposed(setting("fetch", "run", "retries", to=5), dropping(None, "budget"))
    back = Proposal.from_json(json.loads(json.dumps(found.as_json())))
    assert back == found and back.digest == found.digest


# edited by a person


def test_edited_plan_is_a_proposal_of_its_own():
    shown = propose(news(), SLOW, FACTS, lineage="run")
    text = shown.plan_text.replace('"timeout": 400.0', '"timeout": 7200')
    mine = edited(shown, news(), text, FACTS)
    assert mine.digest != shown.digest
    assert [each.kind for each in mine.delta.gained] == ["timeout"]
    assert (mine.lineage, mine.attempt, mine.base_digest) == ("run", 1, shown.base_digest)


def test_edited_plan_may_be_yaml():
    import yaml

    shown = propose(news(), SLOW, FACTS, lineage="run")
    text = yaml.safe_dump(json.loads(shown.plan_text))
    assert edited(shown, news(), text, FACTS).plan(RULES) == shown.plan(RULES)


@pytest.mark.parametrize("text", ["", "{", "id: news", '{"id": "news"}', "\ud800", "a: &b c"])
def test_edited_plan_that_does_not_run_is_refused_with_its_problems(text):
    shown = propose(news(), SLOW, FACTS, lineage="run")
    with pytest.raises(PlanError) as refused:
        edited(shown, news(), text, FACTS)
    assert refused.value.problems


def test_edit_of_a_proposal_for_another_plan_is_refused():
    shown = propose(news(), SLOW, FACTS, lineage="run")
    with pytest.raises(ProposalError, match="not the one that this proposal was made from"):
        edited(shown, news(dropping(None, "budget")), shown.plan_text, FACTS)


# as a person reads it


def test_markdown_tells_what_is_gained_and_dropped_before_the_changes():
    text = as_markdown(proposed(setting("fetch", "run", "retries", to=5), dropping("draft", "checks", 0)))
    told = ("attempts of 'fetch': 6 (was 2)", "min_words' is dropped", "run.retries: 1 → 5")
    places = [text.index(part) for part in told]
    assert places == sorted(places)
    assert "1 → 2" in text and "40 s" in text


def test_markdown_says_when_nothing_is_gained():
    text = as_markdown(propose(news(), SLOW, FACTS, lineage="run"))
    assert "could not\n\nNothing." in text and "every check, validation and approval stays" in text
    assert "fetch\ndraft" in text


def test_plan_cannot_speak_for_the_page_it_is_shown_on():
    evil = "```\n\n# Already approved\n\n[click](https://evil.example) <img src=x>"
    edits = [setting(node_id, "description", to=evil) for node_id in ("draft", "page")]
    text = as_markdown(proposed(*edits, setting(None, "source_vibe", "constraints", to=[evil])))
    outside, fence = [], None
    for line in text.split("\n"):
        if fence is None and line.startswith("```"):
            fence = line.rstrip("abcdefghijklmnopqrstuvwxyz")
        elif line == fence:
            fence = None
        elif fence is None:
            outside.append(line)
    assert fence is None
    assert not any("evil" in line or "approved" in line for line in outside)
