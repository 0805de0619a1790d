"""Terminal: tables that fit the width, bars, waterfalls, footnotes."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from dataclasses import dataclass

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from turnlat.notes import Note
from turnlat.report import Column, Diverging, Report, Table
from turnlat.units import MISSING
from turnlat.writers import Page, bars, drawing
from turnlat.writers.cells import LEFT_ALIGNED, text_of, visible

_VERDICTS = {
    "passed": "green", "failed": "bold red", "inconclusive": "yellow", "not judged": "red",
    "worse": "bold red", "slower": "red", "better": "bold green", "faster": "green",
}  # fmt: skip
_GAP = 2
_SHORTEST_BAR, _LONGEST_BAR = 12, 40
_ROOMY_TEXT, _SHORTEST_TEXT = 24, 8
_BAR_KINDS = ("share", "waterfall", "diverging")
_SHARE_LABEL = 5


def write(report: Report, page: Page) -> bytes:
    """The whole report for a page of that width; a row never wraps."""
    lines = [
        Text(part)
        for line in report.headline
        for part in textwrap.wrap(visible(line), page.width, subsequent_indent="  ")
    ]
    for table in report.tables:
        lines += [Text(), *_table(table, page)] if lines else _table(table, page)
    lines += _notes(report.notes, page.width)
    return drawing.printed(lines, page)


def _notes(notes: Sequence[Note], width: int) -> list[Text]:
    """Footnotes, which alone may wrap."""
    if not notes:
        return []
    lines = [Text(), Text("notes", style="bold")]
    for note in notes:
        head = f"{note.code} ({note.count:,}): "
        wrapped = textwrap.wrap(
            head + note.text, width, initial_indent="  ", subsequent_indent="    "
        )
        texts = [Text(line) for line in wrapped]
        texts[0].stylize("bold", 2, 2 + len(head))
        lines += texts
    return lines


@dataclass
class _Laid:
    """A column on the page: its cells as text, and the width that it gets."""

    column: Column
    cells: list[str]
    width: int
    values: list[object]


def _table(table: Table, page: Page) -> list[Text]:
    laid = _fit([column for column in _lay(table) if not _empty(column)], page.width)
    lines = [Text(visible(table.title), style="bold")]
    lines.append(Text("  ".join(_head(column) for column in laid).rstrip(), style="dim"))
    for number in range(len(table.rows)):
        line = Text("  ").join(_cell(column, number, page) for column in laid)
        line.rstrip()
        lines.append(line)
    if table.left_out:
        more = f"… and {table.left_out:,} more (--table {table.name} shows all)"
        lines.append(Text(more, style="dim"))
    falls = [v for c in laid if c.column.kind == "waterfall" for v in c.values]
    lines.extend(drawing.legend(falls, page))  # type: ignore[arg-type]
    return lines


def _empty(laid: _Laid) -> bool:
    """Whether no row has anything to say in a column that can be spared."""
    return laid.column.priority > 0 and all(cell in ("", MISSING) for cell in laid.cells)


def _lay(table: Table) -> list[_Laid]:
    laid = []
    for number, column in enumerate(table.columns):
        values = [row[number] for row in table.rows]
        cells = [text_of(column.kind, value) for value in values]
        width = max([cell_len(column.label), *map(cell_len, cells)])
        if column.kind in _BAR_KINDS:
            width = max(cell_len(column.label), _SHORTEST_BAR)
        laid.append(_Laid(column, cells, width, values))
    return laid


def _fit(laid: list[_Laid], width: int) -> list[_Laid]:
    """Narrow long texts, drop columns that can be spared, give what is left to the bars."""
    kept = list(laid)
    while (excess := _width(kept) - width) > 0 and not _shrink(kept, excess, _ROOMY_TEXT):
        optional = [column for column in kept if column.column.priority]
        if not optional:
            _shrink(kept, excess, _SHORTEST_TEXT)
            break
        kept.remove(max(optional, key=lambda column: column.column.priority))
    for column in kept:
        if column.column.kind in _BAR_KINDS:
            column.width += min(max(0, width - _width(kept)), _LONGEST_BAR - _SHORTEST_BAR)
    return kept


def _width(laid: list[_Laid]) -> int:
    return sum(column.width for column in laid) + _GAP * (len(laid) - 1)


def _shrink(laid: list[_Laid], excess: int, floor: int) -> bool:
    """Take `excess` cells from texts, the longest first, if they can give as much."""
    texts = [column for column in laid if column.column.kind in ("text", "place", "codes")]
    floors = [max(cell_len(column.column.label), floor) for column in texts]
    spare = [max(0, text.width - floor) for text, floor in zip(texts, floors, strict=True)]
    if sum(spare) < excess:
        return False
    for _ in range(excess):
        widest = max(range(len(texts)), key=lambda i: (spare[i] > 0, texts[i].width))
        texts[widest].width -= 1
        spare[widest] -= 1
    return True


def _head(laid: _Laid) -> str:
    return _aligned(laid, laid.column.label)


def _aligned(laid: _Laid, text: str) -> str:
    if cell_len(text) > laid.width:
        text = _shortened(text, laid)
    pad = " " * (laid.width - cell_len(text))
    return (
        text + pad
        if laid.column.kind in LEFT_ALIGNED or laid.column.kind == "share"
        else pad + text
    )


def _shortened(text: str, laid: _Laid) -> str:
    """Places keep their end, which tells file and line; other texts their beginning."""
    room = laid.width - 1
    if laid.column.kind != "place":
        return set_cell_size(text, room).rstrip() + "…"
    while cell_len(text) > room:
        text = text[1:]
    return "…" + text


def _cell(laid: _Laid, row: int, page: Page) -> Text:
    kind, value = laid.column.kind, laid.values[row]
    if kind == "share":
        return _share(laid, value, page)  # type: ignore[arg-type]
    if kind == "waterfall":
        return drawing.waterfall(value, laid.width, page)  # type: ignore[arg-type]
    if kind == "diverging":
        return _diverging(laid, value, page)  # type: ignore[arg-type]
    style = _VERDICTS.get(laid.cells[row], "") if kind in ("verdict", "mark") else ""
    return Text(_aligned(laid, laid.cells[row]), style=style)


def _diverging(laid: _Laid, value: Diverging | None, page: Page) -> Text:
    if value is None:
        return Text(" " * laid.width)
    bar = bars.diverging(value, laid.width, unicode=page.unicode)
    text = Text(bar, style="red" if value.change > 0 else "green")
    text.append(" " * (laid.width - text.cell_len))
    return text


def _share(laid: _Laid, value: float | None, page: Page) -> Text:
    if value is None:
        return Text(" " * laid.width)
    bar = bars.share(value, laid.width - _SHARE_LABEL, unicode=page.unicode)
    text = Text(f"{text_of('share', value):>{_SHARE_LABEL - 1}} ")
    text.append(bar, style="cyan")
    text.append(" " * (laid.width - text.cell_len))
    return text
