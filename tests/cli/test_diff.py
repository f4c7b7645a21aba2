"""`airflow vibe diff`: what one plan says differently from another."""

from __future__ import annotations

import json
from argparse import Namespace

import pytest

from airflow_provider_vibe.cli.diff import diff
from tests.plan.plans import node, plan, written

OLD = plan(node("a"), node("b", run={"retries": 1}))


def exit_of(tmp_path, old, new, form="text", names=("old.vibe.json", "new.vibe.yaml")):
    paths = [tmp_path / name for name in names]
    for path, data in zip(paths, (old, new), strict=True):
        if data is not None:
            path.write_text(data if isinstance(data, str) else written(data, path.suffix[1:]))
    with pytest.raises(SystemExit) as stopped:
        diff(Namespace(old=str(paths[0]), new=str(paths[1]), format=form))
    return stopped.value.code


def test_plans_that_say_the_same_in_another_order_and_notation(tmp_path, capsys):
    assert exit_of(tmp_path, OLD, plan(*reversed(OLD["root_nodes"]))) == 0
    assert capsys.readouterr().out == "the plans say the same\n"


def test_what_is_different_is_told_field_by_field(tmp_path, capsys):
    assert exit_of(tmp_path, OLD, plan(node("b", run={"retries": 2}), node("c"))) == 1
    assert capsys.readouterr().out.split("\n")[:3] == [
        "- node 'a'",
        "+ node 'c'",
        '    type: "generate"',
    ]


def test_json_says_the_same(tmp_path, capsys):
    assert exit_of(tmp_path, OLD, plan(node("b", run={"retries": 2})), "json") == 1
    told = json.loads(capsys.readouterr().out)
    assert (told["schema"], told["same"]) == (1, False)
    assert [each["id"] for each in told["removed"]] == ["a"]
    assert told["changed"][0]["changes"][0] == {
        "path": ["run", "retries"],
        "kind": "changed",
        "old": 1,
        "new": 2,
    }
    assert exit_of(tmp_path, OLD, OLD, "json") == 0
    assert json.loads(capsys.readouterr().out)["same"] is True


def test_tools_that_are_not_here_do_not_keep_plans_from_being_compared(tmp_path, capsys):
    foreign = plan(node("a", parameters={"tool": "elsewhere", "tool_inputs": {"x": 1}}))
    assert exit_of(tmp_path, foreign, foreign) == 0


@pytest.mark.parametrize(
    ("old", "new", "told"),
    [
        (None, OLD, ["old.vibe.json: unreadable"]),
        (OLD, "{", ["new.vibe.yaml"]),
        (plan(node("")), plan(node("a", dependencies=["x"])), ["empty-id", "unknown-dependency"]),
    ],
)
def test_plan_that_cannot_be_read_is_told_with_its_problems(tmp_path, capsys, old, new, told):
    assert exit_of(tmp_path, old, new) == 2
    shown = capsys.readouterr()
    assert shown.out == "" and all(each in shown.err for each in told)
