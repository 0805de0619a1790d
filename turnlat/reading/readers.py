"""Readers: the records of whole files, read by one process or by several of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import chain
from typing import TYPE_CHECKING

from turnlat.blocks import Block
from turnlat.readers import LineReader, Options, document
from turnlat.reading.ranges import RANGE_BYTES, Range, is_large_archive, ranges
from turnlat.records import Records
from turnlat.sources import BLOCK_BYTES, BrokenArchiveError, Source

if TYPE_CHECKING:
    from turnlat.reading.tasks import RangesOfFile
    from turnlat.reading.workers import Workers


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
        self.on_read: Callable[[int], None] = lambda _: None
        """Is told how many bytes were read, now and then."""
        self.options, self._jobs = options, jobs
        self._block_bytes, self._range_bytes = block_bytes, range_bytes
        self._workers: Workers | None = None
        self._begun: RangesOfFile | None = None

    def close(self) -> None:
        """End the processes."""
        if self._workers is not None:
            self._workers.close()

    def begin(self, source: Source) -> None:
        """Let processes read the first file of `source` already, where that is worth it."""
        name = source.files[0]
        found = self._ranges(name, source.log)
        if found is not None:
            self._begun = self._handed_out(found)
        elif self._jobs > 1 and is_large_archive(name):
            self._started()

    @property
    def have_begun(self) -> bool:
        """Whether processes read already."""
        return self._workers is not None

    def read(self, source: Source) -> Iterator[Records]:
        """The records of a source, in the order of its lines."""
        for name in source.files:
            parts = self._in_ranges(name, source.log)
            yield from self._whole(source, name) if parts is None else parts

    def _whole(self, source: Source, name: str) -> Iterator[Records]:
        blocks = self._blocks(source, name)
        first = next(blocks, None)
        if first is None:
            return
        blocks = chain([first], blocks)
        if self._jobs > 1 and is_large_archive(name) and not document.may_open(first.data):
            from turnlat.reading.tasks import of_blocks  # noqa: PLC0415  # as for workers

            yield from of_blocks(self._started(), blocks, LineReader(self.options))
        else:
            yield from document.read(blocks, self.options)

    def _blocks(self, source: Source, name: str) -> Iterator[Block]:
        try:
            for block in source.blocks(name, self._block_bytes):
                yield block
                self.on_read(len(block.data))
        except BrokenArchiveError as error:
            self.broken.append(error.message)

    def _ranges(self, name: str, log: str) -> list[Range] | None:
        return ranges(name, log, self._range_bytes) if self._jobs > 1 else None

    def _handed_out(self, found: list[Range]) -> RangesOfFile:
        from turnlat.reading.tasks import RangesOfFile  # noqa: PLC0415  # as for workers

        return RangesOfFile(self._started(), found)

    def _started(self) -> Workers:
        if self._workers is None:
            from turnlat.reading.workers import Workers  # noqa: PLC0415  # small logs need none

            self._workers = Workers(self._jobs, self.options)
        return self._workers

    def _in_ranges(self, name: str, log: str) -> list[Records] | None:
        """The records of a file's ranges; null where it has to be read as a whole."""
        begun, self._begun = self._begun, None
        if begun is None or begun.name != name:
            found = self._ranges(name, log)
            begun = None if found is None else self._handed_out(found)
        return None if begun is None else begun.records(self.on_read)
