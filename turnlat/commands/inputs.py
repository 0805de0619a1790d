"""Inputs of commands: how logs are read, and what is said about those that could not be whole."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from turnlat.commands import console, options, progress
from turnlat.errors import InputError

if TYPE_CHECKING:
    from turnlat.reading import Readers
    from turnlat.run import Run
    from turnlat.selection import Selection
    from turnlat.tally import BadLine

BAD_LINES_SHOWN = 5

SHARDED_BYTES = 400_000_000
"""Logs with fewer bytes have so few records that all of them make their turns together."""


class Reading(NamedTuple):
    """How every run of a command is read."""

    keep: Sequence[str]
    unwrap: str | None
    jobs: int
    errors: options.OnErrors
    total: str | None
    selection: Selection

    def load(self, path: str) -> Run:
        """The run that `path` holds, of the turns that were asked for."""
        with begun([path], self.jobs, keep=self.keep, unwrap=self.unwrap) as readers:
            from turnlat import run as runs  # noqa: PLC0415  # `begun` loads it

            run = runs.load_with(readers, path, on_broken="keep")
        heed_errors(run, self.errors)
        return with_total(run, self.total).select(self.selection)


def load(logs: Sequence[str], jobs: int, *, unwrap: str | None) -> Run:
    """The run that `logs` hold; a line that cannot be read is named, a damaged archive an error."""
    with begun(logs, jobs, unwrap=unwrap) as readers:
        from turnlat import run as runs  # noqa: PLC0415  # `begun` loads it

        run = runs.load_with(readers, *logs)
    heed_errors(run, options.OnErrors.warn)
    return run


@contextmanager
def begun(
    logs: Sequence[str],
    jobs: int,
    *,
    keep: Sequence[str] = (),
    unwrap: str | None = None,
    rejects: bool = False,
) -> Iterator[Readers]:
    """Readers of `logs`; where it is worth it, they read the first one while polars loads."""
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")  # a process with threads cannot be forked
    from turnlat import sources  # noqa: PLC0415  # --help reads nothing
    from turnlat.readers import Options  # noqa: PLC0415
    from turnlat.reading import Readers  # noqa: PLC0415

    chosen = Options(tuple(dict.fromkeys(keep)), unwrap, rejects)
    names: list[str] = []
    with closing(Readers(chosen, jobs or os.cpu_count() or 1)) as readers:
        with suppress(InputError):  # whoever reads all logs says so
            found = sources.find(sources.split_label(log)[1] for log in logs)
            names = [name for source in found for name in source.files]
            readers.begin(found[0])
        from turnlat import run  # noqa: F401, PLC0415  # polars loads here, while processes read

        if readers.have_begun and Path(names[0]).stat().st_size > SHARDED_BYTES:
            import numpy  # noqa: F401, ICN001, PLC0415  # shards are told apart with it
        gc.freeze()  # what was imported is no garbage
        with closing(progress.of_files(names)) as readers.on_read:
            yield readers


def with_total(run: Run, names: str | None) -> Run:
    """The run with the sum that `--total` asks for."""
    return run if names is None else run.with_total([name.strip() for name in names.split("+")])


def heed_errors(run: Run, errors: options.OnErrors) -> None:
    """Name what could not be read, or end there, as the user asked."""
    if errors is options.OnErrors.skip:
        return
    if errors is options.OnErrors.fail and (run.bad_lines or run.broken):
        first = run.broken[0] if run.broken else place(run.bad_lines[0])
        raise InputError(
            f"{first} (--errors fail)", hint="turnlat analyze --rejects FILE writes all bad lines"
        )
    for line in run.bad_lines[:BAD_LINES_SHOWN]:
        console.say(f"{place(line)}; the line is left out")
    more = run.ledger.bad - BAD_LINES_SHOWN
    if more > 0:
        console.say(
            f"and {more:,} more lines that cannot be read",
            hint="turnlat analyze --rejects FILE writes them all",
        )
    for message in run.broken:
        console.say(message, hint="what could be read is used; --errors skip accepts that")


def place(line: BadLine) -> str:
    """Where a line is and what is wrong with it."""
    return f"{line.source}:{line.line}: {line.reason}"
