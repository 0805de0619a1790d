"""Parcels: what comes out is what went in, and its arrays lie where they were received."""

from __future__ import annotations

import multiprocessing
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from turnlat.reading import parcels


@given(
    st.lists(st.lists(st.integers(-(2**31), 2**31 - 1), max_size=20), max_size=5),
    st.text() | st.none() | st.binary(),
)
def test_what_comes_out_is_what_went_in(arrays: list[list[int]], other: object) -> None:
    sent = {"arrays": [np.array(array, np.int32) for array in arrays], "other": other}
    found = parcels.unpacked(memoryview(bytearray(b"".join(parcels.packed(sent)))))
    assert [array.tolist() for array in found["arrays"]] == arrays
    assert found["other"] == other


def test_arrays_lie_in_the_pages_of_their_parcel_and_can_be_written() -> None:
    here, there = multiprocessing.Pipe(duplex=False)
    sent = [np.arange(7, dtype=np.float64), np.array([True, False]), b"bytes"]
    parcels.send(there, parcels.packed(sent))
    first, second, rest = parcels.receive(here)
    assert (first.tolist(), second.tolist(), rest) == (
        [0, 1, 2, 3, 4, 5, 6],
        [True, False],
        b"bytes",
    )
    assert not first.flags.owndata
    assert first.flags.aligned
    first[0] = 9.0


def test_what_no_pipe_holds_comes_in_parts() -> None:
    here, there = multiprocessing.Pipe(duplex=False)
    sent = [np.arange(size, dtype=np.int64) for size in [300_000, *range(1_500), 200_000]]
    sender = threading.Thread(target=parcels.send, args=(there, parcels.packed(sent)))
    sender.start()
    found = parcels.receive(here)
    sender.join()
    assert all(map(np.array_equal, found, sent))


def test_an_end_amid_a_parcel_is_told() -> None:
    here, there = multiprocessing.Pipe(duplex=False)
    there.send_bytes((1000).to_bytes(8, "little"))
    there.send_bytes(b"the beginning")
    there.close()
    with pytest.raises((EOFError, OSError)):
        parcels.receive(here)


def test_the_end_of_the_sender_is_told() -> None:
    here, there = multiprocessing.Pipe(duplex=False)
    there.close()
    with pytest.raises(EOFError):
        parcels.receive(here)
