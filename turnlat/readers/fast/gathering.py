"""Gathering: structs of one kind become columns, without a Python object left for any record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any, cast

import msgspec
import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from turnlat.blocks import Block
from turnlat.columns import Joined, Packed, Places, Rows
from turnlat.readers.fast.coding import Shared, coded
from turnlat.readers.fast.shapes import fields_of

_encode = msgspec.msgpack.encode
_NUMBER_BYTES = 9
"""MessagePack's double: a byte that says so, then the number with its high byte first."""
_TRUTHS = {0xC0: -1, 0xC2: 0, 0xC3: 1}
"""MessagePack's null, false and true."""


class Gathered:
    """The records of one kind and one shape, from the lines of one block."""

    def __init__(self, kind: str, rare: frozenset[str], shared: Shared, *, plain: bool) -> None:
        self.kind, self.plain = kind, plain
        self._shared = shared
        fields = fields_of(kind, rare)
        if plain:
            fields.pop("timestamp")
        self._values = _Values(
            [name for name, type_ in fields.items() if type_ is float],
            [name for name, type_ in fields.items() if type_ is bool],
        )
        self._times: list[float] = []
        self._numbers: list[int] = []
        self._requests: list[str] | None = [] if "request_id" in fields else None
        self._speeches: list[NDArray[np.int32]] | None = [] if "speech_id" in fields else None
        self._origins: list[NDArray[np.int32]] = []
        self._models, self._model = Places(), list[int]()

    def take(self, lines: list[Any], numbers: list[int], times: Sequence[float] = ()) -> bool:
        """Take the records of `lines` in; `times` are theirs where the lines have texts.

        False, and nothing is taken, where a request's id has several lines: no column holds that.
        """
        if self._requests is not None:
            requests = _joined(list(map(_REQUEST, lines)))
            if requests.count("\n") >= len(lines):
                return False
            self._requests.append(requests)
        if self._speeches is not None:
            self._speeches.append(self._shared.speeches.codes(lines))
        self._values.take(lines)
        self._times += times
        self._numbers += numbers
        self._model += map(self._models.__getitem__, _models(lines))
        self._origins.append(self._shared.origins.codes(lines))
        return True

    def rows(self, block: Block) -> Rows:
        """All that was taken in."""
        if not self._numbers:
            return Rows(0, {})
        height = len(self._numbers)
        columns: dict[str, Any] = self._values.columns(height)
        columns |= self._shared.origins.columns(self._origins)
        if self._requests is not None:
            lines = "\n".join(self._requests)
            text = np.frombuffer(lines.encode(), np.uint8)
            columns["request_id"] = Joined(text) if lines.strip("\n") else None
        if self._speeches is not None:
            columns["speech_id"] = self._shared.speeches.column(self._speeches)
        if self.plain:
            columns["timestamp"] = np.array(self._times)
        models = [None if name == "unknown" else name for name in self._models]
        places = np.array(self._model, np.min_scalar_type(len(models)))
        columns["model_name"] = coded(places, models)
        columns |= {"source": block.source, "log": block.log, "plain": self.plain}
        columns["line"] = np.array(self._numbers, np.min_scalar_type(max(self._numbers)))
        if self.kind == "other":
            # They only count, and may be most of a log.
            columns["type"] = "vad_metrics"
            columns |= {name: Packed.of(columns[name]) for name in ("timestamp", "line")}
        return Rows(height, {n: c for n, c in columns.items() if c is not None}, block.first_line)


class _Values:
    """The numbers and truth values of lines, as MessagePack: the quickest way out of objects.

    Every record takes the same number of bytes, so that numpy can read them as a table.
    """

    def __init__(self, numbers: list[str], truths: list[str]) -> None:
        self._numbers, self._truths = numbers, truths
        names = [*numbers, *truths]
        self._is_row = len(names) > 1
        self._get: Callable[[Any], Any] = attrgetter(*names)
        self._bytes = self._is_row + _NUMBER_BYTES * len(numbers) + len(truths)
        self._parts: list[memoryview] = []

    def take(self, lines: list[Any]) -> None:
        """Take the values of `lines` in."""
        size = self._bytes * len(lines)
        values = list(map(self._get, lines))
        try:
            encoded = _encode(values)
        except TypeError:
            encoded = b""
        if not size < len(encoded) <= size + _NUMBER_BYTES:
            encoded = _encode(self._without_nulls(values))
        self._parts.append(memoryview(encoded)[-size:])

    def _without_nulls(self, values: list[Any]) -> list[Any]:
        """`values` with NaN for all numbers that are null: what takes as many bytes as any."""
        if not self._is_row:
            return _filled(values)
        columns = list(zip(*values, strict=True))
        count = len(self._numbers)
        filled = [*map(_filled, columns[:count]), *columns[count:]]
        return list(zip(*filled, strict=True))

    def columns(self, height: int) -> dict[str, NDArray[Any]]:
        """The columns that are not all null."""
        layout = [("row", "u1")] if self._is_row else []
        for name in self._numbers:
            layout += [(f"{name} mark", "u1"), (name, ">f8")]
        layout += [(name, "u1") for name in self._truths]
        table = np.frombuffer(b"".join(self._parts), np.dtype(layout), height)
        columns: dict[str, NDArray[Any]] = {
            name: table[name].astype(np.float64) for name in self._numbers
        }
        columns = {name: c for name, c in columns.items() if not np.isnan(c).all()}
        for name in self._truths:
            truths = _TRUTH_TABLE[table[name]]
            if (truths >= 0).any():
                columns[name] = truths
        return columns


def _filled(numbers: Sequence[Any]) -> list[Any]:
    if numbers.count(None) == len(numbers):
        return [np.nan] * len(numbers)
    return [np.nan if number is None or number is UNSET else number for number in numbers]


_TRUTH_TABLE = np.full(256, -1, np.int8)
_TRUTH_TABLE[list(_TRUTHS)] = list(_TRUTHS.values())


_REQUEST: Callable[[Any], str | None] = attrgetter("request_id")


def _joined(texts: list[str | None]) -> str:
    """`texts`, one in each line."""
    nulls = texts.count(None)
    if nulls == len(texts):
        return "\n" * (nulls - 1)
    return "\n".join([text or "" for text in texts] if nulls else cast("list[str]", texts))


def _models(lines: list[Any]) -> list[str | None]:
    if not hasattr(lines[0], "metadata"):
        return list(map(attrgetter("model_name"), lines))
    try:
        return list(map(attrgetter("metadata.model_name"), lines))
    except AttributeError:
        return [
            line.model_name if line.metadata is None else line.metadata.model_name for line in lines
        ]
