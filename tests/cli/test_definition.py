"""The commands as they are typed."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import pytest
from airflow.cli import cli_parser

from airflow_provider_vibe.cli.definition import CHECKPOINT_COMMANDS, VIBE_COMMANDS

TYPED = {
    "lint": ["plans", "--format", "github"],
    "run": ["p.vibe.yaml", "--param", "a=b"],
    "graph": ["p.vibe.yaml", "--format", "mermaid", "--run", "r", "--dag", "d", "--url", "http://x"],
    "diff": ["a.vibe.yaml", "b.vibe.json", "--format", "json"],
    "watch": ["d", "r", "--events", "--interval", "0.5", "--url", "http://x"],
    "result": ["d", "r", "--format", "json", "--url", "http://x"],
    "compare": ["d", "r1", "r2", "--format", "json", "--url", "http://x"],
    "new": ["tea", "--folder", "plans"],
    "plan": [
        "a letter",
        "-o",
        "p.vibe.yaml",
        "--force",
        "--connection",
        "c",
        "--model",
        "test",
        "--max-tokens",
        "9000",
        "--id",
        "tea",
    ],
    "schema": ["--output", "x.json"],
}


TYPED_AFTER_CHECKPOINT = {
    "export": ["d", "r", "-o", "c.json", "--plan", "p.vibe.yaml", "--url", "http://x"],
    "list": ["kept"],
    "show": ["c.json"],
    "import": ["c.json", "--dag", "d", "--accept-changed", "--plan", "p.vibe.yaml", "--url", "http://x"],
}


@pytest.mark.parametrize("command", CHECKPOINT_COMMANDS, ids=lambda command: command.name)
def test_checkpoint_command_is_understood_and_leads_to_its_function(command):
    typed = ["vibe", "checkpoint", command.name, *TYPED_AFTER_CHECKPOINT[command.name]]
    assert cli_parser.get_parser().parse_args(typed).func is command.func
    home = pkgutil.resolve_name("airflow_provider_vibe.cli.checkpoint")
    assert callable(getattr(home, command.name, None) or getattr(home, f"{command.name}_"))


SINGLE_COMMANDS = [command for command in VIBE_COMMANDS if command.name != "checkpoint"]


@pytest.mark.parametrize("command", SINGLE_COMMANDS, ids=lambda command: command.name)
def test_command_is_understood_and_leads_to_its_function(command):
    asked = cli_parser.get_parser().parse_args(["vibe", command.name, *TYPED[command.name]])
    assert asked.func is command.func
    assert callable(pkgutil.resolve_name(f"airflow_provider_vibe.cli.{command.name}:{command.name}"))


def test_definition_brings_nothing_heavy_into_other_commands():
    listing = (
        "import sys, airflow.cli.cli_config, airflow_provider_vibe; before = set(sys.modules);"
        "import airflow_provider_vibe.cli.definition; print(*sorted(set(sys.modules) - before))"
    )
    done = subprocess.run([sys.executable, "-c", listing], capture_output=True, text=True, check=True)
    loaded = done.stdout.splitlines()[-1].split()
    assert loaded == ["airflow_provider_vibe.cli", "airflow_provider_vibe.cli.definition"]
