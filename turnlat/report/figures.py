"""Figures of waits: distribution, components, time, models. Each is made of plain frames.

To add one: a function that returns a `Figure`, and how its kind is drawn in `writers.html.charts`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from turnlat import units
from turnlat.metrics import COMPONENTS, METRICS
from turnlat.report import Figure
from turnlat.summaries.latency import PERCENTILES
from turnlat.summaries.order_statistics import interval, percentile
from turnlat.units import plural

if TYPE_CHECKING:
    import numpy.typing as npt

POINTS = 400
"""A curve has no more steps than that; its ends keep all of theirs."""
ENDS = 60
P99_TURNS = 100
"""Fewer turns have no p99 that would not be their maximum."""
MODELS = 12
"""Models that a figure shows, those with the most turns."""
DOTS = 1_500
"""A figure of more turns shows bins of time, and the slowest turns alone."""
SLOWEST_DOTS = 200
BINS = 96

PLACE = ("session", "turn", "source", "line")
"""What tells a reader which turn it is."""


def distribution(series: Mapping[str, pl.DataFrame], *, wait: str = "e2e_latency") -> Figure | None:
    """The empirical distribution of the wait, a curve per series, percentiles marked.

    `series` are turns with `wait` and `PLACE`. `curves`: series, wait, share, then `PLACE`.
    `marks`: series, percentile, wait, share, low, high (the percentile's 95 % interval).
    """
    ordered = {name: turns.drop_nulls(wait).sort(wait) for name, turns in series.items()}
    ordered = {name: turns for name, turns in ordered.items() if turns.height}
    if not ordered:
        return None
    rows = [row for name, turns in ordered.items() for row in _marks(name, turns[wait].to_numpy())]
    marks = pl.DataFrame(rows, schema=MARKS, orient="row")
    curves = pl.concat([_curve(name, turns, wait) for name, turns in ordered.items()])
    told = [_told(name if len(ordered) > 1 else "", marks) for name in ordered]
    return Figure(
        "distribution",
        "distribution",
        "how long users waited" if wait == "e2e_latency" else f"how long users waited: {wait}",
        f"Cumulative share of turns by their wait. {' '.join(told)}",
        "The height of the curve is the share of turns that waited no longer.",
        {"curves": curves, "marks": marks},
    )


MARKS: dict[str, pl.DataType] = {"series": pl.String(), "percentile": pl.String()} | dict.fromkeys(
    ("wait", "share", "low", "high"), pl.Float64()
)


def _marks(name: str, values: npt.NDArray[np.float64]) -> list[tuple[object, ...]]:
    shown = {p: share for p, share in PERCENTILES.items() if p != "p99" or len(values) >= P99_TURNS}
    return [
        (name, p, percentile(values, share), share, *interval(values, share))
        for p, share in shown.items()
    ]


def _curve(name: str, turns: pl.DataFrame, wait: str) -> pl.DataFrame:
    """The steps of the distribution; of many, evenly spread ones and all at both ends."""
    number = turns.height
    even = np.linspace(0, number - 1, POINTS).round().astype(int)
    ends = np.arange(min(ENDS, number))
    picked = np.unique(np.concatenate([ends, number - 1 - ends, even]))
    if number <= POINTS:
        picked = np.arange(number)
    steps = turns[picked].select(pl.col(wait).alias("wait"), *PLACE)
    steps = steps.with_columns(share=pl.Series((picked + 1) / number))
    start = steps.head(1).with_columns(share=pl.lit(0.0))
    return pl.concat([start, steps]).select(pl.lit(name).alias("series"), "wait", "share", *PLACE)


def _told(name: str, marks: pl.DataFrame) -> str:
    of = f"{name}: " if name else ""
    rows = marks.filter((pl.col("series") == name) if name else pl.lit(value=True))
    parts = [f"{p} {units.milliseconds(wait)} ms" for _, p, wait, *_ in rows.iter_rows()]
    return f"{of}{', '.join(parts)}."


def stack(turns: pl.DataFrame, *, wait: str = "e2e_latency", slowest: int = 5) -> Figure | None:
    """What the wait is made of: around its percentiles, and in the slowest turns one by one.

    Percentiles of components do not add up to a percentile of the wait, so a percentile's row is
    the mean of the turns whose rank is within 2.5 % of it: those do.
    `parts`: order, row, component, length, then `PLACE`. `waits`: order, row, wait, turns, end
    (where the row's parts end: behind the wait, where some are negative), then `PLACE`.
    """
    ordered = turns.drop_nulls(wait).sort(wait, "session", "turn")
    if not ordered.height:
        return None
    groups = [
        (f"{name}", _around(ordered, share)) for name, share in PERCENTILES.items() if name != "p99"
    ]
    last = ordered.tail(slowest).reverse()
    groups += [(_rank(n), last.slice(n, 1)) for n in range(last.height)]
    parts = pl.concat([_parts(n, name, group) for n, (name, group) in enumerate(groups)])
    waits = pl.concat([_mean(n, name, group, wait) for n, (name, group) in enumerate(groups)])
    return Figure(
        "components",
        "stack",
        "what the wait is made of",
        " ".join(_told_parts(name, parts) for name, _ in groups),
        f"{_told_groups(groups[0][1].height)}{SAVED if _saved(parts) else ''}",
        {"parts": parts, "waits": waits},
    )


SAVED = " A part left of 0 is time that preemptive generation saved."


def _saved(parts: pl.DataFrame) -> bool:
    return parts.filter((pl.col("component") == "llm_offset") & (pl.col("length") < 0)).height > 0


def _told_groups(number: int) -> str:
    around = f"the mean of the turns around it ({number:,} at p50), whose parts add up"
    at = around if number > 1 else "the turn next to it"
    return f"At a percentile: {at}. Below: the slowest turns, one by one."


def _rank(number: int) -> str:
    """`slowest`, `2nd slowest`, …: there are few."""
    ranks = ("", "2nd ", "3rd ")
    return f"{ranks[number] if number < len(ranks) else f'{number + 1}th '}slowest"


def _around(ordered: pl.DataFrame, share: float) -> pl.DataFrame:
    number = ordered.height
    low = int(np.floor(max(0.0, share - 0.025) * (number - 1) + 0.5))
    high = int(np.floor(min(1.0, share + 0.025) * (number - 1) + 0.5))
    return ordered.slice(low, high - low + 1)


def _parts(order: int, row: str, group: pl.DataFrame) -> pl.DataFrame:
    """The mean of each component, one that a turn does not have being nothing."""
    names = [metric.name for metric in COMPONENTS]
    known = [name for name in names if group[name].count()]
    means = group.select(pl.col(name).fill_null(0.0).mean() for name in known)
    return (
        means.unpivot(variable_name="component", value_name="length")
        .filter(pl.col("length") != 0)
        .select(pl.lit(order).alias("order"), pl.lit(row).alias("row"), "component", "length")
        .join(_identity(group), how="cross")
    )


def _mean(order: int, row: str, group: pl.DataFrame, wait: str) -> pl.DataFrame:
    return group.select(
        pl.lit(order).alias("order"),
        pl.lit(row).alias("row"),
        pl.col(wait).mean().alias("wait"),
        pl.len().cast(pl.Int64).alias("turns"),
        pl.max_horizontal(pl.col(wait).mean(), _positive()).alias("end"),
    ).join(_identity(group), how="cross")


def _positive() -> pl.Expr:
    names = (metric.name for metric in COMPONENTS)
    means = [pl.col(name).fill_null(0.0).mean().clip(lower_bound=0.0) for name in names]
    return pl.sum_horizontal(means)


def _identity(group: pl.DataFrame) -> pl.DataFrame:
    """Which turn a row is; nulls where it is several."""
    if group.height == 1:
        return group.select(PLACE)
    return pl.DataFrame([[None] * len(PLACE)], schema=group.select(PLACE).schema, orient="row")


def _told_parts(row: str, parts: pl.DataFrame) -> str:
    labels = {metric.name: metric.label for metric in COMPONENTS}
    rows = parts.filter(row=row).select("component", "length").iter_rows()
    told = (f"{labels[name]} {units.milliseconds(length)} ms" for name, length in rows)
    return f"At {row}: {', '.join(told)}."


def timeline(turns: pl.DataFrame, *, time: str, wait: str = "e2e_latency") -> Figure | None:
    """The wait over the run's time: drift, outages, cold starts. Null where turns have no times.

    `turns`: at, wait, first (whether it is its session's first turn), then `PLACE`; of many, the
    slowest. `bins`: at, turns, p50, p95.
    """
    at = pl.coalesce("user_stopped_at", time)
    known = (
        turns.with_columns(at=at, wait=wait)
        .drop_nulls(["at", "wait"])
        .with_columns(first=(pl.col("turn") == 1).fill_null(value=False))
        .sort("at", "session", "turn")
    )
    if known["at"].n_unique() < 2:  # noqa: PLR2004  # one time is no line
        return None
    dots = known if known.height <= DOTS else known.sort("wait", descending=True)[:SLOWEST_DOTS]
    return Figure(
        "timeline",
        "timeline",
        "the wait over time" if dots is known else "the wait over time, and the slowest turns",
        _told_starts(known),
        _told_starts(known),
        {"turns": dots.select("at", "wait", "first", *PLACE), "bins": _bins(known)},
    )


def _bins(known: pl.DataFrame) -> pl.DataFrame:
    """Equal spans of time, long enough to hold some ten turns on average."""
    first, last = known["at"][0], known["at"][-1]
    number = max(1, min(BINS, known.height // 10))
    width = (last - first) / number
    place = ((pl.col("at") - first) / width).cast(pl.Int64).clip(0, number - 1)
    return (
        known.group_by(bin=place)
        .agg(
            pl.len().cast(pl.Int64).alias("turns"),
            pl.col("wait").quantile(0.5, "linear").alias("p50"),
            pl.col("wait").quantile(0.95, "linear").alias("p95"),
        )
        .sort("bin")
        .select((pl.lit(first) + width * (pl.col("bin") + 0.5)).alias("at"), "turns", "p50", "p95")
    )


def _told_starts(known: pl.DataFrame) -> str:
    """Cold starts in words: the first turns of sessions beside all others."""
    first, later = known.filter("first")["wait"], known.filter(~pl.col("first"))["wait"]
    told = [
        f"{what}: median {units.milliseconds(float(np.median(waits)))} ms "
        f"({plural(len(waits), 'turn')})"
        for what, waits in (("First turns of sessions", first), ("later turns", later))
        if len(waits)
    ]
    return f"{'; '.join(told)}."


MODEL_METRICS = (
    ("stt_model", "transcription_delay"),
    ("llm_model", "llm_ttft"),
    ("tts_model", "tts_ttfb"),
)
"""What each kind of model adds to the wait."""


def models(turns: pl.DataFrame) -> Sequence[Figure]:
    """A figure for each kind of model: `models`: model, turns, p50, p90, p95."""
    found = (_ranges(turns, column, metric) for column, metric in MODEL_METRICS)
    return [figure for figure in found if figure is not None]


def _ranges(turns: pl.DataFrame, column: str, metric: str) -> Figure | None:
    value = pl.col(metric)
    known = (
        turns.drop_nulls([column, metric])
        .group_by(model=column)
        .agg(
            pl.len().cast(pl.Int64).alias("turns"),
            *(value.quantile(PERCENTILES[p], "linear").alias(p) for p in ("p50", "p90", "p95")),
        )
        .sort("turns", "model", descending=[True, False])
    )
    if not known.height:
        return None
    more = max(0, known.height - MODELS)
    label = METRICS[metric].label
    rows = known.head(MODELS)
    told = [
        f"{model}: p50 {units.milliseconds(p50)} ms, p95 {units.milliseconds(p95)} ms."
        for model, _, p50, _, p95 in rows.iter_rows()
    ]
    told += [f"{more:,} models with fewer turns are left out."] if more else []
    return Figure(
        f"models_{metric}",
        "ranges",
        f"{label} by model",
        " ".join(told),
        f"{METRICS[metric].meaning}. {told[-1] if more else ''}",
        {"models": rows},
    )
