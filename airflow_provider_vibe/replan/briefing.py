"""What a model is told that is to write a plan: the rules, the tools there are, and the task."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from airflow_provider_vibe.plan.models import WorkflowPlan
from airflow_provider_vibe.replan.writing import plan_data
from airflow_provider_vibe.settings import Settings
from airflow_provider_vibe.tools.base import Tool
from airflow_provider_vibe.tools.models.prompts import with_material
from airflow_provider_vibe.tools.unusable import UnusableTool

FOR_EDITORS = "$schema"
"""A key of a plan that says nothing to a model, and whose name not every provider takes in a schema."""

ROLE = """\
You plan work as a tree of nodes. A scheduler runs each node as soon as all it depends on is done, and
those that do not wait for each other at the same time. Answer with one whole plan that fits the schema
of the answer.

- A node does one piece of work with one tool: 'parameters' is {"tool": one of the tools below,
  "tool_inputs": its inputs, as its schema asks for}. No other tool exists, and no tool takes an input
  that is not in its schema.
- A 'composite' has no tool; it holds other nodes as 'children'. Only a composite has children.
- 'dependencies' are ids of nodes anywhere in the plan. Let a node wait for those whose output it uses,
  and for no other. Who depends on a composite waits for all that is in it. No node depends on itself,
  on one of its own children, or in a circle.
- Ids are short, in lower case with hyphens, and unique in the whole plan.
- 'description' and the texts in 'tool_inputs' may hold references: ${params.NAME} is a parameter of the
  run that the plan declares in 'params'; ${nodes.ID.text} the text that a node gave, ${nodes.ID} its
  whole output, of a node that this one depends on, directly or through others; ${run.date} the day.
  Nothing else is replaced, there are no expressions; a literal ${ is written $${.
- A tool that asks a model is given the texts of the nodes it depends on by itself.
- 'source_vibe' holds what is wanted; 'constraints' what all parts must keep to.
- What was not asked for is left out: schedule, budget, pools, retries, estimated durations. Give a node
  'checks' where the task says what a good output is."""

KEEPING = """\
A run of the plan in the data below has left the suggestions beside it. Answer with the next revision of
this plan: change what answers the suggestions, and nothing else.

- Keep the id of the plan, and every node that you do not have to change, with its id and each of its
  words: what such a node has made is used again.
- Keep the params, the schedule, the budget, 'replan', every check with its 'on_fail', and every node
  that checks something or asks a person. Never make one of them easier to pass.
- Bring in no tool, host, connection, model or file that the plan does not name already, unless nothing
  else answers a suggestion."""


def instructions(settings: Settings) -> str:
    """The instructions of a model that plans: the rules of a plan, the limits, and the tools.

    :param settings: of the installation the plan is for.
    """
    limits = ", ".join(f"{name} {value}" for name, value in asdict(settings.rules.limits).items())
    tools = (settings.tools[name] for name in settings.tools.names)
    return "\n\n".join(
        [
            ROLE + "\n" + _defaults(settings) + f"- The limits of a plan: {limits}.",
            "The tools:",
            *(_told(tool) for tool in tools if not isinstance(tool, UnusableTool)),
        ]
    )


def task_of_vibe(vibe: str, plan_id: str | None) -> str:
    """What a model is asked for that makes a plan of a vibe.

    :param vibe: what somebody wants.
    :param plan_id: the id the plan has to have; None leaves it to the model.
    """
    named = f" Its id is {json.dumps(plan_id)}." if plan_id else ""
    return f"Make a plan of this vibe.{named}\n\n{vibe}"


def task_of_suggestions(plan: WorkflowPlan, suggestions: Sequence[Mapping[str, Any]]) -> str:
    """What a model is asked for that makes the next revision of a plan.

    :param plan: the plan as it is.
    :param suggestions: what its run has left.
    """
    data = {key: value for key, value in plan_data(plan).items() if key != FOR_EDITORS}
    material = {"plan": data, "suggestions": [dict(each) for each in suggestions]}
    return with_material(KEEPING, json.dumps(material, ensure_ascii=False, default=str), "The data is")


def _defaults(settings: Settings) -> str:
    defaults = settings.rules.default_tools
    if not defaults:
        return ""
    told = ", ".join(f"{node_type}: {tool}" for node_type, tool in defaults.items())
    return f"- A node that names no tool uses that of its type ({told}), its description is the prompt.\n"


def _told(tool: Tool) -> str:
    inputs = json.dumps(_compact(tool.input_schema), ensure_ascii=False)
    return f"{tool.name}: {tool.description}\nInputs: {inputs}"


def _compact(schema: Any) -> Any:
    """A schema without what only editors need: titles, and defaults of null."""
    if isinstance(schema, Mapping):
        return {key: _compact(value) for key, value in _telling(schema)}
    return [_compact(item) for item in schema] if isinstance(schema, list) else schema


def _telling(schema: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    for key, value in schema.items():
        is_title = key == "title" and isinstance(value, str)  # an input may be called so too
        if not is_title and not (key == "default" and value is None):
            yield key, value
