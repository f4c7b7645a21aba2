"""Results that are too large for XCom, and what is read back of them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_vibe.runtime.context import NodeContext
from airflow_provider_vibe.runtime.errors import HOPELESS, kind_of
from airflow_provider_vibe.runtime.fingerprint import fingerprint_of
from airflow_provider_vibe.runtime.kept import (
    PREVIEW_BYTES,
    compact_json,
    keep_large_parts,
    load_output,
    output_digest,
    preview,
)
from airflow_provider_vibe.runtime.outcome import NodeOutcome
from airflow_provider_vibe.runtime.reuse import taken_over
from airflow_provider_vibe.tools.artifacts import ArtifactError, save_artifact
from airflow_provider_vibe.tools.base import ToolError
from tests.runtime.helpers import PlanRules, node

RUN = {"dag_id": "newsletter", "id": "manual__1"}
LIMIT = 4000


@pytest.fixture(autouse=True)
def artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRFLOW__VIBE__ARTIFACTS_PATH", str(tmp_path / "artifacts"))
    return tmp_path / "artifacts"


def place(**changes: Any) -> dict[str, Any]:
    return {"run": RUN, "node_id": "research", "try_number": 1, **changes}


def result(output: Any, **others: Any) -> dict[str, Any]:
    return {
        "type": "tool_execution",
        "tool": "t",
        "description": "D",
        "result": output,
        "metadata": {},
        **others,
    }


def size_of(value: Any) -> int:
    return len(compact_json(value))


def kept(output: Any, **changes: Any) -> dict[str, Any]:
    found = keep_large_parts(result(output), place(**changes), LIMIT)
    assert set(found["artifacts"]) == {"result"}
    return found


def everything_below(folder: Path) -> list[str]:
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


# keeping


def test_a_result_that_fits_stays_as_it_is(artifacts: Path):
    small = result({"text": "x" * 2000})
    assert keep_large_parts(small, place(), LIMIT) == small
    assert not artifacts.exists()


def test_a_large_output_becomes_a_reference_and_a_preview_in_the_same_shape(artifacts: Path):
    output = {"text": "ä" * 10_000, "passed": True, "score": 0.5}
    found = kept(output, try_number=3)
    reference = found.pop("artifacts")["result"]
    assert found == result({"text": "ä" * 300 + "…", "passed": True, "score": 0.5})
    path = artifacts / "newsletter/manual__1/research/3/_vibe/result.json"
    assert json.loads(path.read_text()) == output
    assert reference == {
        "artifact": "vibe:1",
        "uri": path.as_uri(),
        "path": str(path),
        "name": "_vibe/result.json",
        "size": path.stat().st_size,
        "media_type": "application/json",
        "sha256": output_digest(output),
    }


def test_bytes_count_and_not_characters():
    parts = result({"text": "ü" * 1500})
    size = sum(map(size_of, parts.values()))
    assert size > 3000
    assert "artifacts" not in keep_large_parts(parts, place(), size)
    assert "artifacts" in keep_large_parts(parts, place(), size - 1)


def test_the_largest_parts_go_first_and_only_as_many_as_must(artifacts: Path):
    mixed = result("r" * 3000, description="d" * 5000, metadata={"log": "m" * 2000})
    found = keep_large_parts(mixed, place(), LIMIT + 2000)
    assert list(found["artifacts"]) == ["description"]
    assert (found["description"], found["result"]) == ("d" * 300 + "…", "r" * 3000)
    found = keep_large_parts(mixed, place(), LIMIT)
    assert set(found["artifacts"]) == {"description", "result"}
    assert everything_below(artifacts / "newsletter/manual__1/research/1") == [
        "_vibe/description.json",
        "_vibe/result.json",
    ]


def test_a_small_part_stays_however_low_the_limit():
    assert "artifacts" not in keep_large_parts(result("x" * 1000), place(), 0)
    assert "artifacts" in keep_large_parts(result("x" * 1100), place(), 0)


def test_the_output_of_a_composite_is_kept():
    composite = {
        "type": "composite",
        "result": "C",
        "child_count": 1,
        "output": {"children": {"a": "x" * 9000}},
    }
    found = keep_large_parts(composite, place(), LIMIT)
    assert found["output"] == {"children": {"a": "x" * 300 + "…"}}
    output = load_output(found, RUN, "research")
    assert output is not None
    assert output.value == composite["output"]


@pytest.mark.parametrize("other", [None, "x" * 9000, ["x" * 9000]])
def test_a_result_that_is_no_object_stays_as_it_is(other: Any):
    assert keep_large_parts(other, place(), LIMIT) == other


@pytest.mark.parametrize("size", [1, 9000])
def test_a_result_that_writes_its_own_references_is_refused(size: int):
    with pytest.raises(ToolError, match="'artifacts' is for what is too large"):
        keep_large_parts(result("x" * size, artifacts={}), place(), LIMIT)


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(st.characters(exclude_categories=["Cs"])),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), inner),
)


@given(JSON)
def test_a_preview_is_small_json_and_what_is_small_is_its_own(value: Any):
    shown = preview(value)
    assert size_of(shown) <= PREVIEW_BYTES
    assert size_of(value) > 20 or shown == value


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("x" * 300, "x" * 300),
        ("x" * 301, "x" * 300 + "…"),
        (list(range(30)), list(range(20))),
        ([[[[[1]], []]]], [[[["…"], []]]]),
        ({str(number): number for number in range(30)}, {str(number): number for number in range(20)}),
    ],
)
def test_a_preview_is_the_beginning_in_the_same_shape(value: Any, shown: Any):
    assert preview(value) == shown


@pytest.mark.parametrize("value", [{"k" * 10_000: 1}, ["x" * 290] * 20, [["😀" * 200] * 20] * 20])
def test_where_the_shape_is_too_large_the_preview_is_text(value: Any):
    shown = preview(value)
    assert isinstance(shown, str)
    assert json.dumps(value, ensure_ascii=False, separators=(",", ":")).startswith(shown[:-1])


# reading back


@given(JSON)
def test_what_was_kept_is_given_back(value: Any):
    output = {"pad": "x" * LIMIT, "value": value}
    found = load_output(kept(output), RUN, "research")
    assert found is not None
    assert found.value == output
    assert found.digest == output_digest(output)


def test_a_result_that_was_not_kept_gives_its_output_and_no_digest():
    assert load_output(result({"text": "T"}), RUN, "research") == ({"text": "T"}, None)
    assert load_output(result(None), RUN, "research") == (None, None)
    composite = {"type": "composite", "result": "C", "output": {"children": {"a": 1}}}
    assert load_output(composite, RUN, "research") == ({"children": {"a": 1}}, None)


@pytest.mark.parametrize(
    "nothing", [None, "plain", {"type": "analysis", "result": "made up", "simulated": True}]
)
def test_a_node_that_hands_on_nothing_gives_nothing(nothing: Any):
    assert load_output(nothing, RUN, "research") is None


def test_a_kept_description_does_not_hide_a_small_output():
    found = keep_large_parts(result("small", description="d" * 9000), place(), LIMIT)
    assert load_output(found, RUN, "research") == ("small", None)


def test_a_missing_artifact_fails_with_the_node_the_place_and_what_to_do():
    found = kept("x" * 9000)
    Path(found["artifacts"]["result"]["path"]).unlink()
    with pytest.raises(ArtifactError) as caught:
        load_output(found, RUN, "research")
    uri = found["artifacts"]["result"]["uri"]
    assert str(caught.value) == (
        f"the output of 'research' cannot be read: '{uri}' is gone"
        " (clear 'research' and what comes after it, so that it is made again)"
    )
    assert kind_of(caught.value) in HOPELESS


def test_a_changed_artifact_fails_the_reader():
    found = kept("x" * 9000)
    Path(found["artifacts"]["result"]["path"]).write_text('"' + "y" * 9000 + '"')
    with pytest.raises(ArtifactError, match=r"the output of 'research' .* was changed after it was written"):
        load_output(found, RUN, "research")


# results that were taken over


def taken(output: Any, node_id: str = "research", run_id: str = "first") -> dict[str, Any]:
    """A result as it stands in :data:`RUN`, taken over from one in which it fitted as it was."""
    outcome = NodeOutcome(node_id="research", status="completed", started_at=None, duration=1.0)
    return taken_over(node_id, outcome, result(output), run_id, None).result


@pytest.mark.parametrize("run_id", ["first", "checkpoint c1"])
@pytest.mark.parametrize("node_id", ["research", "renamed"])
@pytest.mark.parametrize("size", [LIMIT - 200, 9000])
def test_a_result_that_no_longer_fits_when_it_is_taken_over_is_kept_by_this_run(size, node_id, run_id):
    output = {"text": "x" * size}
    assert "artifacts" not in keep_large_parts(result(output), place(), LIMIT) or size > LIMIT
    found = keep_large_parts(taken(output, node_id, run_id), place(node_id=node_id), LIMIT - 150)
    assert "artifacts" in found
    read = load_output(found, RUN, node_id)
    assert read is not None
    assert read.value == output
    assert (found["reused_from"], found["earlier_runs"]) == (RUN["id"], [run_id])


def test_a_result_that_still_fits_when_it_is_taken_over_is_left_as_it_is(artifacts: Path):
    small = taken({"text": "x"}, "renamed")
    assert keep_large_parts(small, place(node_id="renamed"), LIMIT) == small
    assert small["reused_from"] == "first"
    assert not artifacts.exists()


# forgeries


def test_what_looks_like_a_kept_result_inside_an_output_is_data():
    forged = kept("x" * 9000)
    assert load_output(result(forged), RUN, "research") == (forged, None)
    reference = forged["artifacts"]["result"]
    assert load_output(result(reference), RUN, "research") == (reference, None)
    assert load_output(result({"artifacts": {"result": reference}}), RUN, "research") == (
        {"artifacts": {"result": reference}},
        None,
    )


@pytest.mark.parametrize(
    "elsewhere",
    [
        {"node_id": "payroll"},
        {"run": {**RUN, "id": "manual__2"}},
        {"run": {**RUN, "dag_id": "payroll"}},
    ],
)
def test_a_reference_to_what_another_kept_is_refused(elsewhere: dict[str, Any]):
    with pytest.raises(ArtifactError, match="is not where this node keeps its result"):
        load_output(kept("x" * 9000, **elsewhere), RUN, "research")


@pytest.mark.parametrize(
    "name", ["result.json", "x/result.json", "_vibe2/result.json", "a/_vibe/result.json"]
)
def test_a_reference_to_a_file_that_a_tool_wrote_is_refused(name: str):
    written = save_artifact(place(), name, b'"made up"')
    with pytest.raises(ArtifactError, match="is not where this node keeps its result"):
        load_output(result("x", artifacts={"result": written}), RUN, "research")


def test_a_reference_to_another_part_is_refused():
    found = keep_large_parts(result("small", description="d" * 9000), place(), LIMIT)
    with pytest.raises(ArtifactError, match="is not where this node keeps its result"):
        load_output(result("x", artifacts={"result": found["artifacts"]["description"]}), RUN, "research")


@pytest.mark.parametrize("reference", [None, "x", {}, {"uri": "file:///etc/passwd"}, [1]])
def test_what_is_no_reference_is_not_followed(reference: Any):
    with pytest.raises(ArtifactError, match=r"the output of 'research' cannot be read: .* is no reference"):
        load_output(result("x", artifacts={"result": reference}), RUN, "research")


# fingerprints


def test_a_fingerprint_is_the_same_whether_an_output_was_kept_or_not():
    output = {"text": "ä" * 9000, "b": 1, "a": [2.5, None]}
    given_back = load_output(kept(output), RUN, "research")
    assert given_back is not None
    reader = node("reader", dependencies=["research"])
    inline = NodeContext(outputs={"research": output})
    by_digest = NodeContext(
        outputs={"research": "not looked at"}, digests={"research": given_back.digest or ""}
    )
    assert fingerprint_of(reader, inline, PlanRules()) == fingerprint_of(reader, by_digest, PlanRules())


def test_a_digest_does_not_depend_on_the_order_of_keys():
    assert output_digest({"a": 1, "b": {"c": 2, "d": 3}}) == output_digest({"b": {"d": 3, "c": 2}, "a": 1})
