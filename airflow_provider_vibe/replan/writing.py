"""A plan as the text of a file, in either notation."""

from __future__ import annotations

import json
from typing import Any

import yaml

from airflow_provider_vibe.plan.documents import YAML_SUFFIXES
from airflow_provider_vibe.plan.models import EXTENSION_PREFIX, WorkflowPlan

Data = dict[str, Any]
_BEGINS_A_NUMBER = frozenset("-0123456789")


def plan_data(plan: WorkflowPlan) -> Data:
    """A plan as the data of a file; what is as by default is left out."""
    return plan.model_dump(mode="json", by_alias=True, exclude_defaults=True)


def written(data: Data, name: str, max_bytes: int) -> str:
    """*data* as the text of the file *name*.

    :param data: what a plan file says.
    :param name: of the file; the ending tells the notation.
    :param max_bytes: what is longer when written to be read is written as compact JSON, which is YAML too.
    """
    text = _as_yaml(data) if name.lower().endswith(YAML_SUFFIXES) else as_json(data)
    return text if len(text.encode()) <= max_bytes else json.dumps(data, ensure_ascii=False) + "\n"


def as_json(data: Data) -> str:
    """*data* as JSON that one can read."""
    return json.dumps(data, indent=2, ensure_ascii=False) + "\n"


def _as_yaml(data: Data) -> str:
    return yaml.dump(data, Dumper=_PlainDumper, sort_keys=False, allow_unicode=True, width=100)


class _PlainDumper(yaml.SafeDumper):
    """Writes no aliases, which a plan may not hold, and texts of several lines as such."""

    def ignore_aliases(self, data: Any) -> bool:
        return True

    def text(self, value: str) -> yaml.ScalarNode:
        """A text as a scalar, quoted where a reader of YAML, or of JSON's scalars, may see more in it."""
        may_be_more = not value.replace("\n", "").isprintable() or value[:1] in _BEGINS_A_NUMBER
        style = '"' if may_be_more else "|" if "\n" in value else None
        return self.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_PlainDumper.add_representer(str, _PlainDumper.text)


def with_notes(data: Data, old: Any) -> Data:
    """*data* with the ``x-`` keys that the plan *old* has, at the same places and the same nodes.

    Nobody reads them, so no model of a plan holds them; they are their author's all the same.

    :param data: what the new plan says.
    :param old: the document of the old one.
    """
    if not isinstance(old, dict):
        return data
    nodes = {node["id"]: node for node in _nodes(old.get("root_nodes")) if isinstance(node.get("id"), str)}
    noted = _noted(data, old)
    for node in _nodes(noted.get("root_nodes")):
        if earlier := nodes.get(node["id"]):
            node.update(_noted(node, earlier))
    return noted


def _noted(data: Data, old: Data) -> Data:
    noted = {**data, **{key: value for key, value in old.items() if key.startswith(EXTENSION_PREFIX)}}
    for key in ("source_vibe", "schedule", "defaults", "budget", "replan", "run"):
        if isinstance(data.get(key), dict) and isinstance(old.get(key), dict):
            noted[key] = _noted(data[key], old[key])
    return noted


def _nodes(found: Any) -> list[Data]:
    """All nodes of a list of them, at any depth; what is no node is passed over."""
    nodes = []
    stack = [found]
    while stack:
        current = stack.pop()
        for node in current if isinstance(current, list) else ():
            if isinstance(node, dict):
                nodes.append(node)
                stack.append(node.get("children"))
    return nodes
