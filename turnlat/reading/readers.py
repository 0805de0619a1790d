"""Readers: the records of whole files, read by one process or by several of them."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterator

from turnlat.blocks import Block
from turnlat.readers import Options, document
from turnlat.reading.ranges import RANGE_BYTES, Range, ranges
from turnlat.reading.workers import Result, Workers
from turnlat.records import Records
from turnlat.sources import BLOCK_BYTES, BrokenArchiveError, Source

_AHEAD = 200
"""How many ranges the workers are told of before they are done with the first one."""


class Readers:
    """Reads sources; processes start with the first file that is worth it."""

    def __init__(
        self,
        options: Options,
        jobs: int = 1,
        block_bytes: int = BLOCK_BYTES,
        range_bytes: int = RANGE_BYTES,
    ) -> None:
        self.broken: list[str] = []
        """Archives that could be read up to some place only, and where they broke."""
        self.options, self._jobs = options, jobs
        self._block_bytes, self._range_bytes = block_bytes, range_bytes
        self._workers: Workers | None = None
        self._begun: _InParallel | None = None

    def close(self) -> None:
        """End the processes."""
        if self._workers is not None:
            self._workers.close()

    def begin(self, source: Source) -> None:
        """Let processes read the first file of `source` already, where that is worth it."""
        name = source.files[0]
        found = self._ranges(name, source.log)
        if found is not None:
            self._begun = _InParallel(self._started(), found)

    def read(self, source: Source) -> Iterator[Records]:
        """The records of a source, in the order of its lines."""
        for name in source.files:
            parts = self._in_parallel(name, source.log)
            yield from self._whole(source, name) if parts is None else parts

    def _whole(self, source: Source, name: str) -> Iterator[Records]:
        return document.read(self._blocks(source, name), self.options)

    def _blocks(self, source: Source, name: str) -> Iterator[Block]:
        try:
            yield from source.blocks(name, self._block_bytes)
        except BrokenArchiveError as error:
            self.broken.append(error.message)

    def _ranges(self, name: str, log: str) -> list[Range] | None:
        return ranges(name, log, self._range_bytes) if self._jobs > 1 else None

    def _started(self) -> Workers:
        if self._workers is None:
            self._workers = Workers(self._jobs, self.options)
        return self._workers

    def _in_parallel(self, name: str, log: str) -> list[Records] | None:
        """The records of a file's ranges; null where it has to be read as a whole.

        That may turn out late: its lines need one another over a range's end.
        """
        begun, self._begun = self._begun, None
        if begun is None or begun.name != name:
            found = self._ranges(name, log)
            if found is None:
                return None
            begun = _InParallel(self._started(), found)
        parts, line = list[Records](), 0
        for records, is_open in begun.results():
            if is_open:
                begun.abandon()
                return None
            parts.append(records.moved(line))
            line += records.tally.lines
        return parts


class _InParallel:
    """The ranges of one file, and what the workers made of them."""

    def __init__(self, workers: Workers, tasks: list[Range]) -> None:
        self.name = tasks[0].name
        self._workers = workers
        self._waiting = deque(enumerate(tasks))
        self._count = len(tasks)
        self._under_way = 0
        self._found: dict[int, Result] = {}
        self._send()

    def results(self) -> Iterator[Result]:
        """What the workers made of the ranges, in their order."""
        for number in range(self._count):
            while number not in self._found:
                self._receive()
            yield self._found.pop(number)

    def abandon(self) -> None:
        """Forget all ranges that were not read yet."""
        self._waiting.clear()
        while self._under_way:
            self._receive()

    def _send(self) -> None:
        while self._waiting and self._under_way < _AHEAD:
            self._workers.send(*self._waiting.popleft())
            self._under_way += 1

    def _receive(self) -> None:
        for number, result in self._workers.receive():
            self._found[number] = result
            self._under_way -= 1
        self._send()
