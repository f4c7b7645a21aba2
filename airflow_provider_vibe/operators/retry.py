"""Which failures of a node are tried again, and when."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy

from airflow_provider_vibe.runtime.errors import HOPELESS, WORTH_ANOTHER_TRY, kind_of, retry_after

if TYPE_CHECKING:
    from airflow.sdk import Context


class VibeRetryPolicy(RetryPolicy):
    """Another try where it can help, at the time a server asked for; none where it cannot.

    Timeouts, lost connections, rate limits, server errors and memory are tried again; wrong inputs, refused
    authentication and things that are not there fail at once; anything else is up to the task's ``retries``.
    """

    def evaluate(
        self,
        exception: BaseException,
        try_number: int,
        max_tries: int,
        context: Context | None = None,
    ) -> RetryDecision:
        """Decide by the kind of *exception*; see :class:`airflow.sdk.definitions.retry_policy.RetryPolicy`."""
        kind = kind_of(exception)
        if kind in HOPELESS:
            return RetryDecision.fail(reason=f"{kind}: another try would fail too")
        wait = retry_after(exception)
        if kind in WORTH_ANOTHER_TRY and wait is not None:
            return RetryDecision.retry(timedelta(seconds=wait), reason=f"{kind}: asked to wait {wait:g} s")
        return RetryDecision.default()
