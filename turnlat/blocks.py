"""What goes from the sources to the readers: some whole lines of one file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Block:
    """Some whole lines of one file."""

    source: str
    """The file as the user named it."""
    log: str
    """The rotated set that the file belongs to; the file itself where it does not rotate."""
    first_line: int
    offset: int
    """Byte offset of `data` in the file."""
    data: bytes

    def lines(self) -> list[bytes]:
        """The lines without their newlines."""
        lines = self.data.split(b"\n")
        if not lines[-1]:
            lines.pop()
        return lines
