"""The fast path: metrics objects and `log_metrics` lines, decoded straight into typed columns.

It takes only lines that it is sure of; all others are left to `lines`, which alone decides what a
line is. `tests/test_fast.py` holds it to that: same records, same bad lines, for any bytes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from operator import attrgetter
from typing import Any, NamedTuple, cast

from msgspec import UNSET

from turnlat.blocks import Block, Place, lines_of
from turnlat.readers import hook, production
from turnlat.readers.console import UNDATED
from turnlat.readers.fast.coding import Origins, Shared, Speeches
from turnlat.readers.fast.decoding import Decoder
from turnlat.readers.fast.gathering import Gathered
from turnlat.readers.fast.shapes import IDS_OF_LINES, LOG_LINES, RENAMED, Shapes
from turnlat.readers.fields import BadValueError, iso_seconds
from turnlat.records import LATEST_TIMESTAMP, Collector

STEP_BYTES = 256 * 1024
"""How much is decoded at once: what fits the processor's cache is up to twice as fast."""


class _Metric(NamedTuple):
    """What a message of `log_metrics` says its line is."""

    kind: str
    essential: str
    """The field that such a line must have."""


_ORDINARY = "ordinary"
_METRICS = {message: _Metric(*told) for message, told in LOG_LINES.items()}
_REMEMBERED = 4096
"""How many different messages of ordinary lines are known by heart."""
_LONGEST_REMEMBERED = 120


class FastReader:
    """Reads what it can of the lines of one file."""

    def __init__(self) -> None:
        self._decoder = Decoder()
        self._messages = _Messages()

    def read(self, block: Block, collector: Collector) -> Iterator[Place]:
        """Put the records of `block` into `collector`; yield the lines that are left alone."""
        start, number, data = 0, 0, block.data
        shapes, gathered = self._decoder.shapes, self._nothing()
        while start < len(data):
            end = _end_of_step(data, start)
            step = data[start:end]
            found = self._decoder.step(step) or self._one_by_one(step)
            if self._decoder.shapes is not shapes:
                _hand_over(gathered, block, collector)
                shapes, gathered = self._decoder.shapes, self._nothing()
            left = self._take(found, number, gathered, collector)
            if left:
                yield from _places(step, block, number, start, left)
            start, number = end, number + len(found)
        _hand_over(gathered, block, collector)

    def _take(
        self, found: list[Any], number: int, gathered: _Kinds, collector: Collector
    ) -> set[int]:
        """Take the lines of a step in; the numbers of those that are left alone."""
        batches = self._sorted(found, number)
        left = set(batches.pop(None, _NONE).numbers)
        collector.tally.other += len(batches.pop(_ORDINARY, _NONE).numbers)
        for key, batch in batches.items():
            left |= set(_gather(key, batch, gathered[key]))
        return left

    def _one_by_one(self, step: bytes) -> list[Any]:
        """A struct of the same shapes for each line; null where a line does not fit."""
        while True:
            shapes = self._decoder.shapes
            found = list(map(self._decoder.line, lines_of(step)))
            if self._decoder.shapes is shapes:
                return found

    def _sorted(self, found: list[Any], number: int) -> dict[Any, _Batch]:
        """The lines by what they are; those that the plain path must judge under null."""
        batches: defaultdict[Any, tuple[list[Any], list[int]]] = defaultdict(lambda: ([], []))
        objects, messages = self._decoder.shapes.kinds, self._messages
        for at, line in enumerate(found, number):
            key: Any = type(line)
            if key not in objects:
                key = None if line is None else messages[line.message]
            lines, numbers = batches[key]
            lines.append(line)
            numbers.append(at)
        return {key: _Batch(*batch) for key, batch in batches.items()}

    def _nothing(self) -> _Kinds:
        return _Kinds(self._decoder.shapes)


class _Kinds(dict[Any, Gathered]):
    """What was gathered of one block, by what the lines are."""

    def __init__(self, shapes: Shapes) -> None:
        super().__init__()
        self._shapes = shapes
        self._shared = Shared(Speeches(), Origins(shapes.rare))

    def __missing__(self, key: Any) -> Gathered:
        shapes = self._shapes
        if isinstance(key, _Metric):
            rare = shapes.rare | IDS_OF_LINES
            self[key] = Gathered(key.kind, rare, self._shared, plain=True)
        else:
            self[key] = Gathered(shapes.kinds[key], shapes.rare, self._shared, plain=False)
        return self[key]


class _Batch(NamedTuple):
    """Lines of one kind and their numbers, the first of the block being 0."""

    lines: list[Any]
    numbers: list[int]

    def without(self, odd: set[int]) -> _Batch:
        """All lines but those at some places of the batch."""
        kept = [place for place in range(len(self.lines)) if place not in odd]
        return _Batch(
            [self.lines[place] for place in kept], [self.numbers[place] for place in kept]
        )


_NONE = _Batch([], [])


class _Messages(dict[Any, Any]):
    """What a line is by its message: a metric, ordinary, or unknown."""

    def __missing__(self, message: str | None) -> Any:
        if message is None:
            return None
        found = _METRICS.get(message) or (_ORDINARY if production.is_ordinary(message) else None)
        if len(message) <= _LONGEST_REMEMBERED and len(self) < _REMEMBERED:
            self[message] = found
        return found


def _gather(key: Any, batch: _Batch, gathered: Gathered) -> list[int]:
    """Put the records of `batch` into `gathered`; the numbers of lines that are left alone."""
    odd, times = set[int](), list[Any]()
    if gathered.plain:
        times = _times([line.timestamp for line in batch.lines])
        odd = {place for place, time in enumerate(times) if time is None}
        odd.update(_unlike(key, batch.lines))
    if not odd and gathered.take(batch.lines, batch.numbers, times):
        return []
    odd.update(_with_odd_ids(batch.lines))
    rest = batch.without(odd)
    if rest.lines:
        times = [time for place, time in enumerate(times) if place not in odd]
        gathered.take(rest.lines, rest.numbers, times)
    return [batch.numbers[place] for place in odd]


def _with_odd_ids(lines: list[Any]) -> Iterator[int]:
    """The places of lines whose request's id has several lines."""
    for place, line in enumerate(lines):
        if "\n" in (getattr(line, "request_id", None) or ""):
            yield place


def _unlike(metric: _Metric, lines: list[Any]) -> Iterator[int]:
    """The places of lines that lack what is essential, or have an older agent's fields."""
    essential = list(map(attrgetter(metric.essential), lines))
    if UNSET in essential:
        yield from (place for place, value in enumerate(essential) if value is UNSET)
    for name in RENAMED if metric.kind == "llm" else ():
        values = list(map(attrgetter(name), lines))
        if values.count(UNSET) < len(values):
            yield from (place for place, value in enumerate(values) if value is not UNSET)


def _hand_over(gathered: _Kinds, block: Block, collector: Collector) -> None:
    for each in gathered.values():
        rows = each.rows(block)
        if rows.height:
            collector.add_rows(each.kind, rows)
            collector.tally.metric += rows.height
            collector.tally.shapes[production.NAME if each.plain else hook.NAME] += rows.height


def _places(step: bytes, block: Block, number: int, start: int, left: set[int]) -> Iterator[Place]:
    """The lines of a step that are left alone; `number` and `start` tell where it begins."""
    part = replace(
        block, first_line=block.first_line + number, offset=block.offset + start, data=step
    )
    first = block.first_line
    yield from (place for place in part.places() if place.number - first in left)


def _end_of_step(data: bytes, start: int) -> int:
    """Where some whole lines end; one line where a single one is longer."""
    end = data.rfind(b"\n", start, start + STEP_BYTES) + 1
    return end or data.find(b"\n", start) + 1 or len(data)


def _times(timestamps: list[float | str | None]) -> list[float] | list[float | None]:
    """The Unix seconds of records; null where they are missing, or the plain path must judge."""
    try:
        dated = list(map(datetime.fromisoformat, cast("list[str]", timestamps)))
        if None not in map(_ZONE, dated):
            times = list(map(datetime.timestamp, dated))
            if min(times) > _DAY and max(times) <= LATEST_TIMESTAMP:
                return times
    except (TypeError, ValueError, OverflowError):
        pass
    return list(map(_time, timestamps))


_ZONE = attrgetter("tzinfo")
_DAY = 2 * 86_400.0
"""Times before are of the day that `UNDATED` names, whatever their zone."""


def _time(timestamp: float | str | None) -> float | None:
    """The Unix seconds of a record; null where they are missing, or the plain path must judge."""
    time = timestamp if not isinstance(timestamp, str) else _dated(timestamp)
    return time if time is not None and 0 <= time <= LATEST_TIMESTAMP else None


def _dated(timestamp: str) -> float | None:
    if timestamp.startswith(UNDATED):
        return None
    try:
        return iso_seconds(timestamp)
    except BadValueError:
        return None
