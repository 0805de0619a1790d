"""The scanner: numbers, times and texts are what Python makes of them, and no line is cut short."""

from __future__ import annotations

import ctypes
import itertools
import json
import math
import sys
from datetime import datetime, timedelta, timezone

import numpy as np
import polars as pl
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from logs import eou, plain

from turnlat.blocks import Block, Place
from turnlat.columns import Array, Joined, Steps
from turnlat.readers import LineReader, Options, fast
from turnlat.readers.fast import scan
from turnlat.readers.fast.layout import layout
from turnlat.records import LATEST_TIMESTAMP, Collector, Records


def scanned(*lines: str | bytes) -> tuple[Records, list[Place]]:
    """What the scanner alone makes of lines, and which of them it leaves."""
    content = b"\n".join(line.encode() if isinstance(line, str) else line for line in lines)
    reader, collector = fast.FastReader(), Collector()
    count, left = reader.take(Block("a", "a", 1, 0, content), collector)
    reader.hand_over(collector)
    assert count == content.count(b"\n") + (content[-1:] not in {b"", b"\n"})
    return collector.records(), left


def eou_with(delay: str) -> str:
    return (
        '{"type":"eou_metrics","timestamp":1795332033.69,"transcription_delay":null,'
        f'"end_of_utterance_delay":{delay}}}'
    )


NUMBERS = st.from_regex(
    r"-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,24})?([eE][+-]?[0-9]{1,2})?", fullmatch=True
)
DOUBLES = st.floats(-1e250, 1e250).filter(lambda number: not 0 < abs(number) < 1e-250)


@settings(max_examples=500)
@given(st.lists(NUMBERS | DOUBLES.map(repr), min_size=1, max_size=50))
@example(["0", "-0", "-0.0", "0e5", "9007199254740993", "9007199254740992.5", "1e22", "1e23"])
@example(["0.1234567890123456789", "18446744073709551615", "18446744073709551616", "5e-299"])
@example(["1" * 25 + "e-30", "0." + "0" * 30 + "1", "1" + "0" * 250, "123456789012345678e-19"])
def test_a_number_is_the_nearest_double(numbers: list[str]) -> None:
    records, left = scanned(*map(eou_with, numbers))
    assert left == []
    found = records.frames["eou"]["end_of_utterance_delay"].to_list()
    # An integer has no sign where it is 0.
    wanted = [float(json.loads(number)) for number in numbers]
    assert list(map(repr, found)) == list(map(repr, wanted))


@pytest.mark.parametrize(
    "number",
    [
        "1e300",
        "5e-324",
        "1" * 301,
        "01",
        "-",
        "+1",
        "1.",
        ".5",
        "1e",
        "1e+",
        "NaN",
        "0x1",
        "1_0",
        "١",
        "--1",
    ],
)
def test_what_may_be_no_finite_number_is_left(number: str) -> None:
    _, left = scanned(eou_with(number))
    assert [place.number for place in left] == [1]


OFFSETS = st.integers(-24 * 60 + 1, 24 * 60 - 1).map(lambda minutes: timedelta(minutes=minutes))


@settings(max_examples=300)
@given(
    st.datetimes(datetime(1970, 1, 4), datetime(2199, 12, 30)),  # noqa: DTZ001  # zones below
    OFFSETS.map(timezone),
)
@example(datetime(2000, 2, 29), timezone.utc)  # noqa: DTZ001
@example(datetime(2100, 12, 31, 23, 59, 59, 999_999), timezone.utc)  # noqa: DTZ001
def test_a_time_is_what_python_makes_of_it(moment: datetime, zone: timezone) -> None:
    told = moment.replace(tzinfo=zone)
    line = plain(eou(None, 0)) | {"timestamp": told.isoformat()}
    records, left = scanned(json.dumps(line))
    assert left == []
    assert records.frames["eou"]["timestamp"].to_list() == [told.timestamp()]


@pytest.mark.parametrize(
    "text",
    [
        "2026-02-29T00:00:00Z", "2026-11-31T00:00:00Z", "2026-13-01T00:00:00Z", "noon", "",
        "2026-11-22T24:00:00Z", "2026-11-22T07:60:00Z", "2026-11-22T07:20:60Z",
        "2026-11-22T07:20:33.12Z", "2026-11-22T07:20:33+24:00", "2026-11-22T07:20:33+0000",
        "2026-11-22T07:20:33ZZ", "2026-11-22T07:20:33.123456+00:0", "1970-01-01T07:20:33Z",
        "2301-01-01T00:00:00Z", "2026-11-22", "2026-W47-7T07:20:33Z",
    ],
)  # fmt: skip
def test_what_may_be_no_time_is_left(text: str) -> None:
    _, left = scanned(json.dumps(plain(eou(None, 0)) | {"timestamp": text}))
    assert [place.number for place in left] == [1]


TEXTS = st.text(st.characters(exclude_categories=["Cs"]), max_size=40)


@settings(max_examples=300)
@given(st.lists(TEXTS, min_size=1, max_size=20), st.booleans())
def test_an_id_is_taken_as_it_is_or_the_line_is_left(ids: list[str], escaped: bool) -> None:  # noqa: FBT001
    lines = [
        json.dumps(eou(id_, 0) | {"room": id_, "request_id": id_}, ensure_ascii=escaped)
        for id_ in ids
    ]
    records, left = scanned(*lines)
    kept = [id_ or None for id_, line in zip(ids, lines, strict=True) if "\\" not in line]
    for column in ("speech_id", "room", "request_id"):
        assert records.frames["eou"][column].to_list() == kept
    assert len(left) == len(ids) - len(kept)


def test_more_ids_than_any_table_begins_with_have_their_numbers() -> None:
    ids = [f"speech_{number % 7_000}" for number in range(20_000)]
    records, left = scanned(*(json.dumps(eou(id_, 0)) for id_ in ids))
    assert left == []
    assert records.frames["eou"]["speech_id"].to_list() == ids


@pytest.mark.parametrize("at_once", [1, 2, 3])
def test_a_scanner_hands_over_what_it_holds_and_forgets_it(at_once: int) -> None:
    reader, collector = fast.FastReader(), Collector()
    ids = ["one", "two", "three", "two", "five", "six"]
    for line, id_ in enumerate(ids, 1):
        content = json.dumps(eou(id_, 0, room=id_)).encode()
        assert reader.take(Block("a", "a", line, 0, content), collector) == (1, [])
        if line % at_once == 0:
            reader.hand_over(collector)
    reader.hand_over(collector)
    found = collector.records().frames["eou"]
    assert found.select("line", "speech_id", "room").rows() == [
        (line, id_, id_) for line, id_ in enumerate(ids, 1)
    ]


LINE = json.dumps(
    eou("speech_1", 0, room="r\u00e9")
    | {"x": [1.5e3, {"y": [True, None, '\ud83d\ude00 \\ "']}], "metadata": {"model_name": "m"}}
)


@pytest.mark.parametrize("escaped", [True, False])
def test_every_beginning_of_a_line_is_left(escaped: bool) -> None:  # noqa: FBT001
    line = json.dumps(json.loads(LINE), ensure_ascii=escaped).encode()
    for end in range(len(line)):
        for rest in (b"", b"\n" + line):
            _, left = scanned(line[:end] + rest)
            wanted = [(1, 0, line[:end])] if end or rest else []
            assert left[: len(wanted)] == wanted


@pytest.mark.parametrize(("depth", "is_left"), [(90, False), (110, True), (100_000, True)])
def test_what_is_nested_deeply_is_left(depth: int, is_left: bool) -> None:  # noqa: FBT001
    for nested in ("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth):
        line = json.dumps(eou("s", 0)).removesuffix("}") + f', "x": {nested}}}'
        assert bool(scanned(line)[1]) == is_left


@given(st.lists(st.floats(), max_size=50), st.lists(st.integers(0, 2**16 - 1), max_size=50))
def test_the_steps_of_an_array_make_it_again(times: list[float], lines: list[int]) -> None:
    for array in (np.array(times), np.array(lines, np.uint16), np.array(lines, np.int64)):
        held = Array(array.tobytes(), f"{array.dtype.kind}{array.itemsize}")
        found = Steps.of(held).whole()
        assert found.type == held.type
        assert found.data == held.data


@given(
    st.sampled_from(["f8", "f4", "i8", "i1", "u1", "u2", "u4"]),
    st.integers(0, 50),
    st.integers(0, 9),
    st.lists(
        st.sampled_from([b"\0" * 8, b"\1" * 8, b"\xff" * 8]) | st.binary(min_size=8), min_size=52
    ),
)
def test_polars_and_numpy_see_the_same_array(
    type_: str, count: int, start: int, words: list[bytes]
) -> None:
    data = b"".join(words)[start : start + count * int(type_[1:])]
    array = Array(memoryview(data), type_)
    values: list[float | None] = array.array().tolist()
    if type_ == "i1":
        values = [None if value == -1 else value == 1 for value in values]
    wanted = [None if value != value else value for value in values]  # noqa: PLR0124  # NaN is null
    found = pl.Series(array)
    assert found.to_list() == wanted
    assert found.null_count() == wanted.count(None)


@given(st.lists(st.text(st.characters(exclude_characters="\n", codec="utf-8")), min_size=1))
def test_polars_sees_the_texts_of_lines(texts: list[str]) -> None:
    lines = memoryview(b"..." + "\n".join(texts).encode())[3:]
    found = pl.Series(Joined(lines))
    assert found.to_list() == [text or None for text in texts]
    assert found.null_count() == texts.count("")
    assert found.reverse().sort().to_list() == sorted(found, key=lambda text: (text or "").encode())


@given(
    st.lists(st.binary(max_size=20).filter(lambda text: b"\n" not in text), min_size=1), st.data()
)
def test_lines_are_found_by_their_numbers(lines: list[bytes], data: st.DataObject) -> None:
    held = b"\n".join(lines)
    places = sorted(data.draw(st.sets(st.integers(0, len(lines) - 1))))
    found = scan.lines_at(held, np.array(places, np.int64))
    assert found == b"\n".join(lines[place] for place in places)
    with pytest.raises(IndexError):
        scan.lines_at(held, np.array([*places, len(lines)], np.int64))


SHORT = st.lists(st.text("abé01_", max_size=6), min_size=1)


@given(st.lists(SHORT, min_size=1), st.sampled_from(["", "speech_", "caf\u00e9_"]))
def test_places_are_in_the_order_of_their_texts(parts: list[list[str]], prefix: str) -> None:
    texts = [[text and prefix + text for text in part] for part in parts]
    found, first = scan.places(["\n".join(part).encode() for part in texts])
    places, rows = np.frombuffer(found, np.uint32).tolist(), np.frombuffer(first, np.uint32)
    whole = list(itertools.chain.from_iterable(texts))
    different = sorted(set(whole) - {""})
    assert places == [1 + different.index(text) if text else 0 for text in whole]
    assert [whole[row] for row in rows] == different


@pytest.mark.parametrize("size", [1, 255, 70_000])
def test_many_lines_are_in_order(size: int) -> None:
    numbers = np.random.default_rng(size).integers(0, 2**48, size)
    lines = [f"{number:x}" for number in numbers]
    found, _ = scan.places(["\n".join(lines).encode()])
    different = {line: place for place, line in enumerate(sorted(set(lines)), 1)}
    assert np.frombuffer(found, np.uint32).tolist() == [different[line] for line in lines]


@pytest.mark.parametrize(("symbols", "length", "fits"), [(16, 15, True), (16, 16, False)])
def test_lines_that_differ_in_too_much_have_no_places(
    symbols: int,
    length: int,
    fits: bool,  # noqa: FBT001
) -> None:
    line = "".join(chr(ord("a") + place % symbols) for place in range(length + symbols))
    lines = "\n".join([line[:length], line[symbols - 1 :][:length]])
    assert (scan.places([lines.encode()]) is not None) == fits


def test_an_array_keeps_its_bytes_until_nobody_looks_at_them() -> None:
    data = bytes(bytearray(8))
    count = sys.getrefcount(data)
    part = pl.Series(Array(data, "u1"))[2:4]
    assert sys.getrefcount(data) == count + 1
    del part
    assert sys.getrefcount(data) == count
    Array(data, "u1").__arrow_c_array__()  # which nobody takes
    assert sys.getrefcount(data) == count


RELEASE = 8 * ctypes.sizeof(ctypes.c_void_p)
"""Where Arrow's structure has the function that releases it."""


def test_a_thread_without_pythons_lock_need_not_wait_for_it() -> None:
    data = bytes(bytearray(8))
    count = sys.getrefcount(data)
    _, capsule = Array(data, "f8").__arrow_c_array__()
    pointer_of = ctypes.pythonapi.PyCapsule_GetPointer
    pointer_of.restype, pointer_of.argtypes = ctypes.c_void_p, [ctypes.py_object, ctypes.c_char_p]
    array = pointer_of(capsule, b"arrow_array")
    release = ctypes.c_void_p.from_address(array + RELEASE).value
    ctypes.CFUNCTYPE(None, ctypes.c_void_p)(release)(array)  # which lets go of the lock
    assert sys.getrefcount(data) == count + 1
    Array(b"", "f8").__arrow_c_array__()  # frees what waits
    assert sys.getrefcount(data) == count


def test_lines_lie_in_memory_that_ends_with_nul() -> None:
    """The scanner looks at the byte behind them, which a view of something larger does not end."""
    line = json.dumps(eou("s", 0)).encode()
    scanner = scan.Scanner(layout())
    assert scanner.scan(bytearray(line), 0) == scanner.scan(line, 0) == (1, 0, [])
    with pytest.raises(TypeError):
        scanner.scan(memoryview(line), 0)


def test_without_a_compiler_the_plain_path_reads_all(monkeypatch: pytest.MonkeyPatch) -> None:
    content = "\n".join(json.dumps(eou(f"s{number}", 0)) for number in range(10)).encode()
    monkeypatch.setattr(fast, "IS_BUILT", False)
    reader = LineReader(Options(fast_from=0))
    records = [reader.read(Block("a", "a", 1, 0, content)) for _ in range(2)]
    assert [part.count for part in records] == [10, 10]


def test_the_latest_time_is_a_time() -> None:
    line = json.dumps(eou("s", 0) | {"timestamp": LATEST_TIMESTAMP})
    late = json.dumps(eou("s", 0) | {"timestamp": math.nextafter(LATEST_TIMESTAMP, math.inf)})
    assert [place.number for place in scanned(line, late)[1]] == [2]
