"""ASCII and Mermaid pictures of a plan, as vibe-aigc 0.7.1 draws them (`visualization.py`), for any text."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Protocol

from airflow_provider_vibe.plan.problems import one_line


class NodeToDraw(Protocol):
    """What a picture shows of a node."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def type(self) -> str:
        """Its type: the shape of its box."""

    @property
    def description(self) -> str:
        """What it does: the text in its box."""

    @property
    def dependencies(self) -> Sequence[str]:
        """The ids of the nodes it waits for."""

    @property
    def children(self) -> Sequence[NodeToDraw]:
        """The nodes inside it."""


class VibeToDraw(Protocol):
    """What a picture shows of a vibe."""

    @property
    def description(self) -> str:
        """What is wanted."""


class PlanToDraw(Protocol):
    """What a picture shows of a plan."""

    @property
    def id(self) -> str:
        """Its id."""

    @property
    def source_vibe(self) -> VibeToDraw:
        """The vibe it came from."""

    @property
    def estimated_total_duration(self) -> int | None:
        """Seconds."""

    @property
    def root_nodes(self) -> Sequence[NodeToDraw]:
        """The nodes at the top."""


_ICONS = {"pending": "⏳", "running": "🔄", "completed": "✅", "failed": "❌", "skipped": "⏭️"}
_SHAPES = {
    "analyze": "([{}])",
    "generate": "[{}]",
    "transform": "{{{{{}}}}}",
    "validate": "(({}))",
    "composite": "[[{}]]",
}
_STYLES = (
    "    classDef completed fill:#d4edda,stroke:#28a745",
    "    classDef failed fill:#f8d7da,stroke:#dc3545",
    "    classDef running fill:#fff3cd,stroke:#ffc107",
    "    classDef skipped fill:#e2e3e5,stroke:#6c757d",
    "    classDef pending fill:#f8f9fa,stroke:#6c757d",
)
_STYLED = frozenset({"completed", "failed", "running", "skipped"})
_LABEL_LENGTH = 30


def ascii_diagram(
    plan: PlanToDraw,
    statuses: Mapping[str, str] | None = None,
    summary: Mapping[str, Any] | None = None,
) -> str:
    """The plan as a tree in text, each node on one line.

    :param plan: a plan; its nodes may be nested to any depth.
    :param statuses: the ExecutionStatus of each node that has one, by id; the others are pending.
    :param summary: of a run: ``status``, ``completed``, ``total_nodes``, ``duration`` (seconds, summed over
        the nodes) and, if known, ``parallel_efficiency``.
    """
    lines = [
        f"Workflow Plan: {one_line(plan.id)}",
        "=" * 50,
        f"Source Vibe: {one_line(plan.source_vibe.description)}",
    ]
    if plan.estimated_total_duration:
        lines.append(f"Estimated Duration: {plan.estimated_total_duration}s")
    lines.append("")
    lines += _tree_lines(plan.root_nodes, statuses or {})
    if summary is not None:
        lines += _summary_lines(summary)
    return "\n".join(lines)


def _tree_lines(roots: Sequence[NodeToDraw], statuses: Mapping[str, str]) -> Iterator[str]:
    waiting = _siblings("", roots)
    while waiting:
        prefix, node, is_last = waiting.pop()
        icon = _ICONS.get(statuses.get(node.id, "pending"), "❓")
        name = "" if node.id == node.description else f" ({one_line(node.id)})"
        branch = "└── " if is_last else "├── "
        yield f"{prefix}{branch}{icon} [{node.type}] {one_line(node.description)}{name}"
        prefix += "    " if is_last else "│   "
        if node.dependencies:
            yield f"{prefix}└─ Depends on: {', '.join(map(one_line, node.dependencies))}"
        waiting += _siblings(prefix, node.children)


def _siblings(prefix: str, nodes: Sequence[NodeToDraw]) -> list[tuple[str, NodeToDraw, bool]]:
    """The nodes of one parent, the last one first and marked as such."""
    return [(prefix, node, nth == 1) for nth, node in enumerate(reversed(nodes), start=1)]


def _summary_lines(summary: Mapping[str, Any]) -> list[str]:
    lines = [
        "",
        "Execution Summary:",
        "-" * 30,
        f"Status: {summary['status']}",
        f"Completed: {summary['completed']}/{summary['total_nodes']}",
        f"Duration: {summary['duration']:.2f}s",
    ]
    efficiency = summary.get("parallel_efficiency")
    return lines if efficiency is None else [*lines, f"Parallel Efficiency: {efficiency:.1%}"]


def mermaid_diagram(plan: PlanToDraw, statuses: Mapping[str, str] | None = None) -> str:
    """The plan as a Mermaid flowchart, valid whatever the ids and texts are.

    A renderer has limits of its own (Mermaid 11: 50,000 characters, 500 arrows) unless it is told otherwise.

    :param plan: a plan; its nodes may be nested to any depth.
    :param statuses: the ExecutionStatus of each node that has one, by id; the others are pending.
    """
    nodes = list(_all_nodes(plan.root_nodes))
    names = _mermaid_ids(node.id for node in nodes)
    lines = ["graph TD"]
    for node in nodes:
        status = (statuses or {}).get(node.id, "pending")
        box = _SHAPES.get(node.type, "[{}]").format(_label(node))
        lines.append(f"    {names[node.id]}{box}:::{status if status in _STYLED else 'pending'}")
    for node in nodes:
        known = [dependency for dependency in node.dependencies if dependency in names]
        lines += [f"    {names[dependency]} --> {names[node.id]}" for dependency in known]
        lines += [f"    {names[node.id]} --> {names[child.id]}" for child in node.children]
    return "\n".join([*lines, "", *_STYLES])


def _all_nodes(roots: Sequence[NodeToDraw]) -> Iterator[NodeToDraw]:
    waiting = list(reversed(roots))
    while waiting:
        node = waiting.pop()
        yield node
        waiting += reversed(node.children)


# Mermaid's lexer (`flow.jison`, tried with 11.17) takes the words below as its own, also before "-" or ".",
# and "direction" with TB, LR ... behind it for a statement, even over the end of a line.
_ORDINARY_ID = re.compile(r"(?!TB|TD|BT|RL|LR)[A-Za-z0-9_]+(?:[.-][A-Za-z0-9_]+)*")
_DIRECTION = re.compile(r"(?<=direction)\s+(?=TB|TD|BT|RL|LR)")
_KEYWORDS = frozenset(
    [
        *("_blank", "_parent", "_self", "_top", "accDescr", "accTitle", "call", "class", "classDef", "click"),
        *("constructor", "default", "direction", "end", "flowchart", "graph", "href", "interpolate"),
        *("linkStyle", "style", "subgraph", "swimlane"),
    ]
)
_ALIAS = re.compile("n_[0-9a-f]{8,}")


def _mermaid_ids(ids: Iterable[str]) -> dict[str, str]:
    """By id, the name inside the diagram: the id itself where Mermaid takes it, else a short hash."""
    names: dict[str, str] = {}
    taken: set[str] = set()
    for node_id in ids:
        if node_id in names:
            continue
        name = node_id
        if not _is_ordinary(node_id):
            digest = hashlib.sha256(node_id.encode(errors="surrogatepass")).hexdigest()
            name = f"n_{digest[:8]}" if f"n_{digest[:8]}" not in taken else f"n_{digest}"
        names[node_id] = name
        taken.add(name)
    return names


def _is_ordinary(node_id: str) -> bool:
    if not _ORDINARY_ID.fullmatch(node_id) or _ALIAS.fullmatch(node_id):
        return False
    return re.split("[.-]", node_id, maxsplit=1)[0] not in _KEYWORDS


# What Mermaid takes as it stands, in every shape: no bracket or quote, nothing that begins like the edge of a
# shape, nothing that reads as an entity, a comment or a statement.
_ORDINARY_LABEL = re.compile(r"(?![-/ ])(?:[\w ,.:'!?&+=#/-]|%(?!%)|[^\x00-\x7f])+")
_BARE_IN_QUOTES = re.compile(r"[\w ,.!?'()+=/-]|[^\x00-\x7f]")


def _label(node: NodeToDraw) -> str:
    text = next((text for text in (node.description, node.id) if text.strip()), "?")
    text = text[:_LABEL_LENGTH] + "..." if len(text) > _LABEL_LENGTH else text
    text = "".join(char if char.isprintable() else " " for char in text)
    if _ORDINARY_LABEL.fullmatch(text) and not _DIRECTION.search(text):
        return text
    escaped = "".join(char if _BARE_IN_QUOTES.fullmatch(char) else f"#{ord(char)};" for char in text)
    return '"' + _DIRECTION.sub(lambda spaces: "#32;" * len(spaces[0]), escaped) + '"'
