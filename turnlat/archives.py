"""Archives: files that are packed, and how they are unpacked; a kind is a line in `_ARCHIVES`."""

from __future__ import annotations

import bz2
import gzip
import importlib
import lzma
import sys
import zlib
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from io import BufferedReader
from typing import Any, BinaryIO, Protocol

try:
    _igzip: Any = importlib.import_module("isal.igzip_lib")
except ImportError:  # there is none for rare processors
    _igzip = None

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

_STEP_BYTES = 128 * 1024
"""How much is unpacked at once; where an archive breaks, so much before it may be lost."""


class Stream(Protocol):
    """Bytes that come as they are ready."""

    def read1(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""


class _Gzip:
    """Gzip, unpacked four times as fast as Python does it; several may lie in one file."""

    def __init__(self, file: BinaryIO) -> None:
        self._file = file
        self._packed = b""
        self._unpacker: Any = None

    def read1(self, size: int) -> bytes:
        """At most `size` bytes; none at the end.

        Raises what `gzip` raises where the archive is damaged.
        """
        while self._unpacker is not None or self._begins():
            if self._unpacker.needs_input and not self._packed:
                self._packed = self._file.read(_STEP_BYTES)
                if not self._packed:
                    raise EOFError(
                        "Compressed file ended before the end-of-stream marker was reached"
                    )
            packed, self._packed = self._packed, b""
            data: bytes = self._unpacker.decompress(packed, min(size, _STEP_BYTES))
            if self._unpacker.eof:
                self._packed, self._unpacker = self._unpacker.unused_data, None
            if data:
                return data
        return b""

    def _begins(self) -> bool:
        """Whether another archive begins here, after zeros that fill up a tape's block."""
        while not (packed := self._packed.lstrip(b"\0")):
            self._packed = self._file.read(_STEP_BYTES)
            if not self._packed:
                return False
        self._packed = packed
        if len(self._packed) < len(_GZIP):
            self._packed += self._file.read(_STEP_BYTES)
        if not self._packed.startswith(_GZIP):
            raise gzip.BadGzipFile(f"Not a gzipped file ({self._packed[:2]!r})")
        self._unpacker = _igzip.IgzipDecompressor(flag=_igzip.DECOMP_GZIP)
        return True


def _open_gzip(file: BinaryIO) -> AbstractContextManager[Any]:
    return gzip.open(file) if _igzip is None else nullcontext(_Gzip(file))


_GZIP = b"\x1f\x8b"
_ARCHIVES: dict[bytes, Callable[[BinaryIO], AbstractContextManager[Any]]] = {
    _GZIP: _open_gzip,
    b"BZh": bz2.open,
    b"\xfd7zXZ\x00": lzma.open,
    b"\x28\xb5\x2f\xfd": zstd.open,
}
"""How packed files begin, whatever their names."""
_LONGEST_MAGIC = max(map(len, _ARCHIVES))

BROKEN: tuple[type[Exception], ...] = (
    EOFError,
    gzip.BadGzipFile,
    zlib.error,
    lzma.LZMAError,
    zstd.ZstdError,
    OSError,
    *([] if _igzip is None else [_igzip.IsalError]),
)
"""How a damaged archive shows itself; bz2 says so with a plain OSError, which disks do too."""


def is_packed(file: BufferedReader) -> bool:
    """Whether the first bytes of a file say that it is packed."""
    return _unpacker(file) is not None


def unpacked(file: BufferedReader) -> AbstractContextManager[Stream]:
    """The bytes of a file, unpacked where its first ones say that it is packed."""
    unpack = _unpacker(file)
    return nullcontext(file) if unpack is None else unpack(file)


def _unpacker(file: BufferedReader) -> Callable[[BinaryIO], AbstractContextManager[Any]] | None:
    start = file.peek(_LONGEST_MAGIC)
    return next((unpack for magic, unpack in _ARCHIVES.items() if start.startswith(magic)), None)
