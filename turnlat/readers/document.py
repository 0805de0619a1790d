"""Documents: a file that is one JSON value over many lines, as `json.dump(…, indent=1)` writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import chain

from turnlat.blocks import Block
from turnlat.readers.lines import LineReader, Options
from turnlat.readers.syntax import BOM
from turnlat.records import Records

LARGEST = 256 * 1024 * 1024
"""A file above this size is read line by line, whatever it begins with."""


def read(blocks: Iterable[Block], options: Options) -> Iterator[Records]:
    """The records of the `blocks` of one file: of a document where it is one, else of its lines."""
    blocks, reader = iter(blocks), LineReader(options)
    first = next(blocks, None)
    if first is None:
        return
    gathered = [first]
    if may_open(bytes(first.data)):
        gathered += _while_small(blocks, len(first.data))
        whole = first._replace(data=b"".join(block.data for block in gathered))
        if len(whole.data) <= LARGEST and (found := reader.read_document(whole)) is not None:
            yield found
            return
    for block in chain(gathered, blocks):
        yield reader.read(block)
    yield reader.finish()


def may_open(data: bytes) -> bool:
    """Whether the first line is the beginning of a value that goes on below it."""
    line = data.removeprefix(BOM).lstrip().partition(b"\n")[0].rstrip()
    return line.startswith((b"{", b"[")) and line.endswith((b"{", b"[", b","))


def _while_small(blocks: Iterator[Block], size: int) -> Iterator[Block]:
    while size <= LARGEST and (block := next(blocks, None)):
        size += len(block.data)
        yield block
