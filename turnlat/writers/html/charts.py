"""Charts: figures as Vega-Lite, one function per kind. Colours are variables of the page.

To add one: a function, and its line in `CHARTS`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import altair as alt
import polars as pl

from turnlat.report import Figure, FigureKind
from turnlat.writers.html import differences
from turnlat.writers.html.data import shown
from turnlat.writers.html.encodings import (
    CONFIG,
    LABEL,
    ORDER,
    component_colours,
    of,
    place_tips,
    row_axis,
    tips,
    wait_axis,
)
from turnlat.writers.html.palette import SERIES, variable

HEAVY_TAIL = 4
"""How many times the median the longest wait is, from where on the axis is logarithmic."""


def specification(figure: Figure) -> dict[str, Any]:
    """The Vega-Lite of a figure, all of it within a width; that and the data sets are not in it."""
    fit = alt.AutoSizeParams(type="fit-x", contains="padding")
    return CHARTS[figure.kind](figure).properties(autosize=fit).to_dict() | {"config": CONFIG}


def keys(figure: Figure) -> Sequence[tuple[str, str, str]]:
    """Shape, colour and meaning of the marks of a chart, where they are no components."""
    if figure.kind == "distribution":
        names = _series(figure)
        return [("circle", _shade(n), name) for n, name in enumerate(names)] if names[1:] else []
    if figure.kind == "ranges":
        return [(shape, colour, name) for name, _, shape, colour in _PERCENTILE_MARKS]
    if figure.kind == "timeline":
        dots = [
            ("circle", "mark", "first turn of its session"),
            ("circle", "accent", "later turns"),
        ]
        lines = [("solid", "ink", "p50"), ("dashed", "ink", "p95")] if _has_lines(figure) else []
        return [*dots, *lines]
    return []


def _distribution(figure: Figure) -> alt.LayerChart:
    """A step for each turn, a dot for each percentile; over many steps an axis of logarithms."""
    marks = figure.data["marks"]
    names = _series(figure)
    colour = _series_colours(names)
    curves = of("curves").encode(
        x=alt.X("wait:Q", scale=_wait_scale(figure), axis=wait_axis("wait, ms")),
        y=alt.Y(
            "share:Q", axis=alt.Axis(format="%", title="turns that waited no longer", tickCount=5)
        ),
    )
    told = [*tips(wait="wait, ms"), *tips(text=".1%", share="waited no longer"), *place_tips()]
    layers = [
        curves.mark_line(interpolate="step-after", strokeWidth=2).encode(color=colour),
        curves.mark_circle(size=90, opacity=0).encode(tooltip=told),
        _percentile_dots(colour),
        *([] if len(names) > 1 else _percentile_texts(marks["percentile"].to_list())),
    ]
    return alt.LayerChart(layer=layers).properties(height=300)


def _wait_scale(figure: Figure) -> alt.Scale:
    waits, marks = figure.data["curves"]["wait"].to_list(), figure.data["marks"]["wait"].to_list()
    heavy = max(waits) > HEAVY_TAIL * min(marks) and min(waits) > 0
    return alt.Scale(type="log", nice=False) if heavy else alt.Scale(zero=True, nice=True)


def _series(figure: Figure) -> list[str]:
    return [shown(name) for name in figure.data["marks"]["series"].unique(maintain_order=True)]


def _shade(number: int) -> str:
    """The first of several curves is what the others are held against."""
    return SERIES[number % len(SERIES)]


def _series_colours(names: Sequence[str]) -> alt.Color:
    shades = [_shade(number) for number in range(len(names))] if len(names) > 1 else ["accent"]
    scale = alt.Scale(domain=names, range=[variable(shade) for shade in shades])
    return alt.Color("series:N", scale=scale, legend=None)


def _percentile_dots(colour: alt.Color) -> alt.Chart:
    told = [
        alt.Tooltip("percentile:N"),
        *tips(wait="wait, ms", low="95 % interval from", high="to"),
    ]
    dots = of("marks").mark_circle(size=60, opacity=1)
    chart: alt.Chart = dots.encode(x="wait:Q", y="share:Q", color=colour, tooltip=told)
    return chart


def _percentile_texts(percentiles: Sequence[str]) -> list[alt.Chart]:
    """A text for each percentile where the curve is not.

    That is below it on the right; but a steep end of few turns leaves room on the left only.
    """
    smooth = "p99" in percentiles
    label = "datum.percentile + '  ' + format(datum.wait, ',.0f') + ' ms'"
    marks = of("marks").transform_calculate(label=label)
    return [
        marks.transform_filter(f"datum.percentile == '{name}'")
        .mark_text(align="right" if right < 0 else "left", dx=right, dy=down)
        .encode(x="wait:Q", y="share:Q", text="label:N")
        for name in percentiles
        for right, down in [_OFFSETS[name][smooth]]
    ]


_OFFSETS = {
    "p50": ((9, 4), (9, 4)),
    "p90": ((-9, 3), (8, 13)),
    "p95": ((-9, -1), (8, 11)),
    "p99": ((-9, -3), (8, 8)),
}
"""Pixels right and down from a percentile's dot to its text: at a steep end, at a smooth one."""


def _stack(figure: Figure) -> alt.LayerChart:
    """A bar for each row; where preemptive generation saved time, it begins left of 0."""
    y = alt.Y("row:N", sort=alt.EncodingSortField("order", op="min"), axis=row_axis())
    parts = of("parts").transform_calculate(label=LABEL, component_order=ORDER)
    bars = parts.mark_bar(height={"band": 0.72}).encode(
        x=alt.X("length:Q", stack="zero", axis=wait_axis()),
        y=y,
        color=component_colours(),
        order=alt.Order("component_order:Q"),
        tooltip=[
            alt.Tooltip("label:N", title="component"),
            *tips(length="ms"),
            alt.Tooltip("row:N", title="turns"),
            *place_tips(),
        ],
    )
    height = max(120, 34 * figure.data["waits"].height)
    return alt.LayerChart(layer=[bars, *_ends(y, "end")]).properties(height=height)


def _ends(y: alt.Y, text_at: str = "wait") -> list[alt.Chart]:
    """A line where each wait ended, and its length behind all that is drawn."""
    waits = of("waits").encode(y=y)
    calls = "datum.llm_calls > 1 ? ' · ' + datum.llm_calls + ' LLM calls' : ''"
    text = waits.transform_calculate(label=f"format(datum.wait, ',.0f') + ({calls})")
    tick = waits.mark_tick(color=variable("ink"), thickness=2, height={"band": 0.88})
    told = [*tips(wait="wait, ms"), *place_tips()]
    return [
        tick.encode(x="wait:Q", tooltip=told),
        text.mark_text(align="left", dx=6).encode(x=f"{text_at}:Q", text="label:N"),
    ]


def _waterfall(_figure: Figure) -> alt.LayerChart:
    """Two lanes for each turn: what overlaps on the clock lies above each other."""
    y = alt.Y("turn:O", axis=row_axis("turn"))
    lanes = alt.YOffset("lane:N", sort=["hearing", "answering"], scale=alt.Scale(paddingOuter=0.15))
    parts = of("parts").transform_calculate(label=LABEL, length="datum.end - datum.start")
    bars = parts.mark_bar(height={"band": 0.92}).encode(
        x=alt.X("start:Q", axis=wait_axis("ms from the end of the user's speech")),
        x2="end:Q",
        y=y,
        yOffset=lanes,
        color=component_colours(),
        tooltip=[
            alt.Tooltip("label:N", title="component"),
            *tips(length="ms", start="from, ms", end="to, ms"),
            *place_tips(),
        ],
    )
    return alt.LayerChart(layer=[bars, *_ends(y)]).properties(height=alt.Step(34))


def _timeline(figure: Figure) -> alt.LayerChart:
    """A dot for each turn, and percentiles over time where there are enough of them."""
    axis = alt.Axis(title="UTC", tickCount=6, grid=False, format=_clock(figure.data["turns"]["at"]))
    x = alt.X("at:T", scale=alt.Scale(type="utc", padding=10), axis=axis)
    y = alt.Y("wait:Q", axis=wait_axis("wait, ms"))
    first, later = alt.value(variable("mark")), alt.value(variable("accent"))
    dots = of("turns").transform_calculate(when=_WHEN).mark_circle(size=46, opacity=0.65)
    told = [*tips(wait="wait, ms"), alt.Tooltip("when:N", title="user stopped"), *place_tips()]
    turns = dots.encode(x=x, y=y, color=alt.condition("datum.first", first, later), tooltip=told)
    layers = [turns, *(_lines(x) if _has_lines(figure) else [])]
    return alt.LayerChart(layer=layers).properties(height=260)


_WHEN = "utcFormat(datum.at, '%Y-%m-%d %H:%M:%S')"


def _has_lines(figure: Figure) -> bool:
    """Whether there are enough bins of time for a line."""
    enough = 3
    return figure.data["bins"].height >= enough


def _lines(x: alt.X) -> list[alt.Chart]:
    bins = of("bins").transform_calculate(when=_WHEN).encode(x=x)
    told = [
        alt.Tooltip("when:N", title="around"),
        alt.Tooltip("turns:Q", format=","),
        *tips(p50="p50, ms", p95="p95, ms"),
    ]
    lines = [
        bins.mark_line(strokeWidth=2, color=variable("ink"), strokeDash=dash).encode(y=f"{name}:Q")
        for name, dash in (("p50", [1, 0]), ("p95", [5, 4]))
    ]
    return [*lines, bins.mark_circle(size=140, opacity=0).encode(y="p50:Q", tooltip=told)]


_CLOCKS = (
    (timedelta(days=8), "%m-%d"),
    (timedelta(days=1), "%m-%d %H:%M"),
    (timedelta(minutes=10), "%H:%M"),
)
"""How the time reads of runs that are longer than that."""


def _clock(times: pl.Series) -> str:
    """As much of the time as tells the ends of the run apart."""
    first, last = times.min(), times.max()
    if not isinstance(first, datetime) or not isinstance(last, datetime):
        return "%H:%M"
    return next((text for span, text in _CLOCKS if last - first > span), "%H:%M:%S")


_PERCENTILE_MARKS = (
    ("p50", 110, "circle", "accent"),
    ("p90", 70, "diamond", "muted"),
    ("p95", 90, "square", "mark"),
)
"""Percentile, size, shape and colour."""


def _ranges(figure: Figure) -> alt.LayerChart:
    """For each model a bar from its p50 to its p95, and the percentiles on it."""
    told = [
        alt.Tooltip("model:N"),
        alt.Tooltip("turns:Q", format=","),
        *tips(p50="p50, ms", p90="p90, ms", p95="p95, ms"),
    ]
    models = of("models").encode(y=alt.Y("model:N", sort=None, axis=row_axis()), tooltip=told)
    x = alt.X("p50:Q", scale=alt.Scale(zero=True), axis=wait_axis(ticks=4))
    bar = models.mark_bar(height=8, cornerRadius=4, color=variable("line")).encode(x=x, x2="p95:Q")
    dots = [
        models.mark_point(
            filled=True, opacity=1, size=size, shape=shape, color=variable(colour)
        ).encode(x=f"{name}:Q")
        for name, size, shape, colour in _PERCENTILE_MARKS
    ]
    height = max(60, 34 * figure.data["models"].height)
    return alt.LayerChart(layer=[bar, *dots]).properties(height=height)


CHARTS: dict[FigureKind, Callable[[Figure], alt.LayerChart]] = {
    "distribution": _distribution,
    "stack": _stack,
    "waterfall": _waterfall,
    "timeline": _timeline,
    "ranges": _ranges,
    "shifts": differences.shifts,
    "changes": differences.changes,
}
