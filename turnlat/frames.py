"""Frames: polars frames made from columns."""

from __future__ import annotations

import itertools
from collections.abc import Hashable, Iterable, Mapping, Sequence
from functools import cache, partial
from typing import Any, NamedTuple, cast

import polars as pl

from turnlat import columns
from turnlat.columns import (
    Array,
    Coded,
    Joined,
    Places,
    Rows,
    Steps,
    Texts,
    is_scalar,
    key_of,
    texts_of,
)  # fmt: skip

_TYPES: dict[type, pl.DataType] = {
    float: pl.Float64(),
    int: pl.Int64(),
    str: pl.String(),
    bool: pl.Boolean(),
}
_CODE = pl.UInt32()
_NO_TEXTS = pl.Series([], dtype=pl.String)
_NO_NAMES: Mapping[str, Names] = {}


class Names:
    """The different texts of some columns, in their order; coded columns hold places of them."""

    def __init__(self, texts: pl.Series, found: _Found, starts: Mapping[Hashable, int]) -> None:
        self.places = found.places
        """The places of `texts` among the names; null for null."""
        self.texts = texts[found.rows]
        """The names."""
        self._starts = starts

    @classmethod
    def of(cls, columns: Iterable[str], parts: Iterable[Rows]) -> Names:
        """Those of some columns of `parts`, which `column` knows then."""
        held = [part.columns.get(name) for part in parts for name in columns]
        told = {key_of(column): column for column in held}
        held_texts = [texts_of(column) for column in told.values()]
        texts = [series_of(each) for each in held_texts]
        starts = itertools.accumulate(map(len, texts), initial=0)
        whole = pl.concat(texts) if texts else _NO_TEXTS
        found = _found_in_lines(held_texts) or _found_in(whole)
        return cls(whole, found, dict(zip(told, starts)))  # noqa: B905  # the last start is the end

    @classmethod
    def of_texts(cls, texts: pl.Series) -> Names:
        """Those of some texts."""
        return cls(texts, _found_in(texts), {})

    def place(self, text: str | None) -> int | None:
        """The place of a text that is the column of some part."""
        return cast("int | None", self.places[self._starts[text]])

    def column(self, values: Sequence[Any], heights: Sequence[int]) -> pl.Series:
        """The places of the texts of a column of all parts."""
        rows = [
            _codes(value, height) + self._starts[key_of(value)]
            for value, height in zip(values, heights, strict=True)
        ]
        return self.places[pl.concat(rows)]


class _Found(NamedTuple):
    """What was found of texts."""

    places: pl.Series
    """The place of each among the different ones; null for null."""
    rows: pl.Series
    """For each place a row whose text has it."""


def _found_in(texts: pl.Series) -> _Found:
    places = (texts.rank("dense") - 1).cast(pl.UInt32)
    told = places.is_not_null()
    rows = pl.int_range(len(texts), dtype=pl.UInt32, eager=True).filter(told)
    count = cast("int", places.max()) + 1 if len(rows) else 0
    return _Found(places, rows.head(count).scatter(places.filter(told), rows))


def _found_in_lines(texts: Sequence[Texts]) -> _Found | None:
    """The same, sooner, of texts all of which are `Joined`, but for nulls."""
    held = [Joined(b"") if each == (None,) else each for each in texts]
    joined = [each for each in held if isinstance(each, Joined)]
    if len(joined) < len(texts) or not any(each.lines for each in joined):
        return None
    found = columns.places_of(joined)
    if found is None:
        return None
    places, rows = map(pl.Series, found)
    nulls = places == 0
    return _Found((places.set(nulls, None) if nulls.any() else places) - 1, rows)


def series_of(texts: Texts) -> pl.Series:
    """Texts as polars has them."""
    return pl.Series(texts) if isinstance(texts, Joined) else pl.Series(texts, dtype=pl.String)


def _codes(column: Any, height: int) -> pl.Series:
    """The place among `columns.texts_of` of each row's text."""
    if isinstance(column, Coded):
        return pl.Series(column.codes).cast(pl.UInt32)
    if isinstance(column, (list, Joined)):
        return pl.int_range(height, dtype=pl.UInt32, eager=True)
    return same(0, pl.UInt32(), height)


class CodedFrames(NamedTuple):
    """Frames some of whose columns hold the places of their texts among `names`."""

    frames: dict[str, pl.DataFrame]
    names: dict[str, pl.Series]


def build_coded(
    schemas: Mapping[str, Mapping[str, type]],
    rows: Mapping[str, Sequence[Rows]],
    spaces: Mapping[str, Sequence[str]],
) -> CodedFrames:
    """One frame for each kind of `rows`; the columns of each of `spaces` share their names."""
    parts = [part for parts in rows.values() for part in parts]
    named = {space: Names.of(columns, parts) for space, columns in spaces.items()}
    names = {column: named[space] for space, columns in spaces.items() for column in columns}
    built = {kind: build(types, rows[kind], names) for kind, types in schemas.items()}
    return CodedFrames(built, {space: each.texts for space, each in named.items()})


def coded(frames: Mapping[str, pl.DataFrame], spaces: Mapping[str, Sequence[str]]) -> CodedFrames:
    """The same of frames with texts."""
    found, texts = dict(frames), {}
    for space, coded_columns in spaces.items():
        held = [(kind, frame[name]) for kind, frame in frames.items() for name in coded_columns]
        names = Names.of_texts(pl.concat(column for _, column in held))
        texts[space], start = names.texts, 0
        for kind, column in held:
            places = names.places.slice(start, len(column)).alias(column.name)
            found[kind] = found[kind].with_columns(places)
            start += len(column)
    return CodedFrames(found, texts)


def build(
    types: Mapping[str, type], parts: Sequence[Rows], coded: Mapping[str, Names] = _NO_NAMES
) -> pl.DataFrame:
    """The rows of all `parts` in their order; each column has the type that is told.

    Columns of which `coded` has the names hold the names' places. The columns are taken out of the
    parts, so that none is ever in memory twice.
    """
    schema = {
        name: pl.UInt32() if name in coded else _TYPES[type_] for name, type_ in types.items()
    }
    parts = [part for part in parts if part.height]
    if not parts:
        return _empty(tuple(schema.items()))
    made = [_column(name, type_, parts, coded.get(name)) for name, type_ in types.items()]
    # A literal takes no memory, however many the rows are; lines differ, so that not all are one.
    full = pl.DataFrame([column for column in made if isinstance(column, pl.Series)])
    return full.select(each.name if isinstance(each, pl.Series) else each for each in made)


@cache
def _empty(schema: tuple[tuple[str, pl.DataType], ...]) -> pl.DataFrame:
    return pl.DataFrame(schema=dict(schema))


def _column(
    name: str, type_: type, parts: Sequence[Rows], names: Names | None
) -> pl.Series | pl.Expr:
    values = [part.columns.pop(name, None) for part in parts]
    heights = [part.height for part in parts]
    if name == "line":
        values = [_lines(*pair) for pair in zip(values, parts, strict=True)]
    if (only := _only_scalar(values)) is not None:
        if names is not None:
            return pl.lit(names.place(only[0]), dtype=_CODE).alias(name)
        return pl.lit(only[0], dtype=_TYPES[type_]).alias(name)
    if names is not None:
        return names.column(values, heights).alias(name)
    return _of_type(values, type_, heights).alias(name)


def _of_type(values: list[Any], type_: type, heights: list[int]) -> pl.Series | pl.Expr:
    if len(found := {_only_text(value) for value in values}) == 1 and None not in found:
        return pl.lit(found.pop(), dtype=pl.String())
    values = _compact(values, type_)
    kinds = {type(value) for value in values if not is_scalar(value)}
    only_arrays = bool(kinds) and all(map(_is_array, (v for v in values if not is_scalar(v))))
    if only_arrays:
        return _of_arrays(values, type_, heights)
    if kinds == {Joined} and all(value is None or type(value) is Joined for value in values):
        return _of_joined(values, heights)
    if type_ is str and list not in kinds and Joined not in kinds:
        return _of_coded(values, heights)
    series = [_of_one(*pair, type_) for pair in zip(values, heights, strict=True)]
    return pl.concat(series)


def _compact(values: list[Any], type_: type) -> list[Any]:
    """`values` without the lists of a few parts among many others, where something compact fits.

    One list would have every part made into a series of its own.
    """
    kinds = set(map(type, values))
    if list not in kinds or kinds <= {list, type(None)}:
        return values
    held = _joined if Joined in kinds else partial(columns.compact, type_=type_)
    return [held(value) if isinstance(value, list) else value for value in values]


def _joined(texts: list[str | None]) -> Joined | list[str | None]:
    """`texts` as lines, where none of them is empty or has several."""
    lines = "\n".join(text or "" for text in texts)
    one_each = lines.count("\n") == len(texts) - 1 and "" not in texts
    return Joined(lines.encode()) if one_each else texts


def _only_scalar(values: Sequence[Any]) -> tuple[Any] | None:
    """The one value that all rows of all parts have; null where there is none."""
    is_one = all(is_scalar(value) for value in values) and len(set(values)) == 1
    return (values[0],) if is_one else None


def _only_text(value: object) -> str | None:
    """The text that all rows have; null where there is none, or where they may differ."""
    texts = value.texts if isinstance(value, Coded) else (value,)
    only = texts[0] if isinstance(texts, Sequence) and len(texts) == 1 else None
    return only if isinstance(only, str) else None


def _is_array(value: object) -> bool:
    """Whether a column is neither one value nor texts nor a list."""
    return not is_scalar(value) and not isinstance(value, (list, Coded, Joined))


def _lines(lines: Any, part: Rows) -> list[int] | pl.Series:
    if isinstance(lines, list):
        return [line + part.before for line in lines]
    return _of_array(lines, int) + part.before


def _of_one(value: Any, height: int, type_: type) -> pl.Series:
    """The rows of one part."""
    if _is_array(value):
        return _of_arrays([value], type_, [height])
    if isinstance(value, Joined):
        return _of_joined([value], [height])
    if isinstance(value, Coded):
        return _of_coded([value], [height])
    if isinstance(value, list):
        return pl.Series(value, dtype=_TYPES[type_])
    return same(value, _TYPES[type_], height)


def same(value: object, type_: pl.DataType, count: int) -> pl.Series:
    """`count` times one value."""
    one = _null(type_) if value is None else pl.Series([value], dtype=type_)
    return one.new_from_index(0, count)


@cache
def _null(type_: pl.DataType) -> pl.Series:
    return pl.Series([None], dtype=type_)


def _of_arrays(values: Sequence[Any], type_: type, heights: Sequence[int]) -> pl.Series:
    return pl.concat(
        _of_array(value, type_) if _is_array(value) else same(value, _TYPES[type_], height)
        for value, height in zip(values, heights, strict=True)
    ).rechunk()


def _of_array(array: Any, type_: type) -> pl.Series:
    """The values of one array; those of the scanner are looked at where they lie."""
    if isinstance(array, (Array, Steps, pl.Series)):
        whole = array.whole() if isinstance(array, Steps) else array
        return pl.Series(whole).cast(_TYPES[type_])
    if type_ is bool:
        truth = pl.Series("truth", array)
        return truth.to_frame().select(pl.when(truth >= 0).then(truth == 1)).to_series()
    return pl.Series(array, dtype=_TYPES[type_], nan_to_null=True)


def _of_joined(values: Sequence[Joined | None], heights: Sequence[int]) -> pl.Series:
    return pl.concat(
        same(None, pl.String(), height) if value is None else pl.Series(value)
        for value, height in zip(values, heights, strict=True)
    )


def _of_coded(values: Sequence[Any], heights: Sequence[int]) -> pl.Series:
    """The texts of parts, of which many are the same."""
    places, codes = Places(), []
    for value, height in zip(values, heights, strict=True):
        texts = value.texts if isinstance(value, Coded) else (value,)
        told = pl.Series(texts).to_list() if isinstance(texts, Joined) else texts
        found = pl.Series([places[text] for text in told], dtype=pl.UInt32)
        codes.append(found[_codes(value, height)])
    return pl.Series(list(places), dtype=pl.String())[pl.concat(codes)]
