"""The registry of formats: every shape of a line that turnlat recognises.

To add one: a module with NAME, ABOUT, EXAMPLE and `decode`, and its line in `FORMATS`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from turnlat.readers import (
    chat,
    console,
    hook,
    node,
    otlp,
    production,
    pydantic,
    session_events,
    session_report,
    usage_summary,
    wrapped,
)
from turnlat.readers.fields import Decoded, JsonObject


class Format(NamedTuple):
    """One shape of line."""

    name: str
    about: str
    example: str
    decode: Callable[[JsonObject], list[Decoded] | None]
    """The records of a line; null where the line is not of this shape.

    Raises `BadValueError` where it is, with a value that cannot be.
    """
    gather: Callable[[list[JsonObject]], JsonObject] | None = None
    """Makes one object of all lines of a file that are of this shape and need one another."""
    is_part: Callable[[JsonObject], bool] = lambda _: False
    """Whether a line is one of those."""


FORMATS = tuple(
    Format(
        module.NAME,
        module.ABOUT,
        module.EXAMPLE,
        module.decode,
        **getattr(module, "GATHERED", {}),
    )
    for module in (
        node,
        hook,
        production,
        chat,
        session_events,
        session_report,
        otlp,
        wrapped,
        pydantic,
        usage_summary,
    )
)
"""In the order in which they are tried; the first that knows a line reads it."""

TEXT_FORMATS = ((console.NAME, console.ABOUT, console.EXAMPLE),)
"""Shapes of text that become an object, which is then read as one of `FORMATS`."""
