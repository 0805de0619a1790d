"""The report of one conversation: each turn on the clock, and the lines that it was made of."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import polars as pl

from turnlat.conversation import Conversation
from turnlat.notes import TURN_NOTES, Note
from turnlat.report import Waterfall, analysis
from turnlat.turns.table import RECORDED_AT
from turnlat.units import plural

LEAD = 1.0
"""So many seconds before the end of the user's speech are shown."""

SHORTEST_SCALE = 2.0
ANSWER = 2.5
"""The axis reaches to so many times the latest moment at which anything began to sound."""

Who = Literal["user", "filler", "agent", "tool"]


@dataclass(frozen=True)
class Piece:
    """Something that went on for a time: seconds from the zero of its turn."""

    who: Who
    start: float
    end: float
    label: str = ""


@dataclass(frozen=True)
class Spoken:
    """One turn or speech; its zero is the end of the user's speech, or else its own first audio."""

    at: datetime | None
    turn: int | None
    outcome: str
    interrupted: bool
    wait: float | None
    wait_metric: str
    silence: float | None
    """The longest one, where it is longer than the wait."""
    waterfall: Waterfall
    pieces: list[Piece]
    said: list[tuple[str, str]]
    lines: list[tuple[str, int, bytes]]
    notes: list[str]


@dataclass(frozen=True)
class Timeline:
    """One conversation, turn by turn."""

    headline: str
    start: float
    """Where every turn's axis begins: 0, or `-LEAD` where users speak."""
    end: float
    turns: list[Spoken]
    notes: list[Note]


def timeline(conversation: Conversation) -> Timeline:
    """What `turnlat show` shows."""
    wait = "e2e_latency" if conversation.rows["e2e_latency"].count() else "total_latency"
    rows = conversation.rows.to_dicts()
    pairs = zip(rows, [*rows[1:], conversation.following], strict=True)
    spoken = [_spoken(conversation, row, wait, following) for row, following in pairs]
    leads = any(one.turn is not None for one in spoken)
    codes = [code for one in spoken for code in one.notes]
    return Timeline(
        headline=_headline(conversation),
        start=-LEAD if leads else 0.0,
        end=_end(spoken),
        turns=spoken,
        notes=[Note.of(code, codes.count(code)) for code in TURN_NOTES if code in codes],
    )


def _end(spoken: Sequence[Spoken]) -> float:
    """Where the axis ends: a long answer is cut, so that it does not squeeze the waits."""
    heard = [piece.start for one in spoken for piece in one.pieces if piece.who != "user"]
    waits = [end for one in spoken for _, _, end in one.waterfall.parts]
    ends = [piece.end for one in spoken for piece in one.pieces]
    room = max([SHORTEST_SCALE, *(ANSWER * time for time in (*heard, *waits))])
    return min(room, max([SHORTEST_SCALE, *ends, *waits]))


def _headline(conversation: Conversation) -> str:
    asked = conversation.rows["turn"].count()
    others = conversation.rows.height - asked
    also = f", {others:,} other{'s' if others > 1 else ''}" if others else ""
    return f"session {conversation.session}: {plural(asked, 'user turn')}{also}"


def _spoken(
    conversation: Conversation, row: dict[str, Any], wait: str, following: dict[str, Any] | None
) -> Spoken:
    zero = row["user_stopped_at"] or row["first_audio_at"] or row[RECORDED_AT]
    until = _moment(following) if following else None
    longest = row["longest_silence"]
    known = row["e2e_latency"] or 0.0
    return Spoken(
        at=zero,
        turn=row["turn"],
        outcome=row["outcome"],
        interrupted=bool(row["interrupted"]),
        wait=row[wait],
        wait_metric=wait,
        silence=longest if longest is not None and longest > known + 0.001 else None,
        waterfall=analysis.waterfall(row, wait, 1.0),
        pieces=_pieces(conversation, row, zero, until),
        said=_said(conversation, row, until),
        lines=_lines(conversation, row["row"]),
        notes=row["notes"],
    )


def _moment(row: dict[str, Any]) -> float | None:
    time = row["user_stopped_at"] or row["first_audio_at"] or row[RECORDED_AT]
    return time.timestamp() if time else None


def _pieces(
    conversation: Conversation, row: dict[str, Any], at: datetime | None, until: float | None
) -> list[Piece]:
    if at is None:
        return []
    zero, end = at.timestamp(), until if until is not None else float("inf")
    spoken = [
        Piece("filler" if fills else "agent", start - zero, stop - zero)
        for start, stop, fills in conversation.audio.filter(row=row["row"])
        .select("start", "end", "fills")
        .iter_rows()
    ]
    if not spoken and row["first_audio_at"] and row["audio_duration"]:
        first = row["first_audio_at"].timestamp() - zero
        spoken = [Piece("agent", first, first + row["audio_duration"])]
    tools = [
        Piece("tool", start - zero, stop - zero, name or "tool")
        for name, start, stop in conversation.tools.select("name", "start", "end").iter_rows()
        if zero <= start < end
    ]
    return [*_user(conversation, row, zero), *tools, *spoken]


def _user(conversation: Conversation, row: dict[str, Any], zero: float) -> list[Piece]:
    """The end of the user's speech; from its beginning on, where the log tells that."""
    if row["turn"] is None or row["user_stopped_at"] is None:
        return []
    told = conversation.speaking.filter(pl.col("start") < zero, pl.col("end") >= zero - LEAD)
    start = told["start"].max()
    begun = start - zero if isinstance(start, float) else -LEAD
    return [Piece("user", max(begun, -LEAD), 0.0)]


def _said(
    conversation: Conversation, row: dict[str, Any], until: float | None
) -> list[tuple[str, str]]:
    """The words of a turn: those of its own records, and what came while it went on."""
    begun = _moment(row)
    if begun is None:
        return []
    first = begun - LEAD if row["turn"] is not None else begun - SHORTEST_SCALE
    last = until - LEAD if until is not None else float("inf")
    return [(who, text) for time, who, text in conversation.said if first <= time < last]


def _lines(conversation: Conversation, row: int) -> list[tuple[str, int, bytes]]:
    places: Sequence[tuple[str, int]] = (
        conversation.records.filter(row=row)
        .sort("timestamp", "source", "line", nulls_last=True)
        .select("source", "line")
        .unique(maintain_order=True)
        .rows()
    )
    return [(name, line, conversation.lines.get((name, line), b"")) for name, line in places]
