"""Waterfalls: the components of each turn of a session, true to the clock.

What hears and what answers lie in two lanes, so that the overlap of preemptive generation shows.
"""

from __future__ import annotations

import polars as pl

from turnlat import units
from turnlat.metrics import COMPONENTS
from turnlat.report import Figure
from turnlat.units import plural

TURNS = 2_000
"""How many turns a report holds waterfalls of: those of the sessions with the slowest ones."""
AT_ONCE = 40
"""Turns in one picture; a longer session has several."""

LISTENING = ("transcription_delay", "endpointing_delay", "callback_delay")
_NAMES = [metric.name for metric in COMPONENTS if metric.name != "llm_offset"]
_UNKNOWN = ("llm_offset", "llm_ttft", "tool_gap", "sentence_gap")


def waterfalls(turns: pl.DataFrame, *, wait: str = "e2e_latency") -> Figure | None:
    """The waterfalls of the turns of every session, or of those with the slowest turns.

    `parts`: choice, session, turn, lane, component, start, end, then source, line.
    `waits`: choice, session, turn, wait, llm_calls, notes, source, line. Seconds from the end of
    the user's speech.
    """
    known = turns.filter(pl.col(wait).is_not_null() & pl.col("turn").is_not_null())
    if not known.height:
        return None
    pieces = _pieces(known, wait)
    shown = known.with_columns(piece=_piece()).join(
        pieces.select("session", "piece", "choice"), on=["session", "piece"]
    )
    shown = shown.sort("choice", "turn")
    left_out = known.height - shown.height
    more = f" {plural(left_out, 'turn')} of faster sessions are left out." if left_out else ""
    return Figure(
        "waterfall",
        "waterfall",
        "turn by turn",
        "The components of each turn of a session on the clock; the turn table has the same "
        "numbers.",
        "Upper lane: hearing the user. Lower lane: answering; it starts before the upper one ends "
        f"where generation was preemptive. The line is the first sound of the answer.{more}",
        {
            "parts": _parts(_placed(shown, wait)),
            "waits": shown.select(
                "choice", "session", "turn", pl.col(wait).alias("wait"), "llm_calls",
                pl.col("notes").list.join(" "), "source", "line",
            ),
        },
        [_choice(row) for row in pieces.iter_rows(named=True)],
    )  # fmt: skip


def _piece() -> pl.Expr:
    return (pl.col("turn") - 1) // AT_ONCE


def _pieces(known: pl.DataFrame, wait: str) -> pl.DataFrame:
    """What the reader picks from: a session, or a piece of a long one, the slowest first."""
    return (
        known.group_by("session", piece=_piece())
        .agg(
            pl.len().cast(pl.Int64).alias("turns"),
            pl.col(wait).max().alias("slowest"),
            pl.col("turn").min().alias("first"),
            pl.col("turn").max().alias("last"),
        )
        .with_columns(pieces=pl.len().over("session"))
        .sort("slowest", "session", "piece", descending=[True, False, False])
        .filter((pl.col("turns").cum_sum() <= TURNS) | (pl.int_range(pl.len()) == 0))
        .with_row_index("choice")
        .with_columns(pl.col("choice").cast(pl.Int64))
    )


def _choice(row: dict[str, object]) -> str:
    part = f", turns {row['first']:,}–{row['last']:,}" if row["pieces"] != 1 else ""
    turns = plural(int(str(row["turns"])), "turn")
    slowest = units.milliseconds(float(str(row["slowest"])))
    return f"{row['session']}{part} ({turns}, slowest {slowest} ms)"


def _placed(turns: pl.DataFrame, wait: str) -> pl.DataFrame:
    """The start and end of each component on the clock.

    What was not measured is where the remainder lies: before the TTS, which ends with the wait.
    """
    length = {name: pl.col(name).fill_null(0.0) for name in (*_NAMES, "llm_offset")}
    rest = pl.max_horizontal("remainder", 0.0).fill_null(0.0)
    unknown = pl.any_horizontal(pl.col(name).is_null() for name in _UNKNOWN)
    early = pl.when(unknown).then(rest).otherwise(0.0)
    ends: dict[str, pl.Expr] = {}
    now: pl.Expr = pl.lit(0.0)
    for name in (*LISTENING, "llm_offset", "llm_ttft", "tool_gap", "sentence_gap"):
        now = ends[name] = now + length[name]
    ends["tts_ttfb"] = now + early + length["tts_ttfb"]
    starts = {name: end - length[name] for name, end in ends.items() if name != "llm_offset"}
    late = ends["tts_ttfb"] + rest - early
    starts["remainder"] = pl.when(early > 0).then(now).otherwise(ends["tts_ttfb"])
    ends["remainder"] = pl.when(early > 0).then(now + early).otherwise(late)
    # The LLM's offset is no work of anybody, but a gap in the lane where it is positive.
    starts["llm_offset"] = ends["callback_delay"]
    return turns.with_columns(
        *(start.alias(f"start_{name}") for name, start in starts.items()),
        *(ends[name].alias(f"end_{name}") for name in starts),
        wait=wait,
    )


def _parts(placed: pl.DataFrame) -> pl.DataFrame:
    kept = ["choice", "session", "turn", "source", "line"]
    frames = [
        placed.select(
            *kept[:3],
            pl.lit("hearing" if metric.name in LISTENING else "answering").alias("lane"),
            pl.lit(metric.name).alias("component"),
            pl.col(f"start_{metric.name}").alias("start"),
            pl.col(f"end_{metric.name}").alias("end"),
            *kept[3:],
        )
        for metric in COMPONENTS
    ]
    parts = pl.concat(frames).filter(pl.col("end") > pl.col("start"))
    return parts.sort("choice", "turn", "lane", "start", descending=[False, False, True, False])
