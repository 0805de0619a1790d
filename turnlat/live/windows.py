"""Windows: how much of the past rolling statistics are over: a time, or a number of turns."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta, timezone

import polars as pl

from turnlat.errors import UsageError
from turnlat.turns.table import RECORDED_AT
from turnlat.units import plural

_TEXT = re.compile(r"(?P<number>\d+(?:\.\d+)?)\s*(?P<unit>s|m|h|d|turns?)")
_SECONDS = {"s": 1.0, "m": 60.0, "h": 3_600.0, "d": 86_400.0}

_AHEAD = timedelta(minutes=1)
"""Clocks may differ by so much; a time further ahead is wrong, and no end of a window."""


def moment() -> pl.Expr:
    """When a turn was: its user stopped speaking, or else its first record was written."""
    return pl.coalesce("user_stopped_at", RECORDED_AT)


@dataclass(frozen=True)
class Window:
    """The last `seconds` before the newest turn, or the last `turns`."""

    seconds: float | None = None
    turns: int | None = None
    text: str = ""

    def __str__(self) -> str:
        return plural(self.turns, "turn") if self.turns is not None else self.text

    def cut(self, rows: pl.DataFrame, now: datetime | None = None) -> pl.DataFrame:
        """The rows of the turn table that lie in the window, in their order.

        A time ends at the newest turn: an old log shows its last turns. Rows without a time stay.
        """
        if self.turns is not None:
            order = rows.with_row_index("row").sort(moment(), "row", nulls_last=False)
            return order.tail(self.turns).sort("row").drop("row")
        now = now or datetime.now(timezone.utc)
        times = rows.select(time=moment())["time"]
        sound = times.filter((times <= now + _AHEAD).fill_null(value=False))
        newest = (sound if len(sound) else times).max()
        if not isinstance(newest, datetime) or self.seconds is None:
            return rows
        start = newest - timedelta(seconds=self.seconds)
        return rows.filter((moment() >= start).fill_null(value=True))


def parse(text: str) -> Window:
    """The window that a user wrote: `15m`, `1h`, `100 turns`.

    Raises `UsageError` where it is none.
    """
    found = _TEXT.fullmatch(text.strip())
    if found is None or float(found["number"]) <= 0 or float(found["number"]) > 1e6:  # noqa: PLR2004
        raise UsageError(
            f"--window {text}: this is no window", hint="windows are like 5m, 1h, 2d or 100 turns"
        )
    if found["unit"].startswith("turn"):
        return Window(turns=max(1, int(float(found["number"]))), text=text.strip())
    seconds = float(found["number"]) * _SECONDS[found["unit"]]
    return Window(seconds=seconds, text=text.strip())
