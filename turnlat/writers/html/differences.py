"""Charts of comparisons: the shift per decile, the split of the change by component."""

from __future__ import annotations

import altair as alt

from turnlat.report import Figure
from turnlat.writers.html.encodings import SIGNED, of, row_axis, tips
from turnlat.writers.html.palette import variable

_TITLE = "candidate less baseline, ms"
_DECILES = [number / 10 for number in range(1, 10)]


def shifts(_figure: Figure) -> alt.LayerChart:
    """A line over the deciles in its band, and where nothing changed."""
    title = "share of turns that waited less"
    axis = alt.Axis(format="%", title=title, values=_DECILES, labelOverlap=True, labelSeparation=6)
    x = alt.X("decile:Q", axis=axis, scale=alt.Scale(zero=False, padding=12))
    deciles = of("deciles").encode(x=x)
    y = alt.Y("shift:Q", axis=alt.Axis(format=SIGNED, title=_TITLE))
    colour = variable("accent")
    told = [
        *tips(text=".0%", decile="decile"),
        *tips(text=SIGNED, shift="shift, ms", low="band from", high="to"),
    ]
    return alt.LayerChart(
        layer=[
            of("deciles").mark_rule(color=variable("muted")).encode(y=alt.datum(0)),
            deciles.mark_area(opacity=0.25, color=colour).encode(y="low:Q", y2="high:Q"),
            deciles.mark_line(color=colour, strokeWidth=2).encode(y=y),
            deciles.mark_circle(color=colour, size=70, opacity=1).encode(y=y, tooltip=told),
        ]
    ).properties(height=280)


def changes(figure: Figure) -> alt.LayerChart:
    """A bar per component to the side of slower or faster, and its interval."""
    parts = of("parts").encode(y=alt.Y("label:N", sort=None, axis=row_axis()))
    x = alt.X("change:Q", axis=alt.Axis(format=SIGNED, title=_TITLE, tickCount=6))
    slower, faster = alt.value(variable("bad")), alt.value(variable("good"))
    told = [
        alt.Tooltip("label:N", title="component"),
        *tips(text=SIGNED, change="change, ms", low="interval from", high="to"),
    ]
    bars = parts.mark_bar(height={"band": 0.6}).encode(
        x=x, color=alt.condition("datum.change > 0", slower, faster), tooltip=told
    )
    spans = parts.mark_rule(color=variable("ink")).encode(x="low:Q", x2="high:Q", tooltip=told)
    zero = of("parts").mark_rule(color=variable("muted")).encode(x=alt.datum(0))
    height = max(80, 32 * figure.data["parts"].height)
    return alt.LayerChart(layer=[zero, bars, spans]).properties(height=height)
