"""Tasks: what the workers are given and what came of it, in the order in which it was given."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator

from turnlat.reading.packed import Piece, WholeFile
from turnlat.reading.ranges import Range, Result
from turnlat.reading.workers import Workers
from turnlat.records import Records

_RANGES_AHEAD = 200
"""How many ranges the workers know of: few enough for what is told of them to fit into a pipe."""


class RangesOfFile:
    """The ranges of one file, which the workers read from now on."""

    def __init__(self, workers: Workers, ranges: list[Range]) -> None:
        self.name = ranges[0].name
        self._workers, self._ranges = workers, ranges
        self._waiting = deque(enumerate(ranges))
        self._found: dict[int, Result] = {}
        self._under_way = 0
        self._send()

    def records(
        self,
        on_read: Callable[[int], None],
        on_broken: Callable[[str], None],  # noqa: ARG002  # nothing breaks here
    ) -> list[Records] | None:
        """The records of all ranges; null where lines need one another over a range's end.

        `on_read` is told the size of each.
        """
        parts, line = list[Records](), 0
        for number, each in enumerate(self._ranges):
            records, is_open = self._take(number)
            if is_open:
                self._forget()
                return None
            on_read(each.end - each.start)
            parts.append(records.moved(line))
            line += records.tally.lines
            self._send()
        return parts

    def _send(self) -> None:
        while self._waiting and self._under_way < _RANGES_AHEAD:
            self._workers.send(*self._waiting.popleft())
            self._under_way += 1

    def _take(self, number: int) -> Result:
        """The result of a range; waits for it."""
        while number not in self._found:
            self._found.update(self._workers.receive())
        self._under_way -= 1
        return self._found.pop(number)

    def _forget(self) -> None:
        """Wait for the ranges under way, and drop what comes of them."""
        while len(self._found) < self._under_way:
            self._found.update(self._workers.receive())
        self._found.clear()


class PackedFile:
    """A packed file, which one of the workers reads from now on."""

    def __init__(self, workers: Workers, whole: WholeFile) -> None:
        self.name = whole.name
        self._workers = workers
        workers.send(0, whole)

    def records(
        self, on_read: Callable[[int], None], on_broken: Callable[[str], None]
    ) -> Iterator[Records]:
        """The records of all lines; `on_read` is told how many bytes were read.

        `on_broken` is told where the file is damaged: then it ends there.
        """
        while True:
            for _, piece in self._workers.receive():
                records, size, broken = Piece(*piece)
                on_read(size)
                if broken is not None:
                    on_broken(broken)
                if records is None:
                    return
                yield records
