"""Plans for tests, in few words."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any


def node(node_id: str, *dependencies: str, **fields: Any) -> dict[str, Any]:
    """A node that does something simple without a network."""
    return {
        "id": node_id,
        "type": "transform",
        "description": f"Step {node_id}",
        "parameters": {"tool": "template_fill", "tool_inputs": {"template": f"out of {node_id}"}},
        "dependencies": list(dependencies),
        **fields,
    }


def composite(node_id: str, children: list[dict[str, Any]], *dependencies: str) -> dict[str, Any]:
    return {
        "id": node_id,
        "type": "composite",
        "description": f"Step {node_id}",
        "dependencies": list(dependencies),
        "children": children,
    }


def plan(*nodes: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"id": "plan", "source_vibe": {"description": "A vibe"}, "root_nodes": list(nodes), **fields}


def write(folder: Path, name: str, content: dict[str, Any] | str) -> Path:
    """Write a plan file; a dict as JSON."""
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content), "utf-8")
    return path
