"""Plans of four shapes, in any size; ``handwritten.py`` has the same graphs."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import count, pairwise
from typing import Any

Node = dict[str, Any]
Plan = dict[str, Any]

LAYER_WIDTH = 43
"""Nodes in a layer of ``dense``: 2,000 nodes have 84,151 dependencies, which a plan of 1 MiB still holds."""

SECTION_SIZE = 23
"""Nodes in a section of ``nested``: itself, 2 chapters, in each 2 paragraphs, in each 4 steps."""


def step_id(index: int) -> str:
    """The id of the *index*-th step; hexadecimal, because 85,000 of them have to fit into 1 MiB."""
    return f"n{index:x}"


def chain(size: int) -> Plan:
    """Each node depends on the one before."""
    ids = [step_id(index) for index in range(size)]
    return _plan("chain", [_step(ids[0]), *(_step(after, [before]) for before, after in pairwise(ids))])


def wide(size: int) -> Plan:
    """No node depends on another."""
    return _plan("wide", [_step(step_id(index)) for index in range(size)])


def dense(size: int) -> Plan:
    """Layers of nodes, each of which depends on all of the layer before."""
    before: list[str] = []
    nodes = []
    for layer in layers(size):
        nodes += [_step(node_id, before) for node_id in layer]
        before = layer
    return _plan("dense", nodes)


def layers(size: int) -> list[list[str]]:
    """The ids of the nodes of ``dense``, layer by layer."""
    ids = [step_id(index) for index in range(size)]
    return [ids[start : start + LAYER_WIDTH] for start in range(0, size, LAYER_WIDTH)]


def nested(size: int) -> Plan:
    """Composites three deep, section after section; what is left of *size* is a chain behind them."""
    ids = map(step_id, count())
    sections = [_section(f"s{index:x}", ids) for index in range(size // SECTION_SIZE)]
    for before, after in pairwise(sections):
        after["dependencies"] = [before["id"]]
    nodes = sections
    for _ in range(size % SECTION_SIZE):
        nodes.append(_step(next(ids), [nodes[-1]["id"]] if nodes else []))
    return _plan("nested", nodes)


SHAPES = {"chain": chain, "wide": wide, "nested": nested, "dense": dense}


def _section(section_id: str, ids: Iterator[str]) -> Node:
    """Two chapters, one after the other."""
    first, second = (_chapter(f"{section_id}-{number}", ids) for number in (1, 2))
    second["dependencies"] = [first["id"]]
    return _composite(section_id, [first, second])


def _chapter(chapter_id: str, ids: Iterator[str]) -> Node:
    """Two paragraphs at a time."""
    return _composite(chapter_id, [_paragraph(f"{chapter_id}-{number}", ids) for number in (1, 2)])


def _paragraph(paragraph_id: str, ids: Iterator[str]) -> Node:
    """A diamond of four steps."""
    top, left, right, bottom = (next(ids) for _ in range(4))
    steps = [_step(top), _step(left, [top]), _step(right, [top]), _step(bottom, [left, right])]
    return _composite(paragraph_id, steps)


def _step(node_id: str, dependencies: Sequence[str] = ()) -> Node:
    after = f"After ${{nodes.{dependencies[0]}.text}}" if dependencies else "At first"
    return {
        "id": node_id,
        "type": "transform",
        "description": f"Step {node_id}",
        "parameters": {"tool": "template_fill", "tool_inputs": {"template": after}},
        "dependencies": list(dependencies),
        "estimated_duration": 30,
    }


def _composite(node_id: str, children: list[Node]) -> Node:
    return {
        "id": node_id,
        "type": "composite",
        "description": f"Part {node_id}",
        "dependencies": [],
        "children": children,
    }


def _plan(name: str, nodes: list[Node]) -> Plan:
    return {
        "id": name,
        "source_vibe": {"description": f"A plan in the shape of {name}", "style": "plain"},
        "defaults": {"retries": 2, "retry_delay": 30},
        "root_nodes": nodes,
    }


def all_nodes(nodes: Sequence[Node]) -> Iterator[Node]:
    """The nodes and all below them, parents first."""
    for node in nodes:
        yield node
        yield from all_nodes(node.get("children", ()))
