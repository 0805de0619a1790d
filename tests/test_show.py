"""One conversation in the terminal: as it looked, within the page, true to time."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from golden import check
from logs import START, eou, llm, tts, write_log
from rich.cells import cell_len

import turnlat as package
from turnlat import conversation
from turnlat.readers import Options
from turnlat.report.conversation import timeline

ROOT = Path(__file__).parent.parent
GOLDEN = Path(__file__).parent / "golden"
EVENTS = "tests/data/1.8.9/main/events.jsonl"


def event(type_: str, at: float, **fields: Any) -> dict:
    """What turnlat's hook records beside metrics."""
    return {"type": type_, "created_at": START + at, "event": START + at} | fields


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize(
    ("name", "args"),
    [
        ("hook", ["sample_logs/hook.jsonl"]),
        ("three_jobs", ["sample_logs/three_jobs.jsonl", "AJ_1*"]),
        ("events", [EVENTS, "--text"]),
    ],
)
def test_show_looks_as_it_did(turnlat: Callable, name: str, args: list[str], width: int) -> None:
    done = turnlat("show", *args, cwd=ROOT, COLUMNS=str(width))
    assert (done.exit, done.stderr) == (0, "")
    assert max(map(cell_len, done.stdout.splitlines())) <= width
    check(GOLDEN / f"show_{name}_{width}.txt", done.stdout)


@pytest.mark.parametrize("width", ["20", "40", "60"])
def test_a_narrow_page_wraps_nothing(turnlat: Callable, width: str) -> None:
    done = turnlat("show", EVENTS, "--text", cwd=ROOT, COLUMNS=width)
    assert max(map(cell_len, done.stdout.splitlines())) <= int(width)


def test_every_record_of_a_session_is_under_one_of_its_turns() -> None:
    run = package.load(ROOT / "sample_logs/three_jobs.jsonl")
    shown = 0
    for session in run.turns["session"].unique():
        found = conversation.load([str(ROOT / "sample_logs/three_jobs.jsonl")], session, Options())
        lines = [line for turn in timeline(found).turns for line in turn.lines]
        assert all(b"metrics" in content for _, _, content in lines)
        shown += len(lines)
    assert shown == run.ledger.in_turns


def test_pieces_are_true_to_time(tmp_path: Path) -> None:
    """Filler from 0.8 to 1.8 s, a tool from 0.9 to 2.4 s, the answer from 3.2 s on."""
    records = [
        event("user_state_changed", -1.2, old_state="listening", new_state="speaking"),
        event("user_state_changed", -0.4, old_state="speaking", new_state="listening"),
        eou("a", 0.0),
        llm("a", 0.0, length=0.1, ttft=0.05),
        tts("filler", 0.1, audio=1.0),
        event("function_tools_executed", 1.9, tools=[{"name": "weather", "duration": 1.5}]),
        llm("a", 2.0, length=0.4),
        tts("a", 2.5, audio=2.0),
    ]
    log = write_log(tmp_path / "agent.jsonl", [record | {"session": "AJ"} for record in records])
    [turn] = timeline(conversation.load([str(log)], "AJ", Options())).turns
    pieces = [(piece.who, round(piece.start, 3), round(piece.end, 3)) for piece in turn.pieces]
    assert pieces == [
        ("user", -0.7, 0.0),
        ("tool", 0.9, 2.4),
        ("filler", 0.8, 1.8),
        ("agent", 3.2, 5.2),
    ]
    assert [piece.label for piece in turn.pieces if piece.who == "tool"] == ["weather"]
    assert turn.silence == pytest.approx(1.4, abs=1e-6)
    assert turn.wait == pytest.approx(0.8, abs=1e-6)


def test_held_back_audio_is_drawn_where_it_was_heard(tmp_path: Path) -> None:
    """The second sentence is ready first; both are before the turn is decided, at 1.0 s."""
    records = [
        eou("a", 1.0, delay=1.0),
        llm("a", 0.1, length=0.2, ttft=0.1),
        tts("a", 0.2, ttfb=0.4, audio=1.0),
        tts("a", 0.3, ttfb=0.1, audio=2.0),
    ]
    log = write_log(tmp_path / "agent.jsonl", [record | {"session": "AJ"} for record in records])
    [turn] = timeline(conversation.load([str(log)], "AJ", Options())).turns
    assert turn.wait == pytest.approx(1.0, abs=1e-6)
    pieces = [(p.who, round(p.start, 3), round(p.end, 3)) for p in turn.pieces]
    assert pieces == [("user", -1.0, 0.0), ("agent", 1.0, 2.0), ("agent", 2.0, 4.0)]


@pytest.mark.parametrize("recording", ["1.2.18/preemptive", "1.8.9/preemptive", "1.8.9/main"])
def test_what_is_drawn_first_is_what_the_wait_ended_with(recording: str) -> None:
    log = str(ROOT / "tests/data" / recording / "hook.jsonl")
    turns = timeline(conversation.load([log], None, Options())).turns
    answered = [turn for turn in turns if turn.outcome == "replied"]
    assert answered
    for turn in answered:
        heard = min(piece.start for piece in turn.pieces if piece.who in ("agent", "filler"))
        assert heard == pytest.approx(turn.wait, abs=1e-5)


def test_tools_and_silences_are_drawn(turnlat: Callable, tmp_path: Path) -> None:
    records = [
        eou("a", 0.0),
        llm("a", 0.0, length=0.1, ttft=0.05),
        tts("filler", 0.1, audio=1.0),
        event("function_tools_executed", 1.9, tools=[{"name": "weather", "duration": 1.5}]),
        llm("a", 2.0, length=0.4),
        tts("a", 2.5, audio=2.0),
    ]
    write_log(tmp_path / "agent.jsonl", records)
    done = turnlat("show", "agent.jsonl", cwd=tmp_path, COLUMNS="80")
    track, tool = done.stdout.splitlines()[4:6]
    assert "░·" in track
    assert "·▓" in track
    assert tool.split() == ["═" * tool.count("═"), "weather", "1,500", "ms"]
    last = "filler: filler speech was heard before the answer; the wait ends there"
    assert done.stdout.splitlines()[-1] == last
    before = tool.index("═") - track.index("t")
    assert tool.count("═") / before == pytest.approx(1.5 / 0.9, rel=0.1)


def test_one_turn_can_be_shown(turnlat: Callable) -> None:
    done = turnlat("show", "sample_logs/three_jobs.jsonl", "AJ_0*/2", cwd=ROOT)
    assert done.stdout.count("  turn 2  replied") == 1
    assert "  turn 1  " not in done.stdout


def test_a_turn_alone_is_what_it_is_in_its_session() -> None:
    log = str(ROOT / "sample_logs/normal.jsonl")
    whole = timeline(conversation.load([log], "AJ_normal_09", Options())).turns
    turns = [turn for turn in whole if turn.turn is not None]
    assert any(piece.who == "tool" for turn in turns for piece in turn.pieces)
    for turn in turns:
        wanted = f"AJ_normal_09/{turn.turn}"
        [alone] = timeline(conversation.load([log], wanted, Options())).turns
        assert alone == turn


def test_a_saved_run_has_no_lines(turnlat: Callable, tmp_path: Path) -> None:
    package.load(ROOT / "sample_logs/hook.jsonl").save(tmp_path / "run.parquet")
    done = turnlat("show", "run.parquet", cwd=tmp_path)
    assert done.exit == 2
    assert "run.parquet: is a saved run, which has no lines to come back to" in done.stderr
