"""A proposal becomes the plan file once, whole, and only where nothing has changed since."""

from __future__ import annotations

import fcntl
import json
import os
import stat
import subprocess
import threading
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest

from airflow_provider_vibe.plan.identity import plan_digest
from airflow_provider_vibe.plan.problems import PlanError
from airflow_provider_vibe.plan.reading import examine_file
from airflow_provider_vibe.plan.rules import PlanRules
from airflow_provider_vibe.replan import applying
from airflow_provider_vibe.replan.applying import NotApproved, NotWritable, PlanChanged, apply, patch_of
from airflow_provider_vibe.replan.facts import RunFacts
from airflow_provider_vibe.replan.proposal import Proposal, propose
from airflow_provider_vibe.replan.writing import written
from airflow_provider_vibe.tools.builtin import builtin_tools
from airflow_provider_vibe.tools.registry import build_registry
from tests.replan.plans import NEWS, RULES, SETTINGS, news, plan_of, without
from tests.replan.test_proposal import Fixed
from tests.replan.test_strategies import suggest

FACTS = RunFacts(SETTINGS)


def proposal_for(plan, change="increase_timeout", node_id="fetch", attempt=1) -> Proposal:
    return propose(plan, [suggest(node_id, change)], FACTS, lineage="run", attempt=attempt)


FIRST = proposal_for(news())
SECOND = proposal_for(FIRST.plan(RULES))


@pytest.fixture(params=["news.vibe.json", "news.vibe.yaml", "news.vibe.yml"])
def path(request, tmp_path) -> Path:
    return write(tmp_path / request.param)


@pytest.fixture
def json_path(tmp_path) -> Path:
    return write(tmp_path / "news.vibe.json")


def write(path: Path, data=None) -> Path:
    path.write_text(written(data or NEWS, path.name, 2**20))
    return path


def applied(proposal, path):
    return apply(proposal, path, approved=proposal.digest, rules=RULES)


def plan_at(path: Path):
    return examine_file(path, RULES).plan_or_raise()


def kept(path: Path) -> list[str]:
    folder = path.parent / ".revisions"
    return sorted(each.name for each in folder.iterdir() if each.name != ".lock") if folder.exists() else []


def test_file_holds_the_next_revision_and_the_old_one_is_kept_byte_by_byte(path):
    before = path.read_bytes() + b"\n"
    path.write_bytes(before)
    done = applied(FIRST, path)
    assert (done.path, done.revision, done.already) == (path, 2, False)
    assert plan_digest(plan_at(path)) == plan_digest(FIRST.plan(RULES))
    (name,) = kept(path)
    assert name == path.name.replace("news", "news.r1")
    assert (path.parent / ".revisions" / name).read_bytes() == before


def test_nothing_else_is_left_beside_it(path):
    applied(FIRST, path)
    assert sorted(each.name for each in path.parent.iterdir()) == [".revisions", path.name]
    assert sorted(each.name for each in (path.parent / ".revisions").iterdir())[0] == ".lock"


def test_notation_stays(path):
    applied(FIRST, path)
    text = path.read_text()
    assert text.startswith("{") == path.name.endswith(".json")


def test_kept_revision_is_no_plan_of_the_folder(path):
    from airflow_provider_vibe.dag.folder import plan_files

    applied(FIRST, path)
    assert plan_files(path.parent) == [path]


def test_notes_of_the_author_stay(json_path):
    write(json_path, {**NEWS, "x-owner": "the desk"})
    applied(FIRST, json_path)
    assert json.loads(json_path.read_text())["x-owner"] == "the desk"


def test_same_proposal_again_says_that_it_is_applied(path):
    applied(FIRST, path)
    content = path.read_bytes()
    assert applied(FIRST, path).already
    assert path.read_bytes() == content and len(kept(path)) == 1


def test_same_proposal_is_still_applied_when_another_followed(path):
    applied(FIRST, path)
    applied(SECOND, path)
    again = applied(FIRST, path)
    assert again.already and again.revision == 2
    assert plan_at(path).revision == 3 and len(kept(path)) == 2


def test_file_that_says_something_else_stays(path):
    changed = write(path, {**NEWS, "tags": ["mine"]}).read_bytes()
    with pytest.raises(PlanChanged, match="has changed since revision 2 of 'news' was proposed"):
        applied(FIRST, path)
    assert path.read_bytes() == changed and kept(path) == []


def test_file_that_only_looks_different_is_the_same_plan(json_path):
    json_path.write_text(json.dumps(dict(reversed(NEWS.items()))))
    assert not applied(FIRST, json_path).already


def test_other_proposal_of_the_same_base_comes_too_late(path):
    other = proposal_for(news(), "retry_with_backoff")
    applied(FIRST, path)
    with pytest.raises(PlanChanged):
        applied(other, path)
    assert plan_digest(plan_at(path)) == plan_digest(FIRST.plan(RULES))


@pytest.mark.parametrize("content", [None, b"{", b'{"id": "news"}'])
def test_file_that_is_gone_or_no_plan_is_told(json_path, content):
    json_path.unlink()
    if content is not None:
        json_path.write_bytes(content)
    with pytest.raises(PlanChanged, match="is no plan that could be replaced"):
        applied(FIRST, json_path)


def test_only_what_was_approved_is_applied(path):
    before = path.read_bytes()
    other = proposal_for(news(), "retry_with_backoff")
    with pytest.raises(NotApproved, match="is not the one that was approved"):
        apply(FIRST, path, approved=other.digest, rules=RULES)
    tampered = FIRST.model_copy(update={"plan_text": other.plan_text})
    with pytest.raises(NotApproved):
        apply(tampered, path, approved=FIRST.digest, rules=RULES)
    assert path.read_bytes() == before and kept(path) == []


def test_plan_whose_tools_have_gone_since_is_not_written(json_path):
    before = json_path.read_bytes()
    rules = PlanRules(tools=type(SETTINGS.tools)({}))
    with pytest.raises(PlanError, match="unknown-tool"):
        apply(FIRST, json_path, approved=FIRST.digest, rules=rules)
    assert json_path.read_bytes() == before


def test_tool_of_the_old_plan_that_has_gone_does_not_matter_to_the_new_one(json_path):
    lesser = propose(
        news(), [suggest("post", "x")], FACTS, lineage="run", planner=Fixed(news(without("post")))
    )
    rules = replace(RULES, tools=build_registry([("the built-in tools", builtin_tools())]))
    assert apply(lesser, json_path, approved=lesser.digest, rules=rules).revision == 2


def test_link_stays_a_link_and_its_file_is_written(tmp_path, json_path):
    link = tmp_path / "links" / "linked.vibe.json"
    link.parent.mkdir()
    link.symlink_to(json_path)
    assert applied(FIRST, link).path == json_path
    assert link.is_symlink() and plan_at(link).revision == 2
    assert kept(json_path) == ["news.r1.vibe.json"] and kept(link) == []


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o444])
def test_who_may_read_and_write_the_file_still_may(json_path, mode):
    json_path.chmod(mode)
    applied(FIRST, json_path)
    assert stat.S_IMODE(json_path.stat().st_mode) == mode


@pytest.mark.skipif(os.geteuid() != 0, reason="only root gives files away")
def test_owner_of_the_file_stays(json_path):
    os.chown(json_path, 12345, 12345)
    applied(FIRST, json_path)
    assert (json_path.stat().st_uid, json_path.stat().st_gid) == (12345, 12345)


def test_other_content_under_the_same_revision_is_kept_too(json_path):
    applied(FIRST, json_path)
    again = {**NEWS, "tags": ["again"]}  # somebody began anew at revision 1
    write(json_path, again)
    applied(proposal_for(plan_of(again)), json_path)
    assert len(kept(json_path)) == 2
    texts = {(json_path.parent / ".revisions" / name).read_text() for name in kept(json_path)}
    assert written(again, "news.vibe.json", 2**20) in texts


# where it cannot be written


def test_folder_that_cannot_be_written_gives_a_patch_that_does_the_same(path, monkeypatch, tmp_path_factory):
    before = path.read_bytes()

    def refuse(*args, **options):  # as a read-only file system does, also to root
        raise OSError(30, "Read-only file system")

    with monkeypatch.context() as patching:
        patching.setattr(Path, "mkdir", refuse)
        with pytest.raises(NotWritable, match="cannot write revision 2 of 'news'"):
            applied(FIRST, path)
    assert path.read_bytes() == before
    copy = patched(path, patch_of(FIRST, path, RULES), tmp_path_factory)
    assert plan_digest(plan_at(copy)) == plan_digest(FIRST.plan(RULES))


def patched(path: Path, patch: str, tmp_path_factory, folder: str = ".") -> Path:
    root = tmp_path_factory.mktemp("checkout")
    copy = root / folder / path.name
    copy.parent.mkdir(exist_ok=True)
    copy.write_bytes(path.read_bytes())
    subprocess.run(["git", "apply"], cwd=root, input=patch.encode(), check=True)
    return copy


def test_patch_of_a_plan_in_a_folder_applies_at_the_root(path, tmp_path_factory):
    patch = patch_of(FIRST, path, RULES, root=path.parent.parent)
    assert plan_at(patched(path, patch, tmp_path_factory, path.parent.name)).revision == 2


def test_kept_revision_that_cannot_be_read_is_not_the_one_that_was_applied(json_path):
    applied(FIRST, json_path)
    write(json_path, {**NEWS, "revision": 3})
    (json_path.parent / ".revisions" / "news.r2.vibe.json").write_bytes(b"")
    with pytest.raises(PlanChanged, match="has changed since revision 2 of 'news' was proposed"):
        applied(FIRST, json_path)


def test_patch_can_be_had_without_trying(path, tmp_path_factory):
    patch = patch_of(FIRST, path, RULES)
    assert plan_at(patched(path, patch, tmp_path_factory)).revision == 2
    assert plan_at(path).revision == 1
    applied(FIRST, path)
    assert patch_of(FIRST, path, RULES) == ""


# two at once, and killed in the middle


@pytest.fixture
def at_once(json_path, monkeypatch):
    """``at_once(one, other)`` applies two proposals, the other one begun while the first is writing."""
    inside, waiting = threading.Event(), threading.Event()
    real_keep, real_lock = applying._keep, fcntl.flock

    def keep(target):
        inside.set()
        assert waiting.wait(30), "the second one did not wait"
        real_keep(target)

    def lock(file, operation):
        if inside.is_set():
            waiting.set()
        real_lock(file, operation)

    def outcome_of(proposal):
        try:
            return applied(proposal, json_path)
        except PlanChanged as error:
            return error

    def run(one, other):
        with ThreadPoolExecutor(2) as pool:
            first = pool.submit(outcome_of, one)
            assert inside.wait(30)
            return first.result, pool.submit(outcome_of, other).result

    monkeypatch.setattr(applying, "_keep", keep)
    monkeypatch.setattr(fcntl, "flock", lock)
    return lambda one, other: [result() for result in run(one, other)]


def test_second_waits_for_the_first_and_then_comes_too_late(json_path, at_once):
    one, other = at_once(FIRST, proposal_for(news(), "retry_with_backoff"))
    assert not one.already and isinstance(other, PlanChanged)
    assert plan_digest(plan_at(json_path)) == plan_digest(FIRST.plan(RULES))
    assert kept(json_path) == ["news.r1.vibe.json"]


def test_same_proposal_twice_at_once_is_applied_once(json_path, at_once):
    one, other = at_once(FIRST, FIRST)
    assert (one.already, other.already) == (False, True)


def test_edit_at_the_last_moment_is_not_lost(json_path, monkeypatch):
    real = applying._keep

    def keep(target):
        real(target)
        json_path.write_text(json.dumps({**NEWS, "tags": ["mine"]}))

    monkeypatch.setattr(applying, "_keep", keep)
    with pytest.raises(PlanChanged, match="was changed at this moment"):
        applied(FIRST, json_path)
    assert plan_at(json_path).tags == ("mine",)
    assert sorted(each.name for each in json_path.parent.iterdir()) == [".revisions", "news.vibe.json"]


STEPS = ("Path.mkdir", "Path.unlink", "Path.replace", "Path.open", "os.fchmod", "os.fchown", "os.fsync")


def killed_at(count: int, path: Path) -> bool:
    """Apply in a process that dies at the operation of that number; False when it ended before."""
    if (child := os.fork()) == 0:
        left = count

        def dying(operation):
            def step(*args, **options):
                nonlocal left
                left -= 1
                if left < 0:
                    os._exit(9)
                return operation(*args, **options)

            return step

        for name in STEPS:
            owner, attribute = {"Path": Path, "os": os}[name.partition(".")[0]], name.partition(".")[2]
            setattr(owner, attribute, dying(getattr(owner, attribute)))
        try:
            applied(FIRST, path)
        finally:
            os._exit(0)
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 9


def test_killed_anywhere_it_leaves_the_old_or_the_new_plan_and_the_next_call_ends_the_same(tmp_path):
    ended, count = False, 0
    seen = set()
    while not ended:
        path = write(_folder(tmp_path, count) / "news.vibe.yaml")
        old = path.read_bytes()
        ended = not killed_at(count, path)
        seen.add(plan_at(path).revision)
        assert plan_at(path).revision == 2 or path.read_bytes() == old
        applied(FIRST, path)
        assert plan_digest(plan_at(path)) == plan_digest(FIRST.plan(RULES))
        assert kept(path) == ["news.r1.vibe.yaml"]
        assert (path.parent / ".revisions" / kept(path)[0]).read_bytes() == old
        assert sorted(each.name for each in path.parent.iterdir()) == [".revisions", "news.vibe.yaml"]
        count += 1
    assert count > 10 and seen == {1, 2}


def _folder(tmp_path: Path, count: int) -> Path:
    folder = tmp_path / str(count)
    folder.mkdir()
    return folder
