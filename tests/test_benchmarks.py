"""The benchmark's logs hold what they say, and its rivals answer what turnlat answers."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

import turnlat

sys.path.insert(0, str(Path(__file__).parent.parent))

from tests.benchmarks.logs import Plan, write
from tests.benchmarks.rivals import PERCENTILES, by_hand, duckdb, percentiles, polars
from tests.benchmarks.verdicts import World, called

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
    rivals = [rival(shape, str(path)) for rival in (by_hand, polars, duckdb)]
    for name in PERCENTILES:
        assert row[name] == pytest.approx(truth[name], abs=tolerance)
        for rival in rivals:
            assert rival[name] == pytest.approx(row[name], abs=2e-6)


def test_verdicts_seldom_cry_wolf_and_see_what_is_there() -> None:
    """A small part of the simulation that `python -m tests.benchmarks.verdicts --full` runs."""
    unchanged = called(World(10, 10), 60, draws=199)[:, 0].mean()
    slower = called(World(10, 10, factor=1.5), 40, draws=199)[:, 0].mean()
    paired = called(World(10, 10, turns=4, paired=True, factor=1.2), 40, draws=199)[:, 0].mean()
    assert unchanged <= 0.1
    assert slower >= 0.7
    assert paired >= 0.6
