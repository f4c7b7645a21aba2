from __future__ import annotations

import pytest

from airflow_provider_vibe.plan.problems import ProblemCode
from airflow_provider_vibe.plan.rules import Limits, PlanRules
from airflow_provider_vibe.tools.registry import load_tools
from tests.plan.plans import (
    CHECKED,
    NOTATIONS,
    TOOLS,
    Tools,
    at_most,
    codes,
    compact,
    composite,
    good,
    node,
    place_of,
    place_of_node,
    plan,
    problem,
    problems,
    warnings,
    written,
)

pytestmark = pytest.mark.parametrize("notation", NOTATIONS)

TOPIC = {"topic": {"type": "string", "default": "AI"}}


def says(node_id, text, **fields):
    return node(node_id, description=text, **fields)


def after(node_id, *dependencies, **fields):
    return node(node_id, dependencies=list(dependencies), **fields)


def asks(tool, node_id="a", **inputs):
    return node(node_id, type="analyze", parameters={"tool": tool, "tool_inputs": inputs})


# references


@pytest.mark.parametrize(
    "text",
    [
        "${params.topic}",
        "${params.topic.deeper.0}",
        "${run.id} ${run.date} ${run.logical_date}",
        "${vibe.style}",
        "${vibe.metadata.anything.goes}",
        "${nodes.first}",
        "${nodes.first.text}",
        "${nodes.v1.2.text}",
        "$${nodes.nobody}",
        "no reference: {x} $y",
    ],
)
def test_a_reference_to_what_is_there_is_fine(text, notation):
    nodes = [node("first"), node("v1.2"), says("second", text, dependencies=["first", "v1.2"])]
    good(plan(*nodes, params=TOPIC), notation=notation)
    nodes[2] = after("second", "first", "v1.2", parameters={"tool_inputs": {"deep": [{"er": text}]}})
    good(plan(*nodes, params=TOPIC), notation=notation)


@pytest.mark.parametrize(
    ("text", "code", "message", "hint"),
    [
        ("${params.topik}", ProblemCode.UNKNOWN_PARAM, "no parameter 'topik'", "did you mean 'topic'?"),
        ("${params.zzz}", ProblemCode.UNKNOWN_PARAM, "no parameter 'zzz'", "declare 'zzz' under 'params'"),
        (
            "${nodes.frist.text}",
            ProblemCode.UNKNOWN_NODE,
            "no node is called 'frist'",
            "did you mean 'first'?",
        ),
        (
            "${nodes.aside}",
            ProblemCode.NOT_UPSTREAM,
            "'aside' is not done before",
            "add 'aside' to its dependencies",
        ),
        (
            "${nodes.second}",
            ProblemCode.NOT_UPSTREAM,
            "'second' is not done before 'second'",
            "an earlier node",
        ),
        (
            "${nodes.third}",
            ProblemCode.NOT_UPSTREAM,
            "'third' is not done before",
            "refer to an earlier node",
        ),
        ("${vibe.stile}", ProblemCode.BAD_REFERENCE, "a vibe has no 'stile'", "did you mean 'style'?"),
        ("${vibe.zzz}", ProblemCode.BAD_REFERENCE, "a vibe has no 'zzz'", "it has description, style"),
        ("${run.conf}", ProblemCode.BAD_REFERENCE, "a run has id, date, logical_date", ""),
        ("${topic}", ProblemCode.BAD_REFERENCE, "'${topic}' is no reference", ""),
        ("costs ${5", ProblemCode.BAD_REFERENCE, "has no end (write $${ for a literal ${)", ""),
    ],
)
def test_a_reference_to_what_is_not_there_is_refused_where_it_stands(text, code, message, hint, notation):
    nodes = [node("first"), node("aside"), says("second", f"Do {text}", dependencies=["first"])]
    data = plan(*nodes, after("third", "second"), params=TOPIC)
    found = problem(data, notation=notation)
    assert found.code is code
    assert message in found.message
    assert hint in (found.hint or "")
    assert found.where.json_pointer == "/root_nodes/2/description"
    assert (found.where.line, found.where.column) == place_of(written(data, notation), f"Do {text}")


def test_a_reference_deep_inside_inputs_is_told_at_its_string(notation):
    data = plan(node("a", parameters={"tool_inputs": {"list": ["x", {"deep": "${params.nope}"}]}}))
    found = problem(data, notation=notation)
    assert found.where.json_pointer == "/root_nodes/0/parameters/tool_inputs/list/1/deep"
    assert (found.where.line, found.where.column) == place_of(written(data, notation), "${params.nope}")


def test_references_are_looked_for_in_descriptions_and_inputs_alone(notation):
    free = "${nothing}"
    good(
        plan(
            node("a", parameters={"note": free, "tool_inputs": {free: 1}}),
            source_vibe={"description": "d", "style": free, "constraints": [free], "metadata": {"m": free}},
            params={"topic": {"type": "string", "description": free, "default": free}},
        ),
        notation=notation,
    )


def test_the_vibe_may_refer_to_the_run_and_its_parameters(notation):
    vibe = {"description": "On ${params.topic}, ${run.date}"}
    good(plan(source_vibe=vibe, params=TOPIC), notation=notation)


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("${vibe.style}", ProblemCode.BAD_REFERENCE),
        ("${nodes.only}", ProblemCode.NOT_UPSTREAM),
        ("${nodes.nobody}", ProblemCode.UNKNOWN_NODE),
        ("${params.nope}", ProblemCode.UNKNOWN_PARAM),
        ("${", ProblemCode.BAD_REFERENCE),
    ],
)
def test_the_vibe_may_not_refer_to_itself_or_to_nodes(text, code, notation):
    data = plan(source_vibe={"description": f"On {text}"})
    found = problem(data, notation=notation)
    assert found.code is code
    assert found.where.json_pointer == "/source_vibe/description"
    assert (found.where.line, found.where.column) == place_of(written(data, notation), f"On {text}")


@pytest.mark.parametrize(
    "nodes",
    [
        # through what a dependency waits for
        [node("x"), after("y", "x"), says("z", "${nodes.x}", dependencies=["y"])],
        # through what the composite around it depends on
        [node("x"), composite("c", says("z", "${nodes.x}"), dependencies=["x"])],
        # through its parent, which did its work before
        [node("x", children=[says("z", "${nodes.x}")])],
        # what is inside of a dependency
        [composite("c", node("x")), says("z", "${nodes.x} ${nodes.c}", dependencies=["c"])],
    ],
)
def test_upstream_is_everything_that_is_done_before(nodes, notation):
    good(plan(*nodes), notation=notation)


@pytest.mark.parametrize(
    "nodes",
    [
        # a composite has its output when all inside it is done
        [composite("x", says("z", "${nodes.x}"))],
        # a dependency on it waits for its beginning only
        [composite("x", says("z", "${nodes.x}", dependencies=["x"]))],
        [composite("c", node("x"), says("z", "${nodes.x}"))],
        [says("z", "${nodes.x}", children=[node("x")])],
    ],
)
def test_what_runs_beside_or_around_a_node_is_not_upstream(nodes, notation):
    assert problem(plan(*nodes), notation=notation).code is ProblemCode.NOT_UPSTREAM


def test_all_bad_references_of_one_text_are_told(notation):
    found = problems(plan(says("a", "${x} ${params.y} ${nodes.z} ${")), notation=notation)
    assert codes(found) == [
        ProblemCode.BAD_REFERENCE,
        ProblemCode.UNKNOWN_PARAM,
        ProblemCode.UNKNOWN_NODE,
        ProblemCode.BAD_REFERENCE,
    ]


def test_references_in_a_cycle_are_told_as_the_cycle_alone(notation):
    data = plan(
        says("a", "${nodes.b}", dependencies=["b"]), says("b", "${nodes.a} ${nodes.c}", dependencies=["a"])
    )
    assert codes(problems(data, notation=notation)) == [ProblemCode.CYCLE, ProblemCode.UNKNOWN_NODE]


def test_a_name_cannot_break_out_of_the_line_of_its_problem(notation):
    found = problem(compact(plan(says("a", "${params.x\ny\u0007}"))), notation=notation)
    assert str(found).isprintable()
    assert "x\\ny\\x07" in found.message


@pytest.mark.parametrize(
    "written_once",
    ["${a}", "${", "${params.x}", "${params.paran}", "${nodes.a}", "${nodes" + ".b" * 9_000 + "}"],
)
def test_a_file_full_of_bad_references_ends(written_once, notation):
    nodes = [says(f"n{index}", written_once * (19_000 // len(written_once))) for index in range(50)]
    params = {f"param{index}": {} for index in range(1_000)}
    text = compact(plan(*nodes, params=params))
    with at_most(1.5):
        found = problems(text, notation=notation)
    assert len(found) == 501 or len(written_once) > 100


def test_a_cycle_full_of_references_ends(notation):
    nodes = [says(f"n{i}", "${nodes.n1}" * 10, dependencies=[f"n{(i + 1) % 1_000}"]) for i in range(1_000)]
    text = compact(plan(*nodes))
    with at_most(5):
        assert problem(text, notation=notation).code is ProblemCode.CYCLE


# tools


def test_a_node_with_a_registered_tool_and_fitting_inputs_is_fine(notation):
    good(plan(asks("keywords", text="t")), CHECKED, notation)


def test_without_a_catalog_nothing_about_tools_is_checked(notation):
    good(plan(asks("anything", what=1)), notation=notation)


@pytest.mark.parametrize("simulate", [False, True])
@pytest.mark.parametrize(
    ("name", "hint"),
    [
        ("keyword", "did you mean 'keywords'?"),
        ("os.system", "only tools that are installed"),
        ("", "only tools that are installed"),
        ("Keywords", "did you mean 'keywords'?"),
    ],
)
def test_a_tool_that_is_not_registered_is_refused_even_when_others_are_simulated(
    name, hint, simulate, notation
):
    data = plan(asks(name))
    rules = PlanRules(tools=TOOLS, simulate_missing=simulate)
    found = problem(data, rules, notation)
    assert found.code is ProblemCode.UNKNOWN_TOOL
    assert found.where.json_pointer == "/root_nodes/0/parameters/tool"
    assert hint in (found.hint or "")
    if name:
        assert (found.where.line, found.where.column) == place_of(written(data, notation), name)


def test_inputs_that_the_tool_does_not_take_are_refused_one_by_one(notation):
    data = plan(asks("keywords", txet="x", text=4711))
    found = problems(data, CHECKED, notation)
    assert codes(found) == [ProblemCode.BAD_TOOL_INPUTS] * 2
    assert [each.where.json_pointer for each in found] == [
        "/root_nodes/0/parameters/tool_inputs/txet",
        "/root_nodes/0/parameters/tool_inputs/text",
    ]
    assert "'keywords' does not take these inputs: 'txet' is not a known key" in found[0].message
    assert (found[1].where.line, found[1].where.column) == place_of(written(data, notation), "4711")


def test_inputs_with_references_are_not_judged_before_these_are_filled_in(notation):
    rules = PlanRules(tools=load_tools())
    params = {"n": {"type": "integer"}}
    good(plan(asks("keywords", top="${params.n}"), params=params), rules, notation)
    found = problem(plan(asks("keywords", top="three"), params=params), rules, notation)
    assert found.code is ProblemCode.BAD_TOOL_INPUTS


@pytest.mark.parametrize("inputs", [[], ["x"], "x", 7, 0, False, ""])
def test_inputs_that_are_no_object_are_refused(inputs, notation):
    data = plan(node("a", type="analyze", parameters={"tool": "keywords", "tool_inputs": inputs}))
    found = problem(data, CHECKED, notation)
    assert found.code is ProblemCode.WRONG_TYPE
    assert found.where.json_pointer == "/root_nodes/0/parameters/tool_inputs"


def test_inputs_that_are_null_are_none(notation):
    good(
        plan(node("a", type="analyze", parameters={"tool": "keywords", "tool_inputs": None})),
        CHECKED,
        notation,
    )


@pytest.mark.parametrize("tool", [7, ["keywords"], {"name": "keywords"}, True])
def test_a_tool_that_is_no_name_is_refused(tool, notation):
    found = problem(plan(node("a", parameters={"tool": tool})), CHECKED, notation)
    assert (found.code, found.where.json_pointer) == (ProblemCode.WRONG_TYPE, "/root_nodes/0/parameters/tool")


def test_a_node_without_a_tool_gets_the_default_one_of_its_type(notation):
    good(plan(node("a"), node("b", parameters={"tool": None})), CHECKED, notation)


def test_the_default_tool_is_given_the_description_as_its_prompt(notation):
    rules = PlanRules(
        tools=Tools(llm_generate=["prompt"], plain=["text"]), default_tools={"generate": "llm_generate"}
    )
    assert rules.inputs_of("llm_generate", {}, "Write") == {"prompt": "Write"}
    assert rules.inputs_of("llm_generate", {"tool_inputs": {"prompt": "Say"}}, "Write") == {"prompt": "Say"}
    assert rules.inputs_of("plain", {"tool_inputs": None}, "Write") == {}


def test_a_default_judge_is_given_the_description_as_its_rubric(notation):
    tools = Tools(judge=["rubric", "text"], both=["rubric", "prompt"], other=["rubric"])
    rules = PlanRules(tools=tools, default_tools={"validate": "judge", "generate": "both"})
    assert rules.inputs_of("judge", {"tool_inputs": {"text": "t"}}, "Good?") == {
        "text": "t",
        "rubric": "Good?",
    }
    assert rules.inputs_of("judge", {"tool_inputs": {"rubric": "r"}}, "Good?") == {"rubric": "r"}
    assert rules.inputs_of("both", {}, "Write") == {"prompt": "Write"}
    assert rules.inputs_of("other", {}, "Good?") == {}


def test_plain_parameters_are_told_below_the_description(notation):
    rules = PlanRules(
        tools=Tools(llm_generate=["prompt"], plain=["prompt"]), default_tools={"generate": "llm_generate"}
    )
    parameters = {
        "tone": "casual",
        "length": 500,
        "share": 0.5,
        "emoji": False,
        "tags": ["a", 2, True],
        "tool": None,
        "none": None,
        "empty": [],
        "nested": {"a": 1},
        "rows": [["a"], ["b"]],
    }
    told = "Write\n\ntone: casual\nlength: 500\nshare: 0.5\nemoji: false\ntags: a, 2, true"
    assert rules.inputs_of("llm_generate", parameters, "Write") == {"prompt": told}
    own = {**parameters, "tool_inputs": {"prompt": "Say"}}
    assert rules.inputs_of("llm_generate", own, "Write") == {"prompt": "Say"}
    assert rules.inputs_of("plain", parameters, "Write") == {}


@pytest.mark.parametrize(("simulate", "chosen"), [(False, False), (False, True), (True, False), (True, True)])
def test_simulation_takes_the_place_of_default_tools_that_nobody_chose(simulate, chosen, notation):
    tools = {"generate": "llm_generate"}
    rules = PlanRules(default_tools=tools, simulate_missing=simulate, default_tools_chosen=chosen)
    assert rules.tool_of("generate", {}) == (None if simulate and not chosen else "llm_generate")
    assert rules.tool_of("generate", {"tool": "keywords"}) == "keywords"
    assert rules.tool_of("composite", {"tool": "keywords"}) is None


def test_a_plan_without_tools_is_one_for_the_model_tools(notation):
    defaults = {kind: f"llm_{kind}" for kind in ("analyze", "generate", "transform", "validate")}
    rules = PlanRules(tools=load_tools(), default_tools=defaults)
    good(plan(*(node(kind, type=kind) for kind in defaults)), rules, notation)


@pytest.mark.parametrize("kind", ["analyze", "transform", "validate"])
def test_a_node_without_any_tool_is_refused_with_what_to_do(kind, notation):
    data = plan(node("first"), node("second", type=kind))
    found = problem(data, CHECKED, notation)
    assert found.code is ProblemCode.MISSING_TOOL
    assert found.message == f"'second' names no tool, and nodes of type {kind} have no default one"
    assert found.where.json_pointer == "/root_nodes/1"
    assert (found.where.line, found.where.column) == place_of_node(
        written(data, notation), "second", notation
    )
    assert "[vibe] missing_tool = simulate" in (found.hint or "")


def test_a_node_without_any_tool_may_be_simulated(notation):
    data = plan(node("a", type="validate"))
    good(data, PlanRules(tools=TOOLS, simulate_missing=True), notation)
    good({**data, "params": {"simulate": {"type": "boolean", "default": False}}}, CHECKED, notation)


def test_a_default_tool_that_does_not_exist_is_told_with_where_it_comes_from(notation):
    rules = PlanRules(tools=TOOLS, default_tools={"generate": "llm_generat"})
    found = problem(plan(), rules, notation)
    assert (found.code, found.where.json_pointer) == (ProblemCode.UNKNOWN_TOOL, "/root_nodes/0")
    assert "'llm_generat', which [vibe] default_tools gives to nodes of type generate" in found.message
    assert found.hint == "did you mean 'llm_generate'?"


def test_a_composite_needs_no_tool(notation):
    good(plan(composite("c", node("a"))), CHECKED, notation)


def test_a_tool_of_a_composite_is_worth_a_warning(notation):
    found = warnings(plan(composite("c", node("a"), parameters={"tool": "keywords"})), CHECKED, notation)
    assert codes(found) == [ProblemCode.IGNORED_TOOL]
    assert found[0].where.json_pointer == "/root_nodes/0/parameters/tool"


def test_the_tools_of_this_package_can_be_asked_for(notation):
    rules = PlanRules(tools=load_tools(), default_tools={"generate": "llm_generate"})
    good(plan(asks("keywords", text="Some text"), node("b")), rules, notation)
    found = problem(plan(asks("keywords", txet="t")), rules, notation)
    assert found.code is ProblemCode.BAD_TOOL_INPUTS
    assert found.where.json_pointer == "/root_nodes/0/parameters/tool_inputs/txet"
    assert found.hint == "did you mean 'text'?"


def test_two_thousand_unknown_tools_end_soon(notation):
    rules = PlanRules(Limits(), tools=TOOLS)
    text = compact(plan(*(asks(f"keyword{index}", f"n{index}") for index in range(2_000))))
    with at_most(5):
        found = problems(text, rules, notation)
    assert len(found) == 501
