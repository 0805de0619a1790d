"""Percentiles and their intervals, against numpy and scipy."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from logs import eou, llm, load, tts
from scipy import stats

from turnlat.metrics import METRICS
from turnlat.summaries import latency
from turnlat.summaries.order_statistics import ranks

SHARES = (0.5, 0.9, 0.95, 0.99)


@pytest.mark.parametrize(("share", "enough"), [(0.5, 6), (0.9, 36), (0.95, 72), (0.99, 368)])
def test_a_finite_interval_needs_as_many_turns_as_the_theory_says(
    share: float, enough: int
) -> None:
    assert None not in ranks(enough, share)
    assert None in ranks(enough - 1, share)


@given(st.integers(1, 200_000), st.sampled_from(SHARES))
def test_the_ranks_are_the_binomials_quantiles(number: int, share: float) -> None:
    low, high = ranks(number, share)
    binomial = stats.binom(number, share)
    lower = 0 if low is None else low + 1
    assert binomial.cdf(lower - 1) <= 0.025 + 1e-9
    assert binomial.cdf(lower) > 0.025 - 1e-9
    upper = number + 1 if high is None else high + 1
    assert binomial.sf(upper - 1) <= 0.025 + 1e-9
    assert binomial.sf(upper - 2) > 0.025 - 1e-9


def test_no_value_has_no_bound() -> None:
    assert ranks(0, 0.5) == (None, None)


def test_the_interval_covers_the_percentile_as_often_as_it_says() -> None:
    rng = np.random.default_rng(1)
    low, high = ranks(100, 0.9)
    samples = np.sort(rng.random((4000, 100)), axis=1)
    covered = (samples[:, low] <= 0.9) & (samples[:, high] >= 0.9)
    assert covered.mean() >= 0.95


@given(st.lists(st.floats(0.01, 100), min_size=1, max_size=300))
def test_the_statistics_are_numpys(waits: list[float]) -> None:
    turns = pl.DataFrame(dict.fromkeys(METRICS, waits))
    row = latency.summarize(turns).row(0, named=True)
    assert row["count"] == len(waits)
    assert row["missing"] == 0
    assert row["mean"] == pytest.approx(np.mean(waits))
    for name, share in latency.PERCENTILES.items():
        assert row[name] == pytest.approx(np.percentile(waits, share * 100))
        low, high = ranks(len(waits), share)
        assert row[f"{name}_low"] == (None if low is None else sorted(waits)[low])
        assert row[f"{name}_high"] == (None if high is None else sorted(waits)[high])
    assert (row["min"], row["max"]) == (min(waits), max(waits))


def test_missing_counts_the_replied_turns_without_the_metric(tmp_path: Path) -> None:
    records = [eou("a", 0), llm("a", 0), tts("a", 0.7), eou("b", 9), tts("b", 9.7), eou("c", 20)]
    table = load(tmp_path, records).latency
    row = table.filter(metric="llm_ttft").to_dicts()[0]
    assert (row["count"], row["missing"]) == (1, 1)


def test_every_metric_has_a_row_even_without_values(tmp_path: Path) -> None:
    table = load(tmp_path, [eou("a", 0)]).latency
    assert table["metric"].to_list() == list(METRICS)
    assert table.filter(pl.col("count") > 0)["metric"].to_list() == [
        "transcription_delay", "endpointing_delay", "callback_delay", "eou_delay",
    ]  # fmt: skip
