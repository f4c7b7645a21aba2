"""The commands `airflow vibe …`; loaded with every `airflow` command, so it imports nothing heavy."""

from __future__ import annotations

from airflow.cli.cli_config import ActionCommand, Arg, CLICommand, GroupCommand, lazy_load_command

ARG_PATHS = Arg(("paths",), nargs="+", metavar="PATH", help="plan files, or folders to search for them")
ARG_PROBLEM_FORMAT = Arg(
    ("--format",),
    choices=("text", "json", "github"),
    default="text",
    help="how to print the problems; github: as annotations of a pull request (default: text)",
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
ARG_OUTPUT = Arg(("--output",), metavar="FILE", help="write it to this file")
ARG_PICTURE_FORMAT = Arg(
    ("--format",), choices=("ascii", "mermaid"), default="ascii", help="how to draw it (default: ascii)"
)
ARG_STATUSES_OF = Arg(("--run",), metavar="RUN", help="show the statuses of this run, by its id")
ARG_DAG_OF_PLAN = Arg(
    ("--dag",), metavar="DAG", help="the DAG the run is one of, if it is not the plan's own"
)
ARG_URL = Arg(
    ("--url",),
    metavar="URL",
    help=(
        "read the Airflow whose api-server is there, else at AIRFLOW_VIBE_URL, else the one installed here;"
        " the login is AIRFLOW_VIBE_TOKEN, or AIRFLOW_VIBE_USER and AIRFLOW_VIBE_PASSWORD"
    ),
)
ARG_DAG = Arg(("dag",), metavar="DAG", help="the id of the DAG of a plan")
ARG_RUN = Arg(("run",), metavar="RUN", help="the id of a run of it")
ARG_EVENTS = Arg(("--events",), action="store_true", help="print a line of JSON for each event instead")
ARG_INTERVAL = Arg(
    ("--interval",), type=float, default=2.0, metavar="SECONDS", help="between two looks (default: 2)"
)
ARG_RESULT_FORMAT = Arg(
    ("--format",), choices=("table", "json"), default="table", help="how to print it (default: table)"
)
ARG_NAME = Arg(("name",), metavar="NAME", help="the id of the plan, and the name of its file")
ARG_FOLDER = Arg(("--folder",), default=".", metavar="FOLDER", help="where the file goes (default: here)")

VIBE_COMMANDS = (
    ActionCommand(
        name="lint",
        help="Check plan files",
        description="Print every problem of every plan. Exit code: 0 clean, 1 problems, 2 cannot read.",
        func=lazy_load_command("airflow_provider_vibe.cli.lint.lint"),
        args=(ARG_PATHS, ARG_PROBLEM_FORMAT),
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
    ActionCommand(
        name="graph",
        help="Draw a plan",
        description=(
            "Print the picture of a plan, with the statuses of a run when one is named. "
            "Exit code: 0 drawn, 2 bad plan or no such run."
        ),
        func=lazy_load_command("airflow_provider_vibe.cli.graph.graph"),
        args=(ARG_PLAN, ARG_PICTURE_FORMAT, ARG_STATUSES_OF, ARG_DAG_OF_PLAN, ARG_URL),
    ),
    ActionCommand(
        name="watch",
        help="Watch a run until it has ended",
        description=(
            "Show the nodes of a run while they work, until it has ended. "
            "Exit code: 0 completed, 1 failed, 2 no such run."
        ),
        func=lazy_load_command("airflow_provider_vibe.cli.watch.watch"),
        args=(ARG_DAG, ARG_RUN, ARG_EVENTS, ARG_INTERVAL, ARG_URL),
    ),
    ActionCommand(
        name="result",
        help="Show what came of a run",
        description=(
            "Show what the feedback of a run has gathered. "
            "Exit code: 0 shown, 1 not gathered, or a node has run since, 2 no such run."
        ),
        func=lazy_load_command("airflow_provider_vibe.cli.result.result"),
        args=(ARG_DAG, ARG_RUN, ARG_RESULT_FORMAT, ARG_URL),
    ),
    ActionCommand(
        name="new",
        help="Write a plan to start from",
        description="Write a commented plan that runs as it is. Exit code: 0 written, 2 not written.",
        func=lazy_load_command("airflow_provider_vibe.cli.new.new"),
        args=(ARG_NAME, ARG_FOLDER),
    ),
    ActionCommand(
        name="schema",
        help="Print the JSON Schema of a plan file",
        description="Print the JSON Schema of a plan file, for editors. It knows the tools installed here.",
        func=lazy_load_command("airflow_provider_vibe.cli.schema.schema"),
        args=(ARG_OUTPUT,),
    ),
)


def get_vibe_cli_commands() -> list[CLICommand]:
    """The commands this provider adds to ``airflow``."""
    return [GroupCommand(name="vibe", help="Check, run and watch content plans", subcommands=VIBE_COMMANDS)]
