"""Ranges: a large file in parts of whole lines, each of which a process can read alone."""

from __future__ import annotations

import math
import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO, NamedTuple

from turnlat.archives import is_packed
from turnlat.blocks import Block
from turnlat.readers import LineReader, Options
from turnlat.readers.document import may_open
from turnlat.records import Records
from turnlat.sources import PARQUET

WORTH_IT = 50_000_000
"""Smaller files are read sooner than processes start."""

RANGE_BYTES = 32_000_000
"""At most so much of a file goes to a process at a time."""
_LEAST_BYTES = 4_000_000
"""A smaller range is not worth its way to a process and back."""
_RANGES_EACH = 4
"""Between these sizes each process gets so many, so that none waits long for the last ones."""
_BLOCK_BYTES = 1_000_000
"""So much of a range is in memory at a time: what the processor's cache holds."""
_LONGEST_RANGE = 64_000_000
"""A line that makes its range longer is for the reader of whole files, which can cut it."""
_FIRST_BYTES = 64 * 1024
_PROBE_BYTES = 8 * 1024


class Result(NamedTuple):
    """What a range holds."""

    records: Records
    is_open: bool
    """Whether its last lines need others that may follow."""


class Range(NamedTuple):
    """Some whole lines of a file."""

    name: str
    log: str
    start: int
    end: int

    def results(self, options: Options) -> Iterator[Result]:
        """What the lines hold, numbered as if the file began with them."""
        reader, start, line = LineReader(options), self.start, 1
        data = bytearray()
        with Path(self.name).open("rb", buffering=0) as file:
            for end in _ends(file, start, self.end, _BLOCK_BYTES):
                _read(file, start, end, data)
                line += reader.take(Block(self.name, self.log, line, start, data))
                start = end
        yield Result(reader.hand_over(), reader.is_open)


def ranges(name: str, log: str, range_bytes: int, jobs: int) -> list[Range] | None:
    """The ranges of a file for so many processes; null where it has to be read as a whole.

    That is one that is small or packed or no regular file, one document, or one with a line that
    is no log line.
    """
    path = Path(name)
    if not path.is_file() or (size := path.stat().st_size) < max(WORTH_IT, range_bytes):
        return None
    range_bytes = min(range_bytes, max(_LEAST_BYTES, math.ceil(size / (jobs * _RANGES_EACH))))
    with path.open("rb") as file:
        if is_packed(file):
            return None
        first = file.read(_FIRST_BYTES)
        if first.startswith(PARQUET) or may_open(first):
            return None
        found, start = list[Range](), 0
        for end in _ends(file, 0, os.fstat(file.fileno()).st_size, range_bytes):
            if end - start > _LONGEST_RANGE:
                return None
            found.append(Range(name, log, start, end))
            start = end
    return found


def _ends(file: BinaryIO, start: int, end: int, size: int) -> Iterator[int]:
    """Where parts of about `size` bytes end, whole lines each, the last of them at `end`."""
    while start < end:
        start = min(_end_of_line(file, start + size), end)
        yield start


def _read(file: BinaryIO, start: int, end: int, data: bytearray) -> None:
    """Make `data` what lies between two places; less where the file has become shorter.

    New memory for every block would take longer than to read it.
    """
    size, done = end - start, 0
    if len(data) < size:
        data.extend(bytes(size - len(data)))
    file.seek(start)
    with memoryview(data) as view:
        while done < size and (more := file.readinto(view[done:size])):  # type: ignore[attr-defined]
            done += more
    del data[done:]


def _end_of_line(file: BinaryIO, place: int) -> int:
    """Where the line ends that holds the byte at `place`; the end of the file is one too."""
    file.seek(place)
    while probe := file.read(_PROBE_BYTES):
        if (at := probe.find(b"\n")) >= 0:
            return place + at + 1
        place += len(probe)
    return place
