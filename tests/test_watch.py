"""Watching logs that grow: every turn once, soon, and as `analyze` tells it afterwards."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from logs import eou, llm, stt, tts, write_log
from polars.testing import assert_frame_equal

import turnlat
from turnlat import live
from turnlat.blocks import Block
from turnlat.errors import InputError, UsageError
from turnlat.following import Follower
from turnlat.live import Watch, windows
from turnlat.readers import LineReader, Options
from turnlat.report import live as reports
from turnlat.writers import Page
from turnlat.writers import live as writer

ROOT = Path(__file__).parent.parent
WRITER = Path(__file__).parent / "support" / "hook_writer.py"
SAMPLES = ("hook", "three_jobs")
SOON = 1.0
SETTLE = 0.3


def follow(*names: object) -> Follower:
    return Follower(map(str, names), Options(), from_start=True, clock=time.monotonic)


def fresh() -> Watch:
    return Watch(settle=SETTLE, forget_after=900.0)


def talk(number: int, at: float = 0.0, **more: Any) -> list[dict]:
    """One turn: EOU, LLM, TTS."""
    speech = f"speech_{number}"
    # No two real delays are the same to the last digit.
    delay = 0.5 + number * 1e-6
    records = [eou(speech, at, delay), llm(speech, at), tts(speech, at + 0.5)]
    return [record | more for record in records]


def lines_of(records: list[dict]) -> bytes:
    return b"".join(json.dumps(record).encode() + b"\n" for record in records)


class Watched:
    """`turnlat watch` in a process of its own, and when each of its lines came."""

    def __init__(self, *args: object, cwd: Path) -> None:
        environment = os.environ | {"COLUMNS": "100", "PYTHONUTF8": "1"}
        self.process = subprocess.Popen(
            [sys.executable, "-m", "turnlat", "watch", *map(str, args)],
            cwd=cwd,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
        )
        self.lines: list[tuple[float, bytes]] = []
        self.reader = threading.Thread(target=self._read)
        self.reader.start()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self.lines.append((time.time(), line))

    def wait_for(self, number: int, seconds: float = 20.0) -> None:
        end = time.monotonic() + seconds
        while len(self.lines) < number and time.monotonic() < end:
            time.sleep(0.02)
        assert len(self.lines) >= number

    def interrupt(self) -> tuple[int, str]:
        self.process.send_signal(signal.SIGINT)
        assert self.process.stderr
        stderr = self.process.stderr.read().decode()
        self.process.wait(timeout=20)
        self.process.stderr.close()
        self.reader.join()
        assert self.process.stdout
        self.process.stdout.close()
        return self.process.returncode, stderr


@contextmanager
def watching(*args: object, cwd: Path) -> Iterator[Watched]:
    watched = Watched(*args, cwd=cwd)
    try:
        yield watched
    finally:
        if watched.process.poll() is None:
            watched.process.kill()


def test_every_turn_of_a_rotated_and_truncated_log_comes_once_and_soon(tmp_path: Path) -> None:
    """Against a real process that writes turn by turn, `analyze` of all it wrote is the judge."""
    (tmp_path / "agent.jsonl").touch()
    with watching("agent.jsonl", "--format", "jsonl", cwd=tmp_path) as watched:
        write_log(tmp_path / "agent.jsonl", talk(99, session="AJ_first"))
        watched.wait_for(1)
        subprocess.run([sys.executable, WRITER, "agent.jsonl", "12"], cwd=tmp_path, check=True)
        watched.wait_for(13)
        code, summary = watched.interrupt()
    assert code == 130
    rows = [(came, json.loads(line)) for came, line in watched.lines[1:]]
    truth = {row["speech_id"]: row for row in turnlat.load(tmp_path / "agent.all").turns.to_dicts()}
    assert sorted(row["speech_id"] for _, row in rows) == sorted(truth)
    last_record = {
        record["speech_id"]: record["timestamp"]
        for record in map(json.loads, (tmp_path / "agent.all").read_text().splitlines())
    }
    delays = [came - last_record[row["speech_id"]] for came, row in rows]
    assert max(delays) < SOON, delays
    for _, row in rows:
        known = truth[row["speech_id"]]
        for column in ("session", "turn", "outcome", "e2e_latency", "llm_ttft", "remainder"):
            assert row[column] == known[column], (row, known)
    assert "13 user turns" in summary
    assert "e2e_latency" in summary


def test_a_log_that_is_not_there_yet_is_waited_for(tmp_path: Path) -> None:
    with watching("agent.jsonl", "other.jsonl", "--from-start", cwd=tmp_path) as watched:
        time.sleep(1.5)
        write_log(tmp_path / "agent.jsonl", talk(1))
        watched.wait_for(1)
        code, _ = watched.interrupt()
    assert code == 130
    [(_, line)] = watched.lines
    assert b"turn 1  replied  1,200 ms = transcription 200 + endpointing 300" in line


def test_what_is_there_already_is_told_where_it_lies_in_the_window(tmp_path: Path) -> None:
    """And Ctrl-C tells what was still waiting."""
    old = [record for n in range(3) for record in talk(n, 600.0 * n)]
    write_log(tmp_path / "agent.jsonl", [*old, eou("speech_9", 1_210.0)])
    with watching("agent.jsonl", "--window", "11m", "--format", "jsonl", cwd=tmp_path) as watched:
        watched.wait_for(3)
        _, summary = watched.interrupt()
    told = [json.loads(line)["speech_id"] for _, line in watched.lines]
    assert told == ["speech_1", "speech_2", "speech_9"]
    assert "turns: 3 replied, 1 silent" in summary


def test_logs_of_one_session_complete_each_other(tmp_path: Path) -> None:
    """A hook's log and the worker's own, which tells the same metrics again without ids."""
    folder, parts = ROOT / "tests/data/1.8.9/main", []
    names = ["hook.jsonl", "production.jsonl", "events.jsonl"]
    follower = follow(*(tmp_path / name for name in names))
    watch = fresh()
    for share in (3, 2, 1):
        for name in names:
            data = (folder / name).read_bytes()
            (tmp_path / name).write_bytes(data[: len(data) // share])
        parts = follower.poll()
        watch.take(parts, 0.0)
        watch.tell(0.0)
    watch.take(follower.finish(), 0.0)
    run = turnlat.load(*(tmp_path / name for name in names))
    assert_frame_equal(watch.close(), run.frame)
    assert watch.ledger() == run.ledger


def test_ctrl_c_without_a_turn_says_so(tmp_path: Path) -> None:
    write_log(tmp_path / "agent.jsonl", ["nothing"])
    with watching("agent.jsonl", cwd=tmp_path) as watched:
        time.sleep(2.0)
        assert watched.interrupt() == (
            130,
            "turnlat: agent.jsonl: no turns were seen (1 line read)\n",
        )


@pytest.mark.parametrize("sample", SAMPLES)
@settings(max_examples=8, deadline=None)
@given(cuts=st.lists(st.integers(0, 20_000), max_size=6))
def test_any_chunks_of_a_log_give_the_turns_of_analyze(
    tmp_path_factory: pytest.TempPathFactory, sample: str, cuts: list[int]
) -> None:
    data = (ROOT / f"sample_logs/{sample}.jsonl").read_bytes()
    log = tmp_path_factory.mktemp("chunks") / "agent.jsonl"
    watch, follower = fresh(), follow(log)
    for start, end in zip([0, *sorted(cuts)], [*sorted(cuts), len(data)], strict=True):
        with log.open("ab") as file:
            file.write(data[start:end])
        watch.take(follower.poll(), 0.0)
        assert not watch.tell(0.0).height
    watch.take(follower.finish(), 0.0)
    run = turnlat.load(log)
    assert_frame_equal(watch.close(), run.frame)
    assert watch.ledger() == run.ledger


@pytest.mark.parametrize("recording", ["1.8.9/main", "1.2.18/preemptive", "1.0.23/main"])
@pytest.mark.parametrize("name", ["hook", "production"])
def test_turns_told_while_a_recording_goes_on_are_those_of_its_end(
    recording: str, name: str
) -> None:
    """Its lines come when they came; what is told early is what `analyze` tells in the end."""
    log = ROOT / "tests/data" / recording / f"{name}.jsonl"
    run = turnlat.load(log)
    told = pl.concat(list(replayed(log)))
    what = ["session", "turn", "speech_id", "outcome", "line", "e2e_latency", "total_latency"]
    assert told.select(what).sort(what).equals(run.frame.select(what).sort(what))


def replayed(log: Path) -> Iterator[pl.DataFrame]:
    """What a watch tells while the lines of a log come at the times of their records."""
    reader, watch, now, offset = LineReader(Options()), fresh(), 0.0, 0
    for number, line in enumerate(log.read_bytes().splitlines(keepends=True), 1):
        records = reader.read(Block(str(log), str(log), number, offset, line))
        offset += len(line)
        times = [time for frame in records.frames.values() for time in frame["timestamp"]]
        came = max([now, *(time for time in times if time is not None)])
        for step in range(int((came - now) * 2) if now else 0):
            yield watch.tell(now + step / 2)
        now = came
        watch.take([records], now)
        yield watch.tell(now)
    watch.take([reader.finish()], now)
    yield watch.close()


def test_a_line_waits_for_its_end(tmp_path: Path) -> None:
    log, watch = tmp_path / "agent.jsonl", fresh()
    data = lines_of(talk(1))
    log.write_bytes(data[:-1])
    follower = follow(log)
    watch.take(follower.poll(), 0.0)
    assert watch.tally.lines == 2
    with log.open("ab") as file:
        file.write(b"\n")
    watch.take(follower.poll(), 0.0)
    assert watch.tally.metric == 3
    assert watch.tell(SETTLE)["outcome"].to_list() == ["replied"]
    follower.finish()


def test_a_renamed_log_is_read_to_its_end_first(tmp_path: Path) -> None:
    log, watch = tmp_path / "agent.jsonl", fresh()
    old = log.open("wb", buffering=0)
    follower = follow(log)
    watch.take(follower.poll(), 0.0)
    data = lines_of([record for n in range(3) for record in talk(n, at=20.0 * n)])
    old.write(data[:700])
    log.rename(tmp_path / "agent.jsonl.1")
    watch.take(follower.poll(), 0.0)
    log.write_bytes(lines_of(talk(7, at=100.0)))
    old.write(data[700:900])
    watch.take(follower.poll(), 0.0)
    old.write(data[900:])  # its writer learns of the rotation late
    old.close()
    watch.take(follower.poll(), 0.0)
    assert watch.close()["speech_id"].to_list() == ["speech_0", "speech_1", "speech_2", "speech_7"]
    follower.finish()


@pytest.mark.parametrize("shorter", [True, False])
def test_a_log_that_is_written_anew_in_place_is_read_anew(tmp_path: Path, *, shorter: bool) -> None:
    log, watch = tmp_path / "agent.jsonl", fresh()
    write_log(log, [*talk(1), stt(1.0)] if shorter else talk(1))
    follower = follow(log)
    watch.take(follower.poll(), 0.0)
    with log.open("rb+") as file:
        file.truncate()
        file.write(lines_of([*talk(2, at=30.0), *([] if shorter else [stt(31.0)])]))
    watch.take(follower.poll(), 0.0)
    assert watch.close()["speech_id"].to_list() == ["speech_1", "speech_2"]
    assert watch.tally.lines == 7
    follower.finish()


def test_a_turn_that_waits_for_its_audio_is_not_told(tmp_path: Path) -> None:
    log, watch = tmp_path / "agent.jsonl", fresh()
    follower = follow(log)
    write_log(log, talk(1)[:2])
    watch.take(follower.poll(), 0.0)
    assert not watch.tell(20.0).height
    with log.open("ab") as file:
        file.write(lines_of(talk(1)[2:]))
    watch.take(follower.poll(), 20.0)
    assert not watch.tell(20.1).height
    assert watch.tell(20.7)["outcome"].to_list() == ["replied"]
    assert not watch.tell(100.0).height
    follower.finish()


def test_a_silent_turn_is_told_when_the_next_one_begins(tmp_path: Path) -> None:
    log, watch = tmp_path / "agent.jsonl", fresh()
    follower = follow(log)
    write_log(log, [*talk(0), eou("speech_1", 20.0), eou("speech_2", 25.0)])
    watch.take(follower.poll(), 0.0)
    assert watch.tell(1.0)["outcome"].to_list() == ["replied", "silent"]
    assert watch.tell(29.0)["outcome"].to_list() == []
    assert watch.tell(31.0)["outcome"].to_list() == ["silent"]
    follower.finish()


def test_conversations_that_ended_are_forgotten_and_counted(tmp_path: Path) -> None:
    watch, records = Watch(settle=SETTLE, forget_after=60.0), [talk(n, 20.0 * n) for n in range(9)]
    for number, turn in enumerate(records):
        name = f"AJ_{number // 3}"
        log = write_log(tmp_path / f"{number}.jsonl", [r | {"session": name} for r in turn])
        follower = follow(log)
        watch.take([*follower.poll(), *follower.finish()], 50.0 * number)
        watch.tell(50.0 * number + 1.0)
        watch.forget(50.0 * number + 1.0)
    assert watch.live_records <= 9
    ledger = watch.ledger()
    assert (ledger.lines, ledger.in_turns, ledger["replied"]) == (27, 27, 9)
    assert watch.rows["turn"].to_list() == [1, 2, 3] * 3


def test_a_conversation_without_an_end_loses_its_beginning_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live, "LONGEST", 12)
    watch, told = fresh(), []
    log = tmp_path / "agent.jsonl"
    follower = follow(log)
    for number in range(12):
        with log.open("ab") as file:
            file.write(lines_of(talk(number, 20.0 * number)))
        watch.take(follower.poll(), 20.0 * number)
        told += watch.tell(20.0 * number + 1.0).rows(named=True)
        watch.forget(20.0 * number + 1.0)
    assert watch.live_records <= 12
    run = turnlat.load(log)
    assert [row["turn"] for row in told] == run.turns["turn"].to_list()
    assert watch.rows["e2e_latency"].to_list() == run.turns["e2e_latency"].to_list()
    assert watch.ledger().flat() == run.ledger.flat()
    follower.finish()


def test_a_window_is_a_time_before_the_newest_turn_or_a_number_of_turns(tmp_path: Path) -> None:
    records = [record for n in range(10) for record in talk(n, 60.0 * n)]
    rows = turnlat.load(write_log(tmp_path / "agent.jsonl", records)).frame
    assert windows.parse("5m").cut(rows)["turn"].to_list() == [5, 6, 7, 8, 9, 10]
    assert windows.parse("90s").cut(rows)["turn"].to_list() == [9, 10]
    assert windows.parse("3 turns").cut(rows)["turn"].to_list() == [8, 9, 10]
    assert windows.parse("1h").cut(rows).height == 10
    for wrong in ("", "5", "0m", "-1h", "5 parsecs", "9999999d"):
        with pytest.raises(UsageError, match="no window"):
            windows.parse(wrong)


def test_a_packed_log_does_not_grow(tmp_path: Path) -> None:
    log = tmp_path / "agent.jsonl"
    log.write_bytes(b"\x1f\x8b\x08\x00")
    with pytest.raises(InputError, match="packed"):
        follow(log).poll()


def test_a_pipe_is_no_file(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(InputError, match="is a pipe"):
        follow(tmp_path / "pipe").poll()


def test_a_folder_is_followed_with_the_logs_that_come_later(tmp_path: Path) -> None:
    watch, clock = fresh(), iter(range(100))
    follower = Follower(
        [str(tmp_path)], Options(), from_start=False, clock=lambda: 2.0 * next(clock)
    )
    assert follower.poll() == []
    write_log(tmp_path / "a.jsonl", talk(1, session="AJ_1"))
    watch.take(follower.poll(), 0.0)
    write_log(tmp_path / "b.jsonl", talk(2, session="AJ_2"))
    watch.take(follower.poll(), 0.0)
    assert watch.close()["speech_id"].to_list() == ["speech_1", "speech_2"]
    follower.finish()


def test_of_a_large_log_only_the_end_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("turnlat.following.START_BYTES", 1_500)
    records = [record for n in range(30) for record in talk(n, 20.0 * n)]
    log = write_log(tmp_path / "agent.jsonl", records)
    watch = fresh()
    follower = Follower([str(log)], Options(), from_start=False, clock=time.monotonic)
    watch.take(follower.poll(), 0.0)
    assert 3 <= watch.tally.lines <= 6
    rows, whole = watch.close(), turnlat.load(log).turns
    assert rows["line"].to_list()[-1] == whole["line"].to_list()[-1]
    follower.finish()


def test_stdin_ends_a_watch(turnlat: Callable) -> None:
    done = turnlat("watch", "-", "--format", "jsonl", stdin=lines_of(talk(1)))
    assert done.exit == 0
    assert json.loads(done.stdout)["e2e_latency"] == pytest.approx(1.2, abs=1e-4)
    assert "1 user turn" in done.stderr


@pytest.mark.parametrize(("width", "lines"), [(60, 14), (80, 24), (120, 24), (200, 50)])
def test_one_frame_fits_any_page(turnlat: Callable, width: int, lines: int) -> None:
    rule = "e2e_latency.p95 < 1.5s"
    args = ("watch", "sample_logs/hook.jsonl", "--once", "--limit", rule)
    done = turnlat(*args, cwd=ROOT, COLUMNS=str(width), LINES=str(lines))
    shown = done.stdout.splitlines()
    assert (done.exit, done.stderr) == (0, "")
    assert len(shown) < lines
    assert max(map(len, shown)) <= width
    assert any(line.startswith(f"failed  {rule}") for line in shown)


@pytest.mark.parametrize("width", [1, 12, 30])
def test_a_frame_fits_a_page_that_is_too_small_for_it(width: int) -> None:
    rows = turnlat.load(ROOT / "sample_logs/hook.jsonl").frame
    run = turnlat.load(ROOT / "sample_logs/hook.jsonl")
    view = reports.view(run, pl.Series([True] * rows.height), "15m", [], [])
    for height in range(1, 30):
        frame = writer.lines(view, Page(width=width), height, writer.now())
        assert len(frame) <= height
        assert all(line.cell_len <= width for line in frame)
