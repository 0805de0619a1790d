"""`turnlat analyze`: one run's waits, and what they are made of."""

from __future__ import annotations

import os
from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from turnlat.commands import console, files
from turnlat.errors import ExitCode, InputError

if TYPE_CHECKING:
    from turnlat.records import BadLine
    from turnlat.run import Run

BAD_LINES_SHOWN = 5


class TableName(str, Enum):
    """The tables that `--table` picks from."""

    turns = "turns"
    latency = "latency"
    transcriptions = "transcriptions"
    tools = "tools"
    usage = "usage"
    ledger = "ledger"


class FormatName(str, Enum):
    """The formats that stdout can have."""

    table = "table"
    markdown = "markdown"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"


class OnErrors(str, Enum):
    """What to do about input that cannot be read."""

    skip = "skip"
    warn = "warn"
    fail = "fail"


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
    format: Annotated[  # noqa: A002  # the option's name, in the environment and in files
        FormatName, typer.Option("--format", help="How stdout is written.")
    ] = FormatName.table,
    output: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Also write this file (.csv .parquet .json .jsonl .md .html .svg); repeatable.",
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
    unwrap: Annotated[
        str | None,
        typer.Option(
            metavar="FIELD",
            help="The field of a JSON envelope around each line that holds the line.",
            show_default=False,
        ),
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(
            metavar="TIME",
            help="Turns from then on: 2026-11-22, 2026-11-22T07:20Z, -3h, today, yesterday.",
            show_default=False,
        ),
    ] = None,
    until: Annotated[
        str | None, typer.Option(metavar="TIME", help="Turns before then.", show_default=False)
    ] = None,
    session: Annotated[
        list[str] | None,
        typer.Option(
            help="Turns of this session, * standing for anything; repeatable.", show_default=False
        ),
    ] = None,
    model: Annotated[
        list[str] | None,
        typer.Option(
            help="Turns with this LLM, TTS or STT, * standing for anything; repeatable.",
            show_default=False,
        ),
    ] = None,
    where: Annotated[
        str | None,
        typer.Option(
            metavar="SQL",
            help="Turns that fulfil a condition over the columns, such as 'e2e_latency > 2'.",
            show_default=False,
        ),
    ] = None,
    errors: Annotated[
        OnErrors, typer.Option(help="What a line or an archive that cannot be read does.")
    ] = OnErrors.warn,
    rejects: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Write every bad line to this file, byte for byte, with its place and reason.",
            show_default=False,
        ),
    ] = None,
    jobs: Annotated[
        int,
        typer.Option(
            "--jobs",
            "-j",
            min=0,
            help="How many processes read files of 50 MB and more; 0 is one for each core.",
        ),
    ] = 0,
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
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Tell what the lines were read as.")
    ] = False,
) -> int:
    """Show how long users waited in a run, turn by turn, and which component it went to."""
    written = [*(output or []), *([rejects] if rejects else [])]
    files.check_free(written, logs, force=force)
    from turnlat import run as runs  # noqa: PLC0415  # polars loads here
    from turnlat import writers  # noqa: PLC0415
    from turnlat.report import analysis  # noqa: PLC0415
    from turnlat.selection import Selection  # noqa: PLC0415

    console.heed_ctrl_c()
    outputs = {path: writers.for_file(path, "analysis") for path in output or []}
    try:
        run = runs.load(
            *logs,
            keep=keep or [],
            unwrap=unwrap,
            rejects=rejects is not None,
            on_broken="keep",
            jobs=jobs or os.cpu_count() or 1,
        )
    except InputError as error:
        _write_rejects(rejects, error.rejected)
        raise
    _write_rejects(rejects, run.rejected)
    if verbose:
        _say_shapes(run)
    _heed_errors(run, errors)
    if total is not None:
        run = run.with_total([name.strip() for name in total.split("+")])
    run = run.select(Selection(since, until, session or (), model or (), where))
    report = analysis.report(run, by=by, worst=worst, table=table.value if table else None)
    colour = console.colour() and not no_color
    page = writers.Page(console.width(), colour, console.unicode())
    for path, writer in outputs.items():
        files.write_whole(path, writer.write(report, page))
    console.write(writers.WRITERS[format.value].write(report, page))
    return ExitCode.INPUT if run.broken and errors is not OnErrors.skip else ExitCode.OK


def _heed_errors(run: Run, errors: OnErrors) -> None:
    """Name what could not be read, or end there, as the user asked."""
    if errors is OnErrors.skip:
        return
    if errors is OnErrors.fail and (run.bad_lines or run.broken):
        first = run.broken[0] if run.broken else _place(run.bad_lines[0])
        raise InputError(f"{first} (--errors fail)", hint="--rejects FILE writes all bad lines")
    for line in run.bad_lines[:BAD_LINES_SHOWN]:
        console.say(f"{_place(line)}; the line is left out")
    more = run.ledger.bad - BAD_LINES_SHOWN
    if more > 0:
        console.say(
            f"and {more:,} more lines that cannot be read", hint="--rejects FILE writes them all"
        )
    for message in run.broken:
        console.say(message, hint="what could be read is used; --errors skip accepts that")


def _place(line: BadLine) -> str:
    return f"{line.source}:{line.line}: {line.reason}"


def _say_shapes(run: Run) -> None:
    read = ", ".join(f"{number:,} {name}" for name, number in sorted(run.shapes.items()))
    console.say(f"lines read as: {read}")
    if run.unknown:
        types = ", ".join(f"{number:,} {name}" for name, number in sorted(run.unknown.items()))
        console.say(f"lines of metric types that turnlat does not know: {types}")


def _write_rejects(path: str | None, rejected: Sequence[tuple[Any, bytes]]) -> None:
    """Every bad line as it was, under a line that tells its place and what is wrong with it."""
    if path is None:
        return
    content = b"".join(
        f"# {_place(line)} (byte {line.offset:,})\n".encode() + raw + b"\n"
        for line, raw in rejected
    )
    files.write_whole(path, content)
