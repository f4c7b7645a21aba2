"""`render_chart`: numbers become a picture."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from io import BytesIO
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field, FiniteFloat

from airflow_provider_vibe.plan.problems import quoted
from airflow_provider_vibe.tools.base import ToolInputError
from airflow_provider_vibe.tools.builtin.images import (
    Glyphs,
    ImageName,
    Pixels,
    Words,
    matplotlib,
    saved_png,
)
from airflow_provider_vibe.tools.decorator import tool

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MAX_VALUES = 5000
MAX_SERIES = 20
MAX_BARS = 5000
MAX_SLICES = 50
"""More of them, or of bars, take minutes to be laid out, and nobody can read them."""

LONGEST_NAME = 40
"""Characters that are drawn of the name of a value or of a series."""

DOTS_PER_INCH = 100
FEW = 40
"""So many names on an axis, or points on a line, can be told apart."""

SHORT = 70
"""So many characters fit below an axis side by side."""

LONGEST_NUMBER = 1e300
"""Beyond it the axes cannot be scaled."""

ChartKind = Literal["bar", "line", "pie", "scatter"]
Number = Annotated[FiniteFloat, Field(ge=-LONGEST_NUMBER, le=LONGEST_NUMBER)]
Values = Annotated[list[Number], Field(min_length=1, max_length=MAX_VALUES)]
Series = Annotated[dict[Words, Values], Field(min_length=1, max_length=MAX_SERIES)]


@dataclass(frozen=True)
class _Chart:
    kind: ChartKind
    series: list[tuple[str, list[float]]]
    labels: list[str]
    x: list[float]
    title: str
    x_title: str
    y_title: str


@tool("render_chart")
def render_chart(
    kind: Annotated[ChartKind, Field(description="The kind of chart.")],
    series: Annotated[Series, Field(description="The numbers, by name: {'2025': [3, 4, 5], ...}.")],
    labels: Annotated[
        list[Words] | None,
        Field(max_length=MAX_VALUES, description="The name of each value (bar, line, pie)."),
    ] = None,
    x: Annotated[
        Values | None, Field(description="The place of each value on the x axis (line, scatter).")
    ] = None,
    title: Annotated[Words, Field(description="What stands above the chart.")] = "",
    x_title: Annotated[Words, Field(description="What the x axis shows.")] = "",
    y_title: Annotated[Words, Field(description="What the y axis shows.")] = "",
    width: Pixels = 1000,
    height: Pixels = 600,
    name: ImageName = "chart.png",
    *,
    context: dict[str, Any],
) -> dict[str, Any]:
    """Draw a bar, line, pie or scatter chart as a PNG file of the node.

    The same inputs give the same picture. Characters that the font (DejaVu Sans) does not have are left out.
    A pie has at most 50 slices, a chart at most 5000 bars; of the name of a value or a series 40 characters
    are drawn.

    :returns: the reference to the file, as `write_file` gives it, and ``"not_drawn"``, the characters that
        were left out, where there are any.
    :raises ToolInputError: numbers and labels do not go together.
    :raises MissingLibrary: the extra ``media`` is not installed.
    """
    _check(kind, series, labels, x)
    matplotlib()
    glyphs = Glyphs()
    chart = _Chart(
        kind=kind,
        series=[(_shortened(glyphs.drawable(key)), values) for key, values in series.items()],
        labels=[_shortened(glyphs.drawable(label)) for label in labels or ()],
        x=x or [],
        title=glyphs.drawable(title),
        x_title=glyphs.drawable(x_title),
        y_title=glyphs.drawable(y_title),
    )
    return saved_png(context, name, _png(chart, width, height), glyphs.missing)


def _check(
    kind: ChartKind, series: dict[str, list[float]], labels: list[str] | None, x: list[float] | None
) -> None:
    if kind == "scatter" and (x is None or labels is not None):
        raise ToolInputError("a scatter chart has 'x', the place of each value, and no 'labels'")
    if kind in ("bar", "pie") and x is not None:
        raise ToolInputError(f"a {kind} chart has 'labels', not 'x'")
    if kind == "line" and x is not None and labels is not None:
        raise ToolInputError("a line chart has either 'labels' or 'x'")
    expected = len(labels if labels is not None else x if x is not None else next(iter(series.values())))
    for key, values in series.items():
        if len(values) != expected:
            raise ToolInputError(
                f"series: {quoted(key)} has {len(values)} values where {expected} are expected"
            )
    if kind == "bar" and expected * len(series) > MAX_BARS:
        bars = expected * len(series)
        raise ToolInputError(
            f"a bar chart has at most {MAX_BARS} bars, not {bars}: use lines or fewer values"
        )
    if kind == "pie":
        parts = next(iter(series.values()))
        if len(parts) > MAX_SLICES:
            raise ToolInputError(
                f"a pie chart has at most {MAX_SLICES} values, not {len(parts)}: add up the smallest ones"
            )
        if len(series) > 1 or min(parts) < 0 or not sum(parts) > 0:
            raise ToolInputError("a pie chart has one series, of values that are not below 0 and not all 0")


def _shortened(name: str) -> str:
    return name if len(name) <= LONGEST_NAME else f"{name[: LONGEST_NAME - 1]}…"


def _png(chart: _Chart, width: int, height: int) -> bytes:
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    library, buffer = matplotlib(), BytesIO()
    with library.rc_context():
        library.rcdefaults()  # a matplotlibrc of this machine changes nothing
        library.rcParams["text.parse_math"] = False  # a dollar sign is one
        inches = (width / DOTS_PER_INCH, height / DOTS_PER_INCH)
        figure = Figure(figsize=inches, dpi=DOTS_PER_INCH, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        _DRAWN[chart.kind](axes, chart)
        axes.set_title(chart.title, fontsize="x-large", pad=12)
        axes.set_xlabel(chart.x_title)
        axes.set_ylabel(chart.y_title)
        if chart.kind != "pie" and any(key for key, _ in chart.series):
            axes.legend()
        figure.savefig(buffer, format="png", metadata={"Software": None})
    return buffer.getvalue()


def _draw_bars(axes: Axes, chart: _Chart) -> None:
    width = 0.8 / len(chart.series)
    for number, (key, values) in enumerate(chart.series):
        offset = (number - (len(chart.series) - 1) / 2) * width
        axes.bar([place + offset for place in range(len(values))], values, width, label=key)
    _name_places(axes, chart)


def _draw_lines(axes: Axes, chart: _Chart) -> None:
    for key, values in chart.series:
        marker = "o" if len(values) <= FEW else ""
        axes.plot(chart.x or range(len(values)), values, marker=marker, label=key)
    if not chart.x:
        _name_places(axes, chart)


def _draw_points(axes: Axes, chart: _Chart) -> None:
    for key, values in chart.series:
        axes.scatter(chart.x, values, label=key)


def _draw_pie(axes: Axes, chart: _Chart) -> None:
    axes.pie(
        chart.series[0][1], labels=chart.labels or None, autopct="%.0f%%", startangle=90, counterclock=False
    )


def _name_places(axes: Axes, chart: _Chart) -> None:
    """Name every place on the x axis where the names can be read, else as many as fit."""
    step = -(-len(chart.labels) // FEW) or 1
    longest = max((len(label) for label in chart.labels), default=0)
    turned = 45 if longest * len(chart.labels) > SHORT else 0
    axes.set_xticks(
        range(0, len(chart.labels), step),
        labels=chart.labels[::step],
        rotation=turned,
        horizontalalignment="right" if turned else "center",
    )


_DRAWN: Mapping[ChartKind, Callable[[Axes, _Chart], None]] = {
    "bar": _draw_bars,
    "line": _draw_lines,
    "scatter": _draw_points,
    "pie": _draw_pie,
}
