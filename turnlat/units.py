"""How durations, counts and times read for people; frames and files keep seconds as floats."""

from __future__ import annotations

import math
from datetime import datetime

MISSING = "–"
"""What a cell without a value shows."""


def milliseconds(seconds: float | None) -> str:
    """`1.5432` as `1,543`; null as a dash."""
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    text = f"{seconds * 1000:,.0f}"
    return "0" if text == "-0" else text


def seconds(value: float | None) -> str:
    """`18.155` as `18.2 s`; null as a dash."""
    return MISSING if value is None else f"{value:,.1f} s"


def count(value: int | None) -> str:
    """`12345` as `12,345`; null as a dash."""
    return MISSING if value is None else f"{value:,}"


def ratio(value: float | None) -> str:
    """`0.3055` as `0.31`; null as a dash."""
    return MISSING if value is None else f"{value:.2f}"


def percent(share: float | None) -> str:
    """`0.25` as `25%`; null as a dash."""
    return MISSING if share is None else f"{share:.0%}"


def change(seconds: float | None) -> str:
    """`0.31` as `+310` milliseconds; null as a dash."""
    if seconds is None or not math.isfinite(seconds):
        return MISSING
    text = f"{seconds * 1000:+,.0f}"
    return "0" if text in ("+0", "-0") else text.replace("-", "−")


def probability(value: float | None) -> str:
    """Three decimals, or `<0.001`; null as a dash."""
    if value is None:
        return MISSING
    return "<0.001" if value < 0.001 else f"{value:.3f}"  # noqa: PLR2004  # what three decimals show


def growth(share: float | None) -> str:
    """`0.2` as `+20%`; null as a dash."""
    return MISSING if share is None else f"{share:+.0%}".replace("-", "−")


def points(share: float | None) -> str:
    """A difference of shares, `0.012` as `+1.2`; null as a dash."""
    if share is None:
        return MISSING
    text = f"{share * 100:+.1f}"
    return "0.0" if text in ("+0.0", "-0.0") else text.replace("-", "−")


def percent_to_a_tenth(share: float | None) -> str:
    """`0.052` as `5.2%`; null as a dash."""
    return MISSING if share is None else f"{share:.1%}"


def quantity(value: float | None, unit: str) -> str:
    """A value with its unit, `seconds` as milliseconds; null as a dash."""
    if value is None:
        return MISSING
    if unit == "seconds":
        return f"{milliseconds(value)} ms"
    return percent_to_a_tenth(value) if unit == "share" else f"{value:,.0f}"


def moment(time: datetime | None) -> str:
    """A UTC time to the second."""
    return MISSING if time is None else f"{time:%Y-%m-%d %H:%M:%S}"


def plural(number: int, noun: str) -> str:
    """`1 turn`, `1,204 lines`."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
