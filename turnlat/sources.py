"""Where bytes come from: files, folders, globs, rotated sets, stdin; as blocks of whole lines."""

from __future__ import annotations

import glob
import re
import sys
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from turnlat.blocks import Block
from turnlat.errors import InputError

BLOCK_BYTES = 4 * 1024 * 1024
"""How much is decoded at once; a longer line makes its block longer."""

STDIN = "-"

_ROTATION = re.compile(
    r"(?P<log>.+?)[.-](?P<part>\d{1,4}|\d{4}-?\d\d-?\d\d(?:[T_-]?[\d:-]+)?)"
    r"(?P<compressed>\.(?:gz|zst|bz2|xz))?"
)
"""`agent.log.1`, `agent.log.2.gz`, `agent.log-20261122`, `agent.log.2026-11-22`."""

_LOG_SUFFIXES = {".jsonl", ".ndjson", ".json", ".log", ".txt", ".out", ".err"}
_COMPRESSED_SUFFIXES = {".gz", ".zst", ".bz2", ".xz"}


@dataclass(frozen=True)
class Source:
    """One log: the files that it was rotated into, oldest first."""

    log: str
    files: tuple[str, ...]

    def blocks(self, block_bytes: int = BLOCK_BYTES) -> Iterator[Block]:
        """All its lines, block by block.

        Raises `InputError` where a file cannot be read.
        """
        for name in self.files:
            with _open(name) as stream:
                yield from self._file_blocks(name, stream, block_bytes)

    def _file_blocks(self, name: str, stream: BinaryIO, block_bytes: int) -> Iterator[Block]:
        line, offset = 1, 0
        try:
            while data := stream.read(block_bytes):
                data += stream.readline()
                yield Block(name, self.log, line, offset, data)
                line += data.count(b"\n")
                offset += len(data)
        except OSError as error:
            raise _unreadable(name, error) from error


def find(inputs: Iterable[str]) -> list[Source]:
    """The logs that `inputs` (files, folders, globs, `-`) name, each file once.

    Raises `InputError` where one of them names nothing.
    """
    names = list(dict.fromkeys(name for item in inputs for name in _expand(item)))
    sets: dict[str, list[str]] = defaultdict(list)
    for name in names:
        sets[_log_of(name)].append(name)
    return [Source(log, tuple(sorted(files, key=_age))) for log, files in sets.items()]


def _expand(item: str) -> list[str]:
    if item == STDIN:
        return [item]
    path = Path(item)
    if path.is_dir():
        return _folder(path)
    if path.exists():
        return [item]
    found = sorted(glob.glob(item, recursive=True)) if glob.has_magic(item) else []  # noqa: PTH207
    if found:
        return [name for name in found if Path(name).is_file()]
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


def _log_of(name: str) -> str:
    folder, base = str(Path(name).parent), Path(name).name
    rotated = _ROTATION.fullmatch(base)
    if name == STDIN or not rotated or Path(rotated["log"]).suffix not in _LOG_SUFFIXES:
        return name
    return str(Path(folder) / rotated["log"])


def _age(name: str) -> tuple[int, int, str]:
    """Sorts a rotated set oldest first: dated parts, then numbers counting down, then the log."""
    rotated = _ROTATION.fullmatch(Path(name).name)
    if not rotated or _log_of(name) == name:
        return (2, 0, name)
    part = rotated["part"]
    return (1, -int(part), name) if len(part) <= len("9999") else (0, 0, part)


def _open(name: str) -> BinaryIO:
    if name == STDIN:
        return sys.stdin.buffer
    try:
        return Path(name).open("rb")
    except OSError as error:
        raise _unreadable(name, error) from error


def _unreadable(name: str, error: OSError) -> InputError:
    reason = (error.strerror or str(error)).lower()
    return InputError(f"{name}: cannot be read: {reason}")
