"""`airflow vibe lint`: every problem, one a line, and an exit code to build on."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from argparse import Namespace

import pytest

from airflow_provider_vibe.cli.lint import lint
from tests.dag.plans import node, plan, write

BAD = "id: bad\nsource_vibe: {description: x}\nroot_nodes:\n  - {id: a, type: analyse, description: x}\n"


def lint_exit(*paths, fmt="text"):
    with pytest.raises(SystemExit) as stopped:
        lint(Namespace(paths=[str(path) for path in paths], format=fmt))
    return stopped.value.code


def test_clean_plans_exit_with_0(tmp_path, capsys):
    write(tmp_path, "a.vibe.json", plan(node("a"), id="a"))
    write(tmp_path / "deep", "b.vibe.json", plan(node("a"), id="b"))
    assert lint_exit(tmp_path) == 0
    assert capsys.readouterr().out == "2 plans, no problems\n"


def test_warnings_alone_are_told_and_exit_with_0(tmp_path, capsys):
    path = write(tmp_path, "a.vibe.json", plan(node("a", estimated_duration="5")))
    assert lint_exit(path) == 0
    assert (
        "coerced warning: /root_nodes/0/estimated_duration: '5' is read as 5 seconds"
        in capsys.readouterr().out
    )


def test_problems_exit_with_1_and_stand_one_a_line_with_place_and_hint(tmp_path, capsys):
    write(tmp_path, "good.vibe.json", plan(node("a"), id="good"))
    path = write(tmp_path, "bad.vibe.yaml", BAD)
    assert lint_exit(tmp_path) == 1
    line = capsys.readouterr().out.splitlines()[0]
    assert line.startswith(f"{path}:4:19: bad-value /root_nodes/0/type: ")
    assert line.endswith("(did you mean 'analyze'?)")


def test_json_has_every_field_of_a_problem(tmp_path, capsys):
    path = write(tmp_path, "bad.vibe.yaml", BAD)
    assert lint_exit(path, fmt="json") == 1
    first = json.loads(capsys.readouterr().out)[0]
    assert first == {
        "code": "bad-value",
        "severity": "error",
        "message": "no type of node is called 'analyse'",
        "hint": "did you mean 'analyze'?",
        "file": str(path),
        "line": 4,
        "column": 19,
        "pointer": "/root_nodes/0/type",
    }


def test_github_shows_problems_beside_their_lines(tmp_path, capsys):
    path = write(tmp_path, "bad.vibe.yaml", BAD)
    warned = write(tmp_path, "warned, 100%.vibe.json", plan(node("a", estimated_duration="5"), id="w"))
    assert lint_exit(tmp_path, fmt="github") == 1
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == (
        f"::error file={path},line=4,col=19,title=bad-value::"
        "no type of node is called 'analyse' (did you mean 'analyze'?)"
    )
    escaped = str(warned).replace("%", "%25").replace(",", "%2C")
    assert lines[-1].startswith(f"::warning file={escaped},line=1,col=")
    assert lines[-1].endswith(",title=coerced::'5' is read as 5 seconds (write 5)")


def test_no_text_of_a_plan_becomes_a_command_of_github(tmp_path, capsys):
    hostile = "x\n::error::forged\r::set-output name=a::b %0A"
    write(tmp_path, "a.vibe.json", plan(node("a", type=hostile)))
    assert lint_exit(tmp_path, fmt="github") == 1
    lines = capsys.readouterr().out.splitlines()
    assert all(line.startswith("::error file=") for line in lines)
    assert sum(line.count("::error ") for line in lines) == len(lines)
    assert "%250A" in lines[0]


def test_github_is_told_when_all_is_well(tmp_path, capsys):
    write(tmp_path, "a.vibe.json", plan(node("a")))
    assert lint_exit(tmp_path, fmt="github") == 0
    assert capsys.readouterr().out == "1 plan, no problems\n"


def test_two_plans_of_one_id_are_a_problem_of_the_second(tmp_path, capsys):
    write(tmp_path, "a.vibe.json", plan(node("a"), id="same"))
    write(tmp_path, "b.vibe.json", plan(node("a"), id="same"))
    assert lint_exit(tmp_path) == 1
    assert (
        f"{tmp_path}/b.vibe.json:1:8: duplicate-plan /id: 'same' is already the plan in"
        in capsys.readouterr().out
    )


@pytest.mark.parametrize(("name", "words"), [("nowhere", "there is no"), ("", "no plan files")])
def test_nothing_to_read_exits_with_2(tmp_path, capsys, name, words):
    assert lint_exit(tmp_path / name) == 2
    assert words in capsys.readouterr().err


def test_file_that_cannot_be_read_exits_with_2(tmp_path, capsys):
    (tmp_path / "x.vibe.json").mkdir()
    assert lint_exit(tmp_path / "x.vibe.json", tmp_path) == 2


def test_wrong_setting_exits_with_2_and_says_which(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("AIRFLOW__VIBE__MISSING_TOOL", "simulat")
    write(tmp_path, "a.vibe.json", plan(node("a")))
    assert lint_exit(tmp_path) == 2
    assert "[vibe] missing_tool should not be 'simulat' (did you mean 'simulate'?)" in capsys.readouterr().err


def test_file_that_is_given_twice_is_one_plan(tmp_path, capsys, monkeypatch):
    path = write(tmp_path / "deep", "a.vibe.json", plan(node("a")))
    (tmp_path / "link").symlink_to(tmp_path / "deep")
    monkeypatch.chdir(tmp_path)
    assert lint_exit("deep/a.vibe.json", path, ".", "deep", "link/a.vibe.json") == 0
    assert capsys.readouterr().out == "1 plan, no problems\n"


def test_link_to_a_plan_is_another_plan_as_it_is_to_airflow(tmp_path, capsys):
    path = write(tmp_path, "a.vibe.json", plan(node("a")))
    (tmp_path / "b.vibe.json").symlink_to(path)
    assert lint_exit(tmp_path) == 1
    assert "b.vibe.json:1:8: duplicate-plan" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("path", "words"), [("", "there is no ''"), ("x.py", "x.py is no plan file"), ("x", "x is no plan file")]
)
def test_what_can_be_no_plan_is_not_read_as_one(tmp_path, capsys, monkeypatch, path, words):
    write(tmp_path, "a.vibe.json", plan(node("a")))
    (tmp_path / "x.py").write_text("pass")
    (tmp_path / "x").write_text("{}")
    monkeypatch.chdir(tmp_path)
    assert lint_exit(path, "a.vibe.json") == 2
    told = capsys.readouterr()
    assert words in told.err and told.out == ""


def command(*words, **environment):
    """The command as it is typed, with its output as bytes."""
    program = "from airflow.__main__ import main; main()"
    return subprocess.Popen(
        [sys.executable, "-c", program, "vibe", *map(str, words)],
        env={**os.environ, "PYTHONUNBUFFERED": "", **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def test_json_is_all_there_is_on_stdout(tmp_path):
    path = write(tmp_path, "bad.vibe.yaml", BAD)
    write(tmp_path, ".airflowignore", "old/\n")  # Airflow's own code for it warns
    out, err = command("lint", tmp_path, "--format", "json").communicate(timeout=60)
    assert json.loads(out)[0]["file"] == str(path)
    assert b"deprecated" in err


@pytest.mark.parametrize("problems", [1, 400])
def test_reader_that_has_gone_away_is_no_accident(tmp_path, problems):
    write(tmp_path, "a.vibe.json", plan(*(node(f"n{number}", type="?") for number in range(problems))))
    running = command("lint", tmp_path)
    running.stdout.close()
    assert running.wait(timeout=60) == 2
    assert b"BrokenPipe" not in running.stderr.read()


@pytest.mark.parametrize("encoding", ["ascii", "latin-1"])
def test_terminal_of_few_characters_is_given_the_others_escaped(tmp_path, encoding):
    path = write(tmp_path, "a.vibe.json", plan(node("ä日😀", type="?"), node("ä日😀")))
    out, err = command("lint", path, PYTHONIOENCODING=encoding).communicate(timeout=60)
    assert b"Traceback" not in err
    assert r"\u65e5\ud83d\ude00" in out.decode(encoding)
    out, err = command(
        "graph", write(tmp_path, "b.vibe.json", plan(node("日"))), PYTHONIOENCODING=encoding
    ).communicate(timeout=60)
    assert b"Traceback" not in err
    assert r"(\u65e5)" in out.decode(encoding)
