"""Markdown: the tables and notes, for pull requests and wikis."""

from __future__ import annotations

import re

from turnlat.report import Column, Diverging, Report, Table, Waterfall
from turnlat.writers import Page, bars
from turnlat.writers.cells import LEFT_ALIGNED, text_of, visible

_MARKUP = re.compile(r"([\\`*\[\]<>|~#]|(?<![^\W_])_|_(?![^\W_]))")
"""Characters that mean something; an underscore within a word does not."""
_BAR_WIDTH = 30


def write(report: Report, page: Page) -> bytes:  # noqa: ARG001
    """Headings, pipe tables and a list of notes."""
    blocks = [_escaped(visible(line)) for line in report.headline]
    for table in report.tables:
        blocks += [f"### {_escaped(visible(table.title))}", _table(table)]
        if table.left_out:
            blocks.append(f"… and {table.left_out:,} more")
    if report.notes:
        notes = [f"- **{note.code}** ({note.count:,}): {note.text}" for note in report.notes]
        blocks += ["### notes", "\n".join(notes)]
    return ("\n\n".join(blocks) + "\n").encode()


def _table(table: Table) -> str:
    rules = ("---" if column.kind in LEFT_ALIGNED else "---:" for column in table.columns)
    lines = [_row(column.label for column in table.columns), _row(rules)]
    lines += [
        _row(_cell(column, value) for column, value in zip(table.columns, row, strict=True))
        for row in table.rows
    ]
    legend = bars.legend([v for row in table.rows for v in row if isinstance(v, Waterfall)])
    if legend:
        lines += ["", ", ".join(f"`{bars.LETTERS[name]}` {label}" for name, label in legend)]
    return "\n".join(lines)


def _row(cells: object) -> str:
    return "| " + " | ".join(cells) + " |"  # type: ignore[arg-type]


def _cell(column: Column, value: object) -> str:
    if isinstance(value, Waterfall):
        runs = bars.waterfall(value, _BAR_WIDTH)
        return "`" + "".join(bars.LETTERS[name] * cells for name, cells in runs) + "`"
    if isinstance(value, Diverging):
        return f"`{bars.diverging(value, _BAR_WIDTH, unicode=True)}`"
    text = text_of(column.kind, value)
    indent = len(text) - len(text.lstrip())
    return "&nbsp;" * indent + _escaped(text.lstrip())


def _escaped(text: str) -> str:
    return _MARKUP.sub(r"\\\1", text.replace("&", "&amp;")).replace("\\<", "&lt;")
