"""Archives: files that are packed, and how they are unpacked; a kind is a line in `_ARCHIVES`.

What unpacks them is loaded for the first one: most logs are no archives.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from io import BufferedReader
from typing import Any, BinaryIO, Protocol

_ZSTD = "compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd"
_IGZIP = "isal.igzip_lib"

_STEP_BYTES = 128 * 1024
"""How much is unpacked at once; where an archive breaks, so much before it may be lost."""


class Stream(Protocol):
    """Bytes that come as they are ready."""

    def read1(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""


class _Gzip:
    """Gzip, unpacked four times as fast as Python does it; several may lie in one file."""

    def __init__(self, file: BinaryIO, igzip: Any) -> None:
        self._file, self._igzip = file, igzip
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
            raise _module("gzip").BadGzipFile(f"Not a gzipped file ({self._packed[:2]!r})")
        self._unpacker = self._igzip.IgzipDecompressor(flag=self._igzip.DECOMP_GZIP)
        return True


def _open_gzip(file: BinaryIO) -> AbstractContextManager[Any]:
    igzip = _module(_IGZIP)
    opened: AbstractContextManager[Any] = (
        _module("gzip").open(file) if igzip is None else nullcontext(_Gzip(file, igzip))
    )
    return opened


def _opener(module: str) -> Callable[[BinaryIO], AbstractContextManager[Any]]:
    return lambda file: _module(module).open(file)


def _module(name: str) -> Any:
    """A module; null where there is none, as of isal for rare processors."""
    try:
        return importlib.import_module(name)
    except ImportError:
        return None


_GZIP = b"\x1f\x8b"
_ARCHIVES: dict[bytes, Callable[[BinaryIO], AbstractContextManager[Any]]] = {
    _GZIP: _open_gzip,
    b"BZh": _opener("bz2"),
    b"\xfd7zXZ\x00": _opener("lzma"),
    b"\x28\xb5\x2f\xfd": _opener(_ZSTD),
}
"""How packed files begin, whatever their names."""
_LONGEST_MAGIC = max(map(len, _ARCHIVES))


def broken() -> tuple[type[Exception], ...]:
    """How a damaged archive shows itself; bz2 says so with a plain OSError, which disks do too."""
    igzip = _module(_IGZIP)
    return (
        EOFError,
        OSError,
        _module("gzip").BadGzipFile,
        _module("zlib").error,
        _module("lzma").LZMAError,
        _module(_ZSTD).ZstdError,
        *([] if igzip is None else [igzip.IsalError]),
    )


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
