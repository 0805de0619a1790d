"""`turnlat analyze`: one run's waits, and what they are made of."""

from __future__ import annotations

from enum import Enum
from typing import TYPE_CHECKING, Annotated

import typer

from turnlat.commands import console, files

if TYPE_CHECKING:
    from turnlat.run import Run

BAD_LINES_SHOWN = 5


class TableName(str, Enum):
    """The tables that `--table` picks from."""

    turns = "turns"
    latency = "latency"
    transcriptions = "transcriptions"
    usage = "usage"
    ledger = "ledger"


class FormatName(str, Enum):
    """The formats that stdout can have."""

    table = "table"
    markdown = "markdown"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"


def analyze(
    logs: Annotated[
        list[str],
        typer.Argument(
            metavar="LOG...",
            help="Logs, folders, globs, - for stdin, or one saved run (.parquet); "
            "LABEL=LOG names the run.",
            show_default=False,
        ),
    ],
    table: Annotated[
        TableName | None, typer.Option(help="Show this table only, in full.", show_default=False)
    ] = None,
    format_: Annotated[
        FormatName, typer.Option("--format", help="How stdout is written.")
    ] = FormatName.table,
    output: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Also write this file (.csv .parquet .json .jsonl .md); repeatable.",
            show_default=False,
        ),
    ] = None,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Split the statistics: model, session, room, agent, source, hour, or any column.",
            show_default=False,
        ),
    ] = None,
    keep: Annotated[
        list[str] | None,
        typer.Option(
            metavar="FIELD",
            help="Take a field of the log lines over into the turn table; repeatable.",
            show_default=False,
        ),
    ] = None,
    worst: Annotated[int, typer.Option(min=0, help="How many of the slowest turns to show.")] = 5,
    total: Annotated[
        str | None,
        typer.Option(
            metavar="NAMES",
            help="What total_latency adds up, such as eou_delay+llm_ttft+tts_ttfb.",
            show_default=False,
        ),
    ] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace existing output files.")] = False,
    no_color: Annotated[bool, typer.Option("--no-color", help="No colours.")] = False,
) -> None:
    """Show how long users waited in a run, turn by turn, and which component it went to."""
    files.check_free(output or [], force=force)
    from turnlat import run as runs  # noqa: PLC0415  # polars loads here
    from turnlat import writers  # noqa: PLC0415
    from turnlat.report import analysis  # noqa: PLC0415

    console.heed_ctrl_c()
    outputs = {path: writers.for_file(path) for path in output or []}
    run = runs.load(*logs, keep=keep or [])
    if total is not None:
        run = run.with_total([name.strip() for name in total.split("+")])
    _say_bad_lines(run)
    report = analysis.report(run, by=by, worst=worst, table=table.value if table else None)
    colour = console.colour() and not no_color
    page = writers.Page(console.width(), colour, console.unicode())
    for path, writer in outputs.items():
        files.write_whole(path, writer.write(report, page))
    console.write(writers.WRITERS[format_.value].write(report, page))


def _say_bad_lines(run: Run) -> None:
    for line in run.bad_lines[:BAD_LINES_SHOWN]:
        console.say(f"{line.source}:{line.line}: {line.reason}; the line is left out")
    more = run.ledger.bad - BAD_LINES_SHOWN
    if more > 0:
        console.say(f"and {more:,} more lines that cannot be read", hint="--format json has them")
