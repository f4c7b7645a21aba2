"""Which inputs only carry content, and which ones decide what a tool does.

Whoever rewords what a model is asked for changes the work of a node, not what it may do. Whoever changes a
URL, a file's name, a limit, or anything of a tool that is not known here, may; and so may who changes a text
that a tool gives on as it is: it would be out without anybody having read it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from airflow_provider_vibe.plan.models import NodeType, WorkflowNode
from airflow_provider_vibe.plan.quality_checks import JUDGE_TOOL
from airflow_provider_vibe.replan.effective import tool_inputs_of, tool_of
from airflow_provider_vibe.replan.meaning import references_in
from airflow_provider_vibe.settings import Settings
from airflow_provider_vibe.tools.builtin import MODEL_TOOLS

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

WRITERS = MODEL_TOOLS - {"llm_validate"}
"""The tools that make something of their own of their content; other known ones give it on, or measure it."""

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
    if tool_of(node, settings) is None:
        return {}
    _, steering = _told_apart(node, settings)
    other = {key: value for key, value in node.parameters.items() if key not in ("tool", "tool_inputs")}
    return {**({"tool_inputs": steering} if steering else {}), **other}


def content_of(node: WorkflowNode, settings: Settings) -> dict[str, Any]:
    """The inputs of the tool of a node that are content only."""
    content, _ = _told_apart(node, settings)
    return content


def _told_apart(node: WorkflowNode, settings: Settings) -> tuple[dict[str, Any], dict[str, Any]]:
    """The inputs that are content, and those that are not."""
    tool = tool_of(node, settings)
    if tool is None:
        return {}, {}
    content: dict[str, Any] = {}
    steering: dict[str, Any] = {}
    for name, value in settings.rules.inputs_of(tool, node.parameters, node.description).items():
        if value is not None:
            (content if name in CONTENT_INPUTS.get(tool, ()) else steering)[name] = value
    return content, steering


def refuses(node: WorkflowNode, settings: Settings) -> bool:
    """Whether the work of a node is to hold something against rules, and to fail where it breaks them."""
    is_strict = tool_inputs_of(node).get("strict") not in (None, False)
    return node.type == NodeType.VALIDATE or (is_strict and tool_of(node, settings) in CONTENT_INPUTS)


def references_of(value: Any) -> frozenset[str]:
    """The references in *value* as they are written: ``${params.topic}``, ``${nodes.fetch.text}``."""
    return frozenset("${" + ".".join((each.root, *each.path)) + "}" for each in references_in(value))


def hosts_in(value: Any) -> Iterator[str]:
    """The host of every URL in *value*, however deep; one that cannot be read stands for itself."""
    for _, text in _texts(value):
        for url in _URL.findall(text):
            try:
                host = urlsplit(url).netloc.rpartition("@")[2].lower()
            except ValueError:
                host = url
            yield host or url


def tools_of(node: WorkflowNode, settings: Settings) -> Iterator[str]:
    """The tools that are called for a node: its own, and the one of its judges."""
    tool = tool_of(node, settings)
    yield from [tool] if tool else []
    yield from [JUDGE_TOOL for check in node.checks if check.judge]


def connections_of(node: WorkflowNode, settings: Settings) -> Iterator[str]:
    """The connections of a node, for its tool and its judges; the default one where a model is asked."""
    yield from (text for key, text in _texts(tool_inputs_of(node)) if _CONNECTION.search(key))
    yield from (connection for connection, _ in _models_asked(node, settings))


def models_of(node: WorkflowNode, settings: Settings) -> Iterator[str]:
    """The models of a node, for its tool and its judges; where none is named, whose it is."""
    yield from (text for key, text in _texts(tool_inputs_of(node)) if key == "model")
    yield from (model or f"that of {connection}" for connection, model in _models_asked(node, settings))


def _models_asked(node: WorkflowNode, settings: Settings) -> Iterator[tuple[str, str | None]]:
    """Connection and model of everything that a node asks of one."""
    asked = [(check.judge.connection, check.judge.model) for check in node.checks if check.judge]
    if tool_of(node, settings) in MODEL_TOOLS:
        inputs = tool_inputs_of(node)
        asked.append((inputs.get("connection"), inputs.get("model")))
    yield from ((connection or settings.llm_conn_id, model) for connection, model in asked)


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
