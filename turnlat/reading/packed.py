"""Packed files: one process unpacks and reads each from its beginning to its end."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from turnlat.archives import is_packed
from turnlat.blocks import Block
from turnlat.readers import Options, document
from turnlat.records import Records
from turnlat.sources import BrokenArchiveError, Source

WORTH_IT = 5_000_000
"""Smaller files are read sooner than a process starts; logs are packed to a tenth and less."""


class Piece(NamedTuple):
    """What has been read of a packed file since the last one."""

    records: Records | None
    """Null at the end."""
    size: int
    """How many bytes it is, unpacked."""
    broken: str | None = None
    """At the end, where the file turned out to be damaged."""


class WholeFile(NamedTuple):
    """A packed file of a source, from its beginning to its end."""

    source: Source
    name: str
    block_bytes: int

    def results(self, options: Options) -> Iterator[Piece]:
        """What it holds, piece by piece; the last one tells that it is the end."""
        size, broken = 0, None

        def blocks() -> Iterator[Block]:
            nonlocal size, broken
            try:
                for block in self.source.blocks(self.name, self.block_bytes):
                    size += len(block.data)
                    yield block
            except BrokenArchiveError as error:
                broken = error.message

        for records in document.read(blocks(), options):
            told, size = size, 0
            yield Piece(records, told)
        yield Piece(None, size, broken)


def is_large(name: str) -> bool:
    """Whether a file is packed, and what it holds is worth a process."""
    path = Path(name)
    if not path.is_file() or path.stat().st_size < WORTH_IT:
        return False
    with path.open("rb") as file:
        return is_packed(file)
