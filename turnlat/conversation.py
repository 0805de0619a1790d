"""Conversations: one session with the records, lines and words that its turns are made of."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import polars as pl

from turnlat import sources, turns
from turnlat.engines import local
from turnlat.errors import UsageError
from turnlat.readers import Options
from turnlat.run import is_saved
from turnlat.sources import STDIN, Source
from turnlat.turns import Turns, members, ordering, playout
from turnlat.units import plural

Place = tuple[str, int]
"""A source and a line of it."""

_CLOSE = 5
_LONGEST_KEPT = 64 * 1024


@dataclass(frozen=True)
class Conversation:
    """One session, or one turn of it. Times are Unix seconds."""

    session: str
    rows: pl.DataFrame
    """The rows of the turn table."""
    following: dict[str, Any] | None
    """The row of the session that comes after these."""
    records: pl.DataFrame
    """The records of the rows: `row` (its index), `kind`, `source`, `line`, `timestamp`."""
    audio: pl.DataFrame
    """What the agent said: `row`, `start`, `end` and `fills`, whether it was filler."""
    tools: pl.DataFrame
    """Function tools: `name`, `start`, `end`, `is_error`."""
    speaking: pl.DataFrame
    """When the user was speaking: `start`, `end`; empty where the log does not tell."""
    said: Sequence[tuple[float, str, str]]
    """Time, `user` or `agent`, and the words, where the log has them."""
    lines: Mapping[Place, bytes]
    """The lines that the records were read from."""


def load(paths: Sequence[str], wanted: str | None, options: Options) -> Conversation:
    """The conversation `SESSION` or `SESSION/TURN` of the logs; the only one where it is null.

    Raises `UsageError` where there is no such session or turn, or several, and `InputError` as
    `turnlat.load` does.
    """
    for path in paths:
        if is_saved(path) or path == STDIN:
            raise UsageError(
                f"{path}: is {'stdin' if path == STDIN else 'a saved run'}, "
                "which has no lines to come back to",
                hint="show the log itself: turnlat show agent.jsonl SESSION",
            )
    found = sources.find(paths)
    records = local.gather(found, options)
    built = turns.build(members.mark(records))
    session, turn = choose(built.frame, wanted)
    return _read(built, session, turn, found)


def choose(rows: pl.DataFrame, wanted: str | None) -> tuple[str, int | None]:
    """The session, and the turn where it is asked for, that a user means.

    Raises `UsageError` where there is none, or several.
    """
    sessions = rows["session"].unique(maintain_order=True).to_list()
    if wanted is None:
        return _only(sessions, sessions, "there is more than one session"), None
    name, slash, number = wanted.rpartition("/")
    if _matching(sessions, wanted) or not slash or not number.isdecimal():
        return _only(_matching(sessions, wanted), sessions, wanted), None
    session = _only(_matching(sessions, name), sessions, name)
    return session, _turn(rows.filter(session=session), session, int(number))


def _matching(sessions: list[str], wanted: str) -> list[str]:
    """The session of that name, else those that it is the beginning of, or a pattern for."""
    if wanted in sessions:
        return [wanted]
    return [name for name in sessions if name.startswith(wanted) or fnmatchcase(name, wanted)]


def _only(found: list[str], known: list[str], wanted: str) -> str:
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(found[:_CLOSE]) + (", …" if len(found) > _CLOSE else "")
        raise UsageError(f"{wanted}: {plural(len(found), 'session')} to choose from", hint=names)
    close = difflib.get_close_matches(wanted, known, n=_CLOSE, cutoff=0.4)
    hint = f"there is {', '.join(close or known[:_CLOSE])}"
    raise UsageError(f"{wanted}: there is no such session", hint=hint)


def _turn(rows: pl.DataFrame, session: str, number: int) -> int:
    known = rows["turn"].drop_nulls().to_list()
    if number not in known:
        hint = f"its turns are 1 to {known[-1]}" if known else "it has no user turns"
        raise UsageError(f"{session}: there is no turn {number}", hint=hint)
    return number


def _read(built: Turns, session: str, turn: int | None, found: list[Source]) -> Conversation:
    numbered = built.frame.with_row_index("row").filter(session=session)
    rows = numbered if turn is None else numbered.filter(turn=turn)
    records = members.of(built).join(rows.select("row"), on="row", how="semi")
    number = built.sessions.index_of(session)
    frames = {kind: frame.filter(session=number) for kind, frame in built.frames.items()}
    words = _worded(frames)
    wanted = {*records.select("source", "line").rows(), *(place for _, _, place in words)}
    lines = _lines(found, wanted)
    texts = [(time, who, _words(lines.get(place, b""))) for time, who, place in words]
    return Conversation(
        session=session,
        rows=rows,
        following=next(
            numbered.filter(pl.col("row") > rows["row"].max()).iter_rows(named=True), None
        ),
        records=records,
        audio=_audio(frames["tts"], records),
        tools=_tools(frames["tool"]),
        speaking=_speaking(frames["state"]),
        said=sorted((time, who, text) for time, who, text in texts if text),
        lines=lines,
    )


def _audio(tts: pl.DataFrame, records: pl.DataFrame) -> pl.DataFrame:
    """When each piece of the turns' audio plays."""
    heard = (
        tts.with_columns(number=members.numbers_of(tts))
        .join(records.select("row", "number"), on="number")
        .filter("audible")
        .drop_nulls(["heard_at", "audio_duration"])
    )
    return playout.play(ordering.by(heard, "row", "first_start"), "row").select(
        "row", "fills", start="plays_from", end="plays_until"
    )


def _tools(tools: pl.DataFrame) -> pl.DataFrame:
    start = pl.col("timestamp") - pl.col("duration").fill_null(0.0)
    return (
        tools.drop_nulls("timestamp")
        .select("name", "is_error", start=start, end="timestamp")
        .sort("start")
    )


def _speaking(states: pl.DataFrame) -> pl.DataFrame:
    """When the user was speaking, by the changes of state."""
    return (
        states.filter(pl.col("who") == "user")
        .drop_nulls("timestamp")
        .sort("timestamp")
        .with_columns(end=pl.col("timestamp").shift(-1))
        .filter(pl.col("state") == "speaking")
        .drop_nulls("end")
        .select("end", start="timestamp")
    )


def _worded(frames: Mapping[str, pl.DataFrame]) -> list[tuple[float, str, Place]]:
    """Where words may stand: messages of both sides, or the user's transcripts alone."""
    chat = frames["chat"].drop_nulls("timestamp")
    if chat.height:
        rows = chat.select("timestamp", "role", "source", "line").rows()
    else:
        told = frames["transcript"].drop_nulls("timestamp")
        rows = told.select("timestamp", pl.lit("user"), "source", "line").rows()
    return [
        (time, "user" if role == "user" else "agent", (source, line))
        for time, role, source, line in rows
    ]


def _words(line: bytes) -> str:
    """The words of a message or transcript; nothing where the line holds none."""
    text = line.decode(errors="replace")
    try:
        value, _ = json.JSONDecoder().raw_decode(text[text.index("{") :])
    except (ValueError, RecursionError):
        return ""
    return _words_of(value)


def _words_of(value: dict[str, Any]) -> str:
    message = value.get("item") if isinstance(value.get("item"), dict) else value
    for name in ("transcript", "text_content", "content", "text"):
        found = message.get(name) if isinstance(message, dict) else None
        if isinstance(found, list):
            found = " ".join(part for part in found if isinstance(part, str))
        if isinstance(found, str) and found:
            return found
    return ""


def _lines(found: Iterable[Source], wanted: set[Place]) -> dict[Place, bytes]:
    """The bytes of some lines, from a second look at their files."""
    lines: dict[Place, bytes] = {}
    files = {name for name, _ in wanted}
    for source in found:
        for name in (name for name in source.files if name in files):
            for block in source.blocks(name):
                for place in block.places():
                    if (name, place.number) in wanted:
                        lines[name, place.number] = place.content[:_LONGEST_KEPT]
    return lines
