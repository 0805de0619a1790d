"""`turnlat check`: the gate. Rules hold or they do not, and the exit code says so."""

from __future__ import annotations

import os
from enum import Enum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from turnlat.commands import console, files, inputs, options
from turnlat.errors import ExitCode, OutputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from turnlat.analysis.limits import Result
    from turnlat.report import Report
    from turnlat.writers import Page


class FormatName(str, Enum):
    """The formats that stdout can have."""

    table = "table"
    markdown = "markdown"
    json = "json"


class OnInconclusive(str, Enum):
    """What a rule does that the data cannot decide."""

    passes = "pass"
    warns = "warn"
    fails = "fail"


def check(
    logs: Annotated[
        list[str],
        typer.Argument(
            metavar="LOG...",
            help="The run to check: logs, folders, globs, or one saved run (.parquet).",
            show_default=False,
        ),
    ],
    limit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RULE",
            help="What must hold, such as 'e2e_latency.p95 < 1.5s', 'silent.share < 5%' or "
            "'llm_ttft.p50[llm_model=gpt-4o] <= 400ms'; repeatable.",
            show_default=False,
            allow_from_autoenv=False,
        ),
    ] = None,
    baseline: Annotated[
        str | None,
        typer.Option(
            metavar="LOG",
            help="The run to compare with: a log, folder, glob or saved run (.parquet).",
            show_default=False,
        ),
    ] = None,
    regression: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RULE",
            help="How much worse than the baseline is too much, such as "
            "'e2e_latency.p95 +10% 50ms'; repeatable. Without any, the p50 and p95 of the wait.",
            show_default=False,
            allow_from_autoenv=False,
        ),
    ] = None,
    pair_by: options.PairBy = None,
    alpha: Annotated[
        float, typer.Option(help="The chance that a regression fails where nothing changed.")
    ] = 0.05,
    confident: Annotated[
        bool,
        typer.Option(
            "--confident",
            help="A limit on a percentile or share fails only if its one-sided 95 % bound does.",
        ),
    ] = False,
    on_inconclusive: Annotated[
        OnInconclusive, typer.Option(help="What a rule does that the data cannot decide.")
    ] = OnInconclusive.warns,
    format: Annotated[  # noqa: A002  # the option's name, in the environment and in files
        FormatName, typer.Option("--format", help="How stdout is written.")
    ] = FormatName.table,
    output: Annotated[
        list[str] | None,
        typer.Option(
            "--output",
            "-o",
            metavar="FILE",
            help="Also write this file (.xml for JUnit, .json .md .csv .jsonl .html .svg); "
            "repeatable.",
            show_default=False,
        ),
    ] = None,
    github: Annotated[
        bool,
        typer.Option(
            "--github",
            help="Annotations and a step summary, as in GitHub Actions, where it is the default.",
        ),
    ] = False,
    unwrap: options.Unwrap = None,
    jobs: options.Jobs = 0,
    force: options.Force = False,
    no_color: options.NoColor = False,
) -> int:
    """Hold a run against limits and its baseline: exit code 1 where a rule is broken."""
    from turnlat.analysis import checks  # noqa: PLC0415  # polars loads here

    rules = checks.Rules.of(limit or [], regression or [], has_baseline=baseline is not None)
    files.check_free(output or [], [*logs, *([baseline] if baseline else [])], force=force)
    from turnlat import writers  # noqa: PLC0415
    from turnlat.report import check as reports  # noqa: PLC0415

    console.heed_ctrl_c()
    outputs = {path: writers.for_file(path, "check") for path in output or []}
    run = inputs.load(logs, jobs, unwrap=unwrap)
    before = None if baseline is None else inputs.load([baseline], jobs, unwrap=unwrap)
    results = checks.hold(run, rules, before, alpha=alpha, pair_by=pair_by, confident=confident)
    report = reports.report(run, results)
    colour = console.colour() and not no_color
    page = writers.Page(console.width(), colour, console.unicode())
    for path, writer in outputs.items():
        files.write_whole(path, writer.write(report, page))
    console.write(writers.WRITERS[format.value].write(report, page))
    if github or os.environ.get("GITHUB_ACTIONS") == "true":
        _tell_github(report, page)
    if on_inconclusive is OnInconclusive.warns:
        for result in results:
            if result.verdict.value == "inconclusive":
                console.say(
                    f"{result.rule.text}: inconclusive",
                    hint="--on-inconclusive pass or fail says what that should mean",
                )
    return exit_code(results, on_inconclusive)


def exit_code(results: Sequence[Result], on_inconclusive: OnInconclusive) -> ExitCode:
    """1 for any failed rule, 4 for any that could not be judged, else 0."""
    verdicts = {result.verdict.value for result in results}
    if "failed" in verdicts:
        return ExitCode.CHECK_FAILED
    if "not judged" in verdicts:
        return ExitCode.NOT_JUDGED
    if "inconclusive" in verdicts and on_inconclusive is OnInconclusive.fails:
        return ExitCode.NOT_JUDGED
    return ExitCode.OK


def _tell_github(report: Report, page: Page) -> None:
    """Annotations go to stderr, where the runner reads them too and stdout stays data."""
    from turnlat import writers  # noqa: PLC0415

    console.tell(writers.WRITERS["github"].write(report, page))
    summary = os.environ.get("GITHUB_STEP_SUMMARY")
    if summary:
        try:
            with Path(summary).open("ab") as file:
                file.write(writers.WRITERS["markdown"].write(report, page))
        except OSError as error:
            raise OutputError(f"{summary}: cannot be written: {error.strerror}") from error
