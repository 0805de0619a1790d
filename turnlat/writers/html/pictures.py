"""Pictures: a report's first figures as one SVG that needs no script, style sheet or font file."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import orjson
import vl_convert

from turnlat.report import Figure
from turnlat.writers.html import charts, data
from turnlat.writers.html.encodings import CONFIG, LABELS, VEGA_LITE
from turnlat.writers.html.palette import LIGHT, resolved, variable

_KINDS = ("distribution", "stack", "shifts", "changes")
"""What goes into a picture, at most one of each."""
WIDTH = 640
FONT = "Helvetica, Arial, 'Liberation Sans', sans-serif"
_TITLE = 160
"""Characters of the headline."""
_LEGEND_COLUMNS = 5


def svg(headline: str, figures: Sequence[Figure]) -> bytes:
    """The figures below each other under `headline`, light on white."""
    found = {figure.kind: figure for figure in reversed(figures)}
    shown = [found[kind] for kind in _KINDS if kind in found]
    text = resolved(orjson.dumps(_specification(headline, shown)).decode())
    picture = vl_convert.vegalite_to_svg(text, vl_version=VEGA_LITE)
    return f"{picture}\n".encode()


def _specification(headline: str, shown: Sequence[Figure]) -> dict[str, Any]:
    return {
        "title": {
            "text": data.shown(headline, _TITLE),
            "anchor": "start",
            "fontSize": 15,
            "color": variable("ink"),
            "offset": 14,
        },
        "background": LIGHT["card"],
        "padding": 20,
        "vconcat": [_view(figure) for figure in shown],
        "resolve": {"scale": {"color": "independent"}},
        "config": CONFIG | {"font": FONT, "concat": {"spacing": 28}},
    }


def _view(figure: Figure) -> dict[str, Any]:
    """A chart with its rows in it, and a legend where the page would have its own."""
    view = charts.CHARTS[figure.kind](figure).to_dict()
    view.pop("$schema", None)
    view.pop("config", None)
    view["width"] = WIDTH
    view["title"] = {
        "text": figure.title[:1].upper() + figure.title[1:],
        "anchor": "start",
        "frame": "group",
        "fontSize": 13,
        "fontWeight": "normal",
        "color": variable("muted"),
    }
    rows = {name: data.rows(frame) for name, frame in figure.data.items()}
    for layer in view["layer"]:
        name = layer["data"].get("name")
        if name in rows:
            layer["data"] = {"values": rows[name]}
    return view | _with_legend(view) if figure.kind == "stack" else view


def _with_legend(view: dict[str, Any]) -> dict[str, Any]:
    first, *others = view["layer"]
    colour = first["encoding"]["color"] | {"field": "label"}
    names = colour["scale"]["domain"]
    present = {row["component"] for row in first["data"]["values"]}
    pairs = [
        (LABELS[name], swatch)
        for name, swatch in zip(names, colour["scale"]["range"], strict=True)
        if name in present
    ]
    colour["scale"] = {"domain": [label for label, _ in pairs], "range": [c for _, c in pairs]}
    colour["legend"] = {"orient": "bottom", "columns": _LEGEND_COLUMNS, "title": None}
    first["encoding"]["color"] = colour
    return {"layer": [first, *others]}
