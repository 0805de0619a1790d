"""The engine of this machine: reads source after source, large files with several processes."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import closing

from turnlat import turns
from turnlat.engines import Tables
from turnlat.errors import InputError
from turnlat.readers import Options
from turnlat.reading import Readers
from turnlat.reading.ranges import RANGE_BYTES
from turnlat.records import Records, Tally
from turnlat.sources import BLOCK_BYTES, Source
from turnlat.summaries import tools, transcriptions, usage
from turnlat.units import plural

_AS_IT_IS = Options()


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


def tabulate_with(readers: Readers, sources: Iterable[Source]) -> Tables:
    """What `tabulate` gives, with `readers` that may have begun."""
    records, broken = gather_with(readers, sources)
    built = turns.build(records)
    return Tables(
        frame=built.frame,
        transcriptions=transcriptions.summarize(built.frames["stt"], built.frames["transcript"]),
        tools=tools.summarize(built.frames["tool"]),
        usage=usage.summarize(built.frames),
        ledger=built.ledger,
        bad_lines=records.tally.bad_lines,
        shapes=dict(records.tally.shapes),
        unknown=dict(records.tally.unknown),
        rejected=records.tally.rejected,
        broken=broken,
        notes=built.notes,
    )


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
