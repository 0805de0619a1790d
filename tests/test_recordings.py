"""Real recordings against their own events: outcomes, waits, components."""

from __future__ import annotations

from pathlib import Path

import polars as pl
import pytest
from logs import DATA, recordings
from truth import truth_of

import turnlat
from turnlat.metrics import COMPONENTS

AGREEMENT = 0.005
"""Seconds between the agent's change to speaking and the first audio that its records tell."""
ROUNDING = 0.015
"""`log_metrics` rounds each of two delays to 10 ms."""

RECORDINGS = recordings("events.jsonl")
PRODUCTION = recordings("production.jsonl", "hook.jsonl")


def rows(run: turnlat.Run, outcome: str) -> list[dict]:
    return run.turns.filter(outcome=outcome).to_dicts()


@pytest.mark.parametrize("recording", RECORDINGS, ids=str)
def test_as_many_turns_of_each_outcome_as_the_events_tell(recording: Path) -> None:
    run = turnlat.load(DATA / recording / "hook.jsonl")
    found = {name: count for name, count in run.ledger.outcomes.items() if count}
    assert found == dict(truth_of(DATA / recording).outcomes)


@pytest.mark.parametrize("recording", RECORDINGS, ids=str)
def test_the_wait_is_the_agents_change_to_speaking_less_the_users_stop(recording: Path) -> None:
    truth = truth_of(DATA / recording)
    run = turnlat.load(DATA / recording / "hook.jsonl")
    waits = {row["speech_id"]: row["e2e_latency"] for row in rows(run, "replied")}
    for speech, wait in truth.waits.items():
        assert waits[speech] == pytest.approx(wait, abs=AGREEMENT)


@pytest.mark.parametrize("recording", RECORDINGS, ids=str)
def test_an_eou_that_missed_the_speech_gives_null_and_a_note(recording: Path) -> None:
    truth = truth_of(DATA / recording)
    run = turnlat.load(DATA / recording / "hook.jsonl")
    for row in run.turns.iter_rows(named=True):
        if row["speech_id"] in truth.invalid:
            assert row["e2e_latency"] is None
            assert row["eou_delay"] is None
            assert row["user_stopped_at"] is None
            assert any(note.startswith("eou-") for note in row["notes"])


@pytest.mark.parametrize("recording", RECORDINGS, ids=str)
def test_components_sum_to_the_wait_within_a_microsecond(recording: Path) -> None:
    run = turnlat.load(DATA / recording / "hook.jsonl")
    replied = run.turns.filter(pl.col("e2e_latency").is_not_null())
    gaps = replied.select(
        gap=pl.sum_horizontal(c.name for c in COMPONENTS) - pl.col("e2e_latency")
    )["gap"]
    assert replied.height
    assert gaps.abs().max() < 1e-6


@pytest.mark.parametrize("recording", recordings("hook_with_vad.jsonl", "hook.jsonl"), ids=str)
def test_vad_records_change_no_turn(recording: Path) -> None:
    with_vad = DATA / recording / "hook_with_vad.jsonl"
    alone = turnlat.load(DATA / recording / "hook.jsonl").turns.drop("session", "source", "line")
    assert turnlat.load(with_vad).turns.drop("session", "source", "line").equals(alone)


@pytest.mark.parametrize("recording", PRODUCTION, ids=str)
def test_plain_lines_give_the_turns_of_the_hook(recording: Path) -> None:
    hook = turnlat.load(DATA / recording / "hook.jsonl")
    plain = turnlat.load(DATA / recording / "production.jsonl")
    assert plain.ledger.outcomes == hook.ledger.outcomes
    pairs = zip(rows(plain, "replied"), rows(hook, "replied"), strict=True)
    for ours, exact in pairs:
        assert ours["grouping"] == "inferred"
        assert ours["total_latency"] == pytest.approx(exact["total_latency"], abs=ROUNDING)
        assert ours["e2e_latency"] is None
        assert "no-duration" in ours["notes"]


def test_no_record_lands_in_another_jobs_turn() -> None:
    folder = DATA / "1.2.18/threejobs"
    together = turnlat.load(folder / "production.jsonl")
    assert together.turns["session"].n_unique() == 3
    alone = [turnlat.load(folder / job / "hook.jsonl") for job in ("job0", "job1", "job2")]
    by_job = [
        [row["total_latency"] for row in group.to_dicts() if row["outcome"] == "replied"]
        for _, group in together.turns.group_by("session", maintain_order=True)
    ]
    expected = [[row["total_latency"] for row in rows(run, "replied")] for run in alone]
    for waits in expected:
        match = next(found for found in by_job if len(found) == len(waits) and agree(found, waits))
        by_job.remove(match)
    assert not by_job


def agree(found: list, expected: list) -> bool:
    return all(
        (a is None) == (b is None) and (a is None or abs(a - b) <= ROUNDING)
        for a, b in zip(found, expected, strict=True)
    )


def test_a_clean_recording_has_no_remainder() -> None:
    run = turnlat.load(DATA / "1.8.9/main/hook.jsonl")
    assert set(run.turns["remainder"].drop_nulls()) == {0.0}
