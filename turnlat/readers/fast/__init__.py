"""The fast path: metrics objects and `log_metrics` lines, scanned straight into typed columns.

It takes only lines that it is sure of; all others are left to `lines`, which alone decides what a
line is. `tests/test_fast.py` holds it to that: same records, same bad lines, for any bytes.

`scan.pyx` is compiled when turnlat is installed, to the module `_turnlat_scan`. Where no compiler
was at hand it is missing, and all lines are left alone.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from turnlat.blocks import Block, Place
from turnlat.columns import Array, Coded, Joined, Rows, Steps
from turnlat.readers import hook, production
from turnlat.readers.fast.layout import ORIGIN, Kind, layout
from turnlat.records import Collector

try:
    import _turnlat_scan as scan  # type: ignore[import-not-found]  # compiled
except ImportError:
    scan = None

IS_BUILT = scan is not None
"""Whether there is a fast path."""


_free: list[Any] = []
"""Scanners that nobody uses, with the memory that they have got."""


class FastReader:
    """Reads what it can of the lines of one file."""

    def __init__(self) -> None:
        self._scanner: Any = None
        self._first: Block | None = None
        """The first block whose records are held, if there are any."""

    def take(self, block: Block, collector: Collector) -> tuple[int, list[Place]]:
        """Take in what is sure of `block`: how many lines it has, and those that are left alone."""
        if self._first is None:
            self._first, self._scanner = block, _free.pop() if _free else scan.Scanner(layout())
        before = block.first_line - self._first.first_line
        count, ordinary, left = self._scanner.scan(block.data, before)
        collector.tally.other += ordinary
        return count, [
            Place(block.first_line + number, block.offset + start, bytes(block.data[start:end]))
            for number, start, end in left
        ]

    def hand_over(self, collector: Collector) -> None:
        """Put all records that were taken in into `collector`."""
        if self._first is None:
            return
        first, self._first = self._first, None
        speeches, origins, found = self._scanner.taken()
        _free.append(self._scanner)
        self._scanner = None
        shared = _Shared(Joined(speeches), _told(origins))
        for taken in map(_Taken._make, found):
            if taken.height:
                kind = taken.layout
                collector.add_rows(kind.kind, _in_steps(_rows(taken, shared, first)))
                collector.tally.metric += taken.height
                collector.tally.shapes[production.NAME if kind.plain else hook.NAME] += taken.height


class _Taken(NamedTuple):
    """The records of one kind, as the scanner hands them over."""

    layout: Kind
    height: int
    columns: dict[str, tuple[bytes, str] | float | bool | None]
    """Numbers and truth values: bytes and type of an array, or what all of them are."""
    requests: bytes | None
    """The ids of requests, each in a line."""
    speech: tuple[bytes, str] | None
    """The number of each record's speech; null where none is of any."""
    origin: tuple[bytes, str]
    """The number of each record's session, as the next one is of its model."""
    model: tuple[bytes, str]
    models: list[str]


class _Shared(NamedTuple):
    """The texts that records of all kinds have in common."""

    speeches: Joined
    origins: dict[str, list[str | None]]
    """Of each column the text of each origin."""


def _told(origins: list[str]) -> dict[str, list[str | None]]:
    told = [text.split("\n") for text in origins]
    return {
        column: [texts[place] or None for texts in told]
        for place, column in enumerate(ORIGIN.values())
    }


def _rows(taken: _Taken, shared: _Shared, first: Block) -> Rows:
    kind = taken.layout
    models = [None if name in {"", "unknown"} else name for name in taken.models]
    held: dict[str, Any] = {
        name: Array(*column) if isinstance(column, tuple) else column
        for name, column in taken.columns.items()
    }
    origin = Array(*taken.origin)
    held |= {name: _coded(origin, texts) for name, texts in shared.origins.items()}
    held |= {
        "speech_id": taken.speech and Coded(Array(*taken.speech), shared.speeches),
        "request_id": None if taken.requests is None else Joined(taken.requests[:-1]),
        "model_name": _coded(Array(*taken.model), models),
        "type": "vad_metrics" if kind.kind == "other" else None,
        "source": first.source,
        "log": first.log,
        "plain": kind.plain,
    }
    kept = {name: column for name, column in held.items() if column is not None}
    return Rows(taken.height, kept, first.first_line)


def _in_steps(rows: Rows) -> Rows:
    """`rows`, in little memory where they only count, and may be most of a log."""
    if "type" not in rows.columns:
        return rows
    steps = {
        name: Steps.of(column)
        for name in ("timestamp", "line")
        if isinstance(column := rows.columns[name], Array)
    }
    return Rows(rows.height, rows.columns | steps, rows.before)


def _coded(codes: Array, texts: list[str | None]) -> Coded | str | None:
    """A column of the texts at some places; the only text, or null where there is none."""
    if texts.count(None) == len(texts):
        return None
    return texts[0] if len(texts) == 1 else Coded(codes, texts)
