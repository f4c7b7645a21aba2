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
    assert set(after) <= set(before)
    for pattern in (r"[a-z]+\.example", r'"connection": "(\w+)"', r'"name": "(\S+)"', r"\$\{nodes[^}]*\}"):
        assert set(re.findall(pattern, json.dumps(last))) <= set(re.findall(pattern, json.dumps(first)))
    for limit, most in first.get("budget", {}).items():
        assert last["budget"][limit] <= most
    for name, schema in last.get("params", {}).items():
        assert first["params"][name] == schema
    assert set(first["source_vibe"].get("constraints", ())) <= set(last["source_vibe"].get("constraints", ()))
    old, new = (
        {"mode": "off", "max_attempts": 3, "cooldown": 600, **each.get("replan", {})}
        for each in (first, last)
    )
    assert MODES.index(new["mode"]) >= MODES.index(old["mode"])
    assert new["max_attempts"] <= old["max_attempts"] and new["cooldown"] >= old["cooldown"]
    for node_id, node in after.items():
        assert_node_no_more_able(before[node_id], node, first, last)
    for node_id, node in before.items():
        assert_no_less_checked(node, after.get(node_id))
    assert_same_gates(before, after, waits(first), waits(last))


def assert_node_no_more_able(old: dict[str, Any], new: dict[str, Any], first: Any, last: Any) -> None:
    assert tool_of(old) == tool_of(new)
    if tool_of(new) is None:
        return
    was, now = (
        {"retries": 2, "retry_delay": 30, **plan.get("defaults", {}), **node.get("run", {})}
        for plan, node in ((first, old), (last, new))
    )
    assert now["retries"] <= was["retries"] and now["retry_delay"] >= was["retry_delay"]
    longest = timeout(was, old)
    assert timeout(now, new) <= max(3600, longest)
    for key in ("url", "name", "max_tokens", "connection"):
        assert inputs_of(old).get(key) == inputs_of(new).get(key)


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


def assert_no_less_checked(old: dict[str, Any], new: dict[str, Any] | None) -> None:
    is_gate = old["type"] == "validate" or tool_of(old) == "publish" or old.get("checks")
    assert new is not None or not is_gate
    if new is None:
        return
    if old["type"] == "validate":
        assert new["type"] == "validate" and inputs_of(old) == inputs_of(new)
    if old.get("checks"):
        assert CONSEQUENCES.index(new.get("on_fail", "suggest")) >= CONSEQUENCES.index(
            old.get("on_fail", "suggest")
        )
    asked = new.get("checks", [])
    for check in old.get("checks", []):
        assert any(at_least(check, other) for other in asked), (check, asked)


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
    return check == other


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
            node = before[gate]
            holds = node.get("checks") and node.get("on_fail", "suggest") != "suggest"
            if node["type"] == "validate" or tool_of(node) == "publish" or holds:
                assert gate in waiting[node_id], f"{node_id} no longer waits for {gate}"
