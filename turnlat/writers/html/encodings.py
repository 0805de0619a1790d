"""The alphabet of charts: axes, colours, tooltips and the look that all of them share."""

from __future__ import annotations

from typing import Any

import altair as alt

from turnlat.metrics import COMPONENTS
from turnlat.writers.html.palette import variable

MILLISECONDS = ",.0f"
SIGNED = "+,.0f"
VEGA_LITE = ".".join(alt.SCHEMA_VERSION.removeprefix("v").split(".")[:2])
"""The version that altair writes for, as vl_convert names it."""
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
    "axisX": {"labelSeparation": 6},
    "legend": {
        "labelColor": variable("ink"),
        "titleColor": variable("muted"),
        "labelFontSize": 12,
        "labelLimit": 200,
    },
    "text": {"fill": variable("ink"), "fontSize": 12},
}

LABELS = {metric.name: metric.label for metric in COMPONENTS}
"""What people call each component."""
LABEL = f"{LABELS}[datum.component]"
ORDER = f"{dict(zip(LABELS, range(len(LABELS)), strict=True))}[datum.component]"
"""Expressions of Vega: a component's label, and its place in the order of time."""


def of(name: str) -> alt.Chart:
    """A chart of a figure's frame."""
    return alt.Chart(alt.NamedData(name=name))


def wait_axis(title: str = "ms", ticks: int = 6) -> alt.Axis:
    """An axis of milliseconds."""
    return alt.Axis(title=title, format=MILLISECONDS, tickCount=ticks)


def row_axis(title: str | None = None) -> alt.Axis:
    """The names of rows, without lines."""
    return alt.Axis(title=title, domain=False, ticks=False, labelPadding=8)


def component_colours() -> alt.Color:
    """One colour for each component; the page's legend explains them."""
    names = [metric.name for metric in COMPONENTS]
    scale = alt.Scale(domain=names, range=[variable(name) for name in names])
    return alt.Color("component:N", scale=scale, legend=None)


def tips(*, text: str = MILLISECONDS, **titles: str) -> list[alt.Tooltip]:
    """What hovering tells of fields of numbers, by the titles given."""
    return [alt.Tooltip(f"{field}:Q", format=text, title=title) for field, title in titles.items()]


def place_tips() -> list[alt.Tooltip]:
    """Which turn it is that the reader points at."""
    return [
        alt.Tooltip("session:N"),
        alt.Tooltip("turn:Q"),
        alt.Tooltip("place:N", title="first record"),
    ]
