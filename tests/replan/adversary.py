"""Somebody who changes plans in whatever way might get them more than they had."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from tests.replan.plans import CAREFUL, NEWS, all_nodes, setting, without

MODES = ("auto", "approve", "propose", "off")
CONSEQUENCES = ("suggest", "retry", "fail")

Data = dict[str, Any]
Draw = Callable[[st.SearchStrategy[Any]], Any]

texts = st.sampled_from(
    [
        *("Short", "On ${params.topic}", "See https://evil.example/x", "With ${params.key}", "${vibe.style}"),
        *("Of ${nodes.a.text}", "Of ${nodes.fetch.text}", "Of ${nodes.draft.text}"),
    ]
)
small = st.integers(0, 9)
weights = st.sampled_from([{}, {}, {"weight": 0.5}, {"weight": 100}])
checks = st.builds(
    lambda check, weight: {**check, **weight},
    st.one_of(
        st.builds(lambda n: {"min_words": n + 1}, small),
        st.builds(lambda n: {"max_words": 100 + n}, small),
        st.builds(lambda word: {"must_contain": [word]}, st.sampled_from(["tea", "cup"])),
        st.builds(
            lambda score: {"judge": {"rubric": "Good", "pass_score": score}}, st.sampled_from([0.2, 0.8])
        ),
        st.just({"not_placeholder": True}),
    ),
    weights,
)
strict = {"strict": st.booleans(), "text": texts}
inputs = {
    "http_get": st.fixed_dictionaries(
        {"url": st.sampled_from(["https://a.example/", "https://b.example/", "https://${nodes.a.text}/"])}
    ),
    "combine": st.fixed_dictionaries({"pieces": st.lists(texts, max_size=2)}),
    "llm_generate": st.fixed_dictionaries(
        {"prompt": texts},
        optional={"max_tokens": st.sampled_from([10, 1000]), "connection": st.sampled_from(["one", "two"])},
    ),
    "llm_validate": st.fixed_dictionaries({"rubric": st.sampled_from(["Kind", "Any"])}, optional=strict),
    "text_rules": st.fixed_dictionaries(
        {"banned": st.lists(st.sampled_from(["x", "y"]), max_size=2)}, optional=strict
    ),
    "write_file": st.fixed_dictionaries({"name": st.sampled_from(["a.md", "b.md"]), "text": texts}),
    "publish": st.fixed_dictionaries({"text": texts}),
}
CONTENT = ("prompt", "text", "pieces")


@st.composite
def works(draw: st.DrawFn) -> dict[str, Any]:
    """The work of a node: a tool with its inputs, checks, and how it is run."""
    tool = draw(st.sampled_from(sorted(inputs)))
    judging = ["validate"] if tool in ("text_rules", "llm_validate") else []
    kinds = [*judging, "analyze", "generate", "transform"]
    found = draw(st.lists(checks, max_size=2))
    run = st.fixed_dictionaries(
        {},
        optional={
            "retries": st.integers(0, 4),
            "timeout": st.sampled_from([60, 3600, 7200]),
            "retry_delay": st.sampled_from([0, 30, 90]),
        },
    )
    return {
        "type": draw(st.sampled_from(kinds)),
        "description": draw(texts),
        "parameters": {"tool": tool, "tool_inputs": draw(inputs[tool])},
        "checks": found,
        "run": draw(run),
        **({"on_fail": draw(st.sampled_from(CONSEQUENCES))} if found else {}),
    }


def describe(draw: Draw, data: Data, bin_: list[Data]) -> None:
    _any_node(draw, data)["description"] = draw(texts)


def depend(draw: Draw, data: Data, bin_: list[Data]) -> None:
    others = st.sampled_from([node["id"] for node in all_nodes(data)])
    _any_node(draw, data)["dependencies"] = draw(st.lists(others, max_size=2, unique=True))


def depend_less(draw: Draw, data: Data, bin_: list[Data]) -> None:
    node = _any_node(draw, data)
    node["dependencies"] = node.get("dependencies", [])[1:]


def check(draw: Draw, data: Data, bin_: list[Data]) -> None:
    _any_node(draw, data)["checks"] = draw(st.lists(checks, max_size=3))


def check_less(draw: Draw, data: Data, bin_: list[Data]) -> None:
    checked = [node for node in all_nodes(data) if node.get("checks")]
    for node in checked and [draw(st.sampled_from(checked))]:
        found = node["checks"]
        dropped = draw(st.integers(0, len(found) - 1))
        node["checks"] = [*found[:dropped], *draw(st.lists(checks, max_size=1)), *found[dropped + 1 :]]


def check_more(draw: Draw, data: Data, bin_: list[Data]) -> None:
    node = _any_node(draw, data)
    node["checks"] = [*node.get("checks", []), draw(checks)]


def weigh_otherwise(draw: Draw, data: Data, bin_: list[Data]) -> None:
    found = [check for node in all_nodes(data) for check in node.get("checks", ())]
    for check in found and [draw(st.sampled_from(found))]:
        check["weight"] = draw(st.sampled_from([0.5, 1, 100]))


def fail_otherwise(draw: Draw, data: Data, bin_: list[Data]) -> None:
    node = _any_node(draw, data)
    if node.get("checks"):
        node["on_fail"] = draw(st.sampled_from(CONSEQUENCES))


def run_otherwise(draw: Draw, data: Data, bin_: list[Data]) -> None:
    _any_node(draw, data).setdefault("run", {}).update(draw(works())["run"])


def work_otherwise(draw: Draw, data: Data, bin_: list[Data]) -> None:
    node = _any_node(draw, data)
    if node["type"] != "composite":
        node.update(draw(works()))


def call_otherwise(draw: Draw, data: Data, bin_: list[Data]) -> None:
    node = _any_node(draw, data)
    if node["type"] != "composite":
        parameters = node.setdefault("parameters", {})
        parameters["tool_inputs"] = draw(inputs[parameters.get("tool", "llm_generate")])


def write_otherwise(draw: Draw, data: Data, bin_: list[Data]) -> None:
    """Another text for a tool, here or there."""
    told = [
        node["parameters"]["tool_inputs"]
        for node in all_nodes(data)
        if "tool_inputs" in node.get("parameters", {})
    ]
    told = [given for given in told if set(CONTENT) & set(given)]
    for given in told and [draw(st.sampled_from(told))]:
        name = draw(st.sampled_from([each for each in CONTENT if each in given]))
        given[name] = [draw(texts)] if name == "pieces" else draw(texts)


def wait_more(draw: Draw, data: Data, bin_: list[Data]) -> None:
    node = _any_node(draw, data)
    others = st.sampled_from([each["id"] for each in all_nodes(data)])
    node["dependencies"] = list(dict.fromkeys([*node.get("dependencies", []), draw(others)]))


def copy_the_draft(draw: Draw, data: Data, bin_: list[Data]) -> None:
    """The draft is put together of what is there already, so perhaps no model is asked at all."""
    for node in all_nodes(data):
        if node["id"] == "draft":
            pieces = {"pieces": ["${nodes.fetch.text}"]}
            node.update(parameters={"tool": "combine", "tool_inputs": pieces}, dependencies=["fetch"])


def remove(draw: Draw, data: Data, bin_: list[Data]) -> None:
    bin_.append(_take_out(draw, data))


def bring_back(draw: Draw, data: Data, bin_: list[Data]) -> None:
    if bin_:
        _put_in(draw, data, copy.deepcopy(draw(st.sampled_from(bin_))))


def add(draw: Draw, data: Data, bin_: list[Data]) -> None:
    _put_in(draw, data, {"id": draw(st.sampled_from("abcdefgh")), **draw(works())})


def move(draw: Draw, data: Data, bin_: list[Data]) -> None:
    _put_in(draw, data, _take_out(draw, data))


def spend(draw: Draw, data: Data, bin_: list[Data]) -> None:
    data["budget"] = {draw(st.sampled_from(["tokens", "requests"])): draw(st.integers(1, 20)) * 1000}


def replan_otherwise(draw: Draw, data: Data, bin_: list[Data]) -> None:
    key = draw(st.sampled_from(["mode", "max_attempts", "cooldown"]))
    values = {"mode": st.sampled_from(MODES), "max_attempts": small.map(lambda n: n + 1)}
    data.setdefault("replan", {})[key] = draw(values.get(key, st.sampled_from([0, 60, 600])))


def default_otherwise(draw: Draw, data: Data, bin_: list[Data]) -> None:
    data["defaults"] = draw(works())["run"]


def constrain(draw: Draw, data: Data, bin_: list[Data]) -> None:
    words = st.sampled_from(["short", "kind", "no invented numbers"])
    data["source_vibe"]["constraints"] = draw(st.lists(words, max_size=3, unique=True))


def wish_otherwise(draw: Draw, data: Data, bin_: list[Data]) -> None:
    data["source_vibe"][draw(st.sampled_from(["style", "description"]))] = draw(texts)


def ask_otherwise(draw: Draw, data: Data, bin_: list[Data]) -> None:
    data["params"]["topic"] = {"type": "string", "default": draw(st.sampled_from(["tea", "gin"]))}


def simulate(draw: Draw, data: Data, bin_: list[Data]) -> None:
    data["params"]["simulate"] = {"type": "boolean", "default": draw(st.booleans())}


def ask_less(draw: Draw, data: Data, bin_: list[Data]) -> None:
    data["params"].pop(draw(st.sampled_from(["key", "simulate", "topic"])), None)


def schedule_otherwise(draw: Draw, data: Data, bin_: list[Data]) -> None:
    data["schedule"] = draw(st.sampled_from([None, {"cron": "0 7 * * *"}, {"cron": "0 7 1 1 *"}]))


EDITS = (
    *(describe, depend, depend_less, wait_more, work_otherwise, call_otherwise, write_otherwise),
    *(
        copy_the_draft,
        check,
        check_less,
        check_more,
        weigh_otherwise,
        fail_otherwise,
        run_otherwise,
        default_otherwise,
    ),
    *(remove, bring_back, add, move, spend, replan_otherwise, schedule_otherwise),
    *(constrain, wish_otherwise, ask_otherwise, ask_less, simulate),
)


def edit(draw: Draw, data: Data, bin_: list[Data]) -> None:
    """Change *data* in one way of many; what is removed goes to *bin_*, from where it may come back."""
    if all_nodes(data):
        draw(st.sampled_from(EDITS))(draw, data, bin_)


BY_HAND = {
    "with an unknown tool": [],
    "of known tools": [without("post")],
    "giving its vibe on": [
        without("post"),
        setting(None, "source_vibe", "style", to="Short"),
        setting("page", "parameters", "tool_inputs", "text", to="${vibe.style}"),
    ],
    "careful": CAREFUL,
}
"""By kind of plan, what is changed of the plan of the news."""


@st.composite
def first_plans(draw: st.DrawFn) -> Data:
    """The plan of the news, careful or not, after some changes that somebody made by hand."""
    data = copy.deepcopy(NEWS)
    kind = draw(st.sampled_from([*BY_HAND, "careful"]))
    for by_hand in BY_HAND[kind]:
        by_hand(data)
    data["params"]["key"] = {"type": "string", "default": "secret"}
    for _ in range(draw(st.integers(0, 4))):
        edit(draw, data, [])
    data["replan"] = {"mode": "auto", "max_attempts": 3, "cooldown": 60}
    return data


def _any_node(draw: Draw, data: Data) -> Data:
    return draw(st.sampled_from(all_nodes(data)))


def _families(data: Data) -> list[list[Data]]:
    """The lists in which nodes can stand."""
    return [data["root_nodes"], *(node["children"] for node in all_nodes(data) if "children" in node)]


def _take_out(draw: Draw, data: Data) -> Data:
    node = _any_node(draw, data)
    next(each for each in _families(data) if any(one is node for one in each)).remove(node)
    return node


def _put_in(draw: Draw, data: Data, node: Data) -> None:
    draw(st.sampled_from(_families(data))).append(node)
