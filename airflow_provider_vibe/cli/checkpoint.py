"""`airflow vibe checkpoint export|list|show|import`."""

from __future__ import annotations

import os
import sys
from argparse import Namespace
from pathlib import Path

from rich.table import Table

from airflow_provider_vibe.cli.deployed import plan_of_dag
from airflow_provider_vibe.cli.exits import errors_told, logs_on_stderr
from airflow_provider_vibe.cli.looks import Look, Observer
from airflow_provider_vibe.cli.report import as_text, open_console, result_tree
from airflow_provider_vibe.cli.runs import RunReader, find_run, may_exist, no_such_dag, open_reader
from airflow_provider_vibe.cli.stored import NoResult, stored_result
from airflow_provider_vibe.dag.snapshots import write_whole
from airflow_provider_vibe.operators.earlier import REUSE_PARAM
from airflow_provider_vibe.plan.documents import read_bytes
from airflow_provider_vibe.plan.graph import PlanGraph
from airflow_provider_vibe.plan.identity import airflow_id, node_digest, plan_digest
from airflow_provider_vibe.plan.models import WorkflowPlan
from airflow_provider_vibe.plan.problems import PlanError, VibeError, one_line, quoted
from airflow_provider_vibe.runtime.checkpoint import (
    MOST_BYTES,
    Checkpoint,
    CheckpointError,
    checkpoint_of,
    read_checkpoint,
    write_checkpoint,
)
from airflow_provider_vibe.runtime.gathering import Trace, gather_result
from airflow_provider_vibe.runtime.handover import hand_over, keep_handover
from airflow_provider_vibe.runtime.outcome import (
    ExecutionResult,
    ExecutionStatus,
    NodeOutcome,
    NodeResult,
    some,
)
from airflow_provider_vibe.settings import Settings

LONGEST_DESCRIPTION = 50
STDOUT = "-"


def export(args: Namespace) -> None:
    """Write what came of a run so far to a file, or to stdout, and exit.

    :param args: ``dag``, ``run``, ``output``, ``plan`` and ``url``.
    """
    with errors_told("checkpoint export"):
        with logs_on_stderr(), open_reader(args.url) as reader:
            checkpoint = checkpoint_of_run(reader, args.dag, args.run, args.plan)
        content = write_checkpoint(checkpoint)
        if args.output == STDOUT:
            sys.stdout.buffer.write(content)
        else:
            path = args.output or f"{checkpoint.checkpoint_id}.json"
            _write(path, content)
            done, total = len(checkpoint.completed), len(PlanGraph(checkpoint.plan.root_nodes).nodes)
            print(f"wrote {path}: {done} of {total} nodes are done")
    sys.exit(0)


def checkpoint_of_run(reader: RunReader, dag_id: str, run_id: str, plan_file: str | None) -> Checkpoint:
    """A checkpoint of a run as it is now.

    :param reader: reads the Airflow it runs in.
    :param dag_id: the DAG.
    :param run_id: the run.
    :param plan_file: its plan; None: what Airflow shows as the source of the DAG.
    :raises VibeError: there is no such run, or the plan is not the one that it runs.
    """
    observer = Observer(reader, find_run(reader, dag_id, run_id))
    look = observer.look()
    plan = plan_of_dag(reader, dag_id, look.run.version, plan_file)
    _check_plan(plan, look, observer, _digest_gathered(reader, look))
    return checkpoint_of(plan, result_so_far(plan, look, observer), look.run.conf)


def _digest_gathered(reader: RunReader, look: Look) -> str | None:
    """The digest of the plan that ran, where the feedback of the run has gathered it."""
    try:
        return stored_result(reader, look).result.plan_digest
    except NoResult:
        return None


def _check_plan(plan: WorkflowPlan, look: Look, observer: Observer, digest: str | None) -> None:
    """Refuse a plan that is not the one that a run runs: its nodes, what each that is done was then, and its
    digest, where that is known.
    """
    nodes = PlanGraph(plan.root_nodes).nodes
    different = sorted(nodes.keys() ^ look.nodes.keys())
    for node_id in nodes.keys() & look.nodes.keys():
        state = look.nodes[node_id]
        then = observer.outcome(look.plan.nodes[node_id], state) if state.status.is_final else {}
        if then.get("node_digest") not in (None, node_digest(nodes[node_id], plan.source_vibe)):
            different.append(node_id)
    if different or digest not in (None, plan_digest(plan)):
        where = f": they differ in {some(sorted(different), 3)}" if different else ""
        raise VibeError(
            f"the plan of DAG {quoted(look.run.dag_id)} is not the one that this run ran{where}"
            " (name the file of the plan that ran with --plan)"
        )


def result_so_far(plan: WorkflowPlan, look: Look, observer: Observer) -> ExecutionResult:
    """What came of a run at this moment.

    :param plan: the plan that runs.
    :param look: where the run stands.
    :param observer: knows what its nodes left.
    """
    traces = {}
    for node_id, state in look.nodes.items():
        node = look.plan.nodes[node_id]
        left = observer.outcome(node, state) if state.status.is_final else None
        done = state.status is ExecutionStatus.COMPLETED
        traces[node_id] = Trace(
            state.status,
            NodeOutcome.model_validate(left) if left else None,
            observer.result(node, state) if done else None,
        )
    return gather_result(
        plan,
        traces,
        started_at=look.run.started_at,
        completed_at=look.run.ended_at,
        dag_id=look.run.dag_id,
        run_id=look.run.run_id,
    )


def list_(args: Namespace) -> None:
    """List the checkpoints in a folder, the newest first, and exit.

    :param args: ``folder``.
    """
    with errors_told("checkpoint list"):
        folder = Path(args.folder)
        if not folder.is_dir():
            raise VibeError(f"there is no folder {folder}")
        found, refused = _checkpoints_in(folder)
    if found:
        table = Table("file", "plan", "created", "status", "done", "vibe", box=None, pad_edge=False)
        for name, checkpoint in sorted(found.items(), key=lambda item: item[1].created_at, reverse=True):
            table.add_row(*map(as_text, (name, *_facts(checkpoint))))
        open_console().print(table)
    for name, reason in refused.items():
        print(f"airflow vibe checkpoint list: {one_line(name)}: {reason}", file=sys.stderr)
    sys.exit(0)


def _checkpoints_in(folder: Path) -> tuple[dict[str, Checkpoint], dict[str, str]]:
    """The checkpoints in a folder by the names of their files, and why others are none."""
    found, refused = {}, {}
    for path in sorted(folder.glob("*.json")):
        try:
            found[path.name] = _read(path)
        except CheckpointError as error:
            refused[path.name] = str(error)
    return found, refused


def _facts(checkpoint: Checkpoint) -> list[str]:
    total = len(PlanGraph(checkpoint.plan.root_nodes).nodes)
    return [
        checkpoint.plan.id,
        checkpoint.created_at[:19],
        checkpoint.result.status.value,
        f"{len(checkpoint.completed)} of {total}",
        checkpoint.plan.source_vibe.description[:LONGEST_DESCRIPTION],
    ]


def show(args: Namespace) -> None:
    """Show what is in a checkpoint, and exit.

    :param args: ``file``.
    """
    with errors_told("checkpoint show"):
        checkpoint = _checked(args.file)
    console = open_console()
    writer = f"run {checkpoint.result.run_id}" if checkpoint.is_ours else "vibe-aigc"
    console.print(
        as_text(f"{checkpoint.checkpoint_id}, written {checkpoint.created_at}, of {writer}"), soft_wrap=True
    )
    console.print(result_tree(checkpoint.plan, _with_all_nodes(checkpoint)))
    sys.exit(0)


def _with_all_nodes(checkpoint: Checkpoint) -> ExecutionResult:
    """The result in a checkpoint, and in it also the nodes that have not begun."""
    waiting = {
        node_id: NodeResult(node_id=node_id, status=ExecutionStatus.PENDING)
        for node_id in PlanGraph(checkpoint.plan.root_nodes).nodes
    }
    return checkpoint.result.model_copy(update={"node_results": waiting | checkpoint.result.node_results})


def import_(args: Namespace) -> None:
    """Start a run that takes over what is done in a checkpoint, say which, and exit.

    :param args: ``file``, ``dag``, ``accept_changed``, ``plan`` and ``url``.
    """
    with errors_told("checkpoint import"), logs_on_stderr(), open_reader(args.url) as reader:
        checkpoint = _checked(args.file)
        dag_id = args.dag or airflow_id(checkpoint.plan.id)
        if not may_exist(dag_id):
            raise no_such_dag(reader, dag_id)
        plan = plan_of_dag(reader, dag_id, None, args.plan)
        try:
            handover = hand_over(checkpoint, plan, accept_changed=args.accept_changed)
        except CheckpointError as error:
            raise CheckpointError(f"{args.file}: {error}") from None
        conf = {**checkpoint.conf, REUSE_PARAM: keep_handover(handover)}
        is_paused = reader.is_paused(dag_id)  # asked before, as an error would hide that a run was started
        run_id = reader.start_run(dag_id, conf)
    print(f"started {run_id}: {len(handover.nodes)} nodes are taken over")
    if is_paused:
        print(f"DAG {quoted(dag_id)} is paused: the run waits until it is unpaused")
    print(f"\n  airflow vibe watch {dag_id} '{run_id}'")
    sys.exit(0)


def _checked(name: str) -> Checkpoint:
    """The checkpoint in a file that a person named.

    :raises CheckpointError: names the file, and says what is wrong.
    """
    try:
        return _read(Path(name))
    except CheckpointError as error:
        raise CheckpointError(f"{one_line(name)}: {error}") from None


def _read(path: Path) -> Checkpoint:
    try:
        raw = read_bytes(path, MOST_BYTES)
    except PlanError as error:
        raise CheckpointError(error.problems[0].message) from None
    return read_checkpoint(raw, Settings.from_airflow().rules.limits)


def _write(name: str, content: bytes) -> None:
    """Write a file whole, or the file that a link leads to.

    :raises VibeError: it cannot be written, or something else is there that is no file.
    """
    path = Path(name)
    try:
        if path.exists() and not path.is_file():
            raise VibeError(f"cannot write {one_line(name)}: it is there, and no regular file")
        write_whole(Path(os.path.realpath(path)), content)
    except OSError as error:
        raise VibeError(f"cannot write {one_line(name)}: {error.strerror}") from None
