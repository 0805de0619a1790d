"""Records become turns: sessions, duplicates, sentinels, speeches, stitching, latency, ledger."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from functools import cached_property

import polars as pl

from turnlat.notes import Note
from turnlat.records import KINDS, Records
from turnlat.tally import Tally
from turnlat.turns import (
    duplicates,
    grouping,
    latency,
    merging,
    messages,
    ordering,
    reported,
    sentinels,
    sessions,
    speeches,
    states,
    stitching,
    table,
)
from turnlat.turns.ledger import OUTCOMES, Ledger
from turnlat.turns.numbered import Numbered
from turnlat.turns.sessions import Frames

__all__ = ["Ledger", "Turns", "build", "notes"]


@dataclass(frozen=True)
class Turns:
    """The turn table, the records that it was made from, the ledger, and what notes are about."""

    table: Numbered
    """What `frame` is made of."""
    frames: Frames
    """The records without duplicates, with `session`, a place in `sessions`."""
    sessions: pl.Series
    """The names of the sessions."""
    ledger: Ledger
    found: Counter[str]
    """What notes about a whole run count; that of several parts of a run adds up."""

    @cached_property
    def frame(self) -> pl.DataFrame:
        """One row per turn or speech: `table.COLUMNS`, `recorded_at`, kept fields."""
        return self.table.named()


def build(records: Records) -> Turns:
    """All turns and speeches of `records`."""
    frames, names, dropped, merged = _speaking(records)
    frames, rows = _turns(frames, records.keep)
    rows = table.in_order(rows, records.keep)
    found = _found(records.tally, frames, rows)
    found["merged"] = merged
    ledger = _ledger(records, frames, rows, dropped)
    return Turns(Numbered(rows, names), frames, names["sessions"], ledger, found)


def _speaking(records: Records) -> tuple[Frames, dict[str, pl.Series], int, int]:
    """The records without duplicates, with their sessions and speeches; the names of both.

    Also how many records were dropped, and how many of these were merged with others. Each step
    lets go of what the one before has made: of many records nothing is in memory twice.
    """
    coded = records.coded()
    frames, sessions_ = sessions.assign(coded)
    names = coded.names | {"sessions": sessions_}
    del coded
    frames, repeated = duplicates.drop(frames)
    frames, merged = merging.merge(frames)
    frames = sentinels.clean(sessions.seat_messages(frames))
    frames = states.lone(grouping.infer(speeches.identified(frames)))
    return speeches.with_starts(speeches.numbered(frames)), names, repeated + merged, merged


def _turns(frames: Frames, keep: tuple[str, ...]) -> tuple[Frames, pl.DataFrame]:
    """The records with the turns that they belong to, and the rows of these."""
    heard = states.hear(speeches.of(frames), frames)
    stitched = stitching.outcomes(stitching.stitch(heard))
    frames = _attribute(frames, stitched)
    frames["tts"] = latency.hear(frames["tts"], stitched)
    timed = states.differs(latency.of_speaking(stitched, frames), frames["state"])
    spoken = reported.fill(timed, frames["chat"])
    return frames, table.assemble(spoken, stitched, frames, keep)


def _attribute(frames: Frames, stitched: pl.DataFrame) -> Frames:
    """Give every record the turn that it belongs to; null for those without a speech.

    LLM and TTS records of a turn lie together, in the order in which their work began.
    """
    part = stitched.select("turn_speech", "fills", heard_at="first_audio")
    spoken = {
        kind: frames[kind].hstack(
            (part if kind == "created" else part.drop("heard_at"))[frames[kind]["speech"]]
        )
        for kind in sessions.OF_SPEECHES
    }
    if stitched["taken_by"].count():
        spoken |= {
            kind: ordering.by(spoken[kind], "turn_speech", *_STARTS.get(kind, ()), "timestamp")
            for kind in sessions.OF_SPEECHES
        }
    return frames | spoken | {"chat": messages.attribute(frames)}


_STARTS = dict.fromkeys(("llm", "tts"), ("first_start",))


def _ledger(records: Records, frames: Frames, rows: pl.DataFrame, dropped: int) -> Ledger:
    tally = records.tally
    responses = frames["realtime"].filter(table.is_response()).height
    loose = sum(frames[kind]["turn_speech"].null_count() for kind in sessions.SPEAKING)
    speaking = sum(frames[kind].height for kind in sessions.SPEAKING)
    unique = sum(frames[kind].height for kind in KINDS)
    said = frames["chat"].filter("alone")["exchange"].count()
    in_turns = speaking - loose + responses + said
    counts = dict(rows["outcome"].value_counts().iter_rows())
    return Ledger(
        lines=tally.lines,
        metric=tally.metric,
        other=tally.other,
        blank=tally.blank,
        bad=tally.bad,
        joined=tally.joined,
        records=records.count,
        in_turns=in_turns,
        in_sessions=unique - in_turns - loose,
        unattributed=loose,
        duplicates=dropped,
        outcomes={name: counts.get(name, 0) for name in OUTCOMES},
    )


def _found(tally: Tally, frames: Frames, rows: pl.DataFrame) -> Counter[str]:
    said = frames["chat"].filter("alone")["exchange"].drop_nulls().n_unique()
    return Counter(
        {
            "rows": rows.height,
            "eous": frames["eou"].height,
            "inferred": rows.filter(pl.col("grouping") == "inferred").height - said,
            "messages": said,
            "not-finite": tally.not_finite,
            "wrapped": tally.wrapped,
            "undated": tally.undated,
            "dropped": int(frames["loss"]["dropped"].sum()),
        }
    )


def notes(found: Counter[str], ledger: Ledger) -> list[Note]:
    """What a reader must know about the whole run, beside the notes of its turns."""
    counts = {
        "inferred": found["inferred"],
        "messages": found["messages"],
        "no-eou": 0 if found["eous"] or found["messages"] else found["rows"],
        "unmeasured": ledger.outcomes["unmeasured"],
        "unattributed": ledger.unattributed,
        "not-finite": found["not-finite"],
        "wrapped": found["wrapped"],
        "undated": found["undated"],
        "dropped": found["dropped"],
        "merged": found["merged"],
    }
    return [Note.of(code, count) for code, count in counts.items() if count]
