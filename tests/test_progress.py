"""Progress: bytes, rate and time left on a terminal, and nothing anywhere else."""

from __future__ import annotations

import io
from collections.abc import Callable
from itertools import count
from pathlib import Path

from logs import eou, write_log

from turnlat.commands.progress import Progress, of_files
from turnlat.readers import Options
from turnlat.reading import Readers
from turnlat.sources import find


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def shown(total: int | None, stream: io.StringIO, *, pause: float) -> str:
    """What is written where 50 MB come after every `pause` seconds."""
    ticks = count()
    progress = Progress(total, stream, lambda: next(ticks) * pause)
    for _ in range(4):
        progress(50_000_000)
    progress.close()
    return stream.getvalue()


def test_a_terminal_is_told_bytes_rate_and_time_left_and_wiped() -> None:
    text = shown(400_000_000, Terminal(), pause=1.0)
    assert "turnlat: read 50 MB of 400 MB, 50 MB/s, 7 s left" in text
    assert "turnlat: read 200 MB of 400 MB, 50 MB/s, 4 s left" in text
    assert text.endswith("\r\x1b[K")


def test_of_a_packed_log_nobody_knows_what_is_left() -> None:
    assert "turnlat: read 200 MB, 50 MB/s\x1b[K" in shown(None, Terminal(), pause=1.0)


def test_what_is_read_at_once_shows_no_progress() -> None:
    assert shown(400_000_000, Terminal(), pause=0.1) == ""


def test_what_is_no_terminal_is_told_nothing() -> None:
    assert shown(400_000_000, io.StringIO(), pause=1.0) == ""


def test_every_byte_is_told_once(tmp_path: Path) -> None:
    logs = [write_log(tmp_path / f"{n}.jsonl", [eou(f"{n}", at=n)] * 100) for n in range(3)]
    told = list[int]()
    readers = Readers(Options(), block_bytes=1000)
    readers.on_read = told.append
    for source in find(map(str, logs)):
        list(readers.read(source))
    assert sum(told) == sum(log.stat().st_size for log in logs)
    assert len(told) > len(logs)


def test_the_total_is_that_of_all_files(tmp_path: Path) -> None:
    logs = [str(write_log(tmp_path / f"{n}.jsonl", [eou("s", at=n)])) for n in range(2)]
    progress = of_files(logs)
    progress._clock, progress._stream = lambda: 1e9, Terminal()
    progress(1)
    assert f"of {sum(Path(log).stat().st_size for log in logs) / 1e6:,.0f} MB" in (
        progress._stream.getvalue()
    )


def test_a_pipe_sees_no_progress(turnlat: Callable, tmp_path: Path) -> None:
    log = write_log(tmp_path / "agent.jsonl", [eou("speech_1", at=1.0)])
    assert turnlat("analyze", log).stderr == ""
