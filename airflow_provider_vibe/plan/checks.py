"""What a schema cannot say about the nodes of a plan: ids, dependencies, cycles, durations."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace

from airflow_provider_vibe.plan.graph import CycleFound, PlanGraph
from airflow_provider_vibe.plan.identity import (
    HELPER_SUFFIX,
    RESERVED_TASK_IDS,
    airflow_id,
    group_id,
    is_reserved,
    open_id,
)
from airflow_provider_vibe.plan.models import NodeType, whole_seconds
from airflow_provider_vibe.plan.outline import NodeOutline, PlanOutline
from airflow_provider_vibe.plan.problems import Place, Problem, ProblemCode, did_you_mean, quoted
from airflow_provider_vibe.plan.rules import PlanRules

_MOST_CYCLES = 10


class Suggester:
    """Finds what a word was meant to be among many names, and stops trying when there is too much to compare.

    :param known: the names there are.
    """

    def __init__(self, known: Iterable[str]) -> None:
        self._known = [name for name in known if name]
        self._left = max(3, 5_000 // max(1, len(self._known)))

    def hint(self, word: str) -> str | None:
        """A "did you mean" for *word*, if there is one."""
        self._left -= 1
        return did_you_mean(word, self._known) if self._left >= 0 else None


def check_ids(outline: PlanOutline, rules: PlanRules) -> Iterator[Problem]:
    """Ids are there, not too long, not one of ours, and no two nodes share one."""
    plan_id = outline.data.get("id")
    if isinstance(plan_id, str):
        yield from _check_id(plan_id, ("id",), "the plan", rules.limits.max_id_length)
    first: dict[str, NodeOutline] = {}
    for node in outline.nodes:
        if "id" not in node.raw or not isinstance(node.raw["id"], str):
            continue
        at = (*node.at, "id")
        node_id = node.written_id
        yield from _check_id(node_id, at, "a node", rules.limits.max_id_length)
        if node_id and first.setdefault(node_id, node) is not node:
            other = Place(first[node_id].at).json_pointer
            message = f"two nodes are called {quoted(node_id)}; the other one is {other}"
            yield Problem(ProblemCode.DUPLICATE_ID, message, Place(at), "give each node an id of its own")
        if is_reserved(node_id):
            message = f"{quoted(node_id)} has the form of the tasks that hold a plan's DAG together"
            taken = ", ".join(map(repr, RESERVED_TASK_IDS))
            hint = f"choose an id that is none of {taken} and does not end in {HELPER_SUFFIX!r}"
            yield Problem(ProblemCode.RESERVED_ID, message, Place(at), hint)


def _check_id(text: str, at: Sequence[str | int], what: str, limit: int) -> Iterator[Problem]:
    place = Place(tuple(at))
    if not text:
        yield Problem(ProblemCode.EMPTY_ID, f"the id of {what} is empty", place)
    elif len(text) > limit:
        message = f"the id of {what} has {len(text)} characters, {limit} are allowed"
        yield Problem(ProblemCode.TOO_LONG, message, place, "put the long text into the description")


def check_task_ids(outline: PlanOutline, rules: PlanRules) -> Iterator[Problem]:
    """No two nodes become the same task or group in Airflow."""
    owners: dict[str, NodeOutline] = {}
    for node in outline.nodes:
        if not node.written_id or node.id != node.written_id:
            continue
        for name in _airflow_names(node):
            owner = owners.setdefault(name, node)
            if owner is not node:
                message = f"{quoted(node.id)} and {quoted(owner.id)} would both be {quoted(name)} in Airflow"
                at = Place((*node.at, "id"))
                yield Problem(ProblemCode.TASK_ID_COLLISION, message, at, "rename one of them")
                break


def _airflow_names(node: NodeOutline) -> list[str]:
    names = [airflow_id(node.id)]
    if node.children:
        names.append(group_id(node.id))
        if node.type == NodeType.COMPOSITE:
            names.append(open_id(node.id))
    return names


def check_dependencies(outline: PlanOutline, rules: PlanRules) -> Iterator[Problem]:
    """Dependencies name other nodes, once each, and none that the node itself holds."""
    graph = outline.graph
    suggester = Suggester(graph.nodes)
    for node in outline.nodes:
        for at, dep in node.dependency_places():
            name = node.name
            if dep not in graph.nodes:
                message = f"{name} depends on {quoted(dep)}, but no node is called so"
                yield Problem(ProblemCode.UNKNOWN_DEPENDENCY, message, Place(at), suggester.hint(dep))
            elif dep == node.id:
                yield Problem(
                    ProblemCode.SELF_DEPENDENCY, f"{name} depends on itself", Place(at), "remove it"
                )
            elif graph.is_inside(dep, node.id):
                message = f"{name} depends on {quoted(dep)}, which stands inside it"
                hint = "remove it: a node is done only when everything inside it is"
                yield Problem(ProblemCode.DESCENDANT_DEPENDENCY, message, Place(at), hint)
        yield from _check_repeats(node)


def _check_repeats(node: NodeOutline) -> Iterator[Problem]:
    deps = node.dependencies
    if len(set(deps)) == len(deps):
        return
    for dep, count in Counter(deps).items():
        if count > 1:
            message = f"{node.name} names the dependency {quoted(dep)} {count} times"
            yield Problem(ProblemCode.REPEATED_DEPENDENCY, message, Place((*node.at, "dependencies")))


def check_cycles(outline: PlanOutline, rules: PlanRules) -> Iterator[Problem]:
    """No nodes wait for each other in a circle; each circle is told whole, up to ten of them."""
    dropped: set[tuple[str, str]] = set()
    for told in range(_MOST_CYCLES + 1):
        graph = PlanGraph(outline.roots, without=dropped) if dropped else outline.graph
        try:
            graph.order  # noqa: B018 # computing it is the test
        except CycleFound as cycle:
            closing = _dependency_within(cycle.ids, graph)
            dropped.add(closing)
            problem = _cycle_problem(cycle, graph, closing)
            if told == _MOST_CYCLES:
                problem = replace(problem, message="and more nodes that wait for each other", hint=None)
            yield problem
        else:
            return


def _dependency_within(ids: list[str], graph: PlanGraph[NodeOutline]) -> tuple[str, str]:
    """The first step of a cycle that is a dependency written in the plan; others are steps of the tree."""
    steps = zip(ids, [*ids[1:], ids[0]], strict=True)
    return next((node, dep) for node, dep in steps if dep in graph.waits_for[node])


def _cycle_problem(cycle: CycleFound, graph: PlanGraph[NodeOutline], closing: tuple[str, str]) -> Problem:
    node, dep = graph.nodes[closing[0]], closing[1]
    at = next(at for at, name in node.dependency_places() if name == dep)
    ids = [graph.nodes[node_id].written_id for node_id in cycle.ids]
    steps = " → ".join(quoted(node_id) for node_id in [*ids, ids[0]])
    hint = "remove one of these dependencies; a node with children is done only when they are"
    return Problem(ProblemCode.CYCLE, f"these nodes wait for each other: {steps}", Place(at), hint)


def check_durations(outline: PlanOutline, rules: PlanRules) -> Iterator[Problem]:
    """Durations are whole seconds and not negative; what can be read as such is, with a warning."""
    places = [
        ((*node.at, "estimated_duration"), node.raw.get("estimated_duration")) for node in outline.nodes
    ]
    places.append((("estimated_total_duration",), outline.data.get("estimated_total_duration")))
    for at, written in places:
        seconds = whole_seconds(written)
        if written is None or not isinstance(seconds, int):
            continue
        if type(written) is not int:
            message = f"{quoted(written)} is read as {seconds} seconds"
            yield Problem(ProblemCode.COERCED, message, Place(at), f"write {seconds}")
        if seconds < 0:
            message = f"a duration of {seconds} seconds counts as unknown"
            yield Problem(ProblemCode.NEGATIVE_DURATION, message, Place(at), "leave it out")
