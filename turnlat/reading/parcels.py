"""Parcels: what one process sends to another; arrays stay in the memory that they came into."""

from __future__ import annotations

import itertools
import mmap
import pickle
import struct
from multiprocessing.connection import Connection
from typing import Any

_PROTOCOL = 5
_ALIGNED = 16
"""Where arrays may begin."""
_COUNT = struct.Struct("<Q")


def packed(value: object) -> bytes:
    """`value` as bytes, its arrays behind one another at the end."""
    arrays: list[pickle.PickleBuffer] = []
    told = pickle.dumps(value, _PROTOCOL, buffer_callback=arrays.append)
    parts = [memoryview(told), *(array.raw() for array in arrays)]
    sizes = [_COUNT.pack(len(part)) for part in parts]
    head = b"".join([_COUNT.pack(len(parts)), *sizes])
    padded = ((part, bytes(-len(part) % _ALIGNED)) for part in (memoryview(head), *parts))
    return b"".join(itertools.chain.from_iterable(padded))


def unpacked(parcel: memoryview) -> Any:
    """The value whose bytes these are; its arrays lie in them."""
    (count,) = _COUNT.unpack_from(parcel)
    sizes = [size for (size,) in _COUNT.iter_unpack(parcel[: _COUNT.size * (count + 1)])][1:]
    start, parts = _end(_COUNT.size * (count + 1)), []
    for size in sizes:
        parts.append(parcel[start : start + size])
        start = _end(start + size)
    return pickle.loads(parts[0], buffers=parts[1:])  # noqa: S301  # of our own process


def send(connection: Connection, parcel: bytes) -> None:
    """Send a parcel, its size first."""
    connection.send_bytes(_COUNT.pack(len(parcel)))
    connection.send_bytes(parcel)


def receive(connection: Connection) -> Any:
    """What was sent, in pages of its own: they are free again as soon as its arrays are.

    Raises `EOFError` where the other process has ended, and `OSError` where it did amid a parcel.
    """
    (size,) = _COUNT.unpack(connection.recv_bytes())
    pages = mmap.mmap(-1, size)
    connection.recv_bytes_into(pages)
    return unpacked(memoryview(pages))


def _end(place: int) -> int:
    return place + -place % _ALIGNED
