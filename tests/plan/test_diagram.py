from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_vibe.plan.diagram import PlanToDraw, ascii_diagram, mermaid_diagram
from airflow_provider_vibe.plan.models import NodeType, WorkflowPlan

CASES = sorted((Path(__file__).parents[1] / "data" / "oracle" / "cases").iterdir())


def node(node_id: str, description: str = "Work", **more: Any) -> Any:
    defaults: dict[str, Any] = {"type": NodeType.ANALYZE, "dependencies": [], "children": []}
    return SimpleNamespace(id=node_id, description=description, **(defaults | more))


def plan(*nodes: Any, **more: Any) -> Any:
    vibe = SimpleNamespace(description="A vibe")
    return SimpleNamespace(
        **({"id": "p", "source_vibe": vibe, "estimated_total_duration": None, "root_nodes": nodes} | more)
    )


def stand_in(data: dict[str, Any]) -> Any:
    """The plan of an oracle case; WorkflowPlan refuses none of them by shape, but this needs no shape."""

    def nodes(items: list[dict[str, Any]]) -> list[Any]:
        return [
            node(
                item["id"],
                item["description"],
                type=NodeType(item["type"]),
                dependencies=item.get("dependencies", []),
                children=nodes(item.get("children", [])),
            )
            for item in items
        ]

    vibe = SimpleNamespace(description=data["source_vibe"]["description"])
    duration = data.get("estimated_total_duration")
    return plan(
        *nodes(data["root_nodes"]), id=data["id"], source_vibe=vibe, estimated_total_duration=duration
    )


# as the original draws it


@pytest.fixture(params=CASES, ids=lambda path: path.name)
def case(request: pytest.FixtureRequest) -> tuple[Any, dict[str, Any]]:
    read = {name: json.loads((request.param / name).read_text()) for name in ("plan.json", "expected.json")}
    return stand_in(read["plan.json"]), read["expected.json"]


def without_ghosts(lines: list[str]) -> list[str]:
    """The one difference: no arrow from a node that is not there (vibe-aigc 0.7.1 makes one up)."""
    known = {re.match(r"    (\w+)\W", line)[1] for line in lines if ":::" in line}  # type: ignore[index]
    return [line for line in lines if "-->" not in line or line.split()[0] in known]


def test_a_plan_is_drawn_as_the_original_draws_it(case: tuple[Any, dict[str, Any]]) -> None:
    drawn, expected = case
    assert ascii_diagram(drawn).splitlines() == expected["ascii_plan"]
    assert mermaid_diagram(drawn).splitlines() == without_ghosts(expected["mermaid_plan"])


def test_a_run_is_drawn_as_the_original_draws_it(case: tuple[Any, dict[str, Any]]) -> None:
    drawn, expected = case
    if "ascii" not in expected:
        pytest.skip("the original has no result of this plan")
    summary = expected["summary"] | {"duration": 1.5, "parallel_efficiency": 0.25}
    lines = ascii_diagram(drawn, expected["statuses"], summary).splitlines()
    assert len(lines) == len(expected["ascii"])
    for line, recorded in zip(lines, expected["ascii"], strict=True):
        assert re.fullmatch(re.escape(recorded).replace(r"\*", ".*"), line)
    assert lines[-2:] == ["Duration: 1.50s", "Parallel Efficiency: 25.0%"]
    assert mermaid_diagram(drawn, expected["statuses"]).splitlines() == without_ghosts(expected["mermaid"])


def test_a_workflow_plan_is_a_plan_to_draw() -> None:
    read = WorkflowPlan.model_validate(
        {
            "id": "p",
            "source_vibe": {"description": "A vibe"},
            "root_nodes": [{"id": "a", "type": "validate", "description": "b"}],
        }
    )
    drawn: PlanToDraw = read
    assert "└── ⏳ [validate] b (a)" in ascii_diagram(drawn)
    assert "a((b)):::pending" in mermaid_diagram(drawn)


# ASCII


def test_the_estimate_is_in_the_header() -> None:
    assert ascii_diagram(plan(estimated_total_duration=90)).split("\n")[3:] == [
        "Estimated Duration: 90s",
        "",
    ]


def test_a_node_named_like_its_description_is_named_once() -> None:
    assert ascii_diagram(plan(node("a", "a"))).endswith("└── ⏳ [analyze] a")


def test_each_status_has_its_sign() -> None:
    nodes = [node(status) for status in ("pending", "running", "completed", "failed", "skipped", "lost")]
    drawn = ascii_diagram(plan(*nodes), {each.id: each.id for each in nodes})
    assert [line.split()[1] for line in drawn.splitlines()[4:]] == ["⏳", "🔄", "✅", "❌", "⏭️", "❓"]


def test_the_efficiency_is_left_out_when_it_is_not_known() -> None:
    summary = {"status": "failed", "completed": 1, "total_nodes": 2, "duration": 0.0}
    assert ascii_diagram(plan(), {}, summary).endswith("Status: failed\nCompleted: 1/2\nDuration: 0.00s")


def test_a_text_cannot_break_out_of_its_line() -> None:
    evil = "a\n└── ✅ [analyze] fake\r\x1b[2J\u2028\u202e"
    drawn = ascii_diagram(plan(node(evil, evil, dependencies=[evil]), id=evil, source_vibe=node("", evil)))
    assert len(drawn.splitlines()) == 6
    assert all(line.isprintable() for line in drawn.splitlines())


def test_depth_is_no_recursion() -> None:
    deepest = node("bottom")
    for level in range(2000):
        deepest = node(f"n{level}", children=[deepest])
    assert "(bottom)" in ascii_diagram(plan(deepest))
    assert "    n0 --> bottom" in mermaid_diagram(plan(deepest))


# Mermaid

ID = r"[A-Za-z0-9_]+(?:[.-][A-Za-z0-9_]+)*"
LABEL = r"""(?:[^-/\s"()\[\]{}|<>;`@*\\^~$][^"()\[\]{}|<>;`@*\\^~$]*|"(?:[^"#%;:{}<>&`*\\$]|\#[0-9]+;)+")"""
SHAPES = [
    rf"\(\[{LABEL}\]\)",
    rf"\[{LABEL}\]",
    rf"\{{\{{{LABEL}\}}\}}",
    rf"\(\({LABEL}\)\)",
    rf"\[\[{LABEL}\]\]",
]
NODE = re.compile(rf"    ({ID})(?:{'|'.join(SHAPES)}):::(?:completed|failed|running|skipped|pending)")
ARROW = re.compile(rf"    ({ID}) --> ({ID})")
STYLE = re.compile(r"    classDef (?:completed|failed|running|skipped|pending) fill:#\w{6},stroke:#\w{6}")
KEYWORD = re.compile(
    r"(?:end|graph|subgraph|style|class|classDef|click|call|href|linkStyle|flowchart|_self|_top)(?:[.-].*)?"
)


def parsed(diagram: str) -> tuple[list[str], list[tuple[str, str]]]:
    """The nodes and arrows of a diagram in a strict part of Mermaid's grammar, tried with Mermaid 11.17."""
    head, *lines = diagram.split("\n")
    assert head == "graph TD"
    assert "direction LR" not in diagram and "%%" not in diagram
    blank = lines.index("")
    assert all(STYLE.fullmatch(line) for line in lines[blank + 1 :])
    nodes = [match[1] for match in map(NODE.fullmatch, lines[:blank]) if match]
    arrows = [(match[1], match[2]) for match in map(ARROW.fullmatch, lines[:blank]) if match]
    assert len(nodes) + len(arrows) == blank, lines[:blank]
    assert not any(KEYWORD.fullmatch(name) for name in nodes)
    assert {name for arrow in arrows for name in arrow} <= set(nodes)
    return nodes, arrows


HOSTILE = [
    *(
        "a b",
        "a/b",
        ".",
        '"',
        "'",
        "[",
        "]",
        "([",
        "{{",
        "}}",
        "((",
        "|",
        "<",
        ">",
        "`x`",
        "@",
        "a@{shape: x}",
        "\\",
        "$$x$$",
    ),
    *(
        '"]; click a href "javascript:alert(1)"',
        "%%{init: {'theme': 'dark'}}%%",
        "%% comment",
        "-->",
        "a --> b",
        "---",
        "- a",
    ),
    *(
        ":::",
        "a:::failed",
        "#",
        "#quot;",
        "#35;",
        ";",
        "&amp;",
        "<script>",
        "${params.topic}",
        "style:#x;",
        "accDescr {x}",
    ),
    *(
        "end",
        "the end",
        "graph",
        "subgraph",
        "class",
        "classDef",
        "click",
        "style",
        "linkStyle",
        "default",
        "flowchart",
    ),
    *(
        "flowchart-elk",
        "call",
        "href",
        "_self",
        "interpolate",
        "direction",
        "direction LR",
        "TB1",
        "LR",
        "end-a",
        "graph.a",
    ),
    *(
        "\n",
        "a\nb",
        "\r\n",
        "\t",
        "\0",
        "\x1b[31m",
        "\u2028",
        "\u202eabc",
        "🎉",
        "日本",
        "é",
        "x" * 300,
        "ab " * 100,
        "",
        " ",
    ),
    *(
        "1",
        "_",
        "a-",
        "-a",
        "a--b",
        "a-.b",
        "a..b",
        "n_12345678",
        "o",
        "x",
        "/a/",
        "\\a\\",
        "1. first",
        "100%",
        "é: (ü)",
    ),
]


@pytest.mark.parametrize("text", HOSTILE, ids=lambda text: repr(text[:20]))
def test_any_id_and_any_label_make_a_valid_diagram(text: str) -> None:
    types = list(NodeType)
    nodes = [node(f"{text}{kind}", text, type=kind, dependencies=[text]) for kind in types]
    drawn = plan(node(text, text, children=nodes), node("other", dependencies=[text]))
    names, arrows = parsed(mermaid_diagram(drawn))
    assert len(set(names)) == len(names) == len(types) + 2
    assert len(arrows) == 2 * len(types) + 1


TEXTS = st.text(max_size=8) | st.lists(st.sampled_from(HOSTILE), min_size=1, max_size=3).map("".join)


@given(
    st.lists(st.tuples(TEXTS, TEXTS, st.sampled_from(NodeType)), max_size=6, unique_by=lambda item: item[0])
)
@settings(deadline=None)
def test_different_ids_have_different_names_whatever_they_are(items: list[tuple[str, str, NodeType]]) -> None:
    ids = [node_id for node_id, _, _ in items]
    nodes = [node(node_id, label, type=kind, dependencies=ids) for node_id, label, kind in items]
    names, arrows = parsed(mermaid_diagram(plan(*nodes)))
    assert len(set(names)) == len(ids)
    assert arrows == [(before, after) for after in names for before in names]


@pytest.mark.parametrize(
    "node_id", ["a", "A1", "fetch_data", "fetch-data", "v1.2", "1", "ending", "x", "End", "a-end"]
)
def test_an_ordinary_id_is_kept(node_id: str) -> None:
    assert parsed(mermaid_diagram(plan(node(node_id))))[0] == [node_id]


@pytest.mark.parametrize(
    "label", ["Step a", "Don't stop: go, go!", "50% of A & B?", "größer 日本 🎉", "end of it", "a --> b", "-"]
)
def test_an_ordinary_label_is_kept(label: str) -> None:
    drawn = mermaid_diagram(plan(node("a", label, type=NodeType.GENERATE)))
    assert (f"a[{label}]:::" in drawn) is (label not in ("a --> b", "-"))


def test_other_labels_are_quoted_with_their_characters_as_entities() -> None:
    drawn = mermaid_diagram(plan(node("a", 'Say "hi"\n(#1; ${x})')))
    assert 'a(["Say #34;hi#34; (#35;1#59; #36;#123;x#125;)"]):::' in drawn


def test_a_long_label_is_cut_as_the_original_cuts_it() -> None:
    assert "(" + "x" * 30 + "...)" in mermaid_diagram(plan(node("a", "x" * 31, type=NodeType.VALIDATE)))
    assert "(" + "x" * 30 + ")" in mermaid_diagram(plan(node("a", "x" * 30, type=NodeType.VALIDATE)))


def test_a_node_without_a_text_shows_its_id() -> None:
    assert "a([a]):::" in mermaid_diagram(plan(node("a", " ")))


def test_the_name_of_an_unusual_id_depends_on_nothing_else() -> None:
    alone = parsed(mermaid_diagram(plan(node("a b"))))[0]
    assert alone == ["n_c8687a08"]
    assert parsed(mermaid_diagram(plan(node("n_c8687a08"), node("x y"), node("a b"))))[0][2:] == alone


def test_two_ids_of_the_same_short_hash_have_different_names(monkeypatch: pytest.MonkeyPatch) -> None:
    digest = SimpleNamespace(hexdigest=iter(["ab" * 32, "ab" * 4 + "cd" * 28]).__next__)
    monkeypatch.setattr("hashlib.sha256", lambda _: digest)
    names, _ = parsed(mermaid_diagram(plan(node("a b"), node("c d"))))
    assert len(set(names)) == 2
