"""The commands `airflow vibe …`; loaded with every `airflow` command, so it imports nothing heavy."""

from __future__ import annotations

from airflow.cli.cli_config import (
    ActionCommand,
    Arg,
    CLICommand,
    GroupCommand,
    lazy_load_command,
    positive_int,
)

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
ARG_OLD_PLAN = Arg(("old",), metavar="PLAN", help="a plan file")
ARG_NEW_PLAN = Arg(("new",), metavar="PLAN", help="the plan file it is compared with")
ARG_DIFF_FORMAT = Arg(
    ("--format",), choices=("text", "json"), default="text", help="how to print it (default: text)"
)
ARG_NAME = Arg(("name",), metavar="NAME", help="the id of the plan, and the name of its file")
ARG_FOLDER = Arg(("--folder",), default=".", metavar="FOLDER", help="where the file goes (default: here)")
ARG_VIBE = Arg(("vibe",), metavar="VIBE", help="what the plan is to make, in your words")
ARG_PLAN_OUTPUT = Arg(
    ("-o", "--output"), metavar="FILE", help="write the plan to this file, *.vibe.yaml or *.vibe.json"
)
ARG_FORCE = Arg(("--force",), action="store_true", help="write over a file that is there")
ARG_CONNECTION = Arg(
    ("--connection",), metavar="CONN", help="the connection of the model (default: [vibe] llm_conn_id)"
)
ARG_MODEL = Arg(
    ("--model",), metavar="MODEL", help="the model, 'provider:name' (default: that of the connection)"
)
ARG_MAX_TOKENS = Arg(
    ("--max-tokens",),
    type=positive_int(allow_zero=False),
    metavar="TOKENS",
    help="the longest answer (default: the model's own limit)",
)
ARG_PLAN_ID = Arg(("--id",), metavar="ID", help="the id of the plan (default: the model chooses)")
ARG_OTHER_RUN = Arg(("other",), metavar="RUN", help="the id of a later run of it")
ARG_CHECKPOINT = Arg(("file",), metavar="FILE", help="a checkpoint, of ours or of vibe-aigc")
ARG_CHECKPOINT_FOLDER = Arg(
    ("folder",), nargs="?", default=".", metavar="FOLDER", help="where to look (default: here)"
)
ARG_CHECKPOINT_OUTPUT = Arg(
    ("-o", "--output"),
    metavar="FILE",
    help="write it to this file, '-' is stdout (default: the id of the checkpoint, here)",
)
ARG_DAG_OF_CHECKPOINT = Arg(
    ("--dag",), metavar="DAG", help="the DAG to start, if it is not the one named after the plan"
)
ARG_ACCEPT_CHANGED = Arg(
    ("--accept-changed",),
    action="store_true",
    help="take over also what nodes made that have changed since",
)
ARG_PLAN_OF_DAG = Arg(
    ("--plan",), metavar="PLAN", help="the plan file of the DAG, where Airflow does not show it as its source"
)

CHECKPOINT_COMMANDS = (
    ActionCommand(
        name="export",
        help="Write what came of a run so far to a file",
        description=(
            "Write a plan and what came of a run of it so far to a file that vibe-aigc reads too. "
            "Exit code: 0 written, 2 no such run, or not written."
        ),
        func=lazy_load_command("airflow_provider_vibe.cli.checkpoint.export"),
        args=(ARG_DAG, ARG_RUN, ARG_CHECKPOINT_OUTPUT, ARG_PLAN_OF_DAG, ARG_URL),
    ),
    ActionCommand(
        name="list",
        help="List the checkpoints in a folder",
        description="List the checkpoints in a folder, newest first. Exit code: 0 listed, 2 no such folder.",
        func=lazy_load_command("airflow_provider_vibe.cli.checkpoint.list_"),
        args=(ARG_CHECKPOINT_FOLDER,),
    ),
    ActionCommand(
        name="show",
        help="Show what is in a checkpoint",
        description="Show the nodes of a checkpoint. Exit code: 0 shown, 2 it cannot be used.",
        func=lazy_load_command("airflow_provider_vibe.cli.checkpoint.show"),
        args=(ARG_CHECKPOINT,),
    ),
    ActionCommand(
        name="import",
        help="Start a run that goes on from a checkpoint",
        description=(
            "Start a run that takes over the completed nodes of a checkpoint, with their context, and runs "
            "the others. [vibe] artifacts_path must be the same here and where the run works. "
            "Exit code: 0 started, 2 refused, with the reason."
        ),
        func=lazy_load_command("airflow_provider_vibe.cli.checkpoint.import_"),
        args=(ARG_CHECKPOINT, ARG_DAG_OF_CHECKPOINT, ARG_ACCEPT_CHANGED, ARG_PLAN_OF_DAG, ARG_URL),
    ),
)

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
            "Exit code: 0 completed, 1 failed, 2 bad plan, 130 interrupted."
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
        name="diff",
        help="Show what one plan says differently from another",
        description=(
            "Print what is added, removed, moved and changed, field by field; order and notation do not "
            "count. Exit code: 0 the same, 1 they differ, 2 cannot read."
        ),
        func=lazy_load_command("airflow_provider_vibe.cli.diff.diff"),
        args=(ARG_OLD_PLAN, ARG_NEW_PLAN, ARG_DIFF_FORMAT),
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
        name="compare",
        help="Show what two runs did differently",
        description=(
            "Show for each node of two runs its status, quality, cost, time and tries, and whether its work "
            "was changed or reused. Exit code: 0 shown, 2 no such run."
        ),
        func=lazy_load_command("airflow_provider_vibe.cli.compare.compare"),
        args=(ARG_DAG, ARG_RUN, ARG_OTHER_RUN, ARG_RESULT_FORMAT, ARG_URL),
    ),
    GroupCommand(
        name="checkpoint",
        help="Keep what came of a run in a file, and go on from it",
        subcommands=CHECKPOINT_COMMANDS,
    ),
    ActionCommand(
        name="new",
        help="Write a plan to start from",
        description="Write a commented plan that runs as it is. Exit code: 0 written, 2 not written.",
        func=lazy_load_command("airflow_provider_vibe.cli.new.new"),
        args=(ARG_NAME, ARG_FOLDER),
    ),
    ActionCommand(
        name="plan",
        help="Let a model make a plan of a vibe",
        description=(
            "Ask a model for a plan that does what a vibe wants with the tools installed here, and check it. "
            "Prints it as YAML, or writes it to a file. "
            "Exit code: 0 made, 1 the model made none that runs here, 2 it cannot be asked, or not written."
        ),
        func=lazy_load_command("airflow_provider_vibe.cli.plan.plan"),
        args=(
            ARG_VIBE,
            ARG_PLAN_OUTPUT,
            ARG_FORCE,
            ARG_CONNECTION,
            ARG_MODEL,
            ARG_MAX_TOKENS,
            ARG_PLAN_ID,
        ),
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
