"""Cells: raw values as text for people, with nothing in it that acts on a terminal."""

from __future__ import annotations

import unicodedata
from collections.abc import Callable
from typing import Any

from turnlat import units
from turnlat.report import Kind

_ACTING = {"Cc", "Cf", "Cs", "Zl", "Zp", "Co"}
"""Control, format, surrogate, line and paragraph separator, private use."""


def visible(text: str) -> str:
    """`text` with every character that could act on a terminal as its escape."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(map(_shown, text))


def _shown(char: str) -> str:
    if unicodedata.category(char) not in _ACTING:
        return char
    code = ord(char)
    return f"\\x{code:02x}" if code < 0x100 else f"\\u{code:04x}"  # noqa: PLR2004


def text_of(kind: Kind, value: Any) -> str:
    """The text of a cell; a dash where the value is missing."""
    if value is None:
        return units.MISSING
    return _FORMATS[kind](value)


def _interval(
    form: Callable[[float | None], str],
) -> Callable[[tuple[float | None, float | None]], str]:
    """Both bounds in one form; an open one is left out."""

    def shown(bounds: tuple[float | None, float | None]) -> str:
        texts = ["" if bound is None else form(bound) for bound in bounds]
        return "…".join(texts) if any(texts) else units.MISSING

    return shown


def _counts(pair: tuple[int, int]) -> str:
    return " v ".join(map(units.count, pair))


def _place(place: tuple[str | None, int | None]) -> str:
    source, line = place
    return units.MISSING if source is None else f"{visible(source)}:{line}"


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return visible(str(value))


MARKS: dict[str, str] = {"inconclusive": "~", "unclear": "~"}
"""What stands for a verdict that is none; all others are their own words."""

_FORMATS: dict[Kind, Callable[[Any], str]] = {
    "text": _text,
    "name": str,
    "place": _place,
    "moment": units.moment,
    "milliseconds": units.milliseconds,
    "interval": _interval(units.milliseconds),
    "seconds": units.seconds,
    "count": units.count,
    "ratio": units.ratio,
    "share": units.percent,
    "waterfall": lambda _: "",
    "quantity": lambda quantity: units.quantity(*quantity),
    "verdict": str,
    "change": units.change,
    "changes": _interval(units.change),
    "ratios": _interval(units.ratio),
    "counts": _counts,
    "probability": units.probability,
    "percents": _interval(units.percent_to_a_tenth),
    "growth": units.growth,
    "percent": units.percent_to_a_tenth,
    "points": units.points,
    "points_interval": _interval(units.points),
    "mark": lambda verdict: MARKS.get(verdict, verdict),
    "diverging": lambda _: "",
    "codes": lambda codes: ", ".join(map(visible, codes)),
}

LEFT_ALIGNED: frozenset[Kind] = frozenset(
    {"text", "name", "place", "moment", "codes", "waterfall", "verdict", "mark", "diverging"}
)
