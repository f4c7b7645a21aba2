"""Small plans, in both notations, and where in their text something stands."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import yaml

from airflow_provider_vibe.plan.models import WorkflowPlan
from airflow_provider_vibe.plan.problems import Problem, ProblemCode
from airflow_provider_vibe.plan.reading import Reading, examine
from airflow_provider_vibe.plan.rules import PlanRules

NOTATIONS = ("json", "yaml")

UNCHECKED = PlanRules()
"""Rules without a tool catalog: nothing about tools is checked."""


def node(node_id: str, **fields: Any) -> dict[str, Any]:
    """A node with the least it needs."""
    return {"id": node_id, "type": "generate", "description": "Work", **fields}


def composite(node_id: str, *children: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A composite node that holds *children*."""
    return {"id": node_id, "type": "composite", "description": "All", "children": list(children), **fields}


def plan(*nodes: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """A plan with the least it needs; without nodes it gets one."""
    return {
        "id": "a-plan",
        "source_vibe": {"description": "A vibe"},
        **fields,
        "root_nodes": list(nodes) or [node("only")],
    }


def written(data: Any, notation: str = "json") -> str:
    """*data* as the text of a plan file."""
    if notation == "json":
        return json.dumps(data, indent=2, ensure_ascii=False)
    without_shared_parts = json.loads(json.dumps(data))  # which would be written as aliases
    return yaml.safe_dump(without_shared_parts, sort_keys=False, allow_unicode=True, width=100_000)


def compact(data: Any) -> str:
    """*data* on one line, which reads the same in both notations and takes no time to write."""
    return json.dumps(data, ensure_ascii=False)


def read(data: Any, rules: PlanRules = UNCHECKED, notation: str = "json") -> Reading:
    """What comes of reading *data* as a file; text and bytes are taken as they are."""
    text = data if isinstance(data, str | bytes) else written(data, notation)
    raw = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    return examine(raw, f"p.vibe.{notation}", rules)


def good(data: Any, rules: PlanRules = UNCHECKED, notation: str = "json") -> WorkflowPlan:
    """The plan in *data*, which must have no problem, not even a warning."""
    reading = read(data, rules, notation)
    assert [str(problem) for problem in reading.problems] == []
    assert reading.plan is not None
    return reading.plan


def problems(data: Any, rules: PlanRules = UNCHECKED, notation: str = "json") -> tuple[Problem, ...]:
    """The problems of *data*, with which it must be refused."""
    reading = read(data, rules, notation)
    assert reading.plan is None
    return reading.problems


def problem(data: Any, rules: PlanRules = UNCHECKED, notation: str = "json") -> Problem:
    """The only problem of *data*, with which it must be refused."""
    found = problems(data, rules, notation)
    assert len(found) == 1, [str(each) for each in found]
    return found[0]


def warnings(data: Any, rules: PlanRules = UNCHECKED, notation: str = "json") -> tuple[Problem, ...]:
    """The warnings about *data*, which must be read all the same."""
    reading = read(data, rules, notation)
    assert reading.plan is not None, [str(each) for each in reading.problems]
    return reading.problems


def codes(found: Iterable[Problem]) -> list[ProblemCode]:
    """The codes of problems."""
    return [each.code for each in found]


def place_of(text: str, token: str) -> tuple[int, int]:
    """Line and column of the value or key that begins with *token*, which must be in *text* once."""
    assert text.count(token) == 1, (text.count(token), token)
    offset = text.index(token)
    return line_and_column(text, offset - (text[offset - 1] in "\"'"))


def place_of_node(text: str, node_id: str, notation: str) -> tuple[int, int]:
    """Line and column where the object begins whose first key is ``id`` with the value *node_id*."""
    assert text.count(node_id) == 1, (text.count(node_id), node_id)
    first = "{" if notation == "json" else "id:"
    return line_and_column(text, text.rindex(first, 0, text.index(node_id)))


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    """Line and column, counted from 1, of an offset in a text."""
    return text.count("\n", 0, offset) + 1, offset - (text.rfind("\n", 0, offset) + 1) + 1


@contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Fail when the body takes far longer on the CPU than it ever should: it grows in a way it must not."""
    start = time.process_time()
    yield
    assert time.process_time() - start < seconds


@dataclass(frozen=True)
class Issue:
    """What a stand-in catalog has against inputs."""

    path: tuple[str | int, ...]
    message: str
    hint: str | None = None


class Tools:
    """A stand-in catalog: each tool takes the inputs that are listed, and each must be a text.

    :param inputs: the inputs of each tool by its name.
    """

    def __init__(self, **inputs: list[str]) -> None:
        self.inputs = inputs

    @property
    def names(self) -> Iterable[str]:
        return tuple(self.inputs)

    def check_inputs(
        self, name: str, inputs: Mapping[str, Any], unresolved: Callable[[Any], bool]
    ) -> Iterable[Issue]:
        for key, value in inputs.items():
            if key not in self.inputs[name]:
                yield Issue((key,), f"'{key}' is not a known key", f"known: {self.inputs[name]}")
            elif not (isinstance(value, str) or unresolved(value)):
                yield Issue((key,), "must be a text")

    def takes(self, name: str, key: str) -> bool:
        return key in self.inputs[name]


TOOLS = Tools(keywords=["text"], llm_generate=["prompt"])
CHECKED = PlanRules(tools=TOOLS, default_tools={"generate": "llm_generate"})
