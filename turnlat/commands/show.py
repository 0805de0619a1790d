"""`turnlat show`: one conversation on the clock, with the lines that its turns were made of."""

from __future__ import annotations

from typing import Annotated

import typer

from turnlat.commands import console, options


def show(
    log: Annotated[
        str, typer.Argument(metavar="LOG", help="A log, folder or glob.", show_default=False)
    ],
    session: Annotated[
        str | None,
        typer.Argument(
            metavar="SESSION[/TURN]",
            help="The session, its beginning, or a pattern with *; and one of its turns.",
            show_default=False,
        ),
    ] = None,
    text: Annotated[
        bool, typer.Option("--text", help="Show what was said, where the log has it.")
    ] = False,
    unwrap: options.Unwrap = None,
    no_color: options.NoColor = False,
) -> None:
    """Show one conversation turn by turn: the wait, tools and silences, and the log's own lines."""
    from turnlat import conversation as conversations  # noqa: PLC0415  # polars loads here
    from turnlat import writers  # noqa: PLC0415
    from turnlat.readers import Options  # noqa: PLC0415
    from turnlat.report import conversation as reports  # noqa: PLC0415
    from turnlat.writers import timeline  # noqa: PLC0415

    console.heed_ctrl_c()
    found = conversations.load([log], session, Options(unwrap=unwrap))
    colour = console.colour() and not no_color
    page = writers.Page(console.width(), colour, console.unicode())
    console.write(timeline.write(reports.timeline(found), page, words=text))
