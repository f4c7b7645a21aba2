"""What a budget allows, and why not."""

from __future__ import annotations

from airflow_provider_vibe.plan.models import Budget
from airflow_provider_vibe.runtime.usage import Usage


def whats_against(budget: Budget, used: Usage, claim: Usage) -> list[str]:
    """Why a call does not fit beside what is used already, in words; empty when it does.

    The cost of a call and the time it takes are known only after it. So these stop further calls once they
    are used up, and a cost that is not known stops them, too: it may be anything.

    :param budget: what a run may use.
    :param used: what it has used.
    :param claim: what the call may take, and the seconds that its own attempt has worked so far.
    """
    checks = (
        _against_requests(budget.requests, used, claim),
        _against_tokens(budget.tokens, used, claim),
        _against_cost(budget.cost, used),
        _against_seconds(budget.seconds, used, claim),
    )
    return [reason for reason in checks if reason]


def _against_requests(limit: int | None, used: Usage, claim: Usage) -> str | None:
    if limit is None or used.requests + claim.requests <= limit:
        return None
    return f"{used.requests} of {limit} requests are used"


def _against_tokens(limit: int | None, used: Usage, claim: Usage) -> str | None:
    if limit is None or used.tokens + claim.tokens <= limit:
        return None
    told = f"{used.tokens} of {limit} tokens are used"
    if used.tokens >= limit:
        return told
    return (
        f"{told}, and the call may take {claim.tokens}: about {claim.input_tokens} of its prompt and"
        f" {claim.output_tokens} of its answer (max_tokens)"
    )


def _against_cost(limit: float | None, used: Usage) -> str | None:
    if limit is None:
        return None
    if used.unpriced:
        return (
            f"the cost of {used.unpriced} requests is not known, so ${limit:g} cannot be kept to; for a model"
            " without a known price, limit tokens or requests"
        )
    return f"${used.known_cost:g} of ${limit:g} are spent" if used.known_cost >= limit else None


def _against_seconds(limit: float | None, used: Usage, claim: Usage) -> str | None:
    seconds = used.seconds + claim.seconds
    if limit is None or seconds < limit:
        return None
    return f"{seconds:.1f} of {limit:g} seconds of work are used"
