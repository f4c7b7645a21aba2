"""The tools of the end-to-end plans: what each node does is told by files in a folder, and noted there."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

from airflow_provider_vibe import tool
from airflow_provider_vibe.tools.artifacts import load_artifact, save_artifact

FOLDER_VARIABLE = "VIBE_E2E_FOLDER"


def folder() -> Path:
    """Where tests and tools leave each other messages."""
    return Path(os.environ[FOLDER_VARIABLE])


def wait_while_there(path: Path) -> None:
    """Wait until the test has deleted a file; the process ends with its cluster in any case."""
    while path.exists():
        time.sleep(0.1)


@tool("noted", description="Notes its call; fails while NODE.fail exists, waits while NODE.wait does")
def noted(text: str = "", context: dict[str, Any] | None = None) -> dict[str, Any]:
    """The tool of most nodes.

    :param text: what to give back.
    """
    context = context or {}
    node_id = context["node_id"]
    with (folder() / f"{node_id}.calls").open("a") as calls:
        calls.write(json.dumps({"text": text, "context": context}) + "\n")
    wait_while_there(folder() / f"{node_id}.wait")
    failure = folder() / f"{node_id}.fail"
    if failure.exists():
        raise ConnectionError(failure.read_text())
    return {"text": text or f"{node_id} is done"}


def long_text(characters: int) -> str:
    """Lines of 80 characters, no two alike."""
    lines = (f"{number:>79}\n" for number in range(characters // 80))
    return "".join(lines)


@tool("lengthy", description="Makes a long text")
def lengthy(characters: int) -> dict[str, Any]:
    """A text that is too long for XCom."""
    return {"text": long_text(characters), "characters": characters}


@tool("paints", description="Saves an image")
def paints(size: int, context: dict[str, Any] | None = None) -> dict[str, Any]:
    """An image of so many bytes; only its beginning is a PNG's."""
    content = b"\x89PNG\r\n\x1a\n".ljust(size, b"\xff")
    return save_artifact(context or {}, "images/cover.png", content)


@tool("weighs", description="Reads a text and an image")
def weighs(image: dict[str, Any], context: dict[str, Any] | None = None) -> dict[str, Any]:
    """The digests of all that it is given."""
    context = context or {}
    return {
        "text": hashlib.sha256(context["previous_outputs"]["writes"]["text"].encode()).hexdigest(),
        "context": len(context["workflow_context"]),
        "image": hashlib.sha256(load_artifact(image, context)).hexdigest(),
    }


def make_tools() -> list[Any]:
    """For ``[vibe] tool_factories``."""
    return [noted, lengthy, paints, weighs]
