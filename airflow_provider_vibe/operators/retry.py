"""Which failures of a node are tried again, and when."""

from __future__ import annotations

import random
from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy

from airflow_provider_vibe.runtime.errors import HOPELESS, kind_of, retry_after

if TYPE_CHECKING:
    from airflow.sdk import Context


JITTER = 0.25
"""The share of a wait that is added at most, so that nodes told to wait at once do not come back at once."""


class VibeRetryPolicy(RetryPolicy):
    """Another try where it can help, at the time a server asked for; none where it cannot.

    Wrong inputs, refused authentication, spent quotas, refused content, too long contexts and things that are
    not there fail at once. Anything else, timeouts, lost connections, rate limits, server errors, malformed
    answers and memory among them, is up to the task's ``retries``, with Airflow's exponential backoff and
    jitter where the server named no time.
    """

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """Decide by the kind of *exception*; see :class:`airflow.sdk.RetryPolicy`."""
        kind = kind_of(exception)
        if kind in HOPELESS:
            return RetryDecision.fail(reason=f"{kind}: another try would fail too")
        wait = retry_after(exception)
        if wait is not None:
            delay = timedelta(seconds=wait * random.uniform(1, 1 + JITTER))
            return RetryDecision.retry(delay, reason=f"{kind}: asked to wait {wait:g} s")
        return RetryDecision.default()
