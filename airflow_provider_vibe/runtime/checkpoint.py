"""Checkpoints: a plan and what came of a run of it so far, in one file.

The form is vibe-aigc 0.7.1's (`persistence.WorkflowCheckpoint`, schema 1.0), so that each can read what the
other wrote. Ours has one more key, ``vibe``, which vibe-aigc does not look at: the digest of all the rest, by
which a changed file is known, and the parameters of the run.
"""

from __future__ import annotations

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any

from pydantic import ValidationError

from airflow_provider_vibe.plan.documents import DocumentLimits, parse_document
from airflow_provider_vibe.plan.identity import canonical_json, sha256
from airflow_provider_vibe.plan.models import WorkflowPlan
from airflow_provider_vibe.plan.problems import Problem, ProblemCode, VibeError, one_line, quoted
from airflow_provider_vibe.plan.reading import examine
from airflow_provider_vibe.plan.rules import Limits, PlanRules
from airflow_provider_vibe.runtime.outcome import ExecutionResult, ExecutionStatus, some
from airflow_provider_vibe.tools.artifacts import safe_segment

SCHEMA_VERSION = "1.0"
OUR_KEY = "vibe"
MOST_BYTES = 256 * 1024 * 1024
"""A larger file is not read: it would take the memory of whoever reads it."""
MOST_NESTING = 259
"""Levels in a file: the 255 that pydantic writes of a result (2.14), and the four that a result stands in."""

_OUR_RUNS_KEYS = ("plan_digest", "run_id")
"""What every result of ours has, and none of vibe-aigc."""

_KEYS = ("schema_version", "checkpoint_id", "created_at", "plan", "execution_result")
_VERSION = re.compile(r"(\d{1,6})\.(\d{1,6})")
_NOT_IN_A_NAME = re.compile(r"[/\\\x00-\x1f\x7f]")


class CheckpointError(VibeError):
    """A checkpoint that cannot be used; says why."""


@dataclass(frozen=True)
class Checkpoint:
    """A plan and what came of a run of it so far.

    :param checkpoint_id: also the name of its file, without the ending.
    :param created_at: ISO 8601; vibe-aigc writes local time without saying where.
    :param plan: the plan that ran.
    :param result: of the run; nodes that have not begun are not in it.
    :param conf: the parameters of the run.
    :param is_ours: whether it was written here; its digest was right then.
    """

    checkpoint_id: str
    created_at: str
    plan: WorkflowPlan
    result: ExecutionResult
    conf: Mapping[str, Any] = field(default_factory=dict)
    is_ours: bool = True

    @property
    def completed(self) -> list[str]:
        """The ids of the nodes that are done."""
        return self.result.nodes_with(ExecutionStatus.COMPLETED)


def checkpoint_of(plan: WorkflowPlan, result: ExecutionResult, conf: Mapping[str, Any]) -> Checkpoint:
    """A checkpoint of a run, as it is now.

    :param plan: the plan that runs.
    :param result: what came of it so far.
    :param conf: the parameters of the run.
    """
    begun = {
        node_id: node
        for node_id, node in result.node_results.items()
        if node.status is not ExecutionStatus.PENDING
    }
    now = datetime.now(UTC)
    return Checkpoint(
        checkpoint_id=f"{safe_segment(plan.id)}_{now:%Y%m%d_%H%M%S}_{uuid.uuid4().hex[:8]}",
        created_at=now.isoformat(),
        plan=plan,
        result=result.model_copy(update={"node_results": begun}),
        conf=dict(conf),
    )


def write_checkpoint(checkpoint: Checkpoint) -> bytes:
    """The bytes of the file of a checkpoint.

    :param checkpoint: one of ours.
    :raises CheckpointError: it holds what no reader would take.
    """
    try:
        return _written(checkpoint)
    except ValueError as error:
        raise CheckpointError(f"this run cannot be kept in a checkpoint: {one_line(str(error))}") from None


def _written(checkpoint: Checkpoint) -> bytes:
    document: dict[str, Any] = {
        "schema_version": SCHEMA_VERSION,
        "checkpoint_id": checkpoint.checkpoint_id,
        "created_at": checkpoint.created_at,
        "plan": checkpoint.plan.model_dump(mode="json", by_alias=True, exclude_defaults=True),
        "execution_result": checkpoint.result.model_dump(mode="json", by_alias=True),
        OUR_KEY: {"conf": dict(checkpoint.conf)},
    }
    document[OUR_KEY]["digest"] = _digest_of(document)
    return (json.dumps(document, indent=2, ensure_ascii=False) + "\n").encode()


def read_checkpoint(raw: bytes, limits: Limits | None = None) -> Checkpoint:
    """The checkpoint in a file, of ours or of vibe-aigc.

    :param raw: the bytes of the file.
    :param limits: how large its plan may be.
    :raises CheckpointError: it is cut off, was changed, is of a newer schema, or no checkpoint at all.
    """
    limits = limits or Limits()
    document = _document(raw, max(MOST_NESTING, limits.max_nesting + 1))
    _check_schema(document)
    ours = _ours(document)
    checkpoint_id = document["checkpoint_id"]
    if not isinstance(checkpoint_id, str) or not _is_file_name(checkpoint_id):
        raise CheckpointError(f"its id {quoted(checkpoint_id)} would lead out of the folder of a checkpoint")
    plan, result = _plan_of(document["plan"], limits), _result_of(document["execution_result"])
    if result.plan_id != plan.id:
        raise CheckpointError(
            f"it holds the plan {quoted(plan.id)}, but a run of another one, {quoted(result.plan_id)}"
        )
    wrong = [key for key, node in result.node_results.items() if node.node_id != key]
    if wrong:
        raise CheckpointError(f"the results of these nodes are those of others: {some(wrong)}")
    return Checkpoint(
        checkpoint_id=checkpoint_id,
        created_at=str(document["created_at"]),
        plan=plan,
        result=result,
        conf=ours.get("conf", {}),
        is_ours=bool(ours),
    )


def _document(raw: bytes, max_nesting: int) -> dict[str, Any]:
    document = parse_document(raw, "checkpoint", DocumentLimits(MOST_BYTES, MOST_BYTES, max_nesting))
    if document.problems:
        raise CheckpointError(_reason(document.problems[0]))
    if not isinstance(document.data, dict) or "schema_version" not in document.data:
        raise CheckpointError("it is no checkpoint: it has no 'schema_version'")
    return document.data


def _reason(problem: Problem) -> str:
    is_syntax = problem.code is ProblemCode.SYNTAX
    what = "it is cut off, or no JSON" if is_syntax else "it cannot be read"
    place = f" at line {problem.where.line}, column {problem.where.column}" if problem.where.line else ""
    return f"{what}: {one_line(problem.message)}{place}"


def _check_schema(document: Mapping[str, Any]) -> None:
    version = document["schema_version"]
    if version != SCHEMA_VERSION:
        number = _VERSION.fullmatch(version) if isinstance(version, str) else None
        newer = bool(number) and tuple(map(int, number.groups())) > (1, 0)  # type: ignore[union-attr]
        why = "is newer than" if newer else "is not"
        raise CheckpointError(
            f"its schema_version {quoted(version)} {why} {SCHEMA_VERSION}, the one that is read here"
        )
    if missing := [key for key in _KEYS if key not in document]:
        raise CheckpointError(f"it is no whole checkpoint: it has no {', '.join(map(quoted, missing))}")


def _ours(document: Mapping[str, Any]) -> dict[str, Any]:
    """What stands under our key; empty in a file that vibe-aigc wrote.

    :raises CheckpointError: the rest of the file is not what it was when we wrote it.
    """
    if OUR_KEY not in document:
        if _is_of_our_run(document["execution_result"]):
            raise CheckpointError(f"it was changed after it was written: its key {quoted(OUR_KEY)} is gone")
        return {}
    ours = document[OUR_KEY]
    if not isinstance(ours, dict) or ours.get("digest") != _digest_of(document):
        raise CheckpointError(
            f"it was changed after it was written: the digest under {quoted(OUR_KEY)} is not that of the rest"
        )
    if not isinstance(ours.get("conf", {}), dict):
        raise CheckpointError(f"the parameters of its run, 'conf' under {quoted(OUR_KEY)}, are no object")
    return ours


def _is_of_our_run(result: Any) -> bool:
    return isinstance(result, dict) and any(key in result for key in _OUR_RUNS_KEYS)


def _digest_of(document: Mapping[str, Any]) -> str:
    ours = {key: value for key, value in document[OUR_KEY].items() if key != "digest"}
    return sha256(canonical_json({**document, OUR_KEY: ours}))


def _is_file_name(name: str) -> bool:
    return 0 < len(name) <= 250 and not name.startswith(".") and not _NOT_IN_A_NAME.search(name)


def _plan_of(data: Any, limits: Limits) -> WorkflowPlan:
    """The plan; it may take more bytes here than it took in its file, which may have been in YAML."""
    raw = json.dumps(data, ensure_ascii=False).encode()
    rules = PlanRules(replace(limits, max_plan_bytes=MOST_BYTES), simulate_missing=True)
    reading = examine(raw, "its plan", rules)
    if reading.plan is None:
        problem = next(problem for problem in reading.problems if not problem.is_warning)
        raise CheckpointError(f"its plan cannot run: {one_line(problem.message)}")
    return reading.plan


def _result_of(data: Any) -> ExecutionResult:
    try:
        return ExecutionResult.model_validate(data)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        where = ".".join(map(str, first["loc"])) or "it"
        raise CheckpointError(
            f"its execution_result cannot be read: {quoted(where)}: {first['msg']}"
        ) from None
