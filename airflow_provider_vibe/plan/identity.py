"""Ids that Airflow accepts, and digests of plans and nodes."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable
from typing import Any

from airflow_provider_vibe.plan.models import Vibe, WorkflowNode, WorkflowPlan

FEEDBACK_TASK_ID = "vibe_feedback"
BUDGET_TASK_ID = "vibe_budget"
"""The first task of a run with a budget; it does nothing, but what it holds in XCom is the run's account."""
REPLAN_TASK_ID = "vibe_replan"
HELPER_SUFFIX = "__open"
"""Tasks that only hold the graph together end so: the gate of a composite, a join of many edges."""

RESERVED_TASK_IDS = (FEEDBACK_TASK_ID, BUDGET_TASK_ID, REPLAN_TASK_ID)
"""The tasks of a plan's DAG that are none of its nodes, beside those that hold the graph together."""

MAX_LENGTH = 200
_TASK_ID = re.compile(rf"[A-Za-z0-9_.-]{{1,{MAX_LENGTH}}}")
_OPEN_ID = re.compile(rf"[A-Za-z0-9_.-]{{1,{MAX_LENGTH - len(HELPER_SUFFIX)}}}")
_GROUP_SUFFIX = "__group"
_GROUP_ID = re.compile(rf"[A-Za-z0-9_-]{{1,{MAX_LENGTH - len(_GROUP_SUFFIX)}}}")
_DOTS = re.compile(r"\.{1,2}")


def airflow_id(name: str, allowed: re.Pattern[str] = _TASK_ID) -> str:
    """*name* itself where Airflow (and a URL) takes it, else a slug of it and 8 hex digits of its SHA-256.

    :param name: the id of a plan or a node.
    :param allowed: what may stay as it is.
    """
    if allowed.fullmatch(name) and not _DOTS.fullmatch(name):
        return name
    from slugify import slugify

    slug = slugify(
        name[:MAX_LENGTH], entities=False, decimal=False, hexadecimal=False, lowercase=False, max_length=100
    )
    return f"{slug or 'id'}-{sha256(name)[:8]}"


def open_id(node_id: str) -> str:
    """The id of the task that opens a composite."""
    return airflow_id(node_id, _OPEN_ID) + HELPER_SUFFIX


def group_id(node_id: str) -> str:
    """The id of the TaskGroup of a node with children; Airflow allows no dots there."""
    return airflow_id(node_id, _GROUP_ID) + _GROUP_SUFFIX


def join_id(task_ids: Iterable[str]) -> str:
    """The id of the task that joins the ends of many tasks; depends on these alone."""
    return f"join-{sha256(canonical_json(sorted(task_ids)))[:8]}{HELPER_SUFFIX}"


def is_reserved(node_id: str) -> bool:
    """Whether *node_id* has the form of the id of a task that is none of the plan's nodes."""
    return node_id in RESERVED_TASK_IDS or node_id.endswith(HELPER_SUFFIX)


def plan_digest(plan: WorkflowPlan) -> str:
    """SHA-256 of what a plan says, in hex.

    The notation, the order of keys, ``x-`` keys and what only repeats a default do not count.
    """
    said = plan.model_dump(mode="json", by_alias=True, exclude={"schema_uri"}, exclude_defaults=True)
    return sha256(canonical_json(said))


def node_digest(node: WorkflowNode, vibe: Vibe) -> str:
    """SHA-256 of what a node itself says and of the vibe it works for, in hex.

    Its place, its children and how Airflow runs it do not count.

    :param node: the node.
    :param vibe: the intent behind its plan.
    """
    said = node.model_dump(
        mode="json", exclude={"children", "run", "estimated_duration"}, exclude_defaults=True
    )
    parameters = dict(node.parameters)
    inputs = parameters.pop("tool_inputs", None) or {}
    if parameters.get("tool") == "llm_generate" and inputs.get("prompt") == node.description:
        # vibe-aigc 0.7.1 writes it into its plan while it runs (`executor._execute_with_tool`)
        inputs = {key: value for key, value in inputs.items() if key != "prompt"}
    said |= {"parameters": parameters | {"tool_inputs": inputs}}
    return sha256(canonical_json([said, vibe.model_dump(mode="json", exclude_defaults=True)]))


def canonical_json(value: Any) -> str:
    """The one JSON text of a value."""
    return json.dumps(value, sort_keys=True, ensure_ascii=True, separators=(",", ":"))


def sha256(text: str) -> str:
    """SHA-256 of a text's UTF-8, in hex; a lone surrogate counts as what it would be in UTF-16."""
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
