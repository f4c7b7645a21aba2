"""What a node is asked to do, as a digest: the same work has the same fingerprint in any run and revision.

What counts: the type, the description, the tool and its version, the inputs, the checks, the models that
connections name for the tool and the judges, and the vibe, all with their references filled in; and the
outputs of the nodes it depends on, in the order of ``dependencies``, which is the order in which a tool is
given them. What does not count: the node's own id, its place in the tree, its siblings, the order of the
file, how Airflow runs it, and the run (unless a reference asks for that).

The order of the children of a composite is the order of the file, so it does not count either, though it is
seen in the text that the composite hands on: where they are swapped, no node runs again for that.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

from airflow_provider_vibe.plan.identity import canonical_json, sha256
from airflow_provider_vibe.plan.models import WITH_REFERENCES, NodeType, QualityCheck, WorkflowNode
from airflow_provider_vibe.plan.quality_checks import JUDGE_TOOL
from airflow_provider_vibe.plan.rules import WORKS_ON_TEXT, PlanRules
from airflow_provider_vibe.runtime.context import NodeContext
from airflow_provider_vibe.runtime.kept import output_digest
from airflow_provider_vibe.tools.builtin import MODEL_TOOLS, BuiltinTool
from airflow_provider_vibe.tools.registry import ToolRegistry
from airflow_provider_vibe.tools.threads import run_in_thread


async def identify(node: WorkflowNode, context: NodeContext, tools: ToolRegistry, rules: PlanRules) -> str:
    """The fingerprint of a node in this run.

    :param node: the node.
    :param context: what it may see.
    :param tools: tell the version of its tool.
    :param rules: tell the tool of a node that names none.
    :raises BadReference: a reference that leads to nothing in this run.
    """
    name = rules.tool_of(node.type, node.parameters)
    inputs = context.resolve(node.parameters.get("tool_inputs")) or {}
    judges = [check.judge.model_dump() for check in node.checks if check.judge is not None]
    return fingerprint_of(
        node,
        context,
        rules,
        version=tools.version(name) if name is not None and name in tools else None,
        model=await _model_asked(name, inputs, tools),
        judged_by=[await _model_asked(JUDGE_TOOL, judge, tools) for judge in judges],
    )


async def _model_asked(name: str | None, inputs: Mapping[str, Any], tools: ToolRegistry) -> Any:
    """Which model a call would ask; None of a tool that asks none or is not one of ours."""
    if name not in MODEL_TOOLS or not isinstance(tools.get(name), BuiltinTool):
        return None
    from airflow_provider_vibe.tools.models.connection import model_asked_for

    return await run_in_thread(model_asked_for, name, inputs)


def fingerprint_of(
    node: WorkflowNode,
    context: NodeContext,
    rules: PlanRules,
    *,
    version: str | None = None,
    model: Any = None,
    judged_by: Sequence[Any] = (),
) -> str:
    """Digest of what a node is asked to do and of all it is given.

    :param node: the node.
    :param context: what it may see; the run itself does not count.
    :param rules: tell the tool of a node that names none.
    :param version: of its tool.
    :param model: which model it asks, where its inputs alone do not say.
    :param judged_by: which model each of its judges asks, in their order.
    :raises BadReference: a reference that leads to nothing in this run.
    """
    context = replace(context, outputs=_in_one_order(context))
    description = context.resolve_text(node.description)
    asked: dict[str, Any] = {"type": node.type, "description": description}
    if node.checks:
        asked |= {"checks": [_resolved(check, context) for check in node.checks], "on_fail": node.on_fail}
        asked |= {"judged_by": list(judged_by)} if judged_by else {}
    if node.type is NodeType.COMPOSITE:
        return _digest({**asked, "children": children_digests(node, context)})
    tool = rules.tool_of(node.type, node.parameters)
    others = {key: value for key, value in node.parameters.items() if key not in ("tool", "tool_inputs")}
    asked |= {
        "tool": tool,
        "version": version,
        "model": model,
        "inputs": _given(node, context) if tool is None else inputs_for(node, tool, context, rules),
        "parameters": others,
        "before": _outputs_before(node, context),
        "vibe": context.resolved_vibe(),
    }
    return _digest(asked)


def inputs_for(node: WorkflowNode, tool: str, context: NodeContext, rules: PlanRules) -> dict[str, Any]:
    """The inputs of the call that does a node's work, references filled in.

    :param node: the node.
    :param tool: the name of its tool.
    :param context: what it may see.
    :param rules: tell what a default tool is given.
    :raises BadReference: a reference that leads to nothing in this run.
    """
    parameters = {**node.parameters, **_given(node, context)}
    description = context.resolve_text(node.description)
    stands_alone = node.type in WORKS_ON_TEXT and not node.dependencies
    return rules.inputs_of(tool, parameters, description, stands_alone=stands_alone)


def _given(node: WorkflowNode, context: NodeContext) -> dict[str, Any]:
    return {"tool_inputs": context.resolve(node.parameters.get("tool_inputs"))}


def children_digests(node: WorkflowNode, context: NodeContext) -> dict[str, str]:
    """The digests of what the children of a composite made, by their ids.

    :param node: the composite.
    :param context: holds the outputs of its children.
    """
    return {child.id: _digest_of(child.id, context) for child in node.children if child.id in context.outputs}


def composite_digest(node: WorkflowNode, context: NodeContext) -> str:
    """Digest of the output of a composite, the same in whatever order its children stand in the file.

    :param node: the composite.
    :param context: holds the outputs of its children.
    """
    return _digest(children_digests(node, context))


def gathered(outputs: Mapping[str, Any]) -> dict[str, Any]:
    """The output of a composite.

    :param outputs: of its children, by their ids, in the order in which their texts follow one another.
    """
    texts = [output["text"] for output in outputs.values() if isinstance(output, dict) and "text" in output]
    text = {"text": "\n\n".join(map(str, texts))} if texts else {}
    return {**text, "children": dict(outputs)}


def _in_one_order(context: NodeContext) -> dict[str, Any]:
    """The outputs that a node may see; in those of composites, the children stand in the order of their ids.

    What only looks like the output of a composite, at whatever depth, is none: it does not have the digest
    that the composite came with.
    """
    return {
        node_id: _sorted(output)
        if _looks_gathered(output) and _digest_as_gathered(output) == context.digests.get(node_id)
        else output
        for node_id, output in context.outputs.items()
    }


def _looks_gathered(output: Any) -> bool:
    return (
        isinstance(output, dict)
        and isinstance(output.get("children"), dict)
        and output.keys() <= {"text", "children"}
    )


def _sorted(output: Any) -> Any:
    if not _looks_gathered(output):
        return output
    return gathered({child_id: _sorted(child) for child_id, child in sorted(output["children"].items())})


def _digest_as_gathered(output: Any) -> str:
    """What :func:`composite_digest` gives of *output*, if all in it that looks gathered is."""
    if not _looks_gathered(output):
        return output_digest(output)
    return _digest({child_id: _digest_as_gathered(child) for child_id, child in output["children"].items()})


def _outputs_before(node: WorkflowNode, context: NodeContext) -> list[list[str]]:
    """Ids and digests of what a tool is given of the nodes before; their ids are in the texts it is given."""
    before = [node_id for node_id in dict.fromkeys(node.dependencies) if node_id in context.outputs]
    return [[node_id, _digest_of(node_id, context)] for node_id in before]


def _digest_of(node_id: str, context: NodeContext) -> str:
    return context.digests.get(node_id) or output_digest(context.outputs[node_id])


def _resolved(check: QualityCheck, context: NodeContext) -> dict[str, Any]:
    said = check.model_dump(mode="json", exclude_none=True)
    with_references = {kind: said[kind] for kind in WITH_REFERENCES if kind in said}
    return {**said, **context.resolve(with_references)}


def _digest(value: Any) -> str:
    return sha256(canonical_json(value))
