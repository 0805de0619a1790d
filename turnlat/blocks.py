"""What goes from the sources to the readers: some whole lines of one file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple


class Place(NamedTuple):
    """One line: its number and byte offset in the file, and its bytes without the newline."""

    number: int
    offset: int
    content: bytes


class Block(NamedTuple):
    """Some whole lines of one file."""

    source: str
    """The file as the user named it."""
    log: str
    """The rotated set that the file belongs to; the file itself where it does not rotate."""
    first_line: int
    offset: int
    """Byte offset of `data` in the file."""
    data: bytes | bytearray
    """A `bytearray` is overwritten by the next block: what is kept of it has to be copied."""

    def lines(self) -> list[bytes]:
        """The lines without their newlines."""
        return lines_of(self.data)

    def places(self) -> Iterator[Place]:
        """The lines with their places."""
        offset = self.offset
        for number, content in enumerate(self.lines(), self.first_line):
            yield Place(number, offset, content)
            offset += len(content) + 1


def lines_of(data: bytes | bytearray) -> list[bytes]:
    """The lines of `data` without their newlines; the last one may have none."""
    lines = bytes(data).split(b"\n")
    if not lines[-1]:
        lines.pop()
    return lines
