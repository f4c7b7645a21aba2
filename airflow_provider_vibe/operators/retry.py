"""Which failures of a node are tried again, and when."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

from airflow.sdk.definitions.retry_policy import RetryDecision, RetryPolicy

from airflow_provider_vibe.runtime.errors import HOPELESS, kind_of, retry_after

if TYPE_CHECKING:
    from airflow.sdk import Context


class VibeRetryPolicy(RetryPolicy):
    """Another try where it can help, at the time a server asked for; none where it cannot.

    Wrong inputs, refused authentication and things that are not there fail at once. Anything else, timeouts,
    lost connections, rate limits, server errors and memory among them, is up to the task's ``retries``.
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
            return RetryDecision.retry(timedelta(seconds=wait), reason=f"{kind}: asked to wait {wait:g} s")
        return RetryDecision.default()
