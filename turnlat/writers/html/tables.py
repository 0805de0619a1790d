"""Tables, facts and notes as HTML: every text escaped, headings scoped, bars with their numbers."""

from __future__ import annotations

import html
from collections.abc import Collection, Iterable, Sequence

from turnlat import units
from turnlat.metrics import COMPONENTS
from turnlat.notes import Note
from turnlat.report import Column, Diverging, Fact, Table, Waterfall
from turnlat.writers.cells import LEFT_ALIGNED, text_of
from turnlat.writers.html.data import TEXT, shown
from turnlat.writers.html.palette import variable

_SIGNS = {"passed": "✓", "failed": "✗", "not judged": "?", "worse": "✗", "better": "✓"}
"""Beside the colour of a verdict, for those who do not see it."""
_CLASSES = {
    "passed": "good",
    "failed": "bad",
    "not judged": "bad",
    "worse": "bad",
    "better": "good",
}


def escaped(text: str, most: int = TEXT) -> str:
    """`text` as HTML that shows it and does nothing else."""
    return html.escape(shown(text, most))


def table(whole: Table) -> str:
    """One table in a region that scrolls by itself where the page is narrow."""
    kept = [n for n, column in enumerate(whole.columns) if not column.priority or _told(whole, n)]
    head = "".join(_head(whole.columns[n]) for n in kept)
    body = "\n".join(_row(whole, row, kept) for row in whole.rows)
    more = f'<p class="more">… and {whole.left_out:,} more</p>' if whole.left_out else ""
    title = escaped(whole.title)
    return (
        f'<section class="card" id="table-{escaped(whole.name)}"><h2>{title}</h2>'
        f'<div class="scroll" role="region" aria-label="{title}" tabindex="0">'
        f'<table><caption class="hidden">{title}</caption><thead><tr>{head}</tr></thead>\n'
        f"<tbody>{body}</tbody></table></div>{more}</section>"
    )


def _told(whole: Table, number: int) -> bool:
    """Whether any row says something in a column."""
    kind = whole.columns[number].kind
    return any(text_of(kind, row[number]) not in ("", units.MISSING) for row in whole.rows)


def _head(column: Column) -> str:
    return f'<th scope="col"{_side(column)}>{escaped(column.label)}</th>'


def _side(column: Column) -> str:
    return "" if column.kind in LEFT_ALIGNED or column.kind == "share" else ' class="number"'


def _row(whole: Table, row: Sequence[object], kept: Iterable[int]) -> str:
    cells = []
    for place, number in enumerate(kept):
        column, tag = whole.columns[number], "td" if place else "th"
        scope = "" if place else ' scope="row"'
        cells.append(f"<{tag}{scope}{_side(column)}>{_cell(column, row[number])}</{tag}>")
    return f"<tr>{''.join(cells)}</tr>"


def _cell(column: Column, value: object) -> str:
    if isinstance(value, Waterfall):
        return _fall(value)
    if isinstance(value, Diverging):
        return _diverging(value)
    text = text_of(column.kind, value)
    if column.kind == "share" and isinstance(value, float):
        width = max(0.0, min(value, 1.0)) * 100
        return f'<span class="share"><i style="width:{width:.1f}%"></i></span> {escaped(text)}'
    if column.kind in ("verdict", "mark"):
        return f'<b class="{_CLASSES.get(text, "")}">{_SIGNS.get(text, "")} {escaped(text)}</b>'
    indent = "&emsp;" * ((len(text) - len(text.lstrip())) // 2)
    return indent + escaped(text.lstrip())


def _fall(value: Waterfall) -> str:
    labels = {metric.name: metric.label for metric in COMPONENTS}
    told = ", ".join(
        f"{labels[name]} {units.milliseconds(end - start)}" for name, start, end in value.parts
    )
    bars = "".join(
        f'<i style="left:{start / value.scale:.2%};width:{(end - start) / value.scale:.2%};'
        f'background:{variable(name)}"></i>'
        for name, start, end in value.parts
    )
    return f'<span class="fall" role="img" aria-label="{escaped(told)}">{bars}</span>'


def _diverging(value: Diverging) -> str:
    """A bar from the middle to the side of faster or slower; its number is in another column."""
    half = 50 * abs(value.change) / value.scale if value.scale else 0.0
    left = 50 if value.change > 0 else 50 - half
    colour = variable("bad" if value.change > 0 else "good")
    bar = f'<i style="left:{left:.1f}%;width:{half:.1f}%;background:{colour}"></i>'
    return f'<span class="fall diverging" aria-hidden="true">{bar}</span>'


def facts(given: Sequence[Fact]) -> str:
    """The headline's numbers."""
    return f'<dl class="facts">{"".join(_fact(fact) for fact in given)}</dl>' if given else ""


def _fact(fact: Fact) -> str:
    unit = " <small>ms</small>" if fact.kind == "milliseconds" and fact.value is not None else ""
    about = fact.about
    if fact.interval:
        low, high = (units.milliseconds(bound) for bound in fact.interval)
        about = f"95 % interval {low} – {high}"
    mark = f' class="{_CLASSES[fact.label]}"' if fact.label in _CLASSES else ""
    return (
        f"<div{mark}><dt>{escaped(fact.label)}</dt><dd>{text_of(fact.kind, fact.value)}{unit}</dd>"
        f"<dd class=about>{escaped(about)}</dd></div>"
    )


def legend(present: Collection[str]) -> str:
    """What the colours of the components mean that a chart shows."""
    items = "".join(
        f'<li title="{escaped(metric.meaning)}">'
        f'<i style="background:{variable(metric.name)}"></i>{escaped(metric.label)}</li>'
        for metric in COMPONENTS
        if metric.name in present
    )
    return f'<ul class="legend" aria-label="components">{items}</ul>'


def notes(given: Sequence[Note]) -> str:
    """What the reader must know before trusting a number."""
    if not given:
        return ""
    items = "".join(
        f"<div><dt>{escaped(note.code)} <small>({note.count:,})</small></dt>"
        f"<dd>{escaped(note.text)}</dd></div>"
        for note in given
    )
    return (
        f'<section class="card" id="notes"><h2>notes</h2><dl class="notes">{items}</dl></section>'
    )
