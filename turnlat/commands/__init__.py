"""The command line: one module per command; errors are caught here, once."""

from __future__ import annotations

import importlib
import traceback
from collections.abc import Iterable
from typing import Annotated, Any

import typer

from turnlat import __version__
from turnlat.commands import configuration
from turnlat.commands.console import ReaderGoneError, say
from turnlat.commands.values import spare_pydantic
from turnlat.errors import ExitCode, TurnlatError

COMMANDS = ("analyze", "check", "compare", "show", "watch", "formats", "hook")
"""Each is a function of its module, both of that name; only the one that runs is loaded."""


def _show_version(value: bool) -> None:  # noqa: FBT001
    if value:
        typer.echo(f"turnlat {__version__}")
        raise typer.Exit


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
    command = _made([name for name in arguments[:1] if name in COMMANDS] or COMMANDS)
    spare_pydantic(command)
    try:
        result: object = command.main(
            arguments,
            prog_name="turnlat",
            standalone_mode=False,
            default_map=configuration.default_map(_options),
        )
    except SystemExit as end:
        # typer ends with 1 where the reader of its help has left; only a failed check may.
        raise ReaderGoneError from end
    return result if isinstance(result, int) else ExitCode.OK


def _made(names: Iterable[str]) -> Any:
    """The command line with some of its commands."""
    app = typer.Typer(
        name="turnlat",
        add_completion=True,
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "auto_envvar_prefix": "TURNLAT"},
    )
    app.callback(invoke_without_command=True)(turnlat)
    for name in names:
        module = importlib.import_module(f"turnlat.commands.{name}")
        app.command(name)(getattr(module, name))
    return typer.main.get_command(app)


def _options() -> dict[str, list[str]]:
    """The options of each command."""
    commands = _made(COMMANDS).commands
    return {name: [p.name for p in one.params if p.name] for name, one in commands.items()}
