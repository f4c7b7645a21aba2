"""`image_generate`: a picture from an image model."""

from __future__ import annotations

import asyncio
import mimetypes
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from airflow_provider_vibe.tools.artifacts import save_artifact
from airflow_provider_vibe.tools.base import ToolResult
from airflow_provider_vibe.tools.budget import within_budget
from airflow_provider_vibe.tools.decorator import tool
from airflow_provider_vibe.tools.models.asking import (
    ConnectionInput,
    clear_errors,
    request_timeout,
    usage_fields,
)
from airflow_provider_vibe.tools.models.connection import default_connection, image_model
from airflow_provider_vibe.tools.models.prompts import vibe_lines, with_findings
from airflow_provider_vibe.tools.threads import run_in_thread

if TYPE_CHECKING:
    from pydantic_ai.images import ImageGenerationModel, ImageGenerationResult

AspectRatio = Literal["1:1", "2:3", "3:2", "3:4", "4:3", "9:16", "16:9"]


@tool("image_generate")
async def image_generate(
    prompt: Annotated[str, Field(min_length=1, description="What the picture shows.")],
    aspect_ratio: Annotated[
        AspectRatio | None, Field(description="Width to height; not every model makes every one.")
    ] = None,
    model: Annotated[
        str | None,
        Field(description="'provider:name' of an image model; left out: the connection's 'image_model'."),
    ] = None,
    connection: ConnectionInput = None,
    *,
    context: dict[str, Any],
) -> ToolResult:
    """Make a picture with an image model of OpenAI, Google or xAI, or of a server of OpenAI's protocol.

    The vibe is part of the prompt. One request and no retry of the SDK's own: Airflow retries the task.

    :returns: ``{"image": a reference to the file, "prompt": the prompt as the model changed it, if it did}``;
        the metadata are those of ``llm_generate``, with ``finish_reason`` null.
    :raises ToolInputError: the connection, its model or the model's package is missing or does not fit.
    """
    conn_id, timeout = connection or default_connection(), request_timeout()
    access = await run_in_thread(image_model, conn_id, model, timeout)
    told = with_findings("\n".join([prompt, *vibe_lines(context.get("vibe") or {})]), context.get("findings"))
    with clear_errors():
        result = await within_budget(
            lambda: _generate(access.model, told, aspect_ratio, timeout),
            max_tokens=None,
            usage_of=_usage,
            prompt=told,
        )
    image = result.images[0]
    media_type = image.content.media_type
    name = f"image{mimetypes.guess_extension(media_type) or '.png'}"
    reference = await run_in_thread(save_artifact, context, name, image.content.data, media_type)
    output: dict[str, Any] = {"image": reference}
    if image.revised_prompt:
        output["prompt"] = access.secrets.hide(image.revised_prompt)
    metadata = {
        "model": result.model_name,
        "provider": result.provider_name,
        "connection": conn_id,
        "finish_reason": None,
        "usage": _usage(result),
    }
    return ToolResult(True, output, access.secrets.hide(metadata))


async def _generate(
    model: ImageGenerationModel, prompt: str, aspect_ratio: AspectRatio | None, timeout: float
) -> ImageGenerationResult:
    from pydantic_ai import ImageGenerator
    from pydantic_ai.images import ImageGenerationSettings

    settings = ImageGenerationSettings(aspect_ratio=aspect_ratio) if aspect_ratio else None
    async with asyncio.timeout(timeout):
        return await ImageGenerator(model).generate(prompt, settings=settings)


def _usage(result: ImageGenerationResult) -> dict[str, Any]:
    try:
        cost = result.cost().total_price
    except LookupError:
        cost = None
    return usage_fields(result.usage, 1, cost)
