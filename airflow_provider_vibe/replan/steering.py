"""Which inputs only carry content, and which ones decide what a tool does.

Whoever changes a text that is only written, read or summed up changes the work of a node, not what it may do.
Whoever changes a URL, a file's name, a limit, or anything of a tool that is not known here, may.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_vibe.plan.models import WorkflowNode
from airflow_provider_vibe.replan.effective import tool_inputs_of, tool_of
from airflow_provider_vibe.settings import Settings

CONTENT_INPUTS = {
    "combine": {"pieces", "separator", "order"},
    "feed_read": {"text"},
    "html_to_markdown": {"text"},
    "http_get": set[str](),
    "image_card": {"title", "subtitle", "colour", "accent"},
    "image_generate": {"prompt"},
    "json_schema": {"value", "text"},
    "keywords": {"text", "top", "max_words", "language"},
    "llm_analyze": {"prompt", "text", "system"},
    "llm_generate": {"prompt", "text", "system"},
    "llm_transform": {"prompt", "text", "system"},
    "llm_validate": {"text"},
    "markdown_to_html": {"text", "title", "language"},
    "read_file": set[str](),
    "render_chart": {"series", "labels", "x", "title", "x_title", "y_title"},
    "template_fill": {"template", "values"},
    "text_profile": {"text", "language"},
    "text_rules": {"text"},
    "write_file": {"text"},
}
"""The built-in tools, and their inputs that are content only. A tool that is not here is an unknown one."""

_URL = re.compile(r"(?:[A-Za-z][A-Za-z0-9+.-]{0,30}:)?//[^\s\"'<>)\]]+")
_CONNECTION = re.compile(r"(?:^|_)conn(?:ection)?(?:_id)?$", re.IGNORECASE)
_PATH = re.compile(r"(?:^|_)(?:path|file|folder|dir|directory|filename|name|bucket)$", re.IGNORECASE)
_LOOKS_LIKE_A_PATH = re.compile(r"(?:~|\.{0,2}/|file:|[A-Za-z]:\\)")


def is_known(node: WorkflowNode, settings: Settings) -> bool:
    """Whether it is known what the inputs of a node's tool are for; a node without one does nothing."""
    tool = tool_of(node, settings)
    return tool is None or tool in CONTENT_INPUTS


def steering_of(node: WorkflowNode, settings: Settings) -> dict[str, Any]:
    """What decides what the tool of a node does: its parameters without the inputs that are content."""
    tool = tool_of(node, settings)
    if tool is None:
        return {}
    inputs = settings.rules.inputs_of(tool, node.parameters, node.description)
    content = CONTENT_INPUTS.get(tool, set())
    steering = {key: value for key, value in inputs.items() if key not in content and value is not None}
    other = {key: value for key, value in node.parameters.items() if key not in ("tool", "tool_inputs")}
    return {**({"tool_inputs": steering} if steering else {}), **other}


def hosts_in(value: Any) -> Iterator[str]:
    """The host of every URL in *value*, however deep; one that cannot be read stands for itself."""
    for _, text in _texts(value):
        for url in _URL.findall(text):
            try:
                host = urlsplit(url).netloc.rpartition("@")[2].lower()
            except ValueError:
                host = url
            yield host or url


def connections_of(node: WorkflowNode) -> Iterator[str]:
    """The connections a node names, for its tool or for a judge."""
    yield from (text for key, text in _texts(tool_inputs_of(node)) if _CONNECTION.search(key))
    yield from (check.judge.connection for check in node.checks if check.judge and check.judge.connection)


def models_of(node: WorkflowNode) -> Iterator[str]:
    """The models a node names."""
    yield from (text for key, text in _texts(tool_inputs_of(node)) if key == "model")
    yield from (check.judge.model for check in node.checks if check.judge and check.judge.model)


def paths_of(node: WorkflowNode, settings: Settings) -> Iterator[str]:
    """The files and folders that the tool of a node is given by name, as far as one can tell."""
    for key, text in _texts(steering_of(node, settings)):
        if _PATH.search(key) or _LOOKS_LIKE_A_PATH.match(text):
            yield text


def _texts(value: Any) -> Iterator[tuple[str, str]]:
    """Every text in *value*, keys too, each with the nearest key above it."""
    stack: list[tuple[str, Any]] = [("", value)]
    while stack:
        key, current = stack.pop()
        if isinstance(current, dict):
            stack.extend((str(name), item) for name, item in current.items())
            stack.extend(("", str(name)) for name in current)
        elif isinstance(current, list | tuple):
            stack.extend((key, item) for item in current)
        elif isinstance(current, str):
            yield key, current
