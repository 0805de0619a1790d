"""Readers: the records of whole files, read by one process or by several of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from turnlat.blocks import Block
from turnlat.readers import Options, document
from turnlat.reading import packed
from turnlat.reading.ranges import RANGE_BYTES, ranges
from turnlat.records import Records
from turnlat.sources import BLOCK_BYTES, BrokenArchiveError, Source

if TYPE_CHECKING:
    from turnlat.reading.tasks import PackedFile, RangesOfFile
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
        self._begun: RangesOfFile | PackedFile | None = None

    def close(self) -> None:
        """End the processes."""
        if self._workers is not None:
            self._workers.close()

    def begin(self, source: Source) -> None:
        """Let processes read the first file of `source` already, where that is worth it."""
        self._begun = self._handed_out(source, source.files[0])

    @property
    def have_begun(self) -> bool:
        """Whether processes read already."""
        return self._workers is not None

    def read(self, source: Source) -> Iterator[Records]:
        """The records of a source, in the order of its lines."""
        for name in source.files:
            begun, self._begun = self._begun, None
            if begun is None or begun.name != name:
                begun = self._handed_out(source, name)
            parts = None
            if begun is not None:
                parts = begun.records(self.on_read, self.broken.append)
            yield from self._whole(source, name) if parts is None else parts

    def _whole(self, source: Source, name: str) -> Iterator[Records]:
        """The records of a file that this process reads."""
        return document.read(self._blocks(source, name), self.options)

    def _blocks(self, source: Source, name: str) -> Iterator[Block]:
        try:
            for block in source.blocks(name, self._block_bytes):
                yield block
                self.on_read(len(block.data))
        except BrokenArchiveError as error:
            self.broken.append(error.message)

    def _handed_out(self, source: Source, name: str) -> RangesOfFile | PackedFile | None:
        """A file, on its way through the processes; null where this one reads it as well."""
        if self._jobs == 1:
            return None
        if packed.is_large(name):
            from turnlat.reading.tasks import PackedFile  # noqa: PLC0415  # small logs need none

            whole = packed.WholeFile(source, name, self._block_bytes)
            return PackedFile(self._started(), whole)
        found = ranges(name, source.log, self._range_bytes, self._jobs)
        if found is None:
            return None
        from turnlat.reading.tasks import RangesOfFile  # noqa: PLC0415  # as above

        return RangesOfFile(self._started(), found)

    def _started(self) -> Workers:
        if self._workers is None:
            from turnlat.reading.workers import Workers  # noqa: PLC0415  # as above

            self._workers = Workers(self._jobs, self.options)
        return self._workers
