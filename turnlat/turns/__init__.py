"""Records become turns: sessions, duplicates, sentinels, speeches, stitching, latency, ledger."""

from __future__ import annotations

from dataclasses import dataclass

import polars as pl

from turnlat.notes import Note
from turnlat.records import KINDS, Records
from turnlat.turns import (
    duplicates,
    grouping,
    latency,
    merging,
    messages,
    reported,
    sentinels,
    sessions,
    speeches,
    states,
    stitching,
    table,
)
from turnlat.turns.ledger import OUTCOMES, Ledger
from turnlat.turns.sessions import Frames

__all__ = ["Ledger", "Turns", "build"]


@dataclass(frozen=True)
class Turns:
    """The turn table, the records that it was made from, the ledger and the notes."""

    frame: pl.DataFrame
    """One row per turn or speech: the columns of `table.COLUMNS`, `recorded_at`, kept fields."""
    frames: Frames
    """The records without duplicates, with `session`."""
    ledger: Ledger
    notes: list[Note]


def build(records: Records) -> Turns:
    """All turns and speeches of `records`."""
    unique, repeated = duplicates.drop(sessions.assign(records.frames))
    whole, merged = merging.merge(unique)
    seated = sessions.seat_messages(whole)
    grouped = speeches.numbered(states.lone(grouping.infer(sentinels.clean(seated))))
    frames = speeches.with_starts(grouped)
    heard = states.hear(speeches.of(frames), frames)
    stitched = stitching.outcomes(stitching.stitch(heard))
    turns = stitched.filter(pl.col("taken_by").is_null())
    attributed = _attribute(frames, stitched)
    attributed["tts"] = latency.hear(attributed["tts"], turns)
    timed = states.differs(latency.of_speaking(turns, attributed), attributed["state"])
    spoken = reported.fill(timed, attributed["chat"])
    frame = table.assemble(spoken, stitched, attributed, records.keep)
    ledger = _ledger(records, attributed, frame, repeated + merged)
    notes = _run_notes(records, attributed, frame, ledger)
    if merged:
        notes.append(Note.of("merged", merged))
    return Turns(frame, attributed, ledger, notes)


def _attribute(frames: Frames, stitched: pl.DataFrame) -> Frames:
    """Give every record the turn that it belongs to; null for those without a speech."""
    part = stitched.select("speech", "turn_speech", "fills", heard_at="first_audio")
    spoken = {
        kind: frames[kind].join(
            part if kind == "created" else part.drop("heard_at"),
            on="speech",
            how="left",
            maintain_order="left",
        )
        for kind in sessions.OF_SPEECHES
    }
    return frames | spoken | {"chat": messages.attribute(frames)}


def _ledger(records: Records, frames: Frames, frame: pl.DataFrame, dropped: int) -> Ledger:
    tally = records.tally
    responses = frames["realtime"].filter(table.is_response()).height
    loose = sum(frames[kind]["turn_speech"].null_count() for kind in sessions.SPEAKING)
    speaking = sum(frames[kind].height for kind in sessions.SPEAKING)
    unique = sum(frames[kind].height for kind in KINDS)
    said = frames["chat"].filter("alone")["exchange"].count()
    in_turns = speaking - loose + responses + said
    counts = dict(frame["outcome"].value_counts().iter_rows())
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


def _run_notes(records: Records, frames: Frames, frame: pl.DataFrame, ledger: Ledger) -> list[Note]:
    """What a reader must know about the whole run, beside the notes of its turns."""
    tally = records.tally
    said = frames["chat"].filter("alone")["exchange"].drop_nulls().n_unique()
    counts = {
        "inferred": frame.filter(pl.col("grouping") == "inferred").height - said,
        "messages": said,
        "no-eou": 0 if records.frames["eou"].height or said else frame.height,
        "unmeasured": ledger.outcomes["unmeasured"],
        "unattributed": ledger.unattributed,
        "not-finite": tally.not_finite,
        "wrapped": tally.wrapped,
        "undated": tally.undated,
        "dropped": int(frames["loss"]["dropped"].sum()),
    }
    return [Note.of(code, count) for code, count in counts.items() if count]
