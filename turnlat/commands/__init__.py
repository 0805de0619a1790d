"""The command line: one module per command; errors are caught here, once."""

from __future__ import annotations

import traceback
from typing import Annotated

import typer

from turnlat import __version__
from turnlat.commands import (
    analyze,
    check,
    compare,
    configuration,
    formats,
    hook,
    show,
    watch,
)
from turnlat.commands.console import ReaderGoneError, say
from turnlat.commands.values import spare_pydantic
from turnlat.errors import ExitCode, TurnlatError

app = typer.Typer(
    name="turnlat",
    add_completion=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "TURNLAT"},
)
app.command("analyze")(analyze.analyze)
app.command("check")(check.check)
app.command("compare")(compare.compare)
app.command("show")(show.show)
app.command("watch")(watch.watch)
app.command("formats")(formats.formats)
app.command("hook")(hook.hook)


def _show_version(value: bool) -> None:  # noqa: FBT001
    if value:
        typer.echo(f"turnlat {__version__}")
        raise typer.Exit


@app.callback(invoke_without_command=True)
def turnlat(
    context: typer.Context,
    version: Annotated[  # noqa: ARG001
        bool,
        typer.Option(
            "--version",
            help="Show the version.",
            callback=_show_version,
            is_eager=True,
            allow_from_autoenv=False,
        ),
    ] = False,
) -> None:
    """How long callers wait for a LiveKit voice agent, per turn, and why.

    Exit codes: 0 done, 1 a check failed, 2 the command line, a rule or the configuration is wrong,
    3 an input is missing, unreadable or holds no metrics, 4 a check could not be judged, 70 a bug
    in turnlat, 130 interrupted.
    """
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def run(arguments: list[str]) -> int:
    """Run the command line and return the exit code."""
    try:
        return _run(arguments)
    except TurnlatError as error:
        say(error.message, hint=error.hint, detail=error.detail)
        return error.exit_code
    except typer.TyperException as error:
        say(error.format_message(), hint="turnlat COMMAND --help lists what there is")
        return ExitCode.USAGE
    except ReaderGoneError:
        return ExitCode.OK
    except (KeyboardInterrupt, typer.Abort):
        return ExitCode.INTERRUPTED
    except Exception:  # noqa: BLE001
        traceback.print_exc()
        say(
            f"this is a bug in turnlat {__version__}, not in your log",
            hint="report it with the lines above: https://github.com/turnlat/turnlat/issues",
        )
        return ExitCode.BUG


def _run(arguments: list[str]) -> int:
    command = typer.main.get_command(app)
    spare_pydantic(command)
    commands = getattr(command, "commands", {})
    known = {name: [p.name for p in one.params if p.name] for name, one in commands.items()}
    try:
        result: object = command.main(
            arguments,
            prog_name="turnlat",
            standalone_mode=False,
            default_map=configuration.default_map(known),
        )
    except SystemExit as end:
        # typer ends with 1 where the reader of its help has left; only a failed check may.
        raise ReaderGoneError from end
    return result if isinstance(result, int) else ExitCode.OK
