"""Lines that are longer than any log line, in logs that grow, and where reading begins."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from logs import eou, llm, tts, write_log

from turnlat import sources
from turnlat.following import Follower
from turnlat.readers import LineReader, Options
from turnlat.records import Records
from turnlat.tally import Tally

LONG = b'{"type": "llm_metrics", "label": "' + b"x" * 9_000 + b'", "ttft": 0.3}'


def follow(log: Path, *, from_start: bool = True) -> Follower:
    return Follower([str(log)], Options(), from_start=from_start, clock=time.monotonic)


def tally_of(parts: list[Records]) -> Tally:
    tally = Tally()
    for part in parts:
        tally += part.tally
    return tally


def whole(log: Path) -> Tally:
    """What reading the file at once tells of its lines, in blocks that are shorter than one."""
    reader = LineReader(Options())
    blocks = sources.Source(str(log), (str(log),)).blocks(str(log), 500)
    return tally_of([*map(reader.read, blocks), reader.finish()])


@pytest.fixture
def short_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sources, "LONGEST_LINE", 2_000)
    monkeypatch.setattr(sources, "_KEPT_OF_LINE", 100)


@pytest.mark.usefixtures("short_lines")
@pytest.mark.parametrize("ended", [True, False])
def test_a_line_that_is_too_long_is_one_bad_line_of_a_log_that_grows(
    tmp_path: Path, *, ended: bool
) -> None:
    rest = [b"{broken", tts("a", 0.5), b"{also"] if ended else []
    log = write_log(tmp_path / "all.jsonl", [eou("a", 0), LONG, *rest])
    data = log.read_bytes() if ended else log.read_bytes()[:-1]
    log.write_bytes(data)
    growing, parts = tmp_path / "agent.jsonl", []
    follower = follow(growing)
    for start in range(0, len(data), 700):
        with growing.open("ab") as file:
            file.write(data[start : start + 700])
        parts += follower.poll()
    tally, known = tally_of([*parts, *follower.finish()]), whole(log)
    places = [(2, LONG), (3, b"{broken"), (5, b"{also")]
    expected = [(line, data.index(text)) for line, text in places if text in data]
    assert [(bad.line, bad.offset) for bad in tally.bad_lines] == expected
    assert [(bad.line, bad.offset, bad.reason) for bad in known.bad_lines] == [
        (bad.line, bad.offset, bad.reason) for bad in tally.bad_lines
    ]
    counts = (5, 2) if ended else (2, 1)
    assert (tally.lines, tally.metric) == (known.lines, known.metric) == counts


def test_reading_begins_with_a_whole_line_also_where_that_is_not_finished_yet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The end of a log that is there already lies within its last line."""
    monkeypatch.setattr("turnlat.following.START_BYTES", 40)
    log = write_log(tmp_path / "agent.jsonl", [eou("a", 0), llm("a", 0), tts("a", 0.5)])
    data = log.read_bytes()
    log.write_bytes(data[:-20])
    follower = follow(log, from_start=False)
    parts = follower.poll()
    with log.open("ab") as file:
        file.write(data[-20:])
    parts += follower.poll()
    assert [part.frames["tts"]["line"].to_list() for part in parts] == [[3]]
    assert (tally_of(parts).lines, tally_of(parts).metric) == (1, 1)
    follower.finish()
