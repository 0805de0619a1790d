"""Tasks: what the workers are given and what came of it, in the order in which it was given."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from itertools import chain

from turnlat.blocks import Block
from turnlat.readers import LineReader
from turnlat.reading.ranges import Range
from turnlat.reading.workers import Result, Workers
from turnlat.records import Records

_RANGES_AHEAD = 200
"""How many ranges the workers know of: few enough for what is told of them to fit into a pipe."""
_BLOCKS_AHEAD = 8
"""How many blocks may be under way: each of them is held until it is sure to stand alone."""


class Tasks:
    """What one file was made into, on its way through the workers."""

    def __init__(self, workers: Workers) -> None:
        self._workers = workers
        self._sent = self._taken = 0
        self._found: dict[int, Result] = {}

    @property
    def under_way(self) -> int:
        """How many tasks were sent whose results were not taken."""
        return self._sent - self._taken

    def send(self, task: Range | Block) -> None:
        """Give a task to the worker that is free first."""
        self._workers.send(self._sent, task)
        self._sent += 1

    def take(self) -> Result:
        """The result of the first task of those under way; waits for it."""
        while self._taken not in self._found:
            self._found.update(self._workers.receive())
        self._taken += 1
        return self._found.pop(self._taken - 1)

    def forget(self) -> None:
        """Wait for the tasks under way, and drop what comes of them."""
        while self.under_way:
            self.take()


class RangesOfFile:
    """The ranges of one file, which the workers read from now on."""

    def __init__(self, workers: Workers, ranges: list[Range]) -> None:
        self.name = ranges[0].name
        self._tasks = Tasks(workers)
        self._waiting = deque(ranges)
        self._send()

    def records(self) -> list[Records] | None:
        """The records of all ranges; null where lines need one another over a range's end."""
        parts, line = list[Records](), 0
        while self._tasks.under_way:
            records, is_open = self._tasks.take()
            if is_open:
                self._tasks.forget()
                return None
            parts.append(records.moved(line))
            line += records.tally.lines
            self._send()
        return parts

    def _send(self) -> None:
        while self._waiting and self._tasks.under_way < _RANGES_AHEAD:
            self._tasks.send(self._waiting.popleft())


def of_blocks(workers: Workers, blocks: Iterable[Block], reader: LineReader) -> Iterator[Records]:
    """The records of the blocks of one file, in their order.

    From the first block on whose lines need others that follow, `reader` reads on alone.
    """
    tasks, held, blocks = Tasks(workers), deque[Block](), iter(blocks)
    for block in blocks:
        tasks.send(block)
        held.append(block)
        if tasks.under_way > _BLOCKS_AHEAD:
            records, is_open = tasks.take()
            if is_open:
                break
            held.popleft()
            yield records
    else:
        is_open = False
    while not is_open and tasks.under_way:
        records, is_open = tasks.take()
        if not is_open:
            held.popleft()
            yield records
    tasks.forget()
    for block in chain(held, blocks):
        yield reader.read(block)
    yield reader.finish()
