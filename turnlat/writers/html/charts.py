"""Charts: figures as Vega-Lite, one function per kind. Colours are variables of the page.

To add one: a function, and its line in `CHARTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import altair as alt
import polars as pl

from turnlat.metrics import COMPONENTS
from turnlat.report import Figure, FigureKind
from turnlat.writers.html.palette import SERIES, variable

Chart = alt.LayerChart

MILLISECONDS = ",.0f"
HEAVY_TAIL = 4
"""How many times the median the longest wait is, from where on the axis is logarithmic."""
_MORE_THAN_ONE = 2

FONT = "system-ui, -apple-system, 'Segoe UI', Helvetica, Arial, sans-serif"

CONFIG: dict[str, Any] = {
    "aria": False,  # the page gives each chart a text of its own
    "background": "transparent",
    "font": FONT,
    "view": {"stroke": None},
    "axis": {
        "labelColor": variable("muted"),
        "titleColor": variable("muted"),
        "gridColor": variable("grid"),
        "domainColor": variable("line"),
        "tickColor": variable("line"),
        "titleFontWeight": "normal",
        "labelFontSize": 12,
        "titleFontSize": 12,
        "labelLimit": 130,
        "titlePadding": 8,
        "labelFlush": False,
    },
    "legend": {
        "labelColor": variable("ink"),
        "titleColor": variable("muted"),
        "labelFontSize": 12,
        "labelLimit": 200,
    },
    "text": {"fill": variable("ink"), "fontSize": 12},
}

_PLACE = (
    alt.Tooltip("session:N"),
    alt.Tooltip("turn:Q"),
    alt.Tooltip("place:N", title="first record"),
)


def specification(figure: Figure) -> dict[str, Any]:
    """The Vega-Lite of a figure, as wide as its place; its data sets are named and not in it."""
    chart = CHARTS[figure.kind](figure).properties(width="container")
    return chart.to_dict() | {"config": CONFIG}


def keys(figure: Figure) -> Sequence[tuple[str, str, str]]:
    """Shape, colour and meaning of the marks of a chart, where they are no components."""
    if figure.kind == "ranges":
        return [(shape, colour, name) for name, _, shape, colour in _PERCENTILE_MARKS]
    if figure.kind == "timeline":
        dots = [("circle", "mark", "first turn of its session"), ("circle", "accent", "later turns")]
        lines = [("solid", "ink", "p50"), ("dashed", "ink", "p95")] if _has_lines(figure) else []
        return [*dots, *lines]
    return []


_PERCENTILE_MARKS = (
    ("p50", 110, "circle", "accent"),
    ("p90", 70, "diamond", "muted"),
    ("p95", 90, "square", "mark"),
)


def _has_lines(figure: Figure) -> bool:
    """Whether there are enough bins of time for a line."""
    return figure.data["bins"].height > _MORE_THAN_ONE


def _of(name: str) -> alt.Chart:
    return alt.Chart(alt.NamedData(name=name))


def _wait_axis(title: str = "ms", ticks: int = 6) -> alt.Axis:
    return alt.Axis(title=title, format=MILLISECONDS, tickCount=ticks)


def _component_colours() -> alt.Color:
    """One colour for each component; the page's legend explains them."""
    names = [metric.name for metric in COMPONENTS]
    scale = alt.Scale(domain=names, range=[variable(name) for name in names])
    return alt.Color("component:N", scale=scale, legend=None)


LABELS = {metric.name: metric.label for metric in COMPONENTS}
"""What people call each component."""
_LABEL = f"{LABELS}[datum.component]"
_ORDER = f"{({m.name: n for n, m in enumerate(COMPONENTS)})}[datum.component]"
"""Expressions of Vega: a component's label, and its place in the order of time."""


def _distribution(figure: Figure) -> Chart:
    marks = figure.data["marks"]
    several = marks["series"].n_unique() >= _MORE_THAN_ONE
    middle, longest = marks["wait"].min(), figure.data["curves"]["wait"].max()
    heavy = longest > HEAVY_TAIL * middle  # type: ignore[operator]
    shown = marks["percentile"].unique(maintain_order=True).to_list()
    scale = alt.Scale(type="log", nice=False) if heavy else alt.Scale(zero=True, nice=True)
    names = marks["series"].unique(maintain_order=True).to_list()
    colours = [variable(name) for name in (SERIES if several else ("accent",))]
    legend = alt.Legend(orient="top", title=None) if several else None
    colour = alt.Color(
        "series:N", scale=alt.Scale(domain=names, range=colours[: len(names)]), legend=legend
    )
    x = alt.X("wait:Q", scale=scale, axis=_wait_axis("wait, ms"))
    y = alt.Y("share:Q", axis=alt.Axis(format="%", title="turns that waited no longer", tickCount=5))
    curves = _of("curves").encode(x=x, y=y)
    told = (alt.Tooltip("wait:Q", format=MILLISECONDS, title="wait, ms"),)
    of_turns = (*told, alt.Tooltip("share:Q", format=".1%", title="waited no longer"))
    layers = [
        curves.mark_line(interpolate="step-after", strokeWidth=2).encode(color=colour),
        curves.mark_circle(size=90, opacity=0).encode(tooltip=[*of_turns, *_PLACE]),
    ]
    return alt.layer(*layers, *_percentiles(shown, colour, named=several)).properties(height=300)


def _percentiles(shown: Sequence[str], colour: alt.Color, *, named: bool) -> list[alt.Chart]:
    """A dot on the curve for each percentile, its text where the curve is not.

    That is below it on the right; but a steep end of few turns leaves room on the left only.
    """
    label = "datum.percentile + '  ' + format(datum.wait, ',.0f') + ' ms'"
    marks = _of("marks").transform_calculate(label=label).encode(x="wait:Q", y="share:Q")
    tips = [
        *([alt.Tooltip("series:N")] if named else []),
        alt.Tooltip("percentile:N"),
        alt.Tooltip("wait:Q", format=MILLISECONDS, title="wait, ms"),
        alt.Tooltip("low:Q", format=MILLISECONDS, title="95 % interval from"),
        alt.Tooltip("high:Q", format=MILLISECONDS, title="to"),
    ]
    dots = marks.mark_circle(size=60, opacity=1).encode(color=colour, tooltip=tips)
    if named:
        return [dots]
    smooth = "p99" in shown
    texts = [
        marks.transform_filter(f"datum.percentile == '{name}'")
        .mark_text(align="left" if smooth or name == "p50" else "right", **offsets[smooth])
        .encode(text="label:N")
        for name, offsets in _TEXT_OFFSETS.items()
        if name in shown
    ]
    return [dots, *texts]


_TEXT_OFFSETS = {
    "p50": ({"dx": 9, "dy": 4}, {"dx": 9, "dy": 4}),
    "p90": ({"dx": -9, "dy": 3}, {"dx": 8, "dy": 13}),
    "p95": ({"dx": -9, "dy": -1}, {"dx": 8, "dy": 11}),
    "p99": ({"dx": -9, "dy": -3}, {"dx": 8, "dy": 8}),
}
"""Pixels from a percentile's dot to its text: at a steep end, and at a smooth one."""


def _stack(figure: Figure) -> Chart:
    rows = figure.data["waits"].height
    y = alt.Y("row:N", sort=alt.EncodingSortField("order", op="min"), axis=_row_axis())
    parts = (
        _of("parts")
        .transform_calculate(label=_LABEL, component_order=_ORDER)
        .mark_bar(height={"band": 0.72})
        .encode(
            x=alt.X("length:Q", stack="zero", axis=_wait_axis("ms")),
            y=y,
            color=_component_colours(),
            order=alt.Order("component_order:Q"),
            tooltip=[
                alt.Tooltip("label:N", title="component"),
                alt.Tooltip("length:Q", format=MILLISECONDS, title="ms"),
                alt.Tooltip("row:N", title="turns"),
                *_PLACE,
            ],
        )
    )
    return alt.layer(parts, *_ends(y)).properties(height=max(120, 34 * rows))


def _row_axis(title: str | None = None) -> alt.Axis:
    return alt.Axis(title=title, domain=False, ticks=False, labelPadding=8)


def _ends(y: alt.Y) -> list[alt.Chart]:
    """Where each wait ended, and its length."""
    waits = _of("waits").encode(y=y)
    text = waits.transform_calculate(label="format(datum.wait, ',.0f')").mark_text(
        align="left", dx=6
    )
    tips = [alt.Tooltip("wait:Q", format=MILLISECONDS, title="wait, ms"), *_PLACE]
    tick = waits.mark_tick(color=variable("ink"), thickness=2, height={"band": 0.86})
    return [tick.encode(x="wait:Q", tooltip=tips), text.encode(x="end:Q", text="label:N")]


def _waterfall(_figure: Figure) -> Chart:
    y = alt.Y("turn:O", axis=_row_axis("turn"))
    parts = (
        _of("parts")
        .transform_calculate(label=_LABEL, length="datum.end - datum.start")
        .mark_bar(height={"band": 0.92})
        .encode(
            x=alt.X("start:Q", axis=_wait_axis("ms from the end of the user's speech")),
            x2="end:Q",
            y=y,
            yOffset=alt.YOffset(
                "lane:N", sort=["hearing", "answering"], scale=alt.Scale(paddingOuter=0.15)
            ),
            color=_component_colours(),
            tooltip=[
                alt.Tooltip("label:N", title="component"),
                alt.Tooltip("length:Q", format=MILLISECONDS, title="ms"),
                alt.Tooltip("start:Q", format=MILLISECONDS, title="from, ms"),
                alt.Tooltip("end:Q", format=MILLISECONDS, title="to, ms"),
                *_PLACE,
            ],
        )
    )
    waits = _of("waits").encode(x="wait:Q", y=y)
    label = "format(datum.wait, ',.0f') + (datum.llm_calls > 1 ? ' · ' + datum.llm_calls + ' LLM calls' : '')"
    tips = [
        alt.Tooltip("wait:Q", format=MILLISECONDS, title="wait, ms"),
        alt.Tooltip("llm_calls:Q", title="LLM calls"),
        alt.Tooltip("notes:N"),
        *_PLACE,
    ]
    ends = waits.mark_tick(color=variable("ink"), thickness=2, height={"band": 0.9})
    text = waits.transform_calculate(label=label).mark_text(align="left", dx=6)
    layers = (parts, ends.encode(tooltip=tips), text.encode(text="label:N"))
    return alt.layer(*layers).properties(height=alt.Step(34))


def _timeline(figure: Figure) -> Chart:
    times = figure.data["turns"]["at"]
    axis = alt.Axis(title="UTC", tickCount=6, grid=False, format=_clock(times))
    x = alt.X("at:T", scale=alt.Scale(type="utc", padding=10), axis=axis)
    y = alt.Y("wait:Q", axis=_wait_axis("wait, ms"))
    when = "utcFormat(datum.at, '%Y-%m-%d %H:%M:%S')"
    first = alt.condition("datum.first", alt.value(variable("mark")), alt.value(variable("accent")))
    dots = (
        _of("turns")
        .transform_calculate(when=when)
        .mark_circle(size=46, opacity=0.65)
        .encode(
            x=x,
            y=y,
            color=first,
            tooltip=[
                alt.Tooltip("wait:Q", format=MILLISECONDS, title="wait, ms"),
                alt.Tooltip("when:N", title="user stopped"),
                *_PLACE,
            ],
        )
    )
    if not _has_lines(figure):
        return alt.layer(dots).properties(height=260)
    bins = _of("bins").transform_calculate(when=when)
    tips = [
        alt.Tooltip("when:N", title="around"),
        alt.Tooltip("turns:Q", format=","),
        alt.Tooltip("p50:Q", format=MILLISECONDS, title="p50, ms"),
        alt.Tooltip("p95:Q", format=MILLISECONDS, title="p95, ms"),
    ]
    lines = [
        bins.mark_line(strokeWidth=2, color=variable("ink"), strokeDash=dash).encode(
            x=x, y=alt.Y(f"{name}:Q", axis=_wait_axis("wait, ms"))
        )
        for name, dash in (("p50", [1, 0]), ("p95", [5, 4]))
    ]
    hover = bins.mark_circle(size=140, opacity=0).encode(x=x, y="p50:Q", tooltip=tips)
    return alt.layer(dots, *lines, hover).properties(height=260)


def _clock(times: pl.Series) -> str:
    """As much of the time as tells the ends of the run apart."""
    span = times.max() - times.min()  # type: ignore[operator]
    if span > timedelta(days=1):
        return "%m-%d" if span > timedelta(days=8) else "%m-%d %H:%M"
    return "%H:%M" if span > timedelta(minutes=10) else "%H:%M:%S"


def _ranges(figure: Figure) -> Chart:
    rows = figure.data["models"].height
    y = alt.Y("model:N", sort=None, axis=_row_axis())
    models = _of("models")
    tips = [
        alt.Tooltip("model:N"),
        alt.Tooltip("turns:Q", format=","),
        *(alt.Tooltip(f"{p}:Q", format=MILLISECONDS, title=f"{p}, ms") for p in ("p50", "p90", "p95")),
    ]
    x = alt.X("p50:Q", scale=alt.Scale(zero=True), axis=_wait_axis(ticks=4))
    bar = models.mark_bar(height=8, cornerRadius=4, color=variable("line")).encode(
        x=x, x2="p95:Q", y=y, tooltip=tips
    )
    dots = [
        models.mark_point(filled=True, opacity=1, size=size, shape=shape, color=variable(colour)).encode(
            x=f"{name}:Q", y=y, tooltip=tips
        )
        for name, size, shape, colour in _PERCENTILE_MARKS
    ]
    return alt.layer(bar, *dots).properties(height=max(60, 34 * rows))


def _shifts(_figure: Figure) -> Chart:
    deciles = _of("deciles")
    x = alt.X("decile:Q", axis=alt.Axis(format="%", title="share of turns that waited less", tickCount=9))
    tips = [
        alt.Tooltip("decile:Q", format=".0%"),
        *(
            alt.Tooltip(f"{field}:Q", format="+,.0f", title=title)
            for field, title in (("shift", "shift, ms"), ("low", "band from"), ("high", "to"))
        ),
    ]
    axis = alt.Axis(format="+,.0f", title="candidate less baseline, ms")
    band = deciles.mark_area(opacity=0.25, color=variable("accent")).encode(
        x=x, y=alt.Y("low:Q", axis=axis), y2="high:Q"
    )
    line = deciles.mark_line(color=variable("accent"), strokeWidth=2).encode(x=x, y="shift:Q")
    dots = deciles.mark_circle(color=variable("accent"), size=70, opacity=1).encode(
        x=x, y="shift:Q", tooltip=tips
    )
    return alt.layer(_zero("y"), band, line, dots).properties(height=280)


def _zero(channel: str) -> alt.Chart:
    rule = alt.Chart(alt.InlineData(values=[{"zero": 0}])).mark_rule(color=variable("muted"))
    return rule.encode(**{channel: alt.datum(0)})


def _changes(figure: Figure) -> Chart:
    parts = _of("parts")
    y = alt.Y("label:N", sort=None, axis=_row_axis())
    tips = [
        alt.Tooltip("label:N", title="component"),
        *(
            alt.Tooltip(f"{field}:Q", format="+,.0f", title=title)
            for field, title in (("change", "change, ms"), ("low", "interval from"), ("high", "to"))
        ),
    ]
    axis = alt.Axis(format="+,.0f", title="candidate less baseline, ms", tickCount=6)
    slower = alt.condition("datum.change > 0", alt.value(variable("bad")), alt.value(variable("good")))
    bars = parts.mark_bar(height={"band": 0.6}).encode(
        x=alt.X("change:Q", axis=axis), y=y, color=slower, tooltip=tips
    )
    spans = parts.mark_rule(color=variable("ink")).encode(x="low:Q", x2="high:Q", y=y, tooltip=tips)
    rows = figure.data["parts"].height
    return alt.layer(_zero("x"), bars, spans).properties(height=max(80, 32 * rows))


CHARTS: dict[FigureKind, Callable[[Figure], Chart]] = {
    "distribution": _distribution,
    "stack": _stack,
    "waterfall": _waterfall,
    "timeline": _timeline,
    "ranges": _ranges,
    "shifts": _shifts,
    "changes": _changes,
}
