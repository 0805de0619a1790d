"""Columns: many values of one kind, held compactly, and quick to send from process to process.

A column of `Rows` is one value that all rows have, or one of
- a float64 array, in which NaN is null; an int8 array of truth values, in which -1 is null;
  an array of whole numbers without nulls
- such an array as the scanner made it, an `Array`; or its `Steps`, for what is looked at late and
  little
- `Coded` or `Joined` texts
- a list of values, for what is too rare to be worth more
"""

from __future__ import annotations

import pickle
from collections.abc import Callable, Hashable, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Data: TypeAlias = bytes | memoryview
"""Bytes of a column; a process that is sent them has them out of the way of its own objects."""


class Array:
    """The bytes of an array, as the scanner made it: numpy loads only where it is asked for one."""

    __slots__ = ("data", "type")

    def __init__(self, data: Data, type_: str) -> None:
        self.data = data
        self.type = type_

    def array(self) -> NDArray[Any]:
        """The array; it lies in the bytes."""
        import numpy as np  # noqa: PLC0415  # a small log needs no array

        return np.frombuffer(self.data, self.type)

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        """The array for polars; it lies in the bytes, too."""
        return _scanner().exported(self.data, self.type)  # type: ignore[no-any-return]

    def __reduce__(self) -> tuple[Any, ...]:
        return Array, (pickle.PickleBuffer(self.data), self.type)


class Steps(NamedTuple):
    """An array of numbers as the steps between them: in little memory where all are small."""

    steps: Data
    """What the scanner makes of the array: see there."""
    type: str

    @classmethod
    def of(cls, array: Array) -> Steps:
        """The steps between the numbers of `array`."""
        return cls(_scanner().steps(array.data, int(array.type[1:])), array.type)

    def whole(self) -> Array:
        """The array as it was."""
        return Array(_scanner().whole(self.steps, int(self.type[1:])), self.type)

    def __reduce__(self) -> tuple[Any, ...]:
        return Steps, (pickle.PickleBuffer(self.steps), self.type)


def _scanner() -> Any:
    """The compiled module that made the bytes."""
    import _turnlat_scan  # type: ignore[import-not-found]  # noqa: PLC0415  # where it is missing, nothing is made

    return _turnlat_scan


class Joined:
    """Texts of which most are different: each in a line of its own, an empty one for null."""

    __slots__ = ("lines",)

    def __init__(self, lines: Data) -> None:
        self.lines = lines

    def leave_pages(self) -> None:
        """Hold the lines apart from all else that came with them."""
        self.lines = bytes(self.lines)

    def __arrow_c_array__(self, requested_schema: object = None) -> tuple[object, object]:
        """The texts for polars; those that are not short lie in the lines."""
        return _scanner().exported_texts(self.lines)  # type: ignore[no-any-return]

    def __reduce__(self) -> tuple[Any, ...]:
        return Joined, (pickle.PickleBuffer(self.lines),)


def places_of(texts: Sequence[Joined]) -> tuple[Array, Array] | None:
    """The place of each text among the different ones, and a row of each place's text.

    Places are in the order of the texts, from 1 on, and 0 for null. Null where texts differ in
    more than a number of 64 bits can tell.
    """
    found = _scanner().places([each.lines for each in texts])
    return found and (Array(found[0], "u4"), Array(found[1], "u4"))


class Coded(NamedTuple):
    """Texts that many rows have in common."""

    codes: NDArray[np.integer[Any]] | Array
    """The place in `texts` of each row's."""
    texts: Texts


Texts: TypeAlias = "Sequence[str | None] | Joined"


class Rows(NamedTuple):
    """Records of one kind; columns that are not among `columns` are null."""

    height: int
    columns: dict[str, Any]
    before: int = 0
    """How many lines of the file come before the one that the column `line` calls 0."""


def loaded(column: Any) -> Any:
    """A column whose array, if it is one, is numpy's."""
    made = column.whole() if isinstance(column, Steps) else column
    return made.array() if isinstance(made, Array) else made


def texts_of(column: Any) -> Texts:
    """The texts of the rows of a column, or the different ones that stand for them."""
    if isinstance(column, Coded):
        return column.texts
    return column if isinstance(column, (list, Joined)) else (column,)


def is_scalar(column: object) -> bool:
    """Whether a column is one value that all rows have."""
    return column is None or isinstance(column, _SCALARS)


def key_of(column: Any) -> Hashable:
    """What tells the texts of a column: parts of one block have theirs in common."""
    return column if is_scalar(column) else id(texts_of(column))


def codes_of(column: Any, height: int) -> NDArray[np.integer[Any]]:
    """The place among `texts_of` of each row's text."""
    if isinstance(column, Coded):
        return loaded(column.codes)  # type: ignore[no-any-return]
    import numpy as np  # noqa: PLC0415  # a small log needs no array

    return np.arange(height) if isinstance(column, (list, Joined)) else np.zeros(height, np.int8)


def chosen(rows: Rows, places: NDArray[np.int64]) -> Rows:
    """The rows at some places, in their order."""
    codes: dict[int, Any] = {}  # several columns may have them in common
    for column in rows.columns.values():
        if isinstance(column, Coded) and id(column.codes) not in codes:
            codes[id(column.codes)] = _chosen(column.codes, places)
    columns = {
        name: Coded(codes[id(column.codes)], column.texts)
        if isinstance(column, Coded)
        else _chosen(column, places)
        for name, column in rows.columns.items()
    }
    return Rows(len(places), columns, rows.before)


def _chosen(column: Any, places: NDArray[np.int64]) -> Any:
    if isinstance(column, Joined):
        return Joined(_scanner().lines_at(column.lines, places))
    if isinstance(column, list):
        return [column[place] for place in places]
    if isinstance(column, Steps):
        return Steps.of(_chosen(column.whole(), places))
    if isinstance(column, Array):
        return Array(column.array()[places].data, column.type)
    return column if is_scalar(column) else column[places]


_SCALARS = (str, bool, int, float)


def numbers(values: Sequence[float | None]) -> NDArray[np.float64] | None:
    """A column of numbers; null where there are none."""
    import numpy as np  # noqa: PLC0415  # a small log needs no array

    return None if values.count(None) == len(values) else np.array(values, np.float64)


def truths(values: Sequence[bool | None]) -> NDArray[np.int8] | None:
    """A column of truth values; null where there are none."""
    if values.count(None) == len(values):
        return None
    import numpy as np  # noqa: PLC0415

    return np.fromiter((-1 if value is None else value for value in values), np.int8, len(values))


def texts(values: Sequence[str | None]) -> Coded | None:
    """A column of texts; null where there are none."""
    if values.count(None) == len(values):
        return None
    import numpy as np  # noqa: PLC0415

    places = Places()
    codes = np.fromiter(map(places.__getitem__, values), np.int32, len(values))
    return Coded(codes, list(places))


def whole_numbers(values: Sequence[int | None]) -> NDArray[np.int64] | Sequence[int | None]:
    """A column of whole numbers; as it is where there are nulls, which no array holds."""
    if None in values:
        return values
    import numpy as np  # noqa: PLC0415

    return np.array(values, np.int64)


def compact(values: Sequence[Any], type_: type) -> Any:
    """A column of values of a type, in the way that it is held where they are many."""
    return _COMPACT[type_](values)


_COMPACT: dict[type, Callable[[Sequence[Any]], Any]] = {
    float: numbers,
    bool: truths,
    str: texts,
    int: whole_numbers,
}


class Places(dict[Any, int]):
    """Numbers for whatever is asked for, in the order of the first asking."""

    def __missing__(self, key: object) -> int:
        place = self[key] = len(self)
        return place
