"""A plan with a bit of everything, and the settings that replans are tried with."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from airflow_provider_vibe.plan.models import WorkflowPlan
from airflow_provider_vibe.plan.reading import examine
from airflow_provider_vibe.plan.rules import PlanRules
from airflow_provider_vibe.settings import Settings
from airflow_provider_vibe.tools.decorator import tool
from airflow_provider_vibe.tools.registry import build_registry, load_tools
from tests.plan.plans import compact
from tests.plan.plans import node as node_of


@tool("publish", description="A tool that this provider knows nothing of")
def publish(text: str | None = None, *, channel: str = "blog") -> dict[str, Any]:
    return {"text": f"{channel}: {text}"}


def _settings() -> Settings:
    tools = build_registry([("the built-in tools", load_tools()), ("the tests", [publish])])
    rules = replace(Settings().rules, tools=tools, default_tools={"generate": "llm_generate"})
    return Settings(tools=tools, rules=rules)


SETTINGS = _settings()
RULES = SETTINGS.rules

NEWS: dict[str, Any] = {
    "id": "news",
    "source_vibe": {"description": "A letter on ${params.topic}", "constraints": ["no invented numbers"]},
    "params": {"topic": {"type": "string", "default": "tea"}},
    "budget": {"tokens": 10_000},
    "replan": {"mode": "auto", "max_attempts": 2, "cooldown": 60},
    "root_nodes": [
        {
            "id": "fetch",
            "type": "analyze",
            "description": "Fetch the notes",
            "parameters": {"tool": "http_get", "tool_inputs": {"url": "https://notes.example/today"}},
            "estimated_duration": 5,
            "run": {"timeout": 60, "retries": 1, "retry_delay": 10},
        },
        {
            "id": "draft",
            "type": "generate",
            "description": "Write the letter",
            "parameters": {"tool_inputs": {"prompt": "Write on ${nodes.fetch.text}", "max_tokens": 500}},
            "dependencies": ["fetch"],
            "estimated_duration": 20,
            "checks": [{"min_words": 80}, {"max_words": 300}, {"must_contain": ["tea", "kettle"]}],
            "on_fail": "fail",
        },
        {
            "id": "check",
            "type": "validate",
            "description": "Hold it against the rules",
            "parameters": {"tool": "text_rules", "tool_inputs": {"banned": ["as an AI"]}},
            "dependencies": ["draft"],
            "estimated_duration": 1,
        },
        {
            "id": "out",
            "type": "composite",
            "description": "Put it out",
            "dependencies": ["check"],
            "children": [
                {
                    "id": "page",
                    "type": "transform",
                    "description": "Write the page",
                    "parameters": {
                        "tool": "write_file",
                        "tool_inputs": {"name": "news.md", "text": "${nodes.draft.text}"},
                    },
                    "dependencies": ["draft"],
                    "estimated_duration": 2,
                },
                {
                    "id": "post",
                    "type": "transform",
                    "description": "Post it",
                    "parameters": {"tool": "publish", "tool_inputs": {"text": "${nodes.page.uri}"}},
                    "dependencies": ["page"],
                    "estimated_duration": 3,
                },
            ],
        },
    ],
}

Edit = Callable[[dict[str, Any]], None]


def news(*edits: Edit) -> WorkflowPlan:
    """The plan of the news after *edits* of its data, as the reader gives it."""
    data = copy.deepcopy(NEWS)
    for edit in edits:
        edit(data)
    return plan_of(data)


def plan_of(data: dict[str, Any], rules: PlanRules = RULES) -> WorkflowPlan:
    """The plan that *data* is, which the reader must take."""
    return examine(compact(data).encode(), "a.vibe.json", rules).plan_or_raise()


def all_nodes(data: dict[str, Any]) -> list[dict[str, Any]]:
    """Every node of a plan as data, in the order of the file."""
    found = []
    stack = list(reversed(data["root_nodes"]))
    while stack:
        node = stack.pop()
        found.append(node)
        stack.extend(reversed(node.get("children", [])))
    return found


def node_in(data: dict[str, Any], node_id: str) -> dict[str, Any]:
    """One of its nodes."""
    return next(node for node in all_nodes(data) if node["id"] == node_id)


def setting(node_id: str | None, *path: str | int, to: Any) -> Edit:
    """An edit that sets a value of a node, or of the plan; what is missing on the way is made."""

    def edit(data: dict[str, Any]) -> None:
        holder: Any = data if node_id is None else node_in(data, node_id)
        for key in path[:-1]:
            holder = holder[key] if isinstance(holder, list) else holder.setdefault(key, {})
        holder[path[-1]] = copy.deepcopy(to)

    return edit


def dropping(node_id: str | None, *path: str | int) -> Edit:
    """An edit that removes a value of a node, or of the plan."""

    def edit(data: dict[str, Any]) -> None:
        holder: Any = data if node_id is None else node_in(data, node_id)
        for key in path[:-1]:
            holder = holder[key]
        del holder[path[-1]]

    return edit


def without(node_id: str) -> Edit:
    """An edit that removes a node and every dependency on it."""

    def edit(data: dict[str, Any]) -> None:
        for holder in [{"children": data["root_nodes"]}, *all_nodes(data)]:
            siblings = holder.get("children", [])
            siblings[:] = [node for node in siblings if node["id"] != node_id]
        for node in all_nodes(data):
            if node_id in node.get("dependencies", []):
                node["dependencies"].remove(node_id)

    return edit


def adding(node: dict[str, Any], parent: str | None = None) -> Edit:
    """An edit that adds a node, at the end."""

    def edit(data: dict[str, Any]) -> None:
        siblings = data["root_nodes"] if parent is None else node_in(data, parent)["children"]
        siblings.append(copy.deepcopy(node))

    return edit


_RULES = {"tool": "text_rules", "tool_inputs": {"banned": ["password"], "strict": True}}
_POLISH = {"tool_inputs": {"prompt": "Polish it"}}
CAREFUL: list[Edit] = [
    without("post"),
    setting(None, "params", "key", to={"type": "string", "default": "secret"}),
    setting(None, "params", "simulate", to={"type": "boolean", "default": True}),
    setting(None, "schedule", to={"cron": "0 7 * * *"}),
    setting(
        "draft", "parameters", to={"tool": "combine", "tool_inputs": {"pieces": ["${nodes.fetch.text}"]}}
    ),
    adding(node_of("lint", type="analyze", parameters=_RULES, dependencies=["draft"])),
    adding(node_of("polish", parameters=_POLISH, dependencies=["lint"])),
    adding(node_of("title", parameters={"tool_inputs": {"prompt": "A title"}})),
    setting("page", "dependencies", to=["draft", "lint", "title"]),
    setting("out", "checks", to=[{"judge": {"rubric": "Good", "pass_score": 0.5}}]),
]
"""Edits of the plan of the news after which it has whatever somebody may want to get around."""

LETTER: dict[str, Any] = {
    "id": "tea-letter",
    "source_vibe": {"description": "A letter on tea"},
    "root_nodes": [
        {
            "id": "write",
            "type": "generate",
            "description": "Write it",
            "parameters": {"tool": "llm_generate", "tool_inputs": {"prompt": "A letter on tea"}},
        }
    ],
}
