"""Parcels: what one process sends to another; arrays stay in the memory that they came into."""

from __future__ import annotations

import itertools
import mmap
import os
import pickle
import struct
from collections import deque
from collections.abc import Sequence
from multiprocessing.connection import Connection
from typing import Any

Parcel = Sequence[memoryview]
"""The parts of what is sent, one after another."""

_PROTOCOL = 5
_ALIGNED = 16
"""Where arrays may begin."""
_COUNT = struct.Struct("<Q")
_MOST_PARTS = 512
"""So many parts are written together; systems take 1,024 of them."""
_AT_ONCE = {"flags": mmap.MAP_SHARED | mmap.MAP_POPULATE} if hasattr(mmap, "MAP_POPULATE") else {}
"""How to get pages that are there already, where one can: one after another takes longer."""


def packed(value: object) -> Parcel:
    """`value` as the parts of a parcel, its arrays at the end.

    These are not copied: nobody may change them before they are sent.
    """
    arrays: list[pickle.PickleBuffer] = []
    told = pickle.dumps(value, _PROTOCOL, buffer_callback=arrays.append)
    parts = [memoryview(told), *(array.raw() for array in arrays)]
    sizes = [_COUNT.pack(len(part)) for part in parts]
    head = memoryview(b"".join([_COUNT.pack(len(parts)), *sizes]))
    padded = ((part, memoryview(bytes(-len(part) % _ALIGNED))) for part in (head, *parts))
    return [part for part in itertools.chain.from_iterable(padded) if part]


def unpacked(parcel: memoryview) -> Any:
    """The value whose bytes these are; its arrays lie in them."""
    (count,) = _COUNT.unpack_from(parcel)
    sizes = [size for (size,) in _COUNT.iter_unpack(parcel[: _COUNT.size * (count + 1)])][1:]
    start, parts = _end(_COUNT.size * (count + 1)), []
    for size in sizes:
        parts.append(parcel[start : start + size])
        start = _end(start + size)
    return pickle.loads(parts[0], buffers=parts[1:])  # noqa: S301  # of our own process


def send(connection: Connection, parcel: Parcel) -> None:
    """Send a parcel, its size first."""
    connection.send_bytes(_COUNT.pack(sum(map(len, parcel))))
    _write(connection, parcel)


def receive(connection: Connection) -> Any:
    """What was sent, in pages of its own: they are free again as soon as its arrays are.

    Raises `EOFError` or `OSError` where the other process has ended.
    """
    (size,) = _COUNT.unpack(connection.recv_bytes())
    pages = mmap.mmap(-1, size, **_AT_ONCE)
    view, done = memoryview(pages), 0
    while done < size:
        done += _read(connection, view[done:])
    return unpacked(view)


if hasattr(os, "readv"):

    def _write(connection: Connection, parcel: Parcel) -> None:
        waiting = deque(parcel)
        while waiting:
            written = os.writev(connection.fileno(), list(itertools.islice(waiting, _MOST_PARTS)))
            while waiting and written >= len(waiting[0]):
                written -= len(waiting.popleft())
            if written:
                waiting[0] = waiting[0][written:]

    def _read(connection: Connection, view: memoryview) -> int:
        """Read straight into the pages: `recv_bytes_into` copies everything twice."""
        if not (count := os.readv(connection.fileno(), [view])):
            raise EOFError
        return count

else:  # Windows

    def _write(connection: Connection, parcel: Parcel) -> None:
        for part in parcel:
            connection.send_bytes(part)

    def _read(connection: Connection, view: memoryview) -> int:
        return connection.recv_bytes_into(view)


def _end(place: int) -> int:
    return place + -place % _ALIGNED
