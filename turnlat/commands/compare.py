"""`turnlat compare`: whether users wait longer in a candidate than in its baseline, and why."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from turnlat.commands import console, files, inputs, options
from turnlat.errors import ExitCode, UsageError

if TYPE_CHECKING:
    from turnlat.analysis.verdicts import Margin
    from turnlat.report import Report
    from turnlat.run import Run

DEFAULT_MARGIN = "10% 50ms"


def compare(
    runs: Annotated[
        list[str],
        typer.Argument(
            metavar="BASELINE CANDIDATE...",
            help="Logs, folders, globs or saved runs (.parquet), a run each; LABEL=LOG names one.",
            show_default=False,
        ),
    ],
    by: Annotated[
        str | None,
        typer.Option(
            metavar="COLUMN", help="Also compare within each value of this.", show_default=False
        ),
    ] = None,
    pair_by: options.PairBy = None,
    margin: Annotated[
        str,
        typer.Option(
            metavar="SHARE TIME", help="How much slower is too much: the larger of the two."
        ),
    ] = DEFAULT_MARGIN,
    alpha: Annotated[
        float, typer.Option(help="The chance to call an unchanged candidate worse.")
    ] = 0.05,
    calibrate: Annotated[
        bool,
        typer.Option(
            "--calibrate",
            help="Take one run and split it over and over: how often would rules cry wolf on it?",
        ),
    ] = False,
    format: options.Format = options.FormatName.table,  # noqa: A002  # the option's name, in the environment and in files
    output: options.Outputs = None,
    keep: options.Keep = None,
    unwrap: options.Unwrap = None,
    since: options.Since = None,
    until: options.Until = None,
    session: options.Sessions = None,
    model: options.Models = None,
    where: options.Where = None,
    errors: options.Errors = options.OnErrors.warn,
    jobs: options.Jobs = 0,
    total: options.Total = None,
    force: options.Force = False,
    no_color: options.NoColor = False,
) -> int:
    """Tell whether users wait longer in a candidate than in the baseline, and which part it is.

    A verdict is on the location (p50) and the p95 of the wait, by permutations of whole sessions.
    Exits with 0 whatever it finds: turnlat check is the gate.
    """
    files.check_free(output or [], runs, force=force)
    from turnlat import writers  # noqa: PLC0415  # polars loads here
    from turnlat.analysis import rules  # noqa: PLC0415
    from turnlat.analysis.verdicts import Margin  # noqa: PLC0415
    from turnlat.selection import Selection  # noqa: PLC0415

    console.heed_ctrl_c()
    _check_number(runs, calibrate=calibrate)
    bound = Margin(*rules.parse_margins(margin))
    kind = "calibration" if calibrate else "comparison"
    outputs = {path: writers.for_file(path, kind) for path in output or []}
    reading = inputs.Reading(
        keep=keep or [],
        unwrap=unwrap,
        jobs=jobs,
        errors=errors,
        total=total,
        selection=Selection(since, until, session or (), model or (), where),
    )
    loaded = [reading.load(path) for path in runs]
    report = (
        _calibrated(loaded[0], bound, alpha)
        if calibrate
        else _compared(loaded, by, pair_by, bound, alpha)
    )
    colour = console.colour() and not no_color
    page = writers.Page(console.width(), colour, console.unicode())
    for path, writer in outputs.items():
        files.write_whole(path, writer.write(report, page))
    console.write(writers.WRITERS[format.value].write(report, page))
    broken = any(run.broken for run in loaded) and errors is not options.OnErrors.skip
    return ExitCode.INPUT if broken else ExitCode.OK


def _check_number(runs: list[str], *, calibrate: bool) -> None:
    if calibrate and len(runs) != 1:
        raise UsageError(
            f"--calibrate splits one run, and {len(runs)} are named",
            hint="pool several logs in a folder or a glob",
        )
    if not calibrate and len(runs) == 1:
        raise UsageError(
            f"{runs[0]}: a baseline without a candidate",
            hint="turnlat compare BASELINE CANDIDATE, or --calibrate to split this one",
        )


def _compared(
    runs: list[Run], by: str | None, pair_by: str | None, margin: Margin, alpha: float
) -> Report:
    from turnlat.analysis.comparison import compare  # noqa: PLC0415
    from turnlat.report import comparison  # noqa: PLC0415

    baseline, *candidates = runs
    return comparison.report(
        [
            compare(baseline, one, margin=margin, alpha=alpha, by=by, pair_by=pair_by)
            for one in candidates
        ],
        runs,
    )


def _calibrated(run: Run, margin: Margin, alpha: float) -> Report:
    from turnlat.analysis.calibration import calibrate  # noqa: PLC0415
    from turnlat.report import calibration  # noqa: PLC0415

    return calibration.report(calibrate(run, margin=margin, alpha=alpha))
