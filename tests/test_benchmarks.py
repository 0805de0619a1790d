"""The benchmark's logs hold what they say, and its rivals answer what turnlat answers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import turnlat

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.benchmarks.logs import Plan, write
from tests.benchmarks.rivals import PERCENTILES, by_hand, duckdb, percentiles

METRIC = {"hook": ("e2e_latency", 2e-6), "production": ("total_latency", 0.011)}


@pytest.mark.parametrize("shape", METRIC)
def test_a_made_up_log_holds_what_it_says(tmp_path: Path, shape: str) -> None:
    path = tmp_path / "log.jsonl"
    truth = write(path, Plan(shape, 400_000, at_once=5, bad=5, huge=1))
    run = turnlat.load(path)
    assert run.ledger.lines == truth.lines == path.read_bytes().count(b"\n")
    assert [bad.line for bad in run.bad_lines] == truth.bad_lines
    assert run.ledger["replied"] == len(truth.waits)
    assert run.turns["session"].n_unique() == truth.sessions


@pytest.mark.parametrize("shape", METRIC)
def test_turnlat_gives_the_true_percentiles_and_its_rivals_the_same(
    tmp_path: Path, shape: str
) -> None:
    path = tmp_path / "log.jsonl"
    truth = percentiles(write(path, Plan(shape, 400_000, at_once=5)).waits)
    metric, tolerance = METRIC[shape]
    row = turnlat.load(path).latency.filter(metric=metric).row(0, named=True)
    rivals = [by_hand(shape, str(path)), duckdb(shape, str(path))]
    for name in PERCENTILES:
        assert row[name] == pytest.approx(truth[name], abs=tolerance)
        for rival in rivals:
            assert rival[name] == pytest.approx(row[name], abs=2e-6)
