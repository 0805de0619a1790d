"""Byte ranges: a large file is read by several processes, a range of whole lines at a time."""

from __future__ import annotations

import os
import signal
import threading
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from turnlat.blocks import Block
from turnlat.readers import LineReader, Options
from turnlat.readers.document import may_open
from turnlat.records import Records
from turnlat.sources import is_packed

WORTH_IT = 50_000_000
"""Smaller files are read sooner than processes start."""

RANGE_BYTES = 8_000_000
_LONGEST_RANGE = 64_000_000
"""A line that makes its range longer is for the reader of whole files, which can cut it."""
_PROBE_BYTES = 64 * 1024


@dataclass(frozen=True)
class Range:
    """Some whole lines of a file."""

    name: str
    log: str
    start: int
    end: int


class Readers:
    """Processes that read ranges; they start with the first file that is worth it."""

    def __init__(self, jobs: int, options: Options, range_bytes: int = RANGE_BYTES) -> None:
        self._jobs, self._options, self._range_bytes = jobs, options, range_bytes
        self._pool: ProcessPoolExecutor | None = None

    def close(self) -> None:
        """End the processes."""
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)

    def read(self, name: str, log: str) -> list[Records] | None:
        """The records of a file; null where it has to be read as a whole.

        That is one that is small or packed or no regular file, one document, one whose lines need
        one another over a range's end, or one with a line that is no log line.
        """
        ranges = self._ranges(name, log) if self._jobs > 1 else None
        if ranges is None:
            return None
        if self._pool is None:
            self._pool = _started(self._jobs)
        parts, line = list[Records](), 0
        for records, is_open in self._in_order(self._pool, ranges):
            if is_open:
                return None
            parts.append(records.moved(line))
            line += records.tally.lines
        return parts

    def _in_order(
        self, pool: ProcessPoolExecutor, ranges: list[Range]
    ) -> Iterator[tuple[Records, bool]]:
        """What the processes made of `ranges`; few are under way at a time, to spare memory."""
        waiting, under_way = iter(ranges), deque[Future[tuple[Records, bool]]]()
        try:
            for each in waiting:
                under_way.append(pool.submit(read_range, each, self._options))
                if len(under_way) > 2 * self._jobs:
                    yield under_way.popleft().result()
            while under_way:
                yield under_way.popleft().result()
        finally:
            for future in under_way:
                future.cancel()

    def _ranges(self, name: str, log: str) -> list[Range] | None:
        path = Path(name)
        if not path.is_file() or path.stat().st_size < max(WORTH_IT, self._range_bytes):
            return None
        with path.open("rb") as file:
            if is_packed(file) or may_open(file.read(_PROBE_BYTES)):
                return None
            size = os.fstat(file.fileno()).st_size
            ranges = [Range(name, log, 0, 0)]
            while (start := ranges[-1].end) < size:
                end = start + self._range_bytes
                file.seek(end)
                while (probe := file.read(_PROBE_BYTES)) and (at := probe.find(b"\n")) < 0:
                    end += len(probe)
                end = min(end + at + 1 if probe else end, size)
                if end - start > _LONGEST_RANGE:
                    return None
                ranges.append(Range(name, log, start, end))
        return ranges[1:]


def _started(jobs: int) -> ProcessPoolExecutor:
    """Processes that leave Ctrl-C to this one, which ends them: they are born ignoring it."""
    # Threads of polars run already, so that a fork might wait for their locks for ever.
    pool = ProcessPoolExecutor(jobs, mp_context=get_context("spawn"))
    mine = threading.current_thread() is threading.main_thread()
    heeded = signal.signal(signal.SIGINT, signal.SIG_IGN) if mine else None
    try:
        for _ in range(jobs):
            pool.submit(os.getpid)
    finally:
        if heeded is not None:
            signal.signal(signal.SIGINT, heeded)
    return pool


def read_range(part: Range, options: Options) -> tuple[Records, bool]:
    """The records of a range, its lines counted from 1, and whether its end lacks something."""
    with Path(part.name).open("rb") as file:
        file.seek(part.start)
        data = file.read(part.end - part.start)
    reader = LineReader(options)
    return reader.read(Block(part.name, part.log, 1, part.start, data)), reader.is_open
