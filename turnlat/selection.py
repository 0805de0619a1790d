"""Selection: which turns of a run the user asked for, by time, session, model or SQL."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta, timezone
from fnmatch import fnmatchcase
from typing import NamedTuple

import polars as pl

from turnlat.errors import InputError, UsageError
from turnlat.turns.table import RECORDED_AT

_AGO = re.compile(r"-(?P<number>\d+(?:\.\d+)?)(?P<unit>[smhdw])")
_UNITS = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_DAYS = {"today": 0, "yesterday": 1}
_MODELS = ("llm_model", "tts_model", "stt_model")


class Selection(NamedTuple):
    """What a turn must fulfil; all of it."""

    since: str | None = None
    """From this time on: ISO 8601, `-3h`, `today`, `yesterday`, `now`; UTC unless it says."""
    until: str | None = None
    """Before this time."""
    sessions: Sequence[str] = ()
    """Any of these, `*` standing for anything."""
    models: Sequence[str] = ()
    """Any of these as its LLM, TTS or STT."""
    where: str | None = None
    """An SQL condition over the columns of the turn table."""

    def __bool__(self) -> bool:
        return self != Selection()


def select(turns: pl.DataFrame, selection: Selection) -> pl.DataFrame:
    """The turns that fulfil `selection`.

    A turn is of the time when its user stopped speaking, or else when its first record was
    written. Raises `UsageError` where a criterion makes no sense or names what no turn has, and
    `InputError` where no turn fulfils all of them.
    """
    conditions = [
        *_window(selection),
        *_named("--session", turns, ("session",), selection.sessions),
        *_named("--model", turns, _MODELS, selection.models),
        *_sql(turns, selection.where),
    ]
    selected = turns.filter(*conditions) if conditions else turns
    if not selected.height:
        raise InputError(
            f"none of the {turns.height:,} turns and speeches fulfils what was asked for",
            hint="--table turns shows what there is",
        )
    return selected


def moment(text: str, now: datetime | None = None) -> datetime:
    """The time that a user wrote.

    Raises `UsageError` where it is none.
    """
    now = now or datetime.now(timezone.utc)
    if text == "now":
        return now
    if text in _DAYS:
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        return midnight - timedelta(days=_DAYS[text])
    try:
        if ago := _AGO.fullmatch(text):
            return now - timedelta(**{_UNITS[ago["unit"]]: float(ago["number"])})
        time = datetime.fromisoformat(text.replace("Z", "+00:00"))
        time = time if time.tzinfo else time.replace(tzinfo=timezone.utc)
        return time.astimezone(timezone.utc)
    except (ValueError, OverflowError) as error:
        raise UsageError(
            f"{text!r} is no time",
            hint="times are like 2026-11-22, 2026-11-22T07:20:00Z, -3h, today, yesterday or now",
        ) from error


def _window(selection: Selection) -> Iterable[pl.Expr]:
    time = pl.coalesce("user_stopped_at", RECORDED_AT)
    if selection.since is not None:
        yield time >= moment(selection.since)
    if selection.until is not None:
        yield time < moment(selection.until)


def _named(
    flag: str, turns: pl.DataFrame, columns: Sequence[str], wanted: Sequence[str]
) -> Iterable[pl.Expr]:
    """The turns that have one of `wanted` in one of `columns`."""
    if not wanted:
        return
    known = {name for column in columns for name in turns[column].drop_nulls().unique()}
    found: set[str] = set()
    for name in wanted:
        matches = {other for other in known if other == name or fnmatchcase(other, name)}
        if not matches:
            close = difflib.get_close_matches(name, known, n=3, cutoff=0.4) or sorted(known)[:5]
            raise UsageError(f"{flag} {name}: no turn has it", hint=f"there is {', '.join(close)}")
        found |= matches
    yield pl.any_horizontal(pl.col(column).is_in(sorted(found)) for column in columns)


def _sql(turns: pl.DataFrame, where: str | None) -> Iterable[pl.Expr]:
    if where is None:
        return
    try:
        answer = turns.select(pl.sql_expr(where))
    except pl.exceptions.ColumnNotFoundError as error:
        name = str(error).split('"')[1] if '"' in str(error) else str(error).split("\n")[0]
        close = difflib.get_close_matches(name, turns.columns, n=3)
        hint = f"did you mean {' or '.join(close)}?" if close else "--table turns shows the columns"
        raise UsageError(f"--where: there is no column {name}", hint=hint) from error
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, ValueError) as error:
        reason = str(error).splitlines()[0]
        raise UsageError(f"--where {where}: {reason}") from error
    mask = answer.to_series()
    if answer.shape != (turns.height, 1) or mask.dtype != pl.Boolean:
        raise UsageError(
            f"--where {where}: this is a value, not a condition",
            hint="conditions are like e2e_latency > 2 AND outcome = 'replied'",
        )
    yield pl.lit(mask)
