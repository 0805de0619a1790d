"""HTML: one page with charts and tables that needs no network and runs no script but its own."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Sequence
from functools import lru_cache
from importlib import resources
from string import Template
from typing import Any

import vl_convert

from turnlat import __version__
from turnlat.report import Exhibits, Figure, Report
from turnlat.writers import Page
from turnlat.writers.html import charts, data, palette, tables
from turnlat.writers.html.encodings import VEGA_LITE

_SERIES_SHOWN = 60
"""Characters of a run's label in a legend."""
_SESSIONS_SHOWN = 120
"""Characters of a session's name in the list to pick from."""


def write(report: Report, page: Page) -> bytes:  # noqa: ARG001
    """The whole page; the same report gives the same bytes."""
    shown = report.exhibits()
    bundle, script = _bundle(), _resource("page.js")
    title, lines = _headline(report)
    content = {
        "title": tables.escaped(title or "report", 120),
        "headline": "".join(f"<p>{tables.escaped(line)}</p>" for line in lines),
        "policy": _policy(bundle, script),
        "style": palette.style() + _resource("page.css"),
        "facts": tables.facts(shown.facts),
        "verdicts": "\n".join(map(tables.table, shown.verdicts)),
        "figures": _figures(shown.figures),
        "notes": tables.notes(report.notes),
        "tables": "\n".join(map(tables.table, shown.tables)),
        "turns": _turns(shown),
        "data": data.script_json(_data(shown)),
        "bundle": bundle,
        "script": script,
        "version": __version__,
    }
    return Template(_resource("page.html")).substitute(content).encode()


def _headline(report: Report) -> tuple[str, Sequence[str]]:
    """The page's title, which the headline's first line begins with, and the rest of it."""
    first, *others = report.headline or [""]
    title, _, rest = first.partition(": ")
    return title, [rest, *others] if rest else others


def _resource(name: str) -> str:
    return resources.files(__package__ or "").joinpath(name).read_text(encoding="utf-8")


@lru_cache(maxsize=1)
def _bundle() -> str:
    """Vega, Vega-Lite and vega-embed."""
    return vl_convert.javascript_bundle("window.vegaEmbed = vegaEmbed;", vl_version=VEGA_LITE)


def _policy(*scripts: str) -> str:
    """What the browser shall hold the page to: these scripts, and nothing from anywhere."""
    hashes = (base64.b64encode(hashlib.sha256(text.encode()).digest()) for text in scripts)
    allowed = " ".join(f"'sha256-{digest.decode()}'" for digest in hashes)
    return (
        f"default-src 'none'; script-src {allowed}; style-src 'unsafe-inline'; img-src data:; "
        "base-uri 'none'; form-action 'none'"
    )


def _figures(figures: Sequence[Figure]) -> str:
    return "\n".join(map(_figure, figures))


def _figure(figure: Figure) -> str:
    title, told = tables.escaped(figure.title), tables.escaped(figure.alternative, 2_000)
    about = tables.escaped(figure.about)
    choice = _choice(figure) if figure.choices else ""
    return (
        f'<figure class="card {figure.kind}" id="figure-{figure.name}">'
        f"<h2>{title}</h2>{choice}{_legend(figure)}"
        f'<div class="chart" role="img" aria-label="{title}. {told}">'
        f'<div data-figure="{figure.name}"></div></div>'
        f"<figcaption>{about}</figcaption></figure>"
    )


def _legend(figure: Figure) -> str:
    """What the marks of a chart mean."""
    if figure.kind in ("stack", "waterfall"):
        return tables.legend(set(figure.data["parts"]["component"]))
    keys = charts.keys(figure)
    items = "".join(
        f'<li><i class="{shape}" style="--colour:{palette.variable(colour)}"></i>'
        f"{tables.escaped(label, _SERIES_SHOWN)}</li>"
        for shape, colour, label in keys
    )
    return f'<ul class="legend">{items}</ul>' if keys else ""


def _choice(figure: Figure) -> str:
    options = "".join(
        f'<option value="{number}">{tables.escaped(text, _SESSIONS_SHOWN)}</option>'
        for number, text in enumerate(figure.choices)
    )
    return (
        f'<p class="controls"><label>Session <select data-choice="{figure.name}">'
        f"{options}</select></label></p>"
    )


def _turns(shown: Exhibits) -> str:
    if shown.turns is None:
        return ""
    kept, left_out = len(shown.turns.rows), shown.turns.left_out
    cut = f" The slowest {kept:,} of {kept + left_out:,}." if left_out else ""
    return Template(_resource("turns.html")).substitute(
        title=tables.escaped(shown.turns.title), cut=cut
    )


def _data(shown: Exhibits) -> dict[str, Any]:
    figures = {
        figure.name: {
            "specification": charts.specification(figure),
            "data": {name: data.columns(frame) for name, frame in figure.data.items()},
        }
        for figure in shown.figures
    }
    return {"figures": figures, "turns": shown.turns and data.table(shown.turns)}
