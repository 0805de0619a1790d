"""Documents: a file that is one JSON value over many lines, as `json.dump(…, indent=1)` writes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from itertools import chain, groupby

from turnlat import readers
from turnlat.blocks import Block
from turnlat.readers.fields import BadValueError
from turnlat.records import BadLine, Collector, Records

LARGEST = 256 * 1024 * 1024
"""A file above this size is read line by line, whatever it begins with."""

_BOM = b"\xef\xbb\xbf"


def read(blocks: Iterable[Block], keep: tuple[str, ...] = ()) -> Iterator[Records]:
    """The records of all `blocks`: of a document where a file is one, else of its lines."""
    for _, file in groupby(blocks, key=lambda block: block.source):
        yield from _read_file(file, keep)


def _read_file(blocks: Iterator[Block], keep: tuple[str, ...]) -> Iterator[Records]:
    first = next(blocks)
    gathered = [first]
    if _may_open(first.data):
        gathered += _while_small(blocks, len(first.data))
        whole = replace(first, data=b"".join(block.data for block in gathered))
        if (found := _read_document(whole, keep)) is not None:
            yield found
            return
    for block in chain(gathered, blocks):
        yield readers.read_block(block, keep)


def _may_open(data: bytes) -> bool:
    """Whether the first line is the beginning of a value that goes on below it."""
    line = data.removeprefix(_BOM).lstrip().partition(b"\n")[0].rstrip()
    return line.startswith((b"{", b"[")) and line.endswith((b"{", b"[", b","))


def _while_small(blocks: Iterator[Block], size: int) -> Iterator[Block]:
    while size <= LARGEST and (block := next(blocks, None)):
        size += len(block.data)
        yield block


def _read_document(file: Block, keep: tuple[str, ...]) -> Records | None:
    """The records of a file that is one JSON value; null where it is none.

    The first line stands for the document, all others are `joined` to it.
    """
    if len(file.data) > LARGEST:
        return None
    try:
        value, finite = readers.loads(file.data.removeprefix(_BOM))
    except readers.BadLineError:
        return None
    collector = Collector(keep)
    tally = collector.tally
    tally.joined = len(file.lines()) - 1
    try:
        found = [readers.collect(item, 1, file, collector) for item in _objects(value)]
    except BadValueError as error:
        tally.reject(BadLine(file.source, file.first_line, file.offset, str(error)))
        return collector.records()
    tally.metric, tally.other = int(any(found)), int(not any(found))
    tally.not_finite = int(not finite and any(found))
    return collector.records()


def _objects(value: object) -> list[dict[str, object]]:
    values = value if isinstance(value, list) else [value]
    return [item for item in values if isinstance(item, dict)]
