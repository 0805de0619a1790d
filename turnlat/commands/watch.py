"""`turnlat watch`: the turns of logs that grow, each as soon as it is finished."""

from __future__ import annotations

import time
from enum import Enum
from typing import Annotated

import typer

from turnlat.commands import console, options
from turnlat.errors import ExitCode, UsageError

SHORTEST_MEMORY = 60.0
MEMORY_OF_TURNS = 900.0
"""How long a quiet conversation is kept where the window is a number of turns."""


class FormatName(str, Enum):
    """How turns are shown."""

    view = "view"
    lines = "lines"
    jsonl = "jsonl"


def watch(
    logs: Annotated[
        list[str],
        typer.Argument(
            metavar="LOG...",
            help="Logs that grow, also ones that are not there yet; folders, globs, - for stdin.",
            show_default=False,
        ),
    ],
    window: Annotated[
        str, typer.Option(metavar="WINDOW", help="What statistics are over: 5m, 1h, 100 turns.")
    ] = "15m",
    limit: Annotated[
        list[str] | None,
        typer.Option(
            metavar="RULE",
            help="What must hold over the window, as for check; red where it does not; repeatable.",
            show_default=False,
            allow_from_autoenv=False,
        ),
    ] = None,
    format: Annotated[  # noqa: A002  # the option's name, in the environment and in files
        FormatName | None,
        typer.Option(
            "--format",
            help="How turns are shown; a view on a terminal, else a line per finished turn.",
            show_default=False,
        ),
    ] = None,
    from_start: Annotated[
        bool,
        typer.Option(
            "--from-start", help="Begin with the first line, not with the turns of the window."
        ),
    ] = False,
    once: Annotated[bool, typer.Option("--once", help="Show what there is now, and end.")] = False,
    settle: Annotated[
        float,
        typer.Option(
            metavar="SECONDS", min=0.0, help="How long an answered turn must be quiet to be shown."
        ),
    ] = 0.3,
    unwrap: options.Unwrap = None,
    no_color: options.NoColor = False,
) -> int:
    """Follow logs as they grow, through rotation and truncation; Ctrl-C ends with a summary."""
    from turnlat import writers  # noqa: PLC0415  # polars loads here
    from turnlat.analysis import rules  # noqa: PLC0415
    from turnlat.commands import watching  # noqa: PLC0415
    from turnlat.following import Follower  # noqa: PLC0415
    from turnlat.live import Watch, windows  # noqa: PLC0415
    from turnlat.readers import Options  # noqa: PLC0415

    parsed = [rules.parse_limit(text) for text in limit or []]
    span = windows.parse(window)
    memory = max(span.seconds or MEMORY_OF_TURNS, SHORTEST_MEMORY)
    colour = console.colour() and not no_color
    shown = format or (FormatName.view if once or console.is_terminal() else FormatName.lines)
    if shown is FormatName.view and not (once or console.is_terminal()):
        raise UsageError(
            "--format view: stdout is no terminal",
            hint="--format lines or jsonl, or --once for a single frame",
        )
    session = watching.Session(
        Follower(logs, Options(unwrap=unwrap), from_start=from_start, clock=time.monotonic),
        Watch(settle=settle, forget_after=memory),
        watching.Asked(
            label=", ".join(logs),
            window=span,
            rules=parsed,
            format=shown.value,
            everything=from_start,
            page=writers.Page(console.width(), colour, console.unicode()),
        ),
    )
    if once:
        session.look_once()
        return ExitCode.OK
    return session.follow()
