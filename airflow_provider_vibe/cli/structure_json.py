"""A DagStructure from what Airflow's API says: the nesting from one endpoint, the tasks from the other."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from airflow_provider_vibe.cli.runs import DagGroup, DagStructure, DagTask

Json = Mapping[str, Any]


def structure_from_api(nested: Json | None, listed: Iterable[Json]) -> DagStructure:
    """The structure of a DAG.

    :param nested: the answer of ``/ui/structure/structure_data``; None when there is none.
    :param listed: the tasks of the public ``/dags/{dag_id}/tasks``, of the latest version of the DAG. They
        alone have the descriptions.
    """
    tasks = list(listed)
    try:
        if nested is not None:
            return _nested_structure(nested, {task["task_id"]: task.get("doc_md") for task in tasks})
    except (KeyError, TypeError, AttributeError):  # Airflow's own pages may get another answer some day
        pass
    return _flat_structure(tasks)


def _nested_structure(nested: Json, descriptions: Mapping[str, str | None]) -> DagStructure:
    items = list(_items(nested["nodes"], None))
    groups = {
        str(item["id"]): DagGroup(str(item["label"]), parent)
        for item, parent in items
        if item.get("children") is not None
    }
    task_ids = {item["id"] for item, _ in items if item["type"] == "task"} - set(groups)
    upstream: dict[str, list[str]] = defaultdict(list)
    for edge in nested["edges"]:
        if edge["source_id"] in task_ids:
            upstream[edge["target_id"]].append(edge["source_id"])
    tasks = {
        str(item["id"]): DagTask(
            task_id=str(item["id"]),
            name=str(item["label"]),
            operator=str(item.get("operator") or ""),
            description=descriptions.get(item["id"]) or "",
            upstream=tuple(upstream[item["id"]]),
            group=parent,
        )
        for item, parent in items
        if item["id"] in task_ids
    }
    return DagStructure(tasks, groups)


def _items(nodes: Iterable[Json], parent: str | None) -> Iterator[tuple[Json, str | None]]:
    """Every task and group with the group it stands in, in the order of the picture."""
    waiting = [(node, parent) for node in reversed(list(nodes))]
    while waiting:
        item, group = waiting.pop()
        yield item, group
        waiting += [(child, item["id"]) for child in reversed(item.get("children") or ())]


def _flat_structure(listed: list[Json]) -> DagStructure:
    upstream: dict[str, list[str]] = defaultdict(list)
    for task in listed:
        for after in task["downstream_task_ids"] or ():
            upstream[after].append(str(task["task_id"]))
    tasks = {
        str(task["task_id"]): DagTask(
            task_id=str(task["task_id"]),
            name=str(task["task_display_name"] or task["task_id"]),
            operator=str(task["operator_name"] or ""),
            description=task["doc_md"] or "",
            upstream=tuple(upstream[task["task_id"]]),
        )
        for task in listed
    }
    return DagStructure(tasks, {}, has_groups=False)
