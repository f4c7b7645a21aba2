from __future__ import annotations

import builtins
from pathlib import Path
from typing import Any

import matplotlib
import pytest
from PIL import Image

from airflow_provider_vibe.tools import ToolInputError
from airflow_provider_vibe.tools.builtin import cards
from airflow_provider_vibe.tools.builtin.cards import image_card
from airflow_provider_vibe.tools.builtin.charts import render_chart
from airflow_provider_vibe.tools.builtin.images import Glyphs, MissingLibrary
from tests.tools.helpers import call, output

CONTEXT = {"run": {"dag_id": "news", "id": "r1"}, "node_id": "draw", "try_number": 1}
CHARTS: dict[str, dict[str, Any]] = {
    "bar": {
        "kind": "bar",
        "series": {"2025": [1, 2, 3], "2026": [3, -4, 1]},
        "labels": ["Jan", "Feb", "Mar"],
    },
    "line": {"kind": "line", "series": {"a": [1, 2, 3], "b": [3, 4, 1]}},
    "line over x": {"kind": "line", "series": {"a": [1, 2, 3]}, "x": [0, 10, 100]},
    "pie": {"kind": "pie", "series": {"": [1, 2, 3]}, "labels": ["a", "b", "c"]},
    "scatter": {"kind": "scatter", "series": {"a": [1, 2], "b": [3, 4]}, "x": [0.5, 1.5]},
}


@pytest.fixture(autouse=True)
def artifacts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("AIRFLOW__VIBE__ARTIFACTS_PATH", str(tmp_path))
    return tmp_path


def drawn(tool: Any, inputs: dict[str, Any]) -> tuple[dict[str, Any], Image.Image]:
    reference = output(tool, inputs, **CONTEXT)
    image = Image.open(reference["path"])
    assert (image.format, reference["media_type"]) == ("PNG", "image/png")
    return reference, image.convert("RGB")


def colours(image: Image.Image) -> set[tuple[int, ...]]:
    return {colour for _, colour in image.getcolors(maxcolors=image.width * image.height)}


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_a_chart_is_a_picture_of_the_size_asked_for(artifacts: Path, chart: dict[str, Any]):
    reference, image = drawn(render_chart, {**chart, "width": 640, "height": 400, "name": "charts/a.png"})
    assert image.size == (640, 400)
    assert len(colours(image)) > 20
    assert Path(reference["path"]) == artifacts / "news/r1/draw/1/charts/a.png"


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_a_chart_shows_its_numbers(chart: dict[str, Any]):
    (key, values), *others = chart["series"].items()
    changed = {**chart, "series": {key: [*values[:-1], values[-1] * 7], **dict(others)}}
    assert digest(render_chart, chart) != digest(render_chart, changed)


@pytest.mark.parametrize("field", ["title", "x_title", "y_title"])
def test_a_chart_shows_its_titles(field: str):
    assert digest(render_chart, CHARTS["bar"]) != digest(render_chart, {**CHARTS["bar"], field: "Sales"})


def digest(tool: Any, inputs: dict[str, Any]) -> str:
    return drawn(tool, inputs)[0]["sha256"]


@pytest.mark.parametrize("chart", CHARTS.values(), ids=CHARTS)
def test_the_same_numbers_give_the_same_bytes_whatever_the_machine_is_set_to(chart: dict[str, Any]):
    first = digest(render_chart, chart)
    with matplotlib.rc_context({"font.size": 20, "axes.facecolor": "red", "savefig.dpi": 300}):
        assert digest(render_chart, chart) == first
        assert matplotlib.rcParams["font.size"] == 20


def test_a_dollar_sign_is_no_formula():
    with_formulas = {
        **CHARTS["bar"],
        "title": r"$\frac{",
        "x_title": "$x$",
        "labels": ["$1", "$2", r"\undefined$$"],
    }
    drawn(render_chart, {**with_formulas, "series": {"$a_b$": [1, 2, 3]}})


@pytest.mark.parametrize(
    ("inputs", "reason"),
    [
        ({"kind": "bar", "series": {"a": [1, 2]}, "labels": ["x"]}, "'a' has 2 values where 1 are expected"),
        ({"kind": "line", "series": {"a": [1], "b": [1, 2]}}, "'b' has 2 values where 1 are expected"),
        ({"kind": "scatter", "series": {"a": [1]}}, "a scatter chart has 'x'"),
        ({"kind": "bar", "series": {"a": [1]}, "x": [1]}, "a bar chart has 'labels'"),
        ({"kind": "line", "series": {"a": [1]}, "x": [1], "labels": ["a"]}, "either 'labels' or 'x'"),
        ({"kind": "pie", "series": {"a": [1], "b": [2]}}, "one series"),
        ({"kind": "pie", "series": {"a": [1, -1]}}, "not below 0"),
        ({"kind": "pie", "series": {"a": [0, 0]}}, "not all 0"),
        ({"kind": "pie", "series": {"a": [1] * 51}}, "at most 50 values, not 51"),
        ({"kind": "bar", "series": {"a": [1] * 2501, "b": [1] * 2501}}, "at most 5000 bars, not 5002"),
        ({"kind": "bar", "series": {}}, "at least 1 item"),
        ({"kind": "bar", "series": {"a": []}}, "at least 1 item"),
        ({"kind": "bar", "series": {"a": [1] * 5001}}, "at most 5000"),
        ({"kind": "line", "series": {"a": [float("nan")]}}, "finite"),
        ({"kind": "line", "series": {"a": [1e308]}}, "less than"),
        ({"kind": "bar", "series": {"a": [1]}, "width": 4001}, "4000"),
        ({"kind": "bar", "series": {"a": [1]}, "name": "a.gif"}, "pattern"),
        ({"kind": "bar", "series": {"a": [1]}, "name": "../a.png"}, "cannot be the name of a file"),
    ],
)
def test_numbers_that_make_no_chart_are_refused(inputs: dict[str, Any], reason: str):
    with pytest.raises(ToolInputError, match=reason):
        call(render_chart, inputs, **CONTEXT)


def test_the_most_that_is_allowed_can_be_drawn():
    many = {str(number): [1e300, -1e300] * 2500 for number in range(2)}
    drawn(render_chart, {"kind": "line", "series": many, "labels": ["A long name"] * 5000})


def test_a_long_name_is_drawn_as_far_as_40_characters():
    pie = {"kind": "pie", "series": {"": [1] * 50}}
    long, other, cut = ([name] * 50 for name in ("n" * 300, "n" * 41, f"{'n' * 39}…"))
    first, *rest = (
        drawn(render_chart, {**pie, "labels": labels})[1].tobytes() for labels in (long, other, cut)
    )
    assert rest == [first, first]
    line = {"kind": "line", "labels": ["a"]}
    images = [
        drawn(render_chart, {**line, "series": {name: [1]}})[1].tobytes() for name in ("n" * 300, cut[0])
    ]
    assert images[0] == images[1]


def test_a_card_has_its_colours_and_its_size():
    asked = {"background": "#102030", "colour": "#f0e0d0", "accent": "#00ff00", "width": 800, "height": 400}
    _, image = drawn(image_card, {"title": "Hello", **asked})
    assert image.size == (800, 400)
    assert image.getpixel((799, 399)) == (0x10, 0x20, 0x30)
    assert image.getpixel((0, 200)) == (0, 255, 0)
    assert (0xF0, 0xE0, 0xD0) in colours(image)


@pytest.mark.parametrize(
    ("background", "letters"), [("#ffffff", 0), ("#f59e0b", 0), ("#000000", 255), ("#1f2937", 255)]
)
def test_letters_stand_out_from_the_background(background: str, letters: int):
    _, image = drawn(image_card, {"title": "Hello", "background": background})
    assert (letters,) * 3 in colours(image)


@pytest.mark.parametrize(
    "title", ["Hi", "A title of some more words " * 8, "W" * 300, "W " * 150, "a\nb\n" * 10]
)
def test_the_texts_stay_inside_the_margins(title: str):
    inputs = {"title": title, "subtitle": "Below " * 20, "background": "#000000", "colour": "#ffffff"}
    _, image = drawn(image_card, inputs)
    left, top, right, bottom = image.convert("L").point(lambda value: 255 if value > 250 else 0).getbbox()
    assert left >= 100
    assert right <= 1200 - 60
    assert top >= 30
    assert bottom <= 630 - 30


def test_the_subtitle_is_drawn_too():
    assert digest(image_card, {"title": "a"}) != digest(image_card, {"title": "a", "subtitle": "b"})


def test_the_same_card_has_the_same_bytes():
    assert digest(image_card, {"title": "a"}) == digest(image_card, {"title": "a"})


def test_words_that_do_not_fit_are_told():
    with pytest.raises(ToolInputError, match="do not fit"):
        call(image_card, {"title": "W" * 300, "width": 100, "height": 100}, **CONTEXT)


def test_characters_without_a_glyph_are_left_out_and_told():
    reference, _ = drawn(image_card, {"title": "Up \U0001f680 we go", "subtitle": "漢"})
    assert reference["not_drawn"] == ["\U0001f680", "漢"]
    assert reference["sha256"] == digest(image_card, {"title": "Up we go"})
    assert "not_drawn" not in drawn(image_card, {"title": "Grüße, Ёж"})[0]
    chart = {**CHARTS["bar"], "title": "漢", "labels": ["\U0001f680", "b", "c"]}
    assert drawn(render_chart, chart)[0]["not_drawn"] == ["\U0001f680", "漢"]


def test_a_title_of_which_nothing_can_be_drawn_is_refused():
    with pytest.raises(ToolInputError, match="no glyph"):
        call(image_card, {"title": "漢字"}, **CONTEXT)


def test_control_characters_are_not_drawn():
    assert Glyphs().drawable("a\x07b\tc\r\nd\u202ee") == "ab c\nde"


@pytest.mark.parametrize(
    "inputs", [{"background": "red"}, {"accent": "#12345"}, {"title": ""}, {"width": 99}]
)
def test_a_card_that_makes_no_sense_is_refused(inputs: dict[str, Any]):
    with pytest.raises(ToolInputError):
        call(image_card, {"title": "a", **inputs}, **CONTEXT)


@pytest.mark.parametrize(("tool", "inputs"), [(image_card, {"title": "a"}), (render_chart, CHARTS["bar"])])
def test_without_the_extra_it_is_told_what_to_install(
    monkeypatch: pytest.MonkeyPatch, tool: Any, inputs: Any
):
    real = builtins.__import__

    def without(name: str, *rest: Any) -> Any:
        if name.partition(".")[0] == "matplotlib":
            raise ImportError("No module named 'matplotlib'")
        return real(name, *rest)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(MissingLibrary, match=r"pip install 'airflow-provider-vibe\[media\]'"):
        call(tool, inputs, **CONTEXT)


def test_long_words_are_broken_and_short_ones_are_not():
    from PIL import ImageFont

    font = ImageFont.truetype(cards.font_file(), 20)
    lines = cards._wrapped("one two " + "x" * 100 + " three", font, 200)
    assert "".join(lines).replace(" ", "") == "onetwo" + "x" * 100 + "three"
    assert lines[0] == "one two"
    assert all(font.getlength(line) <= 200 for line in lines)
