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
    text = orjson.dumps(_specification(headline, shown)).decode()
    picture = resolved(vl_convert.vegalite_to_svg(text, vl_version=VEGA_LITE))
    return f"{picture}\n".encode()


def _specification(headline: str, shown: Sequence[Figure]) -> dict[str, Any]:
    return {
        "title": _title(data.shown(headline, _TITLE), 15, "ink") | {"offset": 14},
        "background": LIGHT["card"],
        "padding": 20,
        "datasets": {
            _dataset(figure, name): data.rows(frame)
            for figure in shown
            for name, frame in figure.data.items()
        },
        "vconcat": [_view(figure) for figure in shown],
        "resolve": {"scale": {"color": "independent"}},
        "config": CONFIG | {"font": FONT, "concat": {"spacing": 28}},
    }


def _title(text: str, size: int, colour: str) -> dict[str, Any]:
    return {"text": text, "anchor": "start", "fontSize": size, "color": variable(colour)}


def _dataset(figure: Figure, name: str) -> str:
    """Figures of one picture may name their frames alike."""
    return f"{figure.name}_{name}"


def _view(figure: Figure) -> dict[str, Any]:
    """A chart, with a legend where the page would have its own."""
    view = charts.CHARTS[figure.kind](figure).to_dict()
    title = figure.title[:1].upper() + figure.title[1:]
    view = {name: value for name, value in view.items() if name not in ("$schema", "config")}
    for part in (view, *view["layer"]):
        if "data" in part:
            part["data"] = {"name": _dataset(figure, part["data"]["name"])}
    if figure.kind == "distribution" and charts.keys(figure):
        view["layer"][0]["encoding"]["color"]["legend"] = {"orient": "top", "title": None}
    if figure.kind == "stack":
        bars = view["layer"][0]["encoding"]
        bars["color"] = _legend(bars["color"], set(figure.data["parts"]["component"]))
    look = {"fontWeight": "normal", "frame": "group"}
    return view | {"width": WIDTH, "title": _title(title, 13, "muted") | look}


def _legend(colour: dict[str, Any], present: set[str]) -> dict[str, Any]:
    """The colours of the components that are there, by their labels."""
    scale = colour["scale"]
    pairs = [
        (LABELS[name], shade)
        for name, shade in zip(scale["domain"], scale["range"], strict=True)
        if name in present
    ]
    labels, shades = zip(*pairs, strict=True)
    return colour | {
        "field": "label",
        "scale": {"domain": labels, "range": shades},
        "legend": {"orient": "bottom", "columns": _LEGEND_COLUMNS, "title": None},
    }
