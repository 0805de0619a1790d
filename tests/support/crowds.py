"""Runs of any size, made of a small log over and over."""

from __future__ import annotations

from dataclasses import replace

import polars as pl

from turnlat.run import Run

_TIMES = ("user_stopped_at", "first_audio_at", "recorded_at")


def repeated(run: Run, turns: int) -> Run:
    """The run again and again, an hour later and some milliseconds slower each time."""
    times = -(-turns // run.frame.height)
    frames = [
        run.frame.with_columns(
            pl.col("session") + f" {number}",
            pl.col("e2e_latency", "llm_ttft") + number * 1e-6,
            *(pl.col(name) + pl.duration(hours=number) for name in _TIMES),
        )
        for number in range(times)
    ]
    return replace(run, frame=pl.concat(frames, rechunk=True).head(turns))
