"""Whether one plan is able to do more than another, by rules written down a second time.

They are as simple as can be and look at the bare data, so that a mistake in the capabilities is not made here
too. They see less than these: what they let pass may still be refused.
"""

from __future__ import annotations

import json
import re
from typing import Any

from tests.replan.adversary import CONSEQUENCES, MODES
from tests.replan.plans import all_nodes


def assert_no_more_able(first: dict[str, Any], last: dict[str, Any]) -> None:
    before = {node["id"]: node for node in all_nodes(first)}
    after = {node["id"]: node for node in all_nodes(last)}
    assert set(after) == set(before)
    for pattern in (r"[a-z]+\.example", r'"connection": "(\w+)"', r'"name": "(\S+)"'):
        assert set(re.findall(pattern, json.dumps(last))) <= set(re.findall(pattern, json.dumps(first)))
    for limit, most in first.get("budget", {}).items():
        assert last["budget"][limit] <= most
    assert first.get("params") == last.get("params") and first.get("schedule") == last.get("schedule")
    assert references(last["source_vibe"]) <= references(first["source_vibe"])
    assert set(first["source_vibe"].get("constraints", ())) <= set(last["source_vibe"].get("constraints", ()))
    old, new = (
        {"mode": "off", "max_attempts": 3, "cooldown": 600, **each.get("replan", {})}
        for each in (first, last)
    )
    assert MODES.index(new["mode"]) >= MODES.index(old["mode"])
    assert new["max_attempts"] <= old["max_attempts"] and new["cooldown"] >= old["cooldown"]
    assert_all_models_are_there(before, after)
    for node_id, node in after.items():
        assert_node_no_more_able(before[node_id], node, first, last)
        assert_no_less_checked(before[node_id], node)
    assert_same_gates(before, after, waits(first), waits(last))
    assert_same_words_where_it_matters(before, after, waits(first), first, last)


def assert_all_models_are_there(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Who asks no model asks none, and who asks one asks no other."""
    asked = [
        {
            inputs_of(node).get("connection", "the default")
            for node in nodes.values()
            if (tool_of(node) or "").startswith("llm")
        }
        | {"the default" for node in nodes.values() if judges(node)}
        for nodes in (before, after)
    ]
    assert asked[1] <= asked[0]


def assert_node_no_more_able(old: dict[str, Any], new: dict[str, Any], first: Any, last: Any) -> None:
    assert (tool_of(old), old["type"]) == (tool_of(new), new["type"])
    was, now = (
        {"retries": 2, "retry_delay": 30, **plan.get("defaults", {}), **node.get("run", {})}
        for plan, node in ((first, old), (last, new))
    )
    assert now["retries"] <= was["retries"] and now["retry_delay"] >= was["retry_delay"]
    longest = timeout(was, old)
    assert timeout(now, new) <= max(3600, longest)
    for key in ("url", "name", "max_tokens", "connection", "rubric", "strict", "banned"):
        assert inputs_of(old).get(key) == inputs_of(new).get(key)
    assert references(own(new)) <= references(own(old))
    assert sources(old) == sources(new)
    assert judges(new) <= judges(old)
    if new.get("on_fail") == "retry" and now["retries"]:
        assert old.get("on_fail") == "retry"


def assert_same_words_where_it_matters(before, after, waited, first, last) -> None:
    for node_id, old in before.items():
        new, is_behind = after[node_id], any(is_gate(before[gate]) for gate in waited[node_id])
        if tool_of(old) != "llm_generate" or is_behind:
            assert inputs_of(old) == inputs_of(new)
        if tool_of(old) == "llm_generate" and is_behind:
            assert "prompt" in inputs_of(old) or old["description"] == new["description"]
        is_told_the_vibe = tool_of(old) == "llm_generate" and is_behind
        is_judge = judges(old) or (tool_of(old) == "llm_validate" and is_gate(old))
        gives_it_on = tool_of(old) != "llm_generate" and "${vibe" in json.dumps(inputs_of(old))
        if is_told_the_vibe or is_judge or gives_it_on:
            assert first["source_vibe"] == last["source_vibe"]


def own(node: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in node.items() if key != "children"}


def references(said: Any) -> set[str]:
    return set(re.findall(r"\$\{[^}]*\}", json.dumps(said)))


def sources(node: dict[str, Any]) -> set[str]:
    named = re.findall(r"\$\{nodes\.([^.}]+)", json.dumps(own(node)))
    return {*named, *node.get("dependencies", ()), *(child["id"] for child in node.get("children", ()))}


def judges(node: dict[str, Any]) -> int:
    return sum("judge" in check for check in node.get("checks", ()))


def is_gate(node: dict[str, Any]) -> bool:
    holds = node.get("checks") and node.get("on_fail", "suggest") != "suggest"
    return bool(
        node["type"] == "validate" or tool_of(node) == "publish" or inputs_of(node).get("strict") or holds
    )


def timeout(run: dict[str, Any], node: dict[str, Any]) -> float:
    if "timeout" in run:
        return run["timeout"]
    estimate = node.get("estimated_duration")
    return float("inf") if estimate is None else max(60, 10 * estimate)


def inputs_of(node: dict[str, Any]) -> dict[str, Any]:
    return node.get("parameters", {}).get("tool_inputs", {})


def tool_of(node: dict[str, Any]) -> str | None:
    if node["type"] == "composite":
        return None
    return node.get("parameters", {}).get("tool", "llm_generate" if node["type"] == "generate" else None)


def assert_no_less_checked(old: dict[str, Any], new: dict[str, Any]) -> None:
    if old["type"] == "validate" or inputs_of(old).get("strict"):
        assert inputs_of(old) == inputs_of(new) and old["description"] == new["description"]
    if old.get("checks"):
        assert CONSEQUENCES.index(new.get("on_fail", "suggest")) >= CONSEQUENCES.index(
            old.get("on_fail", "suggest")
        )
    asked = new.get("checks", [])
    for check in strictest(old.get("checks", [])):
        still = [other for other in asked if at_least(check, other)]
        assert still, (check, asked)
        assert max(share(other, asked) for other in still) >= share(check, old["checks"])


def strictest(checks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Those that no other one covers."""
    return [
        check
        for check in checks
        if not any(at_least(check, other) and not at_least(other, check) for other in checks)
    ]


def share(check: dict[str, Any], checks: list[dict[str, Any]]) -> float:
    return check.get("weight", 1) / max(each.get("weight", 1) for each in checks)


def at_least(check: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether *other* alone asks for all that *check* asks for."""
    if "min_words" in check:
        return other.get("min_words", 0) >= check["min_words"]
    if "max_words" in check:
        return other.get("max_words", 10**9) <= check["max_words"]
    if "must_contain" in check and len(check["must_contain"]) == 1:
        return check["must_contain"][0] in other.get("must_contain", ())
    if "judge" in check:
        return other.get("judge", {}).get("pass_score", -1) >= check["judge"]["pass_score"]
    return {**check, "weight": 1} == {**other, "weight": 1}


def waits(data: dict[str, Any]) -> dict[str, set[str]]:
    """For each node those that are done before it starts, followed step by step."""
    parents = {child["id"]: node["id"] for node in all_nodes(data) for child in node.get("children", ())}
    inside = {
        node["id"]: {each["id"] for each in all_nodes({"root_nodes": [node]})} for node in all_nodes(data)
    }
    direct = {node["id"]: set(node.get("dependencies", ())) for node in all_nodes(data)}
    found: dict[str, set[str]] = {}

    def of(node_id: str) -> set[str]:
        if node_id not in found:
            found[node_id] = set()
            above = of(parents[node_id]) if node_id in parents else set()
            deps = {dep for dep in direct[node_id] if node_id not in inside[dep]}
            behind = {each for dep in deps for each in inside[dep]}
            found[node_id] = above | behind | {far for each in behind for far in of(each)}
        return found[node_id]

    return {node_id: of(node_id) for node_id in direct}


def assert_same_gates(before, after, waited, waiting) -> None:
    for node_id in after:
        for gate in waited[node_id]:
            if is_gate(before[gate]):
                assert gate in waiting[node_id], f"{node_id} no longer waits for {gate}"
