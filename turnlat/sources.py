"""Where bytes come from: files, folders, globs, rotated sets, stdin; as blocks of whole lines."""

from __future__ import annotations

import glob
import os
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from io import BufferedReader
from pathlib import Path
from typing import NamedTuple, cast

from turnlat.archives import Stream, broken, unpacked
from turnlat.blocks import Block
from turnlat.errors import InputError

BLOCK_BYTES = 4 * 1024 * 1024
"""How much is decoded at once; a longer line makes its block longer."""

LONGEST_LINE = 128 * 1024 * 1024
"""Of a line that goes on after this only the beginning is kept: it is no log line."""

_KEPT_OF_LINE = 64 * 1024
_CUT = b"\0"
"""What stands where a line was cut: no reader takes it for part of a sound line."""

STDIN = "-"

_ROTATION = re.compile(
    r"(?P<log>.+?)[.-](?P<part>\d{1,4}|\d{4}-?\d\d-?\d\d(?:[T_-]?[\d:-]+)?)"
    r"(?P<compressed>\.(?:gz|bz2|xz|zst))?"
)
"""`agent.log.1`, `agent.log.2.gz`, `agent.log-20261122`, `agent.log.2026-11-22`."""

PARQUET = b"PAR1"
"""How a saved run begins, which is no log."""


_LOG_SUFFIXES = {".jsonl", ".ndjson", ".json", ".log", ".txt", ".out", ".err"}
_COMPRESSED_SUFFIXES = {".gz", ".bz2", ".xz", ".zst"}


class Source(NamedTuple):
    """One log: the files that it was rotated into, oldest first."""

    log: str
    files: tuple[str, ...]

    def blocks(self, name: str, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
        """All lines of the file `name`, block by block.

        Raises `InputError` where it cannot be read, `BrokenArchiveError` after what could be.
        """
        line, offset = 1, 0
        try:
            with _open(name) as stream:
                for data, dropped in _whole_lines(stream, block_bytes):
                    yield Block(name, self.log, line, offset, data)
                    line += data.count(b"\n")
                    offset += len(data) + dropped
        except BrokenArchiveError as error:
            place = f"after {offset:,} bytes, in line {line:,}"
            raise BrokenArchiveError(f"{name}: the archive is damaged {place}: {error}") from error
        except OSError as error:
            raise _unreadable(name, error) from error


class BrokenArchiveError(InputError):
    """An archive that could be read up to some place only."""


def _whole_lines(stream: Stream, block_bytes: int) -> Iterator[tuple[bytes, int]]:
    """Blocks that end with a line, and how many bytes of a line that is too long were dropped.

    Before an archive breaks, all that could be read of it.
    """
    rest, parts, size, dropped = b"", list[bytes](), 0, 0
    try:
        while data := stream.read1(block_bytes):
            parts.append(data)
            size += len(data)
            if size < block_bytes:
                continue
            rest = b"".join([rest, *parts])
            parts, size = [], 0
            if end := rest.rfind(b"\n") + 1:
                whole, rest = rest[:end], rest[end:]
                yield from apart(whole, dropped)
                dropped = 0
                del whole  # it would be held until the next one is there
            rest, more = cut(rest)
            dropped += more
        yield from apart(b"".join([rest, *parts]), dropped)
    except broken() as error:
        yield from apart(b"".join([rest, *parts]), dropped)
        raise BrokenArchiveError(str(error).lower()) from error


def cut(line: bytes) -> tuple[bytes, int]:
    """The beginning of a line that has no end yet, and how many bytes of it were dropped."""
    if len(line) <= LONGEST_LINE:
        return line, 0
    kept = line[:_KEPT_OF_LINE] + _CUT
    return kept, len(line) - len(kept)


def apart(data: bytes, dropped: int) -> Iterator[tuple[bytes, int]]:
    """`data`, its first line apart where bytes were dropped of it: they shift what follows."""
    if dropped:
        first, newline, data = data.partition(b"\n")
        yield first + newline, dropped
    if data:
        yield data, 0


def split_label(item: str) -> tuple[str | None, str]:
    """`label=path`; a path that exists is never taken apart."""
    label, separator, path = item.partition("=")
    if not separator or not label or "/" in label or Path(item).exists():
        return None, item
    return label, path


def find(inputs: Iterable[str]) -> list[Source]:
    """The logs that `inputs` (files, folders, globs, `-`) name, each file once.

    Raises `InputError` where one of them names nothing.
    """
    files: dict[str, str] = {}
    for item in inputs:
        for name in _expand(item):
            files.setdefault(_identity(name), os.path.normpath(name))
    sets: dict[str, list[str]] = defaultdict(list)
    for name in files.values():
        sets[log_of(name)].append(name)
    return [Source(log, tuple(sorted(files, key=_age))) for log, files in sets.items()]


def _identity(name: str) -> str:
    """What is the same for two spellings of one file."""
    return name if name == STDIN else os.path.realpath(name)


def _expand(item: str) -> list[str]:
    try:
        return [STDIN] if item == STDIN else _matches(item)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) else error
        raise InputError(f"{item[:200]}: cannot be read: {str(reason).lower()}") from error


def _matches(item: str) -> list[str]:
    if not item:
        raise InputError("an input without a name", hint="is a variable of the shell empty?")
    path = Path(item)
    if path.is_dir():
        return _folder(path)
    if path.exists():
        return [item]
    found = sorted(glob.glob(item, recursive=True)) if glob.has_magic(item) else []  # noqa: PTH207
    if files := [name for name in found if Path(name).is_file()]:
        return files
    raise InputError(f"{item}: no such file or folder", hint=_similar(path))


def _folder(path: Path) -> list[str]:
    found = sorted(str(file) for file in path.rglob("*") if file.is_file() and _is_log(file))
    if not found:
        raise InputError(
            f"{path}: the folder holds no logs",
            hint=f"files that end in {', '.join(sorted(_LOG_SUFFIXES))} are read from a folder; "
            "name others one by one",
        )
    return found


def _is_log(file: Path) -> bool:
    if file.name.startswith("."):
        return False
    plain = file.name
    if file.suffix in _COMPRESSED_SUFFIXES:
        plain = plain.removesuffix(file.suffix)
    if rotated := _ROTATION.fullmatch(plain):
        plain = rotated["log"]
    return Path(plain).suffix in _LOG_SUFFIXES


def _similar(path: Path) -> str | None:
    parent = path.parent
    if not parent.is_dir():
        return f"there is no folder {parent} either"
    close = sorted(file.name for file in parent.iterdir() if file.name.startswith(path.name[:3]))
    return f"in that folder: {', '.join(close[:5])}" if path.name[:3] and close else None


def log_of(name: str) -> str:
    """The log that a file belongs to: itself, or the one that it was rotated from."""
    folder, base = str(Path(name).parent), Path(name).name
    rotated = _ROTATION.fullmatch(base)
    if name == STDIN or not rotated or Path(rotated["log"]).suffix not in _LOG_SUFFIXES:
        return name
    return str(Path(folder) / rotated["log"])


def _age(name: str) -> tuple[int, int, str]:
    """Sorts a rotated set oldest first: dated parts, then numbers counting down, then the log."""
    rotated = _ROTATION.fullmatch(Path(name).name)
    if not rotated or log_of(name) == name:
        return (2, 0, name)
    part = rotated["part"]
    return (1, -int(part), name) if len(part) <= len("9999") else (0, 0, part)


@contextmanager
def _open(name: str) -> Iterator[Stream]:
    with _raw(name) as file, unpacked(file) as stream:
        yield stream


def _raw(name: str) -> AbstractContextManager[BufferedReader]:
    if name != STDIN:
        return Path(name).open("rb")
    if sys.stdin is None:
        raise InputError("-: stdin is closed")
    return nullcontext(cast("BufferedReader", sys.stdin.buffer))


def _unreadable(name: str, error: Exception) -> InputError:
    reason = (getattr(error, "strerror", None) or str(error)).lower()
    return InputError(f"{name}: cannot be read: {reason}")
