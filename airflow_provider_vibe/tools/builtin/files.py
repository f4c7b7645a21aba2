"""`write_file`: a text becomes a file in the artifacts folder."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import Field

from airflow_provider_vibe.tools.artifacts import MAX_NAME, save_artifact
from airflow_provider_vibe.tools.builtin.previous import TextInput, text_or_previous
from airflow_provider_vibe.tools.decorator import tool


@tool("write_file")
def write_file(
    name: Annotated[
        str,
        Field(min_length=1, max_length=MAX_NAME, description="A relative file name, e.g. 'posts/launch.md'."),
    ],
    text: TextInput = None,
    *,
    context: dict[str, Any],
) -> dict[str, Any]:
    """Write a text, in UTF-8, to a file below ``[vibe] artifacts_path``.

    The file is ``ARTIFACTS/DAG ID/RUN ID/NODE ID/TRY/NAME``. In a local folder it appears at once and whole.

    :returns: the reference to it: ``{"artifact", "uri", "path" (of a local file only), "name", "size"
        (bytes), "media_type", "sha256"}``.
    :raises ToolInputError: *name* could lead out of the node's folder, or there is no text.
    """
    return save_artifact(context, name, text_or_previous(text, context).encode())
