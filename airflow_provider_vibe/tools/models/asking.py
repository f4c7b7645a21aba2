"""One request to a language model: within the budget, within its time, and told without secrets."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from airflow_provider_vibe.plan.problems import VibeError
from airflow_provider_vibe.tools.base import ToolInputError
from airflow_provider_vibe.tools.budget import within_budget
from airflow_provider_vibe.tools.models.connection import chat_access, default_connection
from airflow_provider_vibe.tools.models.secrets import Secrets, cleared
from airflow_provider_vibe.tools.threads import run_in_thread

if TYPE_CHECKING:
    from pydantic_ai import Agent
    from pydantic_ai.agent import AgentRunResult
    from pydantic_ai.settings import ModelSettings
    from pydantic_ai.usage import RunUsage

DEFAULT_TIMEOUT = 300.0
"""Seconds that one request may take."""

SystemInput = Annotated[str | None, Field(description="Instructions instead of the usual ones.")]
MaxTokensInput = Annotated[int | None, Field(ge=1, description="The longest answer, in tokens.")]
TemperatureInput = Annotated[float | None, Field(ge=0, le=2, description="How free the answer is.")]
ModelInput = Annotated[
    str | None,
    Field(
        description="'provider:name', of the connection's own provider; a name alone for a connection with a"
        " host. Left out: the connection's own model."
    ),
]
ConnectionInput = Annotated[
    str | None, Field(description="The Airflow connection; left out: [vibe] llm_conn_id.")
]


@dataclass(frozen=True)
class Choice:
    """Which model answers, and within which limits; what is None is left to the connection or the model.

    :param max_tokens: of the answer.
    """

    connection: str | None = None
    model: str | None = None
    max_tokens: int | None = None
    temperature: float | None = None


class Refused(VibeError):
    """An answer that is not accepted; its words tell the model why."""


@dataclass(frozen=True)
class Review:
    """What becomes of an answer before it counts.

    :param accept: makes the result of an answer, in a thread of its own; an answer for which it raises
        :class:`Refused` goes back to the model with the reason.
    :param more_requests: so many times the model may answer anew.
    """

    accept: Callable[[Any], Any]
    more_requests: int


AS_IT_IS = Review(accept=lambda answer: answer, more_requests=0)


async def ask(
    prompt: str,
    system: str,
    choice: Choice,
    answer_type: type[Any] = str,
    *,
    review: Review = AS_IT_IS,
    book: Callable[[Mapping[str, Any]], None] | None = None,
) -> tuple[Any, dict[str, Any]]:
    """What a model answers, and the metadata of the call.

    One request, unless a review allows more, and no retry of the SDK's own: Airflow retries the task.

    :param prompt: the user's message.
    :param system: the instructions.
    :param choice: which model.
    :param answer_type: a text, or the pydantic model that the answer has to fit.
    :param review: what becomes of the answer.
    :param book: is told the ``usage`` in the end, also where there is no answer.
    :raises ToolInputError: the connection, its model or the model's package is missing or does not fit.
    :raises ContentFilterError: of pydantic-ai; the provider's filter has stopped the answer.
    """
    conn_id = choice.connection or default_connection()
    agent, secrets = await run_in_thread(_make_agent, conn_id, choice.model, system, answer_type, review)
    from pydantic_ai.usage import RunUsage  # not before: the thread has imported the library

    settings = _settings(choice)
    usage = RunUsage()
    with clear_errors(), _booked(usage, book):
        run: AgentRunResult[Any] = await within_budget(
            lambda: agent.run(prompt, model_settings=settings, usage=usage),
            max_tokens=choice.max_tokens,
            usage_of=lambda run: _usage(run.usage),
            prompt=f"{system}\n{prompt}",
            usage_when_failed=lambda: _usage(usage) if usage.output_tokens else None,
        )
    _refuse_filtered(run)
    return run.output, secrets.hide(_metadata(run, conn_id))


def reason_of(error: Exception) -> str:
    """What was wrong with the last answer of a model that was not accepted, without secrets.

    :param error: pydantic-ai's ``UnexpectedModelBehavior``; where the answers were used up, it only says so.
    """
    from airflow.providers.common.compat.sdk import redact

    return str(redact(str(error.__cause__ or error)))


def request_timeout() -> float:
    """Seconds that one request may take: ``[vibe] llm_timeout``."""
    from airflow.sdk.configuration import conf

    return conf.getfloat("vibe", "llm_timeout", fallback=DEFAULT_TIMEOUT)


def usage_fields(usage: Any, requests: int, cost: Any) -> dict[str, Any]:
    """The ``usage`` of a call's metadata.

    :param usage: pydantic-ai's.
    :param cost: in US dollars; None when the price is not known, which is not the same as nothing.
    """
    return {
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "requests": requests,
        "cost": None if cost is None else float(cost),
    }


@contextmanager
def clear_errors() -> Iterator[None]:
    """Let errors pass without the secrets that some servers echo; what cannot work is a wrong input."""
    from pydantic_ai.exceptions import UnexpectedModelBehavior, UserError

    try:
        yield
    except Exception as error:
        if (clear := cleared(error)) is not error:
            try:
                raise clear from None
            finally:
                clear.__context__ = None  # Python has put the error there that is not to be shown
        if isinstance(error, UserError):
            raise ToolInputError(str(error)) from error
        if isinstance(error, IndexError):  # the library takes the first choice, whether there is one or not
            raise UnexpectedModelBehavior(f"the server's answer holds no choice: {error}") from error
        raise


@contextmanager
def _booked(usage: RunUsage, book: Callable[[Mapping[str, Any]], None] | None) -> Iterator[None]:
    try:
        yield
    finally:
        if book is not None:
            book(_usage(usage))


def _make_agent(
    conn_id: str, model: str | None, system: str, answer_type: type[Any], review: Review
) -> tuple[Agent[object, Any], Secrets]:
    from pydantic_ai import ModelRetry

    access = chat_access(conn_id, model)
    agent = access.hook.create_agent(answer_type, instructions=system, retries=review.more_requests)

    @agent.output_validator
    def reviewed(answer: Any) -> Any:
        try:
            return review.accept(access.secrets.hide(answer))
        except Refused as refusal:
            raise ModelRetry(str(refusal)) from refusal

    return agent, access.secrets


def _settings(choice: Choice) -> ModelSettings:
    from pydantic_ai.settings import ModelSettings

    seconds = request_timeout()
    settings = ModelSettings(max_retries=0, timeout=seconds, request_timeout=seconds)
    if choice.max_tokens is not None:
        settings["max_tokens"] = choice.max_tokens
    if choice.temperature is not None:
        settings["temperature"] = choice.temperature
    return settings


def _usage(usage: RunUsage) -> dict[str, Any]:
    return usage_fields(usage, usage.requests, usage.cost)


def _metadata(run: AgentRunResult[Any], conn_id: str) -> dict[str, Any]:
    response = run.response
    metadata: dict[str, Any] = {
        "model": response.model_name,
        "provider": response.provider_name,
        "connection": conn_id,
        "finish_reason": response.finish_reason,
        "usage": _usage(run.usage),
    }
    if response.finish_reason == "length":
        metadata["truncated"] = True
    return metadata


def _refuse_filtered(run: AgentRunResult[Any]) -> None:
    """A part of an answer is no answer; and asked again, the filter would stop it again."""
    from pydantic_ai.exceptions import ContentFilterError

    if run.response.finish_reason == "content_filter":
        raise ContentFilterError("the provider's content filter stopped the answer before its end")
