from __future__ import annotations

import asyncio
import copy
import subprocess
import sys
import textwrap
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from airflow_provider_vibe.tools import Tool, ToolError, build_registry, builtin_tools, load_tools, tool
from airflow_provider_vibe.tools.builtin import MODULES, BuiltinTool
from airflow_provider_vibe.tools.registry import BUILT_IN, ToolRegistry
from airflow_provider_vibe.tools.schemas import checked_schema
from tests.tools.helpers import PlainTool

BUILT_IN_NAMES = (
    "combine",
    "feed_read",
    "html_to_markdown",
    "http_get",
    "image_card",
    "image_generate",
    "json_schema",
    "keywords",
    "llm_analyze",
    "llm_generate",
    "llm_transform",
    "llm_validate",
    "markdown_to_html",
    "read_file",
    "render_chart",
    "template_fill",
    "text_profile",
    "text_rules",
    "write_file",
)


def registry(*offered: Any) -> ToolRegistry:
    return build_registry([(f"source {number}", one) for number, one in enumerate(offered)])


@pytest.fixture
def module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    """Writes an importable module and gives its name."""
    monkeypatch.syspath_prepend(tmp_path)
    names = iter(f"vibe_test_module_{tmp_path.name.replace('-', '_')}_{number}" for number in range(9))

    def write(source: str) -> str:
        name = next(names)
        (tmp_path / f"{name}.py").write_text(textwrap.dedent(source))
        return name

    return write


FACTORY = """
    from tests.tools.helpers import PlainTool
    from airflow_provider_vibe.tools import tool

    def one(): return PlainTool("one")
    def several(): return [PlainTool("one"), PlainTool("two")]
    def lazily(): yield PlainTool("one")
    def nothing(): return None
    def breaks(): raise ValueError("no token")
    number = 5
    class Made(PlainTool):
        def __init__(self): super().__init__("made")
    class Holder:
        one = staticmethod(one)
    @tool
    def decorated(text: str) -> str: return text
"""


def refusal(candidate: Any) -> str:
    """Why a tool is refused: alone, and whatever it is given."""
    tools = registry(candidate, PlainTool("other"))
    assert tools.check_inputs("other", {}) == []
    (name,) = set(tools) - {"other"}
    (issue,) = tools.check_inputs(name, {"any": 1})
    with pytest.raises(ToolError, match=f"tool '{name}' cannot be used"):
        asyncio.run(tools[name].execute({}, {}))
    assert tools[name].description == f"Cannot be used: {issue}"
    return str(issue)


def test_is_a_mapping_of_names_to_tools():
    first, second = PlainTool("b"), PlainTool("a")
    tools = registry([first, second])
    assert tools.names == ("a", "b")
    assert (tools["b"], tools.get("a"), tools.get("c")) == (first, second, None)
    assert "a" in tools and "c" not in tools and list(tools) == ["a", "b"] and len(tools) == 2
    assert tools.origin("a") == "source 0"


def test_cannot_be_changed():
    with pytest.raises(TypeError):
        registry()["a"] = PlainTool("a")  # type: ignore[index]  # that is the point


def test_takes_a_tool_an_iterable_a_registry_and_a_callable():
    tools = registry(
        PlainTool("a"),
        (PlainTool(name) for name in "bc"),
        registry(PlainTool("d")),
        lambda: [PlainTool("e")],
        PlainTool,
    )
    assert tools.names == ("a", "b", "c", "d", "e", "plain")


def test_two_tools_of_one_name_are_an_error_that_names_both_sources():
    with pytest.raises(ToolError, match=r"'combine': one from the built-in tools, one from factory 'a\.b'"):
        build_registry([(BUILT_IN, builtin_tools()), ("factory 'a.b'", PlainTool("combine"))])


def of_module(module: str) -> Any:
    """A vibe-aigc tool called ``combine`` whose class comes from *module*."""
    tool = type("CombineTool", (), {"__module__": module})()
    tool.spec = SimpleNamespace(name="combine", description="", input_schema={})
    tool.execute = lambda inputs, context: None
    return tool


def test_what_vibe_aigc_brings_under_a_built_in_name_gives_way():
    tools = build_registry([(BUILT_IN, builtin_tools()), ("factory 'a.b'", of_module("vibe_aigc.tools"))])
    assert tools.origin("combine") == BUILT_IN


def test_what_a_user_wrote_for_vibe_aigc_does_not_give_way():
    with pytest.raises(ToolError, match="two tools are called 'combine'"):
        build_registry([(BUILT_IN, builtin_tools()), ("factory 'a.b'", of_module("my.tools"))])


@pytest.mark.parametrize("offered", [None, 5, "text", [5], [[PlainTool()]], {"a": 5}, [PlainTool]])
def test_what_is_no_tool_is_refused(offered: Any):
    with pytest.raises(ToolError, match="source 0"):
        registry(offered)


@pytest.mark.parametrize("name", [None, "", "  ", 5, ["a"]])
def test_a_name_must_be_a_text(name: Any):
    with pytest.raises(ToolError, match="expected a text"):
        registry(PlainTool(name))


def test_a_description_must_be_a_text():
    assert refusal(PlainTool(description=None)) == "it has no description (a string)"


@pytest.mark.parametrize(
    ("schema", "reason"),
    [
        (5, "is an int"),
        ({"type": "text"}, "no JSON Schema"),
        ({"properties": {"a": "string"}}, "/properties/a"),
        ({"pattern": "["}, "no JSON Schema"),
        ({"items": [{"type": "string"}]}, "no JSON Schema"),
        ({"default": {1, 2}}, "plain JSON"),
        ({"default": float("nan")}, "plain JSON"),
        ({"properties": {"a": {"$ref": "https://example.org/a.json"}}}, "not in it"),
        ({"properties": {"a": {"$ref": "#/$defs/b"}}, "$defs": {"a": {}}}, "not in it"),
    ],
)
def test_an_input_schema_that_cannot_be_used_is_refused(schema: Any, reason: str):
    assert reason in refusal(PlainTool(schema=schema))


class Raising(PlainTool):
    """Fails when it is looked at."""

    def __init__(self, attribute: str, error: Exception | None = None) -> None:
        self._raises = (attribute, error or RuntimeError("no\nlicence"))
        super().__init__()

    def __getattribute__(self, name: str) -> Any:
        attribute, error = object.__getattribute__(self, "_raises")
        if name == attribute:
            raise error
        return object.__getattribute__(self, name)


@pytest.mark.parametrize("attribute", ["input_schema", "description", "execute"])
def test_a_tool_that_fails_when_it_is_looked_at_hurts_no_other(attribute: str, caplog: Any):
    assert refusal(Raising(attribute)) == r"RuntimeError: no\nlicence"
    assert r"source 0: tool 'plain' cannot be used: RuntimeError: no\nlicence" in caplog.text


def test_a_foreign_tool_that_fails_when_it_is_looked_at_hurts_no_other():
    spec = Raising("input_schema")
    assert refusal(SimpleNamespace(spec=spec, execute=lambda inputs, context: None)).startswith(
        "RuntimeError"
    )


def test_a_tool_that_does_not_even_tell_its_name_is_an_error_that_says_whose():
    with pytest.raises(ToolError, match=r"test_registry\.Raising fails when it is asked for its name"):
        registry(Raising("name"))


def test_a_source_that_fails_while_it_lists_its_tools_is_an_error_that_names_it():
    def tools():
        yield PlainTool()
        raise RuntimeError("half")

    with pytest.raises(ToolError, match="source 0: its tools cannot be listed: RuntimeError: half"):
        registry(tools)


@pytest.mark.parametrize(
    "schema", [{"$ref": "#"}, {"allOf": [{"$ref": "#/$defs/a"}], "$defs": {"a": {"$ref": "#"}}}]
)
def test_a_schema_that_leads_in_circles_is_an_issue_of_the_inputs(schema: Any):
    tools = registry(PlainTool(schema=schema), PlainTool("other"))
    (issue,) = tools.check_inputs("plain", {})
    assert str(issue).startswith("its input_schema cannot be used: RecursionError")
    assert tools.check_inputs("other", {}) == []


def test_a_tool_that_fails_only_later_takes_no_inputs():
    tool = Raising("nothing yet")
    tools = registry(tool)
    tool._raises = ("input_schema", AttributeError("gone"))
    assert not tools.takes("plain", "prompt")
    (issue,) = tools.check_inputs("plain", {})
    assert str(issue) == "its input_schema cannot be used: AttributeError: gone"


def test_references_inside_a_schema_are_followed():
    schema = {
        "properties": {"a": {"$ref": "#/$defs/b"}, "$ref": {"type": "string"}},
        "$defs": {"b": {"type": "string"}},
        "examples": [{"$ref": "https://example.org"}],
    }
    tools = registry(PlainTool(schema=schema))
    (issue,) = tools.check_inputs("plain", {"a": 5})
    assert str(issue) == "a: must be a string, not a whole number"


def test_inputs_are_checked_by_name_with_and_without_references():
    tools = load_tools()
    assert (
        tools.check_inputs("keywords", {"text": "${params.t}", "top": "${params.n}"}, lambda text: True) == []
    )
    (issue,) = tools.check_inputs("keywords", {"topp": 5})
    assert issue.hint == "did you mean 'top'?"
    with pytest.raises(KeyError):
        tools.check_inputs("nothing", {})


def test_tells_which_inputs_a_tool_takes():
    tools = load_tools()
    assert tools.takes("llm_generate", "prompt")
    assert not tools.takes("combine", "prompt")
    assert not tools.takes("nothing", "prompt")
    assert registry(PlainTool(schema={"required": ["a"]})).takes("plain", "prompt")


def test_the_built_in_tools_are_there_and_well_made():
    tools = load_tools()
    assert tools.names == BUILT_IN_NAMES
    for built_in in tools.values():
        assert checked_schema(built_in.input_schema)["additionalProperties"] is False
        assert built_in.description.endswith(".")
        described = built_in.input_schema["properties"].values()
        assert all("description" in value for value in described), built_in.name


@pytest.mark.parametrize("name", MODULES)
def test_each_built_in_tool_is_imported_under_its_own_name(name: str):
    tool = BuiltinTool(name).tool
    assert isinstance(tool, Tool)
    assert tool.name == name


def test_a_built_in_tool_that_is_not_where_it_should_be_is_told(monkeypatch: pytest.MonkeyPatch):
    monkeypatch.setitem(MODULES, "lost", "text")
    with pytest.raises(ToolError, match=r"built-in tool 'lost' cannot be imported: .*no attribute 'lost'"):
        BuiltinTool("lost").input_schema  # noqa: B018 # reading it is the test


def test_a_built_in_tool_can_be_copied():
    assert copy.deepcopy(BuiltinTool("combine")).name == "combine"


@pytest.mark.parametrize("path", ["{}.one", "{}:one", " {}.one ", "{}:Holder.one", "{}.lazily"])
def test_a_factory_is_named_by_its_import_path(module: Any, path: str):
    tools = load_tools([path.format(name := module(FACTORY))])
    assert "one" in tools
    assert name in tools.origin("one")


def test_a_factory_may_be_a_class_or_a_decorated_function(module: Any):
    name = module(FACTORY)
    tools = load_tools([f"{name}.Made", f"{name}.decorated"])
    assert {"made", "decorated"} <= set(tools)


@pytest.mark.parametrize(
    ("attribute", "reason"),
    [
        ("missing", "AttributeError"),
        ("number", "gives int '5'; expected a tool"),
        ("nothing", "gives None; expected a tool"),
        ("breaks", "the call failed: ValueError: no token"),
    ],
)
def test_a_factory_that_gives_no_tools_says_why(module: Any, attribute: str, reason: str):
    name = module(FACTORY)
    with pytest.raises(ToolError, match=f"factory '{name}.{attribute}'") as caught:
        load_tools([f"{name}.{attribute}"])
    assert reason in str(caught.value)


def test_the_reason_why_a_module_cannot_be_imported_is_not_lost(module: Any):
    name = module("import a_package_that_is_not_there")
    with pytest.raises(ToolError, match="a_package_that_is_not_there"):
        load_tools([f"{name}.make"])


@pytest.mark.parametrize("path", ["", "make", ".make", "module.", ":make", "module:"])
def test_what_is_no_import_path_is_refused(path: str):
    with pytest.raises(ToolError, match=r"package\.module\.callable"):
        load_tools([path])


def test_the_same_factory_twice_is_an_error(module: Any):
    name = module(FACTORY)
    with pytest.raises(ToolError, match="two tools are called 'one'"):
        load_tools([f"{name}.one", f"{name}.several"])


def entry_point(tmp_path: Path, value: str) -> None:
    info = tmp_path / "third_party_tools-1.0.dist-info"
    info.mkdir()
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: third-party-tools\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text(f"[airflow_provider_vibe.tools]\nmine = {value}\n")


@pytest.mark.parametrize("attribute", ["one", "several", "Made", "decorated"])
def test_installed_packages_offer_tools_as_entry_points(module: Any, tmp_path: Path, attribute: str):
    entry_point(tmp_path, f"{module(FACTORY)}:{attribute}")
    tools = load_tools()
    (added, *_) = set(tools) - set(BUILT_IN_NAMES)
    assert "entry point 'mine'" in tools.origin(added)
    assert "of third-party-tools" in tools.origin(added)


def test_an_entry_point_that_cannot_be_loaded_names_its_package(module: Any, tmp_path: Path):
    entry_point(tmp_path, "not_there:make")
    with pytest.raises(ToolError, match=r"entry point 'mine' \(not_there:make of third-party-tools\)"):
        load_tools()


def test_loading_the_tools_imports_no_heavy_library():
    program = """
import sys
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace
import airflow_provider_vibe.tools as tools
folder = Path(tools.__file__).parent
for file in sorted(folder.rglob("*.py")):
    parts = file.relative_to(folder).with_suffix("").parts
    import_module(".".join(("airflow_provider_vibe.tools", *parts)).removesuffix(".__init__"))
assert tools.load_tools()
libraries = (
    "airflow bs4 feedparser httpx jsonschema lxml markdown_it markdownify matplotlib nltk numpy openai PIL"
    " pydantic_ai pyphen textstat yake"
).split()
print(sorted(set(libraries) & set(sys.modules)))
"""
    ended = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60)
    assert ended.stdout.strip() == "[]", ended.stdout + ended.stderr


def test_the_package_offers_its_names_lazily():
    import airflow_provider_vibe.tools as tools

    assert all(getattr(tools, name) is not None for name in tools.__all__)
    with pytest.raises(AttributeError, match="nonsense"):
        tools.nonsense  # noqa: B018  # that is the point


def test_a_decorated_function_is_registered_under_its_name():
    @tool("shout")
    def louder(text: str) -> str:
        return text.upper()

    assert registry([louder])["shout"] is louder
