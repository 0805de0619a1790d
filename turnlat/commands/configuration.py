"""Defaults for options from `turnlat.toml`, or `[tool.turnlat]` in `pyproject.toml`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from turnlat.errors import UsageError

FILES = ("turnlat.toml", "pyproject.toml")


def default_map() -> dict[str, Any]:
    """The options of each command, as the configuration in this folder sets them.

    Raises `UsageError` where the file is no TOML or names no command.
    """
    for name in FILES:
        path = Path(name)
        if not path.is_file():
            continue
        content = _parse(path)
        tables = content if name == "turnlat.toml" else content.get("tool", {}).get("turnlat")
        if tables is not None:
            return {command: _options(name, command, value) for command, value in tables.items()}
    return {}


def _parse(path: Path) -> dict[str, Any]:
    if sys.version_info >= (3, 11):
        import tomllib  # noqa: PLC0415  # only a configured project needs it
    else:
        import tomli as tomllib  # noqa: PLC0415
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise UsageError(f"{path}: cannot be read: {error}") from error


def _options(name: str, command: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise UsageError(
            f"{name}: {command} is no table of options",
            hint="options go under their command, such as [tool.turnlat.analyze]",
        )
    return {option.replace("-", "_"): setting for option, setting in value.items()}
