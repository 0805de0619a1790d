"""The engine of this machine: reads source after source, large files with several processes."""

from __future__ import annotations

import functools
import operator
from collections import Counter
from collections.abc import Iterable
from contextlib import closing
from typing import NamedTuple

import polars as pl

from turnlat import turns
from turnlat.engines import Tables, memory
from turnlat.errors import InputError
from turnlat.readers import Options
from turnlat.reading import Readers
from turnlat.reading.ranges import RANGE_BYTES
from turnlat.records import Records
from turnlat.sources import BLOCK_BYTES, Source
from turnlat.summaries import tools, transcriptions, usage
from turnlat.tally import Tally
from turnlat.turns import Ledger, Turns, numbered
from turnlat.units import plural

_AS_IT_IS = Options()

WHOLE_RECORDS = 1_000_000
"""So many records make their turns together in less memory than anybody misses."""

SHARD_RECORDS = 160_000
"""About so many of yet more records do; with fewer, what each shard takes anyway would tell."""

_AT_A_TIME = 3
"""So many shards are under way together: while Python tells one what to do, polars does others."""


def tabulate(
    sources: Iterable[Source],
    options: Options = _AS_IT_IS,
    block_bytes: int = BLOCK_BYTES,
    *,
    jobs: int = 1,
    range_bytes: int = RANGE_BYTES,
) -> Tables:
    """The tables of all lines of `sources`, which are one run; `jobs` processes read large files.

    Raises `InputError` where a source cannot be read, or none of them holds metrics.
    """
    with closing(Readers(options, jobs, block_bytes, range_bytes)) as readers:
        return tabulate_with(readers, sources)


def tabulate_with(
    readers: Readers, sources: Iterable[Source], shard_records: int = SHARD_RECORDS
) -> Tables:
    """What `tabulate` gives, with `readers` that may have begun."""
    records, broken = gather_with(readers, sources)
    parts = _parts(_shards(records, shard_records))
    ledger = functools.reduce(operator.add, (part.ledger for part in parts))
    found = functools.reduce(operator.add, (part.found for part in parts))
    return Tables(
        frame=numbered.joined([part.table for part in parts]),
        transcriptions=transcriptions.joined([part.transcriptions for part in parts]),
        tools=tools.summarize(pl.concat(part.tools for part in parts)),
        usage=usage.summarize([part.usage for part in parts]),
        ledger=ledger,
        bad_lines=records.tally.bad_lines,
        shapes=dict(records.tally.shapes),
        unknown=dict(records.tally.unknown),
        rejected=records.tally.rejected,
        broken=broken,
        notes=turns.notes(found, ledger),
    )


class _Part(NamedTuple):
    """What is kept of the turns of one shard."""

    table: numbered.Numbered
    transcriptions: pl.DataFrame
    tools: pl.DataFrame
    usage: pl.DataFrame
    ledger: Ledger
    found: Counter[str]

    @classmethod
    def of(cls, built: Turns) -> _Part:
        stt, transcripts = built.frames["stt"], built.frames["transcript"]
        return cls(
            built.table,
            transcriptions.summarize(stt, transcripts, built.sessions),
            built.frames["tool"].select(tools.COLUMNS),
            usage.count(built.frames),
            built.ledger,
            built.found,
        )


def _parts(shards: list[Records]) -> list[_Part]:
    """What is kept of each shard. These are let go one after another: nobody else may hold them."""
    if len(shards) == 1:
        return [_Part.of(turns.build(shards.pop()))]
    from concurrent.futures import ThreadPoolExecutor  # noqa: PLC0415  # small logs need none

    with ThreadPoolExecutor(_AT_A_TIME) as threads:
        under_way = threads.map(_part, shards)
        shards.clear()
        return list(under_way)


def _part(shard: Records) -> _Part:
    part = _Part.of(turns.build(shard))
    memory.give_back()
    return part._replace(table=part.table.narrowed())


def _shards(records: Records, most: int) -> list[Records]:
    """`records` in parts that make their turns apart, where they are more than so many."""
    if records.count <= WHOLE_RECORDS:
        return [records]
    from turnlat.turns import shards  # noqa: PLC0415  # numpy loads here, and small logs need none

    return shards.split(records, most)


def gather(sources: Iterable[Source], options: Options = _AS_IT_IS) -> Records:
    """The records of all lines of `sources`.

    Raises `InputError` where a source cannot be read, or none of them holds metrics.
    """
    with closing(Readers(options)) as readers:
        return gather_with(readers, sources)[0]


def gather_with(readers: Readers, sources: Iterable[Source]) -> tuple[Records, list[str]]:
    """The records of all lines of `sources`, and which archives broke."""
    sources = list(sources)
    parts = (part for source in sources for part in readers.read(source))
    records = Records.concat(parts, readers.options.keep)
    readers.close()
    broken = readers.broken
    if broken and not records.count:
        raise InputError(broken[0])
    if not records.count:
        error = _no_metrics(sources, records.tally)
        error.rejected = records.tally.rejected
        raise error
    return records, broken


_HOW_TO_LOG = (
    'log them with turnlat.hook.record(session, "agent.jsonl"), or with '
    "metrics.log_metrics(ev.metrics) in production mode (python agent.py start)"
)


def _no_metrics(sources: list[Source], tally: Tally) -> InputError:
    """What the lines were instead, and what to do about it."""
    name = sources[0].log if len(sources) == 1 else plural(len(sources), "source")
    holds = "holds" if len(sources) == 1 else "hold"
    if not tally.lines:
        return InputError(f"{name} {holds} no lines at all", hint=_HOW_TO_LOG)
    if tally.wrapped:
        return InputError(
            f"{name} {holds} {plural(tally.wrapped, 'metric')} in a table that the terminal "
            "wrapped (dev or console mode of livekit-agents 1.3 and later): their values are cut "
            "apart over several lines and cannot be read",
            hint=_HOW_TO_LOG,
        )
    return InputError(
        f"{name} {holds} no metrics ({plural(tally.lines, 'line')} read, {_instead(tally)})",
        hint=_HOW_TO_LOG,
    )


def _instead(tally: Tally) -> str:
    if not tally.bad:
        return "all ordinary log lines"
    first = tally.bad_lines[0]
    return f"{tally.bad:,} malformed; the first: line {first.line}, {first.reason}"
