"""The commands `airflow vibe …`; loaded with every `airflow` command, so it imports nothing heavy."""

from __future__ import annotations

from airflow.cli.cli_config import ActionCommand, Arg, CLICommand, GroupCommand, lazy_load_command

ARG_PATHS = Arg(("paths",), nargs="+", metavar="PATH", help="plan files, or folders to search for them")
ARG_FORMAT = Arg(
    ("--format",),
    choices=("text", "json"),
    default="text",
    help="how to print the problems (default: text)",
)
ARG_PLAN = Arg(("plan",), metavar="PLAN", help="a plan file")
ARG_PARAM = Arg(
    ("--param",),
    action="append",
    default=[],
    metavar="NAME=VALUE",
    help="a parameter of the run; may be given more than once",
)
ARG_JSON = Arg(("--json",), metavar="FILE", help="write the ExecutionResult to this file, as JSON")

VIBE_COMMANDS = (
    ActionCommand(
        name="lint",
        help="Check plan files",
        description="Print every problem of every plan. Exit code: 0 clean, 1 problems, 2 cannot read.",
        func=lazy_load_command("airflow_provider_vibe.cli.lint.lint"),
        args=(ARG_PATHS, ARG_FORMAT),
    ),
    ActionCommand(
        name="run",
        help="Run a plan here and now",
        description=(
            "Run a plan through its DAG and operators in this process, without a scheduler. "
            "Exit code: 0 completed, 1 failed, 2 bad plan."
        ),
        func=lazy_load_command("airflow_provider_vibe.cli.run.run"),
        args=(ARG_PLAN, ARG_PARAM, ARG_JSON),
    ),
)


def get_vibe_cli_commands() -> list[CLICommand]:
    """The commands this provider adds to ``airflow``."""
    return [GroupCommand(name="vibe", help="Check and run content plans", subcommands=VIBE_COMMANDS)]
