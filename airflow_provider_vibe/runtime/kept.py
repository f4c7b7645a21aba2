"""Results too large for XCom: their large parts are kept as artifacts, and read back by the nodes after them.

Such a result has its usual shape, with previews in place of the large parts, and says so beside them:
``{"type", "tool", "description", "result": PREVIEW, "metadata", "artifacts": {"result": REFERENCE}}``.
Nothing inside a tool's output can pass for a reference: only the top of a result is looked at, which a tool
does not write; and a reference leads to what this very node has kept in this very run, or is refused.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any, NamedTuple

from airflow_provider_vibe.plan.problems import quoted
from airflow_provider_vibe.runtime.context import output_part
from airflow_provider_vibe.runtime.reuse import ARTIFACTS_KEY, kept_again, kept_by, kept_in, known_digest
from airflow_provider_vibe.tools.artifacts import (
    OWN_FOLDER,
    ArtifactError,
    load_artifact,
    node_folders,
    relative_segments,
    save_own,
)
from airflow_provider_vibe.tools.base import ToolError

PARTS = frozenset({"result", "output", "description", "metadata", "parameters"})
"""The parts of a result that may be large."""

SMALLEST_PART = 1024
"""Bytes; a smaller part is no smaller as a reference."""

PREVIEW_CHARACTERS = 300
PREVIEW_ITEMS = 20
PREVIEW_DEPTH = 4
PREVIEW_BYTES = 4096


class Output(NamedTuple):
    """What a node hands on.

    :param digest: its :func:`output_digest` where that is known already.
    """

    value: Any
    digest: str | None = None


def keep_large_parts(result: Any, context: Mapping[str, Any], limit: int) -> Any:
    """*result*, its largest parts moved to artifacts until the rest fits into *limit*. Blocks.

    :param result: plain JSON; one that is no object stays as it is.
    :param context: whose result it is: ``run``, ``node_id``, ``try_number``.
    :param limit: bytes of compact JSON.
    :raises ToolError: it has the key under which only references stand.
    """
    if not isinstance(result, dict):
        return result
    if ARTIFACTS_KEY in result:
        raise ToolError(f"the result cannot be kept: its key '{ARTIFACTS_KEY}' is for what is too large")
    contents = {part: compact_json(value) for part, value in result.items()}
    size = sum(map(len, contents.values()))
    previews, references = {}, {}
    for part in sorted(PARTS & contents.keys(), key=lambda part: (-len(contents[part]), part)):
        content = contents.pop(part)
        if size <= limit or len(content) < SMALLEST_PART:
            break
        references[part] = save_own(context, _file_name(part), content, "application/json")
        previews[part] = preview(result[part])
        size -= len(content)
    if not references:
        return result
    return kept_again({**result, **previews, ARTIFACTS_KEY: references}, context["run"]["id"])


def load_output(result: Any, run: Mapping[str, Any], node_id: str) -> Output | None:
    """What the node *node_id* hands on; None when it hands on nothing. Blocks.

    :param result: its result, as it stands in XCom.
    :param run: the run it stands in: ``dag_id``, ``id``; one that was taken over may be kept in another.
    :param node_id: the node that left it.
    :raises ArtifactError: its output was kept as an artifact and cannot be given back.
    """
    part = output_part(result)
    if part is None:
        return None
    references = result.get(ARTIFACTS_KEY)
    if not isinstance(references, dict) or part not in references:
        return Output(result.get(part), known_digest(result))
    folders = node_folders({**run, "id": kept_in(result, run["id"])}, kept_by(result, node_id))
    try:
        content = _load(references[part], folders, part)
    except ArtifactError as error:
        raise ArtifactError(
            f"the output of {quoted(node_id)} cannot be read: {error}"
            f" (clear {quoted(node_id)} and what comes after it, so that it is made again)"
        ) from None
    return Output(json.loads(content), known_digest(result) or references[part]["sha256"])


def _load(reference: Any, folders: list[str], part: str) -> bytes:
    """The content of a part, from nowhere but where that node keeps it."""
    segments = relative_segments(reference)
    try_number = segments[len(folders) : len(folders) + 1]
    if segments != [*folders, *try_number, OWN_FOLDER, _file_name(part)]:
        raise ArtifactError(f"{quoted(reference['uri'], 300)} is not where this node keeps its {part}")
    return load_artifact(reference)


def output_digest(output: Any) -> str:
    """SHA-256 of an output, in hex: the same whether it stands in XCom or is kept as an artifact."""
    return hashlib.sha256(compact_json(output)).hexdigest()


def compact_json(value: Any) -> bytes:
    """The bytes of a value in an artifact: JSON in UTF-8, keys sorted."""
    text = json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "surrogatepass")


def preview(value: Any) -> Any:
    """The beginning of *value*, in its shape where that is small enough, else of its JSON text."""
    short = _shortened(value, PREVIEW_DEPTH)
    if len(compact_json(short)) <= PREVIEW_BYTES:
        return short
    return _shortened(compact_json(short).decode("utf-8", "replace"), 1)


def _shortened(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return value if len(value) <= PREVIEW_CHARACTERS else value[:PREVIEW_CHARACTERS] + "…"
    if isinstance(value, dict | list) and value and depth == 0:
        return "…"
    if isinstance(value, dict):
        return {key: _shortened(inside, depth - 1) for key, inside in list(value.items())[:PREVIEW_ITEMS]}
    if isinstance(value, list):
        return [_shortened(inside, depth - 1) for inside in value[:PREVIEW_ITEMS]]
    return value


def _file_name(part: str) -> str:
    return f"{part}.json"
