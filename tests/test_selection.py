"""Selection: turns by time, session, model and SQL, the same for a log and a saved run."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta, timezone
from pathlib import Path

import pytest
from logs import DATA, START, eou, llm, load, tts

import turnlat
from turnlat.selection import Selection, moment

JOBS = DATA / "1.2.18/threejobs/production.jsonl"
HOOK = DATA / "1.8.9/main/hook.jsonl"
NOW = datetime(2026, 11, 22, 12, 0, tzinfo=timezone.utc)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-11-22", NOW - timedelta(hours=12)),
        ("2026-11-22T11:00", NOW - timedelta(hours=1)),
        ("2026-11-22T12:00:00Z", NOW),
        ("2026-11-22T13:30+01:30", NOW),
        ("-3h", NOW - timedelta(hours=3)),
        ("-90m", NOW - timedelta(minutes=90)),
        ("-1.5d", NOW - timedelta(days=1.5)),
        ("now", NOW),
        ("today", NOW - timedelta(hours=12)),
        ("yesterday", NOW - timedelta(hours=36)),
    ],
)
def test_times_are_what_people_write(text: str, expected: datetime) -> None:
    assert moment(text, NOW) == expected


@pytest.mark.parametrize(
    "text", ["noon", "-3", "-h", "", "2026-13-01", "-99999999999d", "0001-01-01T00:00+14:00"]
)
def test_what_is_no_time_is_an_error(text: str) -> None:
    with pytest.raises(turnlat.UsageError, match="is no time"):
        moment(text, NOW)


def test_a_turn_is_of_the_time_when_its_user_stopped(tmp_path: Path) -> None:
    records = [eou("a", 10, delay=2.0), llm("a", 10), tts("a", 10.7), eou("b", 20, delay=0.0)]
    run = load(tmp_path, [*records[:3], records[3] | {"transcription_delay": 0.0}])
    stopped = datetime.fromtimestamp(START + 8, timezone.utc)
    emitted = datetime.fromtimestamp(START + 20, timezone.utc)  # b: nobody knows; its record
    for since, kept in ((stopped, ["a", "b"]), (stopped + timedelta(seconds=0.1), ["b"])):
        selected = run.select(Selection(since=since.isoformat()))
        assert selected.turns["speech_id"].to_list() == kept
    before = run.select(Selection(until=emitted.isoformat()))
    assert before.turns["speech_id"].to_list() == ["a"]


def test_sessions_and_models_are_named_whole_or_with_a_star() -> None:
    run = turnlat.load(JOBS)
    session = run.turns["session"][0]
    assert run.select(Selection(sessions=[session])).turns["session"].n_unique() == 1
    assert run.select(Selection(sessions=["AJ_[01]_*"])).turns["session"].n_unique() == 2
    sonic = run.select(Selection(models=["sonic-3"])).turns
    assert set(sonic["tts_model"]) == {"sonic-3"}
    with pytest.raises(turnlat.UsageError, match="--session nope: no turn has it"):
        run.select(Selection(sessions=["nope"]))


def test_where_is_sql_over_the_columns() -> None:
    run = turnlat.load(HOOK)
    slow = run.select(Selection(where="e2e_latency > 2 AND llm_calls = 2"))
    assert slow.turns["turn"].to_list() == [2]
    assert slow.latency.filter(metric="e2e_latency")["count"].item() == 1
    assert slow.ledger == run.ledger
    assert [note.code for note in slow.notes] == ["selected"]


@pytest.mark.parametrize(
    ("where", "message"),
    [
        ("e2e_latncy > 2", "there is no column e2e_latncy"),
        ("e2e_latency >", "unable to parse"),
        ("e2e_latency + 1", "this is a value, not a condition"),
        ("outcome > 2", "--where outcome > 2"),
        ("COLUMNS('.*') IS NOT NULL", "--where COLUMNS"),
        ("e2e_latency > ALL(SELECT 1)", "--where e2e_latency > ALL"),
    ],
)
def test_a_condition_that_makes_no_sense_is_an_error(where: str, message: str) -> None:
    with pytest.raises(turnlat.UsageError, match=message):
        turnlat.load(HOOK).select(Selection(where=where))


def test_a_selection_that_no_turn_fulfils_is_exit_3(turnlat: Callable) -> None:
    done = turnlat("analyze", HOOK, "--where", "e2e_latency > 99")
    assert (done.exit, done.stdout) == (3, "")
    assert "none of the 7 turns and speeches" in done.stderr


def test_a_saved_run_is_selected_from_as_its_log(turnlat: Callable, tmp_path: Path) -> None:
    saved = tmp_path / "run.parquet"
    assert turnlat("analyze", JOBS, "-o", saved).exit == 0
    for arguments in (
        ["--since", "2026-11-22T07:29:10Z", "--until", "2026-11-22T07:29:20Z"],
        ["--session", "AJ_0*"],
        ["--model", "gpt-4o-mini-tts"],
        ["--where", "total_latency > 1.05"],
    ):
        log, run = (turnlat("analyze", source, *arguments) for source in (JOBS, saved))
        assert log.exit == run.exit == 0
        assert log.stdout == run.stdout
        assert "selected (" in log.stdout
