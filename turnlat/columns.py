"""Columns: many values of one kind, held compactly, and quick to send from process to process.

A column of `Rows` is one value that all rows have, or one of
- a float64 array, in which NaN is null; an int8 array of truth values, in which -1 is null;
  an array of whole numbers without nulls
- such an array before numpy is loaded, as an `Array`; or `Packed`, for what is looked at late and
  little
- `Coded` or `Joined` texts
- a list of values, for what is too rare to be worth more
"""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Data: TypeAlias = bytes | memoryview
"""Bytes of a column; a process that is sent them has them out of the way of its own objects."""


class Array(NamedTuple):
    """The bytes of an array, which is made when it is asked for: many processes need none."""

    data: Data
    type: str

    def array(self) -> NDArray[Any]:
        """The array; it lies in the bytes."""
        import numpy as np  # noqa: PLC0415  # a small log needs no array

        return np.frombuffer(self.data, self.type)

    def __reduce__(self) -> tuple[Any, ...]:
        return Array, (pickle.PickleBuffer(self.data), self.type)


class Packed(NamedTuple):
    """An array of numbers that are near their neighbours, in a fraction of its memory."""

    planes: Data
    """The steps between neighbours' bit patterns, compressed: the low byte of each comes first."""
    type: str

    def array(self) -> NDArray[Any]:
        """The array as it was."""
        import numpy as np  # noqa: PLC0415

        size = np.dtype(self.type).itemsize
        planes = np.frombuffer(zlib.decompress(self.planes), np.uint8).reshape(size, -1)
        steps = np.ascontiguousarray(planes.T).view(f"i{size}")[:, 0]
        return np.cumsum(steps, dtype=steps.dtype).view(self.type)

    def __reduce__(self) -> tuple[Any, ...]:
        return Packed, (pickle.PickleBuffer(self.planes), self.type)


class Coded(NamedTuple):
    """Texts of which few are different."""

    codes: NDArray[np.integer[Any]] | Array
    """The place in `texts` of each row's."""
    texts: Sequence[str | None]


class Joined(NamedTuple):
    """Texts of which most are different: each in a line of its own, an empty one for null."""

    lines: Data

    def __reduce__(self) -> tuple[Any, ...]:
        return Joined, (pickle.PickleBuffer(self.lines),)


class Rows(NamedTuple):
    """Records of one kind; columns that are not among `columns` are null."""

    height: int
    columns: dict[str, Any]
    before: int = 0
    """How many lines of the file come before the one that the column `line` calls 0."""


def loaded(column: Any) -> Any:
    """A column whose array, if it is one, is made."""
    return column.array() if isinstance(column, (Array, Packed)) else column


def listed(rows: Rows) -> Rows:
    """`rows` with lists for all that would be arrays, whose library takes longer to load."""
    columns = {name: _listed(column) for name, column in rows.columns.items()}
    return Rows(rows.height, columns, rows.before)


def _listed(column: Any) -> Any:
    if isinstance(column, Coded):
        return [column.texts[code] for code in _listed(column.codes)]
    if isinstance(column, Joined):
        return [text or None for text in bytes(column.lines).decode().split("\n")]
    if not isinstance(column, Array):
        return column
    values = memoryview(column.data).cast("B").cast(_FORMATS[column.type]).tolist()
    if column.type == "i1":
        return [None if value < 0 else value == 1 for value in values]
    return [None if value != value else value for value in values]  # noqa: PLR0124  # NaN is null


_FORMATS: dict[str, Literal["d", "f", "b", "B", "H", "I"]] = {
    "f8": "d", "f4": "f", "i1": "b", "u1": "B", "u2": "H", "u4": "I"
}  # fmt: skip
"""What memory views call the types of arrays."""


def texts_of(column: Any) -> Sequence[str | None]:
    """The texts of the rows of a column, or the different ones that stand for them."""
    if isinstance(column, Coded):
        return column.texts
    return column if isinstance(column, list) else (column,)


def codes_of(column: Any, height: int) -> NDArray[np.integer[Any]]:
    """The place among `texts_of` of each row's text."""
    if isinstance(column, Coded):
        return loaded(column.codes)  # type: ignore[no-any-return]
    import numpy as np  # noqa: PLC0415  # a small log needs no array

    return np.arange(height) if isinstance(column, list) else np.zeros(height, np.int8)


def chosen(rows: Rows, places: NDArray[np.int64]) -> Rows:
    """The rows at some places."""
    columns = {name: _chosen(column, places) for name, column in rows.columns.items()}
    return Rows(len(places), columns, rows.before)


def _chosen(column: Any, places: NDArray[np.int64]) -> Any:
    if isinstance(column, Coded):
        return Coded(loaded(column.codes)[places], column.texts)
    if isinstance(column, Joined):
        texts = bytes(column.lines).split(b"\n")
        return Joined(b"\n".join([texts[place] for place in places]))
    if isinstance(column, list):
        return [column[place] for place in places]
    return column if column is None or isinstance(column, _SCALARS) else loaded(column)[places]


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
