"""`turnlat analyze`: one run's waits, and what they are made of."""

from __future__ import annotations

from collections.abc import Sequence
from enum import Enum
from typing import TYPE_CHECKING, Annotated, Any

import typer

from turnlat.commands import console, files, inputs, options
from turnlat.errors import ExitCode, InputError

if TYPE_CHECKING:
    from turnlat.run import Run


class TableName(str, Enum):
    """The tables that `--table` picks from."""

    turns = "turns"
    latency = "latency"
    transcriptions = "transcriptions"
    tools = "tools"
    usage = "usage"
    ledger = "ledger"


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
    format: options.Format = options.FormatName.table,  # noqa: A002  # the option's name, in the environment and in files
    output: options.Outputs = None,
    by: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN",
            help="Split the statistics: model, session, room, agent, source, hour, or any column.",
            show_default=False,
        ),
    ] = None,
    keep: options.Keep = None,
    unwrap: options.Unwrap = None,
    since: options.Since = None,
    until: options.Until = None,
    session: options.Sessions = None,
    model: options.Models = None,
    where: options.Where = None,
    errors: options.Errors = options.OnErrors.warn,
    rejects: Annotated[
        str | None,
        typer.Option(
            metavar="FILE",
            help="Write every bad line to this file, byte for byte, with its place and reason.",
            show_default=False,
        ),
    ] = None,
    jobs: options.Jobs = 0,
    worst: Annotated[int, typer.Option(min=0, help="How many of the slowest turns to show.")] = 5,
    total: options.Total = None,
    force: options.Force = False,
    no_color: options.NoColor = False,
    verbose: Annotated[
        bool, typer.Option("--verbose", "-v", help="Tell what the lines were read as.")
    ] = False,
) -> int:
    """Show how long users waited in a run, turn by turn, and which component it went to."""
    written = [*(output or []), *([rejects] if rejects else [])]
    files.check_free(written, logs, force=force)
    rejecting = rejects is not None
    with inputs.begun(logs, jobs, keep=keep or [], unwrap=unwrap, rejects=rejecting) as readers:
        from turnlat import run as runs  # noqa: PLC0415  # `begun` loads it
        from turnlat import writers  # noqa: PLC0415
        from turnlat.report import analysis  # noqa: PLC0415
        from turnlat.selection import Selection  # noqa: PLC0415

        console.heed_ctrl_c()
        outputs = {path: writers.for_file(path, "analysis") for path in output or []}
        try:
            run = runs.load_with(readers, *logs, on_broken="keep")
        except InputError as error:
            _write_rejects(rejects, error.rejected)
            raise
    _write_rejects(rejects, run.rejected)
    if verbose:
        _say_shapes(run)
    inputs.heed_errors(run, errors)
    selection = Selection(since, until, session or (), model or (), where)
    run = inputs.with_total(run, total).select(selection)
    report = analysis.report(run, by=by, worst=worst, table=table.value if table else None)
    colour = console.colour() and not no_color
    page = writers.Page(console.width(), colour, console.unicode())
    for path, writer in outputs.items():
        files.write_whole(path, writer.write(report, page))
    console.write(writers.WRITERS[format.value].write(report, page))
    return ExitCode.INPUT if run.broken and errors is not options.OnErrors.skip else ExitCode.OK


def _say_shapes(run: Run) -> None:
    from turnlat.readers import fast  # noqa: PLC0415  # --help reads nothing

    read = ", ".join(f"{number:,} {name}" for name, number in sorted(run.shapes.items()))
    console.say(f"lines read as: {read}")
    if not fast.IS_BUILT:
        console.say(
            "turnlat has no compiled scanner here: it reads large logs several times slower",
            hint="install it again where there is a C compiler",
        )
    if run.unknown:
        types = ", ".join(f"{number:,} {name}" for name, number in sorted(run.unknown.items()))
        console.say(f"lines of metric types that turnlat does not know: {types}")


def _write_rejects(path: str | None, rejected: Sequence[tuple[Any, bytes]]) -> None:
    """Every bad line as it was, under a line that tells its place and what is wrong with it."""
    if path is None:
        return
    content = b"".join(
        f"# {inputs.place(line)} (byte {line.offset:,})\n".encode() + raw + b"\n"
        for line, raw in rejected
    )
    files.write_whole(path, content)
