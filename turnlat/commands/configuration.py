"""Defaults for options from `turnlat.toml`, or `[tool.turnlat]` in `pyproject.toml`."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from turnlat.errors import UsageError

FILES = ("turnlat.toml", "pyproject.toml")


def default_map(options: Callable[[], Mapping[str, Collection[str]]]) -> dict[str, Any]:
    """The options of each command, as the configuration in this folder sets them.

    `options` gives those that each command has. Raises `UsageError` where the file is no TOML, or
    names what is not among them.
    """
    for name in FILES:
        path = Path(name)
        if not path.is_file():
            continue
        content = _parse(path)
        tables = content if name == "turnlat.toml" else _table(content, "tool").get("turnlat")
        if tables is not None:
            if not isinstance(tables, dict):
                raise UsageError(f"{name}: [tool.turnlat] is no table of commands")
            known = options() if tables else {}
            return {
                command: _options(name, command, value, known) for command, value in tables.items()
            }
    return {}


def _table(content: dict[str, Any], name: str) -> dict[str, Any]:
    found = content.get(name)
    return found if isinstance(found, dict) else {}


def _parse(path: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib  # noqa: PLC0415  # only a configured project needs it
    else:
        import tomli as tomllib  # noqa: PLC0415
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error


def _options(
    name: str, command: str, value: object, known: Mapping[str, Collection[str]]
) -> dict[str, Any]:
    if command not in known or not isinstance(value, dict):
        raise UsageError(
            f"{name}: {command} is no table of a command's options",
            hint=f"options go under their command: {', '.join(known)}",
        )
    options = {option.replace("-", "_"): setting for option, setting in value.items()}
    for option in options:
        if option not in known[command]:
            close = difflib.get_close_matches(option, known[command], n=3)
            raise UsageError(
                f"{name}: {command} has no option {option}",
                hint=f"did you mean {' or '.join(close)}?" if close else None,
            )
    return options
