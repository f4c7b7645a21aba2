"""A proposal becomes the plan file: once, whole, and only where nothing has changed since.

The plan before is kept in ``.revisions`` beside the file. One process at a time applies, by a lock that ends
with the process. Killed anywhere, it leaves the old plan or the new one, and the same call again
ends as if nothing had happened. Comments in a YAML file are in the kept revision only.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path

from airflow_provider_vibe.plan.documents import read_bytes
from airflow_provider_vibe.plan.identity import plan_digest, sha256
from airflow_provider_vibe.plan.models import WorkflowPlan
from airflow_provider_vibe.plan.problems import PlanError, VibeError, quoted
from airflow_provider_vibe.plan.reading import PLAN_SUFFIXES, examine, read_data
from airflow_provider_vibe.plan.rules import PlanRules
from airflow_provider_vibe.replan.patching import unified_patch
from airflow_provider_vibe.replan.proposal import Proposal
from airflow_provider_vibe.replan.writing import plan_data, with_notes, written

REVISIONS = ".revisions"
LOCK = ".lock"


class ApplyError(VibeError):
    """A proposal that was not applied; the plan file is as it was."""


class NotApproved(ApplyError):
    """What was approved is another proposal."""


class PlanChanged(ApplyError):
    """The plan file is not the one the proposal was made from."""


class NotWritable(ApplyError):
    """The plan file cannot be written here; :func:`patch_of` says what to do to it elsewhere."""


@dataclass(frozen=True)
class Applied:
    """A proposal that is the plan now.

    :param path: the plan file.
    :param revision: the revision that the proposal made.
    :param already: whether an earlier call had done it.
    """

    path: Path
    revision: int
    already: bool


@dataclass(frozen=True)
class _Target:
    """A plan file as it is found.

    :param path: the file itself, where it was named by a link.
    """

    path: Path
    raw: bytes
    plan: WorkflowPlan


def apply(proposal: Proposal, path: Path, *, approved: str, rules: PlanRules) -> Applied:
    """Make a proposal the plan in the file *path*.

    :param proposal: what is to be applied.
    :param path: the plan file; where it is a link, the file it leads to is written.
    :param approved: digest of the proposal that was approved, or that needs no approval.
    :param rules: what the plan is held against.
    :raises NotApproved: the digest is another one.
    :raises PlanChanged: the file is gone, cannot be read, or says something else than the proposal's base.
    :raises PlanError: the new plan does not run here, a tool of it is missing, say.
    :raises NotWritable: the file cannot be written.
    """
    if approved != proposal.digest:
        raise NotApproved(
            f"the proposal for {quoted(proposal.plan_id)} is not the one that was approved"
            f" (approved {approved[:12]}, this is {proposal.digest[:12]})"
        )
    new = proposal.plan(rules)
    target = _find(path, rules)
    if done := _done_before(target, proposal, new, rules):
        return done
    try:
        with _one_at_a_time(target.path.parent / REVISIONS):
            target = _find(path, rules)  # another process may have been here before
            return _done_before(target, proposal, new, rules) or _apply_alone(target, proposal, new, rules)
    except OSError as error:
        raise NotWritable(
            f"cannot write revision {proposal.revision} of {quoted(proposal.plan_id)} to {path}: {error}"
        ) from error


def patch_of(proposal: Proposal, path: Path, rules: PlanRules, *, root: Path | None = None) -> str:
    """What applying a proposal would do to the file *path*, as ``git apply`` takes it.

    :param root: the folder in which the patch is to be applied; left out, that of the file.
    :raises PlanChanged: the file is not the one the proposal was made from.
    """
    target, new = _find(path, rules), proposal.plan(rules)
    if _done_before(target, proposal, new, rules):
        return ""
    is_below = root is not None and path.is_relative_to(root)
    name = path.relative_to(root).as_posix() if root is not None and is_below else path.name
    return unified_patch(target.raw.decode(), _content(target, new, rules).decode(), name)


def plan_at(path: Path, rules: PlanRules) -> WorkflowPlan:
    """The plan in the file *path*, whether or not its tools are here.

    :raises PlanChanged: there is none.
    """
    return _find(path, rules).plan


def _find(path: Path, rules: PlanRules) -> _Target:
    lenient = replace(rules, tools=None, simulate_missing=True)  # that a tool is gone is told of the new plan
    try:
        real = path.resolve(strict=True)
        raw = read_bytes(real, rules.limits.max_plan_bytes)
        return _Target(real, raw, examine(raw, real.name, lenient).plan_or_raise())
    except (OSError, PlanError) as error:
        raise PlanChanged(f"{path} is no plan that could be replaced: {error}") from error


def _done_before(target: _Target, proposal: Proposal, new: WorkflowPlan, rules: PlanRules) -> Applied | None:
    """What an earlier call came to, if there was one.

    :raises PlanChanged: the file is neither the proposal's base nor its outcome.
    """
    found = plan_digest(target.plan)
    if found == plan_digest(new) or (
        target.plan.revision > proposal.revision and _was_kept(target.path, new, rules)
    ):
        return Applied(target.path, proposal.revision, already=True)
    if found != proposal.base_digest:
        raise PlanChanged(
            f"{target.path} has changed since revision {proposal.revision} of {quoted(proposal.plan_id)} was"
            " proposed; it stays as it is: have it replanned"
        )
    return None


def _apply_alone(target: _Target, proposal: Proposal, new: WorkflowPlan, rules: PlanRules) -> Applied:
    content = _content(target, new, rules)
    draft = target.path.with_name(f".{target.path.name}.draft")
    try:
        _write(draft, content, like=target.path)
        _keep(target)
        if target.path.read_bytes() != target.raw:
            raise PlanChanged(f"{target.path} was changed at this moment; it stays as it is")
        draft.replace(target.path)
    finally:
        draft.unlink(missing_ok=True)
    return Applied(target.path, proposal.revision, already=False)


@contextlib.contextmanager
def _one_at_a_time(folder: Path) -> Iterator[None]:
    """Nobody else is inside of this for the same folder, on this machine or another one that shares it."""
    folder.mkdir(exist_ok=True)
    with (folder / LOCK).open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # the system lets go of it when the process ends, however it does
        yield


def _content(target: _Target, new: WorkflowPlan, rules: PlanRules) -> bytes:
    """The text of the new plan in the notation of the file, with the notes that stand in it."""
    name, limits = target.path.name, rules.limits
    data = with_notes(plan_data(new), read_data(target.raw, name, limits))
    content = written(data, name, limits.max_plan_bytes).encode()
    if plan_digest(examine(content, name, rules).plan_or_raise()) != plan_digest(new):
        raise ApplyError(f"revision {new.revision} of {quoted(new.id)} reads differently as {name}")
    return content


def _keep(target: _Target) -> None:
    """Keep the plan as it is, byte by byte; what is kept already under its name stays too."""
    kept = _kept_path(target.path, target.plan.revision)
    if kept.exists() and kept.read_bytes() != target.raw:
        stem, suffix = _split_name(kept.name)
        kept = kept.with_name(f"{stem}-{sha256(target.raw.decode())[:8]}{suffix}")
    if not kept.exists():
        draft = kept.with_name(f".{kept.name}.draft")
        _write(draft, target.raw, like=target.path)
        draft.replace(kept)


def _was_kept(path: Path, plan: WorkflowPlan, rules: PlanRules) -> bool:
    """Whether *plan* is the revision of its number that has been replaced since."""
    try:
        return plan_digest(plan_at(_kept_path(path, plan.revision), rules)) == plan_digest(plan)
    except PlanChanged:
        return False


def _kept_path(path: Path, revision: int) -> Path:
    stem, suffix = _split_name(path.name)
    return path.parent / REVISIONS / f"{stem}.r{revision}{suffix}"


def _split_name(name: str) -> tuple[str, str]:
    suffix = next((suffix for suffix in PLAN_SUFFIXES if name.endswith(suffix)), Path(name).suffix)
    return name.removesuffix(suffix), suffix


def _write(path: Path, content: bytes, like: Path) -> None:
    """Write a file that may be read and written by whom *like* may, and wait until the disk has it."""
    model = like.stat()
    path.unlink(missing_ok=True)
    with path.open("xb") as file:
        os.fchmod(file.fileno(), model.st_mode & 0o7777)
        with contextlib.suppress(PermissionError):  # only root gives files away
            os.fchown(file.fileno(), model.st_uid, model.st_gid)
        file.write(content)
        file.flush()
        os.fsync(file.fileno())
