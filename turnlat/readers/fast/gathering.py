"""Gathering: structs of one kind become columns, without a Python object left for any record."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from operator import attrgetter
from typing import Any

import msgspec
import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from turnlat.blocks import Block
from turnlat.columns import Coded, Joined, Places, Rows
from turnlat.readers.fast.shapes import fields_of
from turnlat.readers.fields import text_or_none

_encode = msgspec.msgpack.encode
_NUMBER_BYTES = 9
"""MessagePack's double: a byte that says so, then the number with its high byte first."""
_TRUTHS = {0xC0: -1, 0xC2: 0, 0xC3: 1}
"""MessagePack's null, false and true."""

_ORIGIN = {
    "job_id": "job_id",
    "room_id": "room_id",
    "room": "room",
    "hook_session": "session",
    "agent_name": "agent_name",
}
"""Columns of `records.ORIGIN` and the fields of a line that they are."""
IDS = ("speech_id", "request_id")


class Gathered:
    """The records of one kind and one shape, from the lines of one block."""

    def __init__(self, kind: str, rare: frozenset[str], *, plain: bool) -> None:
        self.kind, self.plain = kind, plain
        fields = fields_of(kind, rare)
        if plain:
            fields.pop("timestamp")
        self._values = _Values(
            [name for name, type_ in fields.items() if type_ is float],
            [name for name, type_ in fields.items() if type_ is bool],
        )
        self._times: list[float] = []
        self._numbers: list[int] = []
        self._ids: dict[str, list[str]] = {name: [] for name in IDS if name in fields}
        self._models, self._model = Places(), list[int]()
        self._origins, self._origin = Places(), list[int]()
        self._of_line = sorted(rare & {*_ORIGIN.values(), "pid", "tid"})
        self._get_origin: Callable[[Any], Any] = attrgetter(*self._of_line or IDS)

    def take(self, lines: list[Any], numbers: list[int], times: Sequence[float] = ()) -> bool:
        """Take the records of `lines` in; `times` are theirs where the lines have texts.

        False, and nothing is taken, where an id has several lines: no column holds that.
        """
        ids = {name: _joined(lines, name) for name in self._ids}
        if any(text.count("\n") >= len(lines) for text in ids.values()):
            return False
        self._values.take(lines)
        self._times += times
        self._numbers += numbers
        self._model += map(self._models.__getitem__, _models(lines))
        for name, text in ids.items():
            self._ids[name].append(text)
        if self._of_line:
            self._origin += map(self._origins.__getitem__, map(self._get_origin, lines))
        return True

    def rows(self, block: Block) -> Rows:
        """All that was taken in."""
        height = len(self._numbers)
        columns: dict[str, Any] = self._values.columns(height) | self._origin_columns()
        for name, parts in self._ids.items():
            lines = "\n".join(parts)
            columns[name] = Joined(lines.encode()) if lines.strip("\n") else None
        if self.plain:
            columns["timestamp"] = np.array(self._times)
        if self.kind == "other":
            columns["type"] = "vad_metrics"
        models = [None if name == "unknown" else name for name in self._models]
        columns["model_name"] = _coded(self._model, models)
        columns |= {"source": block.source, "log": block.log, "plain": self.plain}
        columns["line"] = np.array(self._numbers, np.uint32)
        return Rows(height, {n: c for n, c in columns.items() if c is not None}, block.first_line)

    def _origin_columns(self) -> dict[str, Any]:
        codes = np.array(self._origin, np.int32)
        # The getter of a single field gives no tuple.
        origins = [(one,) for one in self._origins] if len(self._of_line) == 1 else self._origins
        told = {
            name: [origin[place] for origin in origins] for place, name in enumerate(self._of_line)
        }
        if "tid" in told or "pid" in told:
            nothing = [UNSET] * len(self._origins), [None] * len(self._origins)
            both = zip(told.get("pid", nothing[0]), told.get("tid", nothing[1]), strict=True)
            told["pid"] = [tid if pid is UNSET else pid for pid, tid in both]
        wanted = _ORIGIN | {"pid": "pid"}
        texts = {
            name: [text_or_none(value) for value in told[field]]
            for name, field in wanted.items()
            if field in told
        }
        return {name: _coded(codes, values) for name, values in texts.items()}


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


def _joined(lines: list[Any], name: str) -> str:
    """The ids of `lines`, one in each line of a text."""
    ids = list(map(attrgetter(name), lines))
    nulls = ids.count(None)
    if nulls == len(ids):
        return "\n" * (nulls - 1)
    return "\n".join([id_ or "" for id_ in ids] if nulls else ids)


def _models(lines: list[Any]) -> list[str | None]:
    if not hasattr(lines[0], "metadata"):
        return list(map(attrgetter("model_name"), lines))
    try:
        return list(map(attrgetter("metadata.model_name"), lines))
    except AttributeError:
        return [
            line.model_name if line.metadata is None else line.metadata.model_name for line in lines
        ]


def _coded(codes: Any, texts: list[str | None]) -> Coded | None:
    if texts.count(None) == len(texts):
        return None
    return Coded(np.asarray(codes, np.int32), texts)
