"""Following logs that grow, as `tail -F` does: through rotation, truncation and late arrival.

Reading is polling: `poll` gives what was written since the last time, and never waits.
"""

from __future__ import annotations

import glob
import os
import queue
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from io import FileIO
from pathlib import Path

from turnlat import archives, sources
from turnlat.blocks import Block
from turnlat.errors import InputError
from turnlat.readers import LineReader, Options
from turnlat.records import Records
from turnlat.sources import BLOCK_BYTES, STDIN

START_BYTES = 16 * 1024 * 1024
"""Of a log that is there already only the end is read: some 15,000 turns, a window of hours."""

LEAVING = 5.0
"""A file that was rotated away is read for this many more seconds: its writer may be late."""

REDISCOVERY = 1.0
"""How often folders and globs are looked through for new logs, in seconds."""

_FINGERPRINT = 64
"""So many bytes before the place of reading tell whether a file was written anew under it."""


@dataclass
class _Lines:
    """The lines of one file identity: where reading stands, and the line that is not whole yet."""

    name: str
    reader: LineReader
    line: int = 1
    offset: int = 0
    """Of the first byte that no block had."""
    rest: bytes = b""
    dropped: int = 0
    """Bytes that `rest` lacks, for it is too long."""

    def take(self, data: bytes) -> list[Records]:
        """The records of the lines that `data` completes; a partial line waits for its newline."""
        whole, newline, rest = (self.rest + data).rpartition(b"\n")
        parts = self._read(whole + newline)
        self.rest, dropped = sources.cut(rest)
        self.dropped += dropped
        return parts

    def finish(self) -> list[Records]:
        """The records of a last line without a newline, and of lines that waited for others."""
        parts = self._read(self.rest)
        self.rest = b""
        return [*parts, self.reader.finish()]

    def skip(self, file: FileIO, end: int) -> None:
        """Count the lines before the one with the byte at `end`, which reading begins with."""
        position = 0
        while position < end and (data := file.read(min(BLOCK_BYTES, end - position))):
            self.line += data.count(b"\n")
            if last := data.rfind(b"\n") + 1:
                self.offset = position + last
            position += len(data)

    def _read(self, data: bytes) -> list[Records]:
        """The records of whole lines, the first of which may have been cut."""
        if not data:
            return []
        parts = []
        for lines, dropped in sources.apart(data, self.dropped):
            block = Block(self.name, self.name, self.line, self.offset, lines)
            self.line += lines.count(b"\n")
            self.offset += len(lines) + dropped
            parts.append(self.reader.read(block))
        self.dropped = 0
        return parts


@dataclass
class _File:
    """One file identity, open: it stays the same whatever its name becomes."""

    file: FileIO
    lines: _Lines
    position: int = 0
    before: bytes = b""
    """The last bytes before `position`."""
    seen: tuple[int, int] = (-1, -1)
    """Size and time of change at the last reading."""
    left_at: float | None = None
    """When its name was given to another file."""

    @property
    def identity(self) -> tuple[int, int]:
        status = os.fstat(self.file.fileno())
        return status.st_dev, status.st_ino

    def read(self) -> Iterator[bytes]:
        """What was written since the last time; raises `_AnewError` where all of it is new."""
        status = os.fstat(self.file.fileno())
        if (status.st_size, status.st_mtime_ns) == self.seen:
            return
        self.seen = (status.st_size, status.st_mtime_ns)
        self.file.seek(self.position - len(self.before))
        if status.st_size < self.position or self.file.read(len(self.before)) != self.before:
            raise _AnewError
        while data := self.file.read(BLOCK_BYTES):
            self.position += len(data)
            self.before = (self.before + data)[-_FINGERPRINT:]
            yield data


class _AnewError(Exception):
    """A file was truncated, or written anew in place."""


@dataclass
class _Log:
    """One log by its name, and the files that bear it or have just lost it."""

    name: str
    options: Options
    from_start: bool
    current: _File | None = None
    leaving: list[_File] = field(default_factory=list)

    def poll(self, now: float) -> Iterator[Records]:
        for left in list(self.leaving):
            yield from self._drain(left)
            if left.left_at is not None and now - left.left_at > LEAVING:
                yield from self._close(left)
        if self.current is not None:
            yield from self._drain(self.current)
        if self._is_replaced():
            if self.current is not None:
                # What was written between the last reading and the renaming comes first.
                yield from self._drain(self.current)
                self.current.left_at = now
                self.leaving.append(self.current)
            self.current = self._open()
            if self.current is not None:
                yield from self._drain(self.current)

    def finish(self) -> Iterator[Records]:
        for file in [*self.leaving, *([self.current] if self.current else [])]:
            yield from self._drain(file)
            yield from file.lines.finish()
            file.file.close()
        self.leaving, self.current = [], None

    def _close(self, file: _File) -> Iterator[Records]:
        yield from file.lines.finish()
        file.file.close()
        self.leaving.remove(file)

    def _is_replaced(self) -> bool:
        """Whether the name bears another file than the one that is read. A missing one waits."""
        try:
            status = Path(self.name).stat()
        except OSError:
            return False
        return self.current is None or self.current.identity != (status.st_dev, status.st_ino)

    def _open(self) -> _File | None:
        path = Path(self.name)
        try:
            if path.is_fifo():
                raise InputError(
                    f"{self.name}: is a pipe", hint="give it on stdin: … | turnlat watch -"
                )
            with path.open("rb") as beginning:
                packed = archives.is_packed(beginning)
            # A buffer would go on giving what was there before a file was written anew.
            file = path.open("rb", buffering=0)
        except FileNotFoundError:
            return None
        except OSError as error:
            reason = (error.strerror or str(error)).lower()
            raise InputError(f"{self.name}: cannot be read: {reason}") from error
        if packed:
            file.close()
            raise InputError(
                f"{self.name}: is packed, and packed files do not grow",
                hint=f"turnlat analyze {self.name} reads it",
            )
        opened = _File(file, _Lines(self.name, LineReader(self.options)))
        start = 0 if self.from_start else os.fstat(file.fileno()).st_size - START_BYTES
        self.from_start = True
        if start > 0:
            opened.lines.skip(file, start)
            opened.position = opened.lines.offset
        return opened

    def _drain(self, file: _File) -> Iterator[Records]:
        try:
            for data in file.read():
                yield from file.lines.take(data)
        except _AnewError:
            yield from file.lines.finish()
            file.lines = _Lines(self.name, LineReader(self.options))
            file.position, file.before, file.seen = 0, b"", (-1, -1)
            yield from self._drain(file)


class _Stdin:
    """Standard input, read by a thread: a pipe cannot be polled everywhere."""

    def __init__(self, options: Options) -> None:
        if sys.stdin is None:
            raise InputError("-: stdin is closed")
        self._lines = _Lines(STDIN, LineReader(options))
        self._chunks: queue.Queue[bytes] = queue.Queue(maxsize=64)
        self.ended = False
        threading.Thread(target=self._read, args=(sys.stdin.buffer.fileno(),), daemon=True).start()

    def _read(self, descriptor: int) -> None:
        while data := os.read(descriptor, 1 << 20):
            self._chunks.put(data)
        self._chunks.put(b"")

    def poll(self) -> Iterator[Records]:
        while not self.ended and not self._chunks.empty():
            data = self._chunks.get()
            self.ended = not data
            yield from self._lines.take(data)

    def wait_for_end(self) -> Iterator[Records]:
        """All that is still to come."""
        while not self.ended:
            data = self._chunks.get()
            self.ended = not data
            yield from self._lines.take(data)

    def finish(self) -> Iterator[Records]:
        yield from self._lines.finish()


class Follower:
    """All logs that the user named: files, also ones that are not there yet, folders, globs, `-`.

    Raises `InputError` where one of them cannot be read.
    """

    def __init__(
        self,
        inputs: Iterable[str],
        options: Options,
        *,
        from_start: bool,
        clock: Callable[[], float],
    ) -> None:
        self._inputs, self._options, self._clock = list(inputs), options, clock
        self._from_start = from_start
        self._stdin = _Stdin(options) if STDIN in self._inputs else None
        self._logs: dict[str, _Log] = {}
        self._discovered_at = float("-inf")

    @property
    def missing(self) -> list[str]:
        """The inputs that name nothing so far."""
        waiting = [name for name, log in self._logs.items() if log.current is None]
        unmatched = [
            item for item in self._inputs if item != STDIN and _is_many(item) and not _names(item)
        ]
        return waiting + unmatched

    @property
    def ended(self) -> bool:
        """Whether nothing can follow: stdin was all there is, and it was closed."""
        return self._stdin is not None and self._stdin.ended and len(self._inputs) == 1

    def poll(self) -> list[Records]:
        """The records of all lines that were completed since the last time."""
        now = self._clock()
        if now - self._discovered_at >= REDISCOVERY:
            self._discover()
            self._discovered_at = now
        parts = [part for log in self._logs.values() for part in log.poll(now)]
        return parts + (list(self._stdin.poll()) if self._stdin else [])

    def finish(self, *, to_the_end: bool = False) -> list[Records]:
        """The records of last lines without a newline; of all that stdin is to bring, if asked."""
        parts = [part for log in self._logs.values() for part in log.finish()]
        if self._stdin is not None:
            parts += self._stdin.wait_for_end() if to_the_end else []
            parts += self._stdin.finish()
        return parts

    def _discover(self) -> None:
        for item in self._inputs:
            if item == STDIN:
                continue
            for name in _names(item) if _is_many(item) else [item]:
                if name not in self._logs:
                    self._logs[name] = _Log(name, self._options, self._from_start)
        # What appears later is new from its first line on.
        self._from_start = True


def _is_many(item: str) -> bool:
    """Whether an input may stand for several logs, now or later."""
    path = Path(item)
    return path.is_dir() or (not path.exists() and glob.has_magic(item))


def _names(item: str) -> list[str]:
    """The logs of a folder or glob; of a rotated set only the one that grows."""
    try:
        return [source.log for source in sources.find([item]) if Path(source.log).is_file()]
    except InputError:
        return []
