"""Notebooks: a run as a cell shows it. Static: notebooks run no scripts of what they were sent."""

from __future__ import annotations

import html

from turnlat.report import Column, Report, Table, analysis
from turnlat.run import Run
from turnlat.writers import WRITERS, Page, has_extra
from turnlat.writers.cells import LEFT_ALIGNED, text_of, visible

_TABLES = ("latency", "tools", "usage")


def of_run(run: Run) -> str:
    """The headline, the picture, and the tables of a run's summary."""
    report = analysis.report(run)
    lines = "<br>".join(html.escape(visible(line)) for line in report.headline)
    tables = "".join(_table(table) for table in report.tables if table.name in _TABLES)
    notes = "".join(
        f"<li><b>{html.escape(note.code)}</b> ({note.count:,}): {html.escape(note.text)}</li>"
        for note in report.notes
    )
    return f"<p>{lines}</p>{_picture(report)}{tables}<ul>{notes}</ul>"


def _picture(report: Report) -> str:
    """The same SVG that `-o latency.svg` writes; nothing where its extra is not installed."""
    picture = WRITERS["svg"]
    if picture.extra and not has_extra(picture.extra):
        return ""
    return picture.write(report, Page()).decode()


def _table(table: Table) -> str:
    head = "".join(f'<th scope="col">{html.escape(c.label)}</th>' for c in table.columns)
    rows = "".join(
        f"<tr>{''.join(_cell(*pair) for pair in zip(table.columns, row, strict=True))}</tr>"
        for row in table.rows
    )
    caption = f"<caption>{html.escape(table.title)}</caption>"
    return f"<table>{caption}<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table>"


def _cell(column: Column, value: object) -> str:
    side = "left" if column.kind in LEFT_ALIGNED else "right"
    return f'<td style="text-align:{side}">{html.escape(text_of(column.kind, value))}</td>'
