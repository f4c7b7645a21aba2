"""The tools of the end-to-end plans: what each node does is told by files in a folder, and noted there."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

from airflow_provider_vibe import tool

FOLDER_VARIABLE = "VIBE_E2E_FOLDER"


def folder() -> Path:
    """Where tests and tools leave each other messages."""
    return Path(os.environ[FOLDER_VARIABLE])


@tool("noted", description="Notes its call; fails while NODE.fail exists, waits while NODE.wait does")
def noted(text: str = "", context: dict[str, Any] | None = None) -> dict[str, Any]:
    """The tool of most nodes.

    :param text: what to give back.
    """
    context = context or {}
    node_id = context["node_id"]
    with (folder() / f"{node_id}.calls").open("a") as calls:
        calls.write(json.dumps({"text": text, "context": context}) + "\n")
    while (folder() / f"{node_id}.wait").exists():
        time.sleep(0.1)
    failure = folder() / f"{node_id}.fail"
    if failure.exists():
        raise ConnectionError(failure.read_text())
    return {"text": text or f"{node_id} is done"}


def make_tools() -> list[Any]:
    """For ``[vibe] tool_factories``."""
    return [noted]
