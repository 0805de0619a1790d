"""Numbered rows: groups, lookups and names against what polars' own joins and groups give."""

from __future__ import annotations

from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnlat import frames
from turnlat.columns import Coded, Joined, Rows, compact
from turnlat.frames import Names
from turnlat.records import KINDS, ORIGIN, Records, schema
from turnlat.tally import Tally
from turnlat.turns import playout
from turnlat.turns.numbering import Groups, after_last, lacking, least, marked, rows_of, so_far

COUNT = 6
NUMBERS = st.lists(st.integers(0, COUNT - 1), max_size=12)
VALUES = st.none() | st.floats(-5, 5)
TEXTS = st.none() | st.sampled_from(["a", "b", "é", "speech_1", "B"])


def series(numbers: list[int] | list[int | None]) -> pl.Series:
    return pl.Series(numbers, dtype=pl.UInt32)


@given(st.lists(st.tuples(st.integers(0, 3), VALUES), max_size=40))
def test_what_was_so_far_is_that_of_each_number(pairs: list[tuple[int, float | None]]) -> None:
    pairs.sort(key=lambda pair: pair[0])
    schema = {"number": pl.UInt32, "value": pl.Float64}
    rows = pl.DataFrame(pairs, schema=schema, orient="row")
    value = pl.col("value")
    expected = rows.select(
        most=value.cum_max().forward_fill().over("number"),
        total=value.fill_null(0.0).cum_sum().over("number"),
    )
    most = so_far(pl.max_horizontal, rows["value"], rows["number"])
    assert most.to_list() == expected["most"].to_list()
    total = so_far(pl.sum_horizontal, rows["value"].fill_null(0.0), rows["number"])
    assert total.to_list() == pytest.approx(expected["total"].to_list(), abs=1e-9)


@given(st.lists(st.tuples(st.integers(0, COUNT - 1), VALUES), max_size=12))
def test_groups_give_what_group_by_gives(pairs: list[tuple[int, float | None]]) -> None:
    pairs.sort(key=lambda pair: pair[0])
    schema = {"number": pl.UInt32, "value": pl.Float64}
    rows = pl.DataFrame(pairs, schema=schema, orient="row")
    groups = Groups(rows["number"], COUNT)
    value = pl.col("value")
    expected = (
        pl.DataFrame({"number": series(list(range(COUNT)))})
        .join(
            rows.group_by("number", maintain_order=True).agg(
                first=value.first(),
                last=value.last(),
                least=value.min(),
                most=value.max(),
                lacks=value.is_null().any(),
                size=pl.len(),
            ),
            on="number",
            how="left",
            maintain_order="left",
        )
        .with_columns(
            pl.col("size").fill_null(0).cast(pl.Int64), pl.col("lacks").fill_null(value=False)
        )
    )
    found = groups.reduce(rows, value.max().alias("most")).with_columns(
        groups.first(rows)["value"].alias("first"),
        groups.last(rows)["value"].alias("last"),
        groups.least(rows["value"]).alias("least"),
        groups.greatest(rows["value"]).alias("greatest"),
        lacking(rows["number"], rows["value"], COUNT).alias("lacks"),
        groups.sizes.alias("size"),
        number=series(list(range(COUNT))),
    )
    assert found.select(expected.columns).equals(expected)
    assert found["greatest"].equals(found["most"])


@given(st.lists(st.none() | st.integers(0, COUNT - 1), max_size=12))
def test_rows_are_found_by_their_number(numbers: list[int | None]) -> None:
    for number, row in enumerate(rows_of(series(numbers), COUNT)):
        assert (row is None) == (number not in numbers)
        assert row is None or numbers[row] == number
    assert marked(series(numbers), COUNT).to_list() == [n in numbers for n in range(COUNT)]
    assert after_last(series(numbers)) == max((n for n in numbers if n is not None), default=-1) + 1


@given(st.lists(st.tuples(st.none() | st.integers(0, COUNT - 1), VALUES), max_size=12))
def test_the_least_value_of_each_number(pairs: list[tuple[int | None, float | None]]) -> None:
    found = least(
        series([number for number, _ in pairs]),
        pl.Series([value for _, value in pairs], dtype=pl.Float64),
        COUNT,
    )
    for number, value in enumerate(found):
        told = [v for n, v in pairs if n == number and v is not None]
        assert value == min(told, default=None)


def held(texts: list[str | None], way: int) -> Any:
    """A column of texts as one of the readers' ways to hold it."""
    if len(set(texts)) == 1 and way:
        return texts[0]
    return compact(texts, str) if way == 1 and any(texts) else texts


@given(st.lists(st.tuples(st.lists(TEXTS, min_size=1, max_size=5), st.integers(0, 2)), min_size=1))
def test_coded_columns_stand_for_their_texts(parts: list[tuple[list[str | None], int]]) -> None:
    """However parts hold them; the numbers are in the order of the texts."""
    texts = [text for part, _ in parts for text in part]
    rows = [
        Rows(len(part), {"x": held(part, way), "line": list(range(len(part)))})
        for part, way in parts
    ]
    names = Names.of(["x"], rows)
    frame = frames.build({"line": int, "x": str}, rows, {"x": names})
    assert names.texts.to_list() == sorted({text for text in texts if text is not None})
    assert [None if n is None else names.texts[n] for n in frame["x"]] == texts


def joined(texts: list[str | None]) -> Coded:
    lines = "\n".join(text or "" for text in texts).encode()
    return Coded(compact(list(range(len(texts))), int), Joined(lines))


IDS = st.none() | st.text("ab0é", min_size=1, max_size=9) | st.text("ab0é", min_size=30)


@given(st.lists(st.lists(IDS, min_size=1, max_size=5), min_size=1))
def test_joined_columns_stand_for_their_texts(parts: list[list[str | None]]) -> None:
    """Whether numbers tell their order or not: of many long ones they do not."""
    rows = [Rows(len(part), {"x": joined(part)} if any(part) else {}) for part in parts]
    texts = [text for part in parts for text in part]
    names = Names.of(["x"], rows)
    codes = names.column([row.columns.get("x") for row in rows], [row.height for row in rows])
    assert names.texts.to_list() == sorted({text for text in texts if text is not None})
    assert [None if code is None else names.texts[code] for code in codes] == texts


def test_columns_of_one_block_share_their_texts() -> None:
    shared = ["b", "a", None]
    rows = [Rows(2, {"x": Coded(compact(codes, int), shared)}) for codes in ([0, 1], [2, 0])]
    names = Names.of(["x"], rows)
    frame = frames.build({"x": str}, rows, {"x": names})
    assert names.texts.to_list() == ["a", "b"]
    assert frame["x"].to_list() == [1, 0, None, 1]


def test_frames_with_texts_are_coded_alike() -> None:
    """A followed log has frames already, a large one has not: turns see the same numbers."""
    origin = dict.fromkeys(ORIGIN) | {"source": "a", "line": 1, "log": "a", "plain": False}
    eou = [origin | {"speech_id": id_, "room": room} for id_, room in (("s2", "r"), ("s1", "q"))]
    rows = {
        kind: [Rows(2, {n: [each.get(n) for each in eou] for n in schema(kind)})]
        if kind == "eou"
        else []
        for kind in KINDS
    }
    made = Records(rows, Tally())
    framed = Records.of_frames(
        {kind: frames.build(schema(kind), [Rows(p.height, dict(p.columns)) for p in parts])
         for kind, parts in rows.items()},
        Tally(),
    )  # fmt: skip
    one, other = made.coded(), framed.coded()
    for kind in KINDS:
        assert one.frames[kind].equals(other.frames[kind])
    for space, names in one.names.items():
        assert names.to_list() == other.names[space].to_list()
    assert one.frames["eou"]["speech_id"].to_list() == [1, 0]
    assert one.names["origins"].to_list() == ["q", "r"]


def played(pieces: list[tuple[int, float | None, float | None]]) -> list[tuple[Any, Any]]:
    """When each piece plays, as the rule says it."""
    told, last, end = list[tuple[Any, Any]](), None, None
    for turn, heard, length in pieces:
        waits = turn == last and end is not None and heard is not None and end > heard
        begin = end if waits else heard
        end = None if begin is None or length is None else begin + length
        last = turn
        told.append((begin, end))
    return told


@given(
    st.lists(st.tuples(st.integers(0, 5), VALUES, st.none() | st.floats(0, 3)), max_size=40),
    st.sampled_from([1, 2, playout.WIDE]),
)
def test_audio_plays_piece_by_piece(
    pieces: list[tuple[int, float | None, float | None]], wide: int
) -> None:
    """However many turns are looked at together: to the last digit."""
    pieces.sort(key=lambda piece: piece[0])
    schema = {"turn": pl.UInt32, "heard_at": pl.Float64, "audio_duration": pl.Float64}
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(playout, "WIDE", wide)
        found = playout.play(pl.DataFrame(pieces, schema, orient="row"), "turn")
    assert found.select("plays_from", "plays_until").rows() == played(pieces)
