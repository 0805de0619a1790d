"""The tally: where every line ended up, and which lines could not be read."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field, replace
from typing import ClassVar


@dataclass(frozen=True)
class BadLine:
    """A line that could not be read, and why."""

    source: str
    line: int
    offset: int
    """Byte offset of its first byte in the (uncompressed) file."""
    reason: str

    def moved(self, lines: int) -> BadLine:
        """The same line where so many others of its file come before."""
        return replace(self, line=self.line + lines)


@dataclass
class Tally:
    """Where every line ended up; the five counts add up to `lines`."""

    metric: int = 0
    other: int = 0
    blank: int = 0
    bad: int = 0
    joined: int = 0
    bad_lines: list[BadLine] = field(default_factory=list)
    """The first ones, at most `MAX_BAD_LINES`; `bad` has the full count."""
    wrapped: int = 0
    """Of `other`: rows of a table that the terminal wrapped, with metrics nobody can read."""
    undated: int = 0
    """Console lines that tell the time of day only."""
    not_finite: int = 0
    """Of `metric`: lines with NaN or Infinity, which count as not measured."""
    unknown: Counter[str] = field(default_factory=Counter)
    """Of `other`: lines of each metric type that turnlat does not know."""
    rejected: list[tuple[BadLine, bytes]] = field(default_factory=list)
    """Every bad line with its bytes, where the user asked for them."""
    shapes: Counter[str] = field(default_factory=Counter)
    """Lines of each recognised shape."""

    MAX_BAD_LINES: ClassVar[int] = 100

    @property
    def lines(self) -> int:
        """All lines, a last one without a newline among them."""
        return self.metric + self.other + self.blank + self.bad + self.joined

    def reject(self, line: BadLine, raw: bytes | None = None) -> None:
        """Count a bad line, and keep it if it is among the first, or its bytes where asked to."""
        self.bad += 1
        if raw is not None:
            self.rejected.append((line, raw))
        if len(self.bad_lines) < self.MAX_BAD_LINES:
            self.bad_lines.append(line)

    def __add__(self, other: Tally) -> Tally:
        return Tally(
            metric=self.metric + other.metric,
            other=self.other + other.other,
            blank=self.blank + other.blank,
            bad=self.bad + other.bad,
            joined=self.joined + other.joined,
            bad_lines=(self.bad_lines + other.bad_lines)[: self.MAX_BAD_LINES],
            wrapped=self.wrapped + other.wrapped,
            undated=self.undated + other.undated,
            not_finite=self.not_finite + other.not_finite,
            unknown=self.unknown + other.unknown,
            rejected=self.rejected + other.rejected,
            shapes=self.shapes + other.shapes,
        )

    def moved(self, lines: int) -> Tally:
        """The same of lines that so many others of their file come before."""
        return replace(
            self,
            bad_lines=[bad.moved(lines) for bad in self.bad_lines],
            rejected=[(bad.moved(lines), raw) for bad, raw in self.rejected],
        )
