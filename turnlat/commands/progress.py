"""Progress: how much was read, how fast, and how long the rest takes; on a terminal only."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TextIO

PATIENCE = 1.0
"""Seconds that nobody minds to wait without being told anything."""

_PAUSE = 0.1
_MEGA, _GIGA = 1e6, 1e9


class Progress:
    """A line on stderr that is written over; it goes away when all is read."""

    def __init__(
        self,
        total: int | None,
        stream: TextIO | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._total, self._stream, self._clock = total, stream or sys.stderr, clock
        self._read = 0
        self._began = clock()
        self._next = self._began + PATIENCE

    def __call__(self, read: int) -> None:
        """So many more bytes were read."""
        self._read += read
        now = self._clock()
        if now < self._next or not self._stream.isatty():
            return
        self._next = now + _PAUSE
        self._stream.write(f"\r{self._line(now - self._began)}\x1b[K")
        self._stream.flush()

    def close(self) -> None:
        """Wipe the line, if there is one."""
        if self._next > self._began + PATIENCE:
            self._stream.write("\r\x1b[K")
            self._stream.flush()

    def _line(self, seconds: float) -> str:
        rate = self._read / seconds if seconds else 0.0
        of = f" of {_size(self._total)}" if self._total else ""
        told = f"turnlat: read {_size(self._read)}{of}, {rate / _MEGA:,.0f} MB/s"
        if not self._total or not rate:
            return told
        return f"{told}, {max(self._total - self._read, 0) / rate:,.0f} s left"


def of_files(names: Iterable[str]) -> Progress:
    """Progress through some files; how much there is, is known of files that are not packed."""
    try:
        return Progress(sum(map(_bytes_of, names)))
    except OSError:  # whoever reads it says so
        return Progress(None)


def _bytes_of(name: str) -> int:
    """How much there is to read.

    Raises `OSError` where nobody can know.
    """
    from turnlat.archives import is_packed  # noqa: PLC0415  # --help reads nothing

    path = Path(name)
    if not path.is_file():
        raise FileNotFoundError(name)
    with path.open("rb") as file:
        if is_packed(file):
            raise OSError(name)
    return path.stat().st_size


def _size(size: int) -> str:
    return f"{size / _GIGA:.1f} GB" if size >= _GIGA else f"{size / _MEGA:,.0f} MB"
