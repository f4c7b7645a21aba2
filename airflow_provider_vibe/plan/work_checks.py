"""What the nodes of a plan do: the references in their texts, the tools they name, the inputs of these."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cached_property
from typing import Any

from airflow_provider_vibe.plan.checks import Suggester
from airflow_provider_vibe.plan.graph import CycleFound
from airflow_provider_vibe.plan.models import WITH_REFERENCES, NodeType, Vibe
from airflow_provider_vibe.plan.outline import NodeOutline, PlanOutline
from airflow_provider_vibe.plan.problems import Place, Pointer, Problem, ProblemCode, did_you_mean, quoted
from airflow_provider_vibe.plan.references import (
    BadReference,
    Reference,
    has_reference,
    scan_template,
    strings_with_references,
)
from airflow_provider_vibe.plan.rules import PlanRules

_WORKING_TYPES = frozenset(NodeType) - {NodeType.COMPOSITE}

SIMULATE_PARAM = "simulate"
"""A plan that declares this parameter lets each run say whether nodes without a tool are simulated."""


def check_references(outline: PlanOutline, rules: PlanRules) -> Iterator[Problem]:
    """References can be read, and lead to a parameter, a field, or a node that is done before."""
    checker = _ReferenceChecker(outline)
    vibe = outline.data.get("source_vibe")
    if isinstance(vibe, dict) and has_reference(vibe.get("description")):
        yield from checker.check(vibe["description"], ("source_vibe", "description"), None)
    for node in outline.nodes:
        if has_reference(node.description):
            yield from checker.check(node.description, (*node.at, "description"), node)
        inputs = node.parameters.get("tool_inputs")
        for at, text in strings_with_references(inputs, (*node.at, "parameters", "tool_inputs")):
            yield from checker.check(text, at, node)
        for at, text in _texts_of_checks(node):
            yield from checker.check(text, at, node)


def _texts_of_checks(node: NodeOutline) -> Iterator[tuple[Pointer, str]]:
    checks = node.raw.get("checks")
    for index, check in enumerate(checks if isinstance(checks, list) else ()):
        for kind in WITH_REFERENCES if isinstance(check, dict) else ():
            yield from strings_with_references(check.get(kind), (*node.at, "checks", index, kind))


class _ReferenceChecker:
    """Holds each reference against what a plan has.

    :param outline: the plan.
    """

    def __init__(self, outline: PlanOutline) -> None:
        params = outline.data.get("params")
        self._params = params if isinstance(params, dict) else {}
        self._graph = outline.graph
        self._node_suggester = Suggester(self._graph.nodes)
        self._param_suggester = Suggester(self._params)

    def check(self, text: str, at: Pointer, reader: NodeOutline | None) -> Iterator[Problem]:
        """The problems of one text; *reader* is the node it belongs to, None for the vibe's."""
        for part in scan_template(text):
            if isinstance(part, BadReference):
                yield Problem(ProblemCode.BAD_REFERENCE, str(part), Place(at))
            elif isinstance(part, Reference) and (problem := self._check_one(part, reader)):
                yield problem.at(pointer=at)

    def _check_one(self, reference: Reference, reader: NodeOutline | None) -> Problem | None:
        name = reference.path[0]
        if reference.root == "params" and name not in self._params:
            hint = self._param_suggester.hint(name) or f"declare {quoted(name)} under 'params'"
            return Problem(ProblemCode.UNKNOWN_PARAM, f"the plan has no parameter {quoted(name)}", hint=hint)
        if reference.root == "vibe":
            return self._check_vibe(reference, reader)
        return self._check_node(reference, reader) if reference.root == "nodes" else None

    def _check_vibe(self, reference: Reference, reader: NodeOutline | None) -> Problem | None:
        fields = list(Vibe.model_fields)
        if reader is None:
            message = f"{reference}: the vibe's own description cannot refer to the vibe"
            return Problem(ProblemCode.BAD_REFERENCE, message)
        if reference.path[0] not in fields:
            hint = did_you_mean(reference.path[0], fields) or f"it has {', '.join(fields)}"
            message = f"a vibe has no {quoted(reference.path[0])}"
            return Problem(ProblemCode.BAD_REFERENCE, message, hint=hint)
        return None

    def _check_node(self, reference: Reference, reader: NodeOutline | None) -> Problem | None:
        node_id, _ = reference.split_node(self._graph.nodes)
        if node_id not in self._graph.nodes:
            message = f"{reference}: no node is called {quoted(node_id)}"
            return Problem(ProblemCode.UNKNOWN_NODE, message, hint=self._node_suggester.hint(node_id))
        if reader is None:
            message = f"{reference}: the vibe is the same for all nodes, it can refer to none"
            return Problem(ProblemCode.NOT_UPSTREAM, message, hint="refer to it in the nodes that need it")
        if not self._has_order or self._graph.has_output_before(node_id, reader.id):
            return None
        message = f"{reference}: {quoted(node_id)} is not done before {reader.name} starts"
        hint = "it is done only after that: refer to an earlier node"
        if self._graph.can_depend_on(reader.id, node_id):
            hint = f"add {quoted(node_id)} to its dependencies"
        return Problem(ProblemCode.NOT_UPSTREAM, message, hint=hint)

    @cached_property
    def _has_order(self) -> bool:
        """False when the nodes wait for each other in a circle, which is told as that alone."""
        try:
            return bool(self._graph.order)
        except CycleFound:
            return False


def check_tools(outline: PlanOutline, rules: PlanRules) -> Iterator[Problem]:
    """Every node that does work has a tool that exists, with inputs that this tool takes."""
    checker = _ToolChecker(outline, rules)
    for node in outline.nodes:
        inputs = node.parameters.get("tool_inputs")
        if inputs is not None and not isinstance(inputs, dict):
            at = (*node.at, "parameters", "tool_inputs")
            message = f"'tool_inputs' should be an object, not {quoted(inputs, 40)}"
            yield Problem(ProblemCode.WRONG_TYPE, message, Place(at), "write the inputs by name")
        yield from checker.check(node)


class _ToolChecker:
    """Holds the tool of each node against the tools there are.

    :param outline: the plan.
    :param rules: the tools, and what becomes of a node without one.
    """

    def __init__(self, outline: PlanOutline, rules: PlanRules) -> None:
        params = outline.data.get("params")
        self._may_simulate = rules.simulate_missing or (isinstance(params, dict) and SIMULATE_PARAM in params)
        self._rules = rules
        self._known = frozenset(rules.tools.names if rules.tools else ())
        self._suggester = Suggester(sorted(self._known))

    def check(self, node: NodeOutline) -> Iterator[Problem]:
        """The problems with the tool of one node."""
        asked = node.parameters.get("tool")
        at = (*node.at, "parameters", "tool")
        if asked is not None and not isinstance(asked, str):
            message = f"'tool' should be the name of a tool, not {quoted(asked, 40)}"
            yield Problem(ProblemCode.WRONG_TYPE, message, Place(at))
        elif node.type == NodeType.COMPOSITE:
            if asked is not None:
                message = (
                    f"{node.name} is a composite, which does no work of its own: its tool is never called"
                )
                hint = "give the tool to one of its children"
                yield Problem(ProblemCode.IGNORED_TOOL, message, Place(at), hint)
        elif self._rules.tools is not None:
            yield from self._check_named(node, self._rules.tool_of(node.type, node.parameters))

    def _check_named(self, node: NodeOutline, name: str | None) -> Iterator[Problem]:
        if name is None:
            if node.type in _WORKING_TYPES and not self._may_simulate:
                message = f"{node.name} names no tool, and nodes of type {node.type} have no default one"
                hint = "add parameters.tool, or set [vibe] default_tools or [vibe] missing_tool = simulate"
                yield Problem(ProblemCode.MISSING_TOOL, message, Place(node.at), hint)
        elif name not in self._known:
            yield self._unknown(node, name)
        elif isinstance(node.parameters.get("tool_inputs"), dict | None):
            yield from _check_inputs(node, name, self._rules)

    def _unknown(self, node: NodeOutline, name: str) -> Problem:
        message = f"no tool is called {quoted(name)}"
        if node.parameters.get("tool") is None:
            message += f", which [vibe] default_tools gives to nodes of type {node.type}"
            return Problem(ProblemCode.UNKNOWN_TOOL, message, Place(node.at), self._suggester.hint(name))
        hint = self._suggester.hint(name) or "only tools that are installed here can be named"
        return Problem(ProblemCode.UNKNOWN_TOOL, message, Place((*node.at, "parameters", "tool")), hint)


def _check_inputs(node: NodeOutline, tool: str, rules: PlanRules) -> Iterator[Problem]:
    assert rules.tools is not None  # told by the caller
    inputs: dict[str, Any] = rules.inputs_of(tool, node.parameters, node.description)
    for issue in rules.tools.check_inputs(tool, inputs, has_reference):
        at = (*node.at, "parameters", "tool_inputs", *issue.path)
        message = f"{quoted(tool)} does not take these inputs: {issue.message}"
        yield Problem(ProblemCode.BAD_TOOL_INPUTS, message, Place(at), issue.hint)
