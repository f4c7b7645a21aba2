"""A proposal as the Markdown that a person decides on.

All that comes from a plan stands in fences: a description cannot make a heading, a link or an approval of its
own.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from airflow_provider_vibe.plan.problems import one_line
from airflow_provider_vibe.replan.forecast import ExpectedTime
from airflow_provider_vibe.replan.proposal import Proposal
from airflow_provider_vibe.replan.rendering import as_text, fenced


def as_markdown(proposal: Proposal) -> str:
    """The whole proposal: what may be gained and lost first, then every change."""
    return "\n\n".join(_sections(proposal)) + "\n"


def _sections(proposal: Proposal) -> Iterator[str]:
    facts = [
        f"plan      {one_line(proposal.plan_id)}",
        f"revision  {proposal.base_revision} → {proposal.revision}",
        f"attempt   {proposal.attempt} after the run {one_line(proposal.lineage)}",
        f"time      {_time(proposal.expected_before)} → {_time(proposal.expected_after)}",
        f"digest    {proposal.digest}",
    ]
    yield fenced("\n".join(facts))
    yield "### What the plan may do that it could not"
    yield _listed(proposal.delta.gained, "Nothing.")
    yield "### What holds it back less"
    yield _listed(proposal.delta.dropped, "Nothing: every check, validation and approval stays.")
    yield "### What changes"
    yield fenced(text, "diff") if (text := as_text(proposal.diff)) else "Nothing."
    yield "### What need not be done again"
    yield _listed([one_line(node_id) for node_id in proposal.reusable], "Nothing: every node runs.")
    yield "### What became of the suggestions"
    yield _listed(proposal.notes, "There were none.")


def _listed(items: Sequence[object], otherwise: str) -> str:
    return fenced("\n".join(map(str, items))) if items else otherwise


def _time(expected: ExpectedTime) -> str:
    more = f", and {len(expected.unknown)} nodes of unknown length" if expected.unknown else ""
    return f"{expected.seconds:g} s{more}"
