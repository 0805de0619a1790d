"""A run: all that one labelled input holds, as tables; can be saved and loaded."""

from __future__ import annotations

import importlib
import io
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, replace
from os import PathLike, fspath
from pathlib import Path
from typing import Any, Literal

import orjson
import polars as pl

from turnlat import sources
from turnlat.engines import Tables, local
from turnlat.errors import InputError, UsageError
from turnlat.metrics import DEFAULT_TOTAL, SUMMABLE
from turnlat.notes import Note
from turnlat.readers import Options
from turnlat.reading import Readers
from turnlat.selection import Selection, select
from turnlat.summaries import latency, tools, transcriptions, usage
from turnlat.tally import BadLine
from turnlat.turns import Ledger
from turnlat.turns.latency import total
from turnlat.turns.table import COLUMNS, RECORDED_AT

SAVED_SUFFIX = ".parquet"
SAVED_SCHEMA = "turnlat/run/1"
_SAVED_KEY = "turnlat"


@dataclass(frozen=True, kw_only=True)
class Run(Tables):
    """The turns of one labelled input, what was transcribed and used, and the ledger."""

    label: str
    total_of: tuple[str, ...] = DEFAULT_TOTAL
    """What `total_latency` adds up."""

    @property
    def turns(self) -> pl.DataFrame:
        """One row per turn or speech: the columns of the contract, then the kept fields."""
        return self.frame.drop(RECORDED_AT)

    @property
    def kept(self) -> list[str]:
        """The fields of log lines that `--keep` took over."""
        return [name for name in self.turns.columns if name not in COLUMNS]

    @property
    def latency(self) -> pl.DataFrame:
        """Per metric: count, missing, min, mean, p50 … max, and the percentiles' intervals."""
        return latency.summarize(latency.population(self.frame)[0])

    def with_total(self, names: Sequence[str]) -> Run:
        """The run with another sum in `total_latency`.

        Raises `UsageError` where a name is no component.
        """
        if not names:
            raise UsageError("--total: nothing to add up", hint=f"name {', '.join(SUMMABLE)}")
        for name in names:
            if name not in SUMMABLE:
                raise UsageError(
                    f"--total: {name!r} is no component",
                    hint=f"components are {', '.join(SUMMABLE)}",
                )
        frame = self.frame.with_columns(total_latency=total(tuple(names)))
        doubled = "eou_delay" in names and "transcription_delay" in names
        notes = [note for note in self.notes if note.code != "total-double"]
        if doubled:
            notes.append(Note.of("total-double", frame["total_latency"].count()))
        return replace(self, frame=frame, notes=notes, total_of=tuple(names))

    def select(self, selection: Selection) -> Run:
        """The run with the turns that fulfil `selection` only; all else stays that of the whole.

        Raises `UsageError` or `InputError` as `turnlat.selection.select` does.
        """
        if not selection:
            return self
        frame = select(self.frame, selection)
        notes = [note for note in self.notes if note.code != "selected"]
        return replace(self, frame=frame, notes=[*notes, Note.of("selected", frame.height)])

    def _repr_html_(self) -> str:
        """What a notebook shows of a run: its summary, and its picture where that extra is there.

        The writers lie above this module, so they are looked up by name.
        """
        notebook = importlib.import_module("turnlat.writers.notebook")
        return str(notebook.of_run(self))

    @property
    def session_count(self) -> int:
        """How many sessions have turns or speeches."""
        sessions = self.frame["session"]
        # Rows of a session lie together: of a large run few are left to be told apart.
        return sessions.filter(sessions.ne_missing(sessions.shift())).n_unique()

    def save(self, path: str | PathLike[str]) -> None:
        """Write the run to a Parquet file: the turn table, the rest in its metadata."""
        Path(path).write_bytes(self.to_parquet())

    def to_parquet(self) -> bytes:
        """What `save` writes."""
        rest = {
            "schema": SAVED_SCHEMA,
            "label": self.label,
            "total_of": self.total_of,
            "ledger": self.ledger.flat(),
            "bad_lines": [asdict(line) for line in self.bad_lines],
            "shapes": dict(self.shapes),
            "unknown": dict(self.unknown),
            "broken": self.broken,
            "notes": [asdict(note) for note in self.notes],
            "transcriptions": self.transcriptions.to_dicts(),
            "tools": self.tools.to_dicts(),
            "usage": self.usage.to_dicts(),
        }
        buffer = io.BytesIO()
        self.frame.write_parquet(buffer, metadata={_SAVED_KEY: orjson.dumps(rest).decode()})
        return buffer.getvalue()


def load(  # noqa: PLR0913  # each is an option of its own
    *inputs: str | PathLike[str],
    keep: Sequence[str] = (),
    label: str | None = None,
    unwrap: str | None = None,
    rejects: bool = False,
    on_broken: Literal["raise", "keep"] = "raise",
    jobs: int = 1,
) -> Run:
    """The run that `inputs` hold together: logs, folders, globs, `-`, or one saved run.

    `label=path` names it. `keep` takes fields of the log lines over into the turn table. `unwrap`
    names the field of a JSON envelope that holds the line. `rejects` keeps the bytes of all bad
    lines. What could be read of a damaged archive is used with `on_broken="keep"` only. `jobs`
    processes read files of 50 MB and more; as with `multiprocessing`, more than one asks for a
    script that does its work under `if __name__ == "__main__"`.
    Raises `InputError` where an input is missing, unreadable or holds no metrics, and
    `UsageError` where a kept field would hide a column.
    """
    options = Options(keep=tuple(dict.fromkeys(keep)), unwrap=unwrap, rejects=rejects)
    with closing(Readers(options, jobs)) as readers:
        return load_with(readers, *inputs, label=label, on_broken=on_broken)


def load_with(
    readers: Readers,
    *inputs: str | PathLike[str],
    label: str | None = None,
    on_broken: Literal["raise", "keep"] = "raise",
) -> Run:
    """What `load` gives, with `readers` that may have begun."""
    named = [sources.split_label(fspath(item)) for item in inputs]
    label = label or next((name for name, _ in named if name), None)
    paths = [path for _, path in named]
    keep = readers.options.keep
    _check_kept(keep)
    if not paths:
        raise UsageError("nothing to read", hint="name a log, a folder or a saved run")
    saved = [path for path in paths if is_saved(path)]
    if saved and len(paths) > 1:
        raise UsageError(
            f"{saved[0]}: a saved run cannot be pooled with other inputs",
            hint="analyze it alone, or analyze the logs that it was made from",
        )
    if saved:
        return _load_saved(saved[0], label, keep)
    tables = local.tabulate_with(readers, sources.find(paths))
    if tables.broken and on_broken == "raise":
        raise InputError(tables.broken[0])
    return Run(label=label or ", ".join(paths), **vars(tables))


def is_saved(path: str) -> bool:
    """Whether `path` is a Parquet file, whatever its name. A pipe is not: it reads only once."""
    try:
        if not Path(path).is_file():
            return False
        with Path(path).open("rb") as file:
            return file.read(len(sources.PARQUET)) == sources.PARQUET
    except (OSError, ValueError):
        return False


def _check_kept(keep: Iterable[str]) -> None:
    for name in keep:
        if name in COLUMNS or name == RECORDED_AT:
            raise UsageError(
                f"--keep {name}: the turn table already has a column {name}",
                hint="leave it out; it can be used in --by as it is",
            )


def _load_saved(path: str, label: str | None, keep: Sequence[str]) -> Run:
    try:
        frame = pl.read_parquet(path)
        metadata = pl.read_parquet_metadata(path).get(_SAVED_KEY)
    except (OSError, pl.exceptions.PolarsError) as error:
        raise InputError(f"{path}: cannot be read: {error}") from error
    try:
        run = _restored(frame, orjson.loads(metadata or "{}"), label)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(
            f"{path}: a Parquet file, but no run that this version of turnlat saved",
            hint=f"save one with: turnlat analyze agent.log -o run{SAVED_SUFFIX}",
        ) from error
    if missing := [name for name in keep if name not in run.kept]:
        raise UsageError(
            f"--keep {missing[0]}: {path} was saved without this field",
            hint="a saved run has only the fields that were kept when it was saved",
        )
    return run


def _restored(frame: pl.DataFrame, rest: dict[str, Any], label: str | None) -> Run:
    """The run of a saved turn table and the rest of its file's metadata."""
    if rest["schema"] != SAVED_SCHEMA or not {*COLUMNS, RECORDED_AT} <= set(frame.columns):
        raise ValueError(rest["schema"])
    return Run(
        label=label or rest["label"],
        frame=frame,
        transcriptions=pl.DataFrame(rest["transcriptions"], schema=transcriptions.SCHEMA),
        tools=pl.DataFrame(rest["tools"], schema=tools.SCHEMA),
        usage=pl.DataFrame(rest["usage"], schema=usage.SCHEMA),
        ledger=Ledger.from_flat(rest["ledger"]),
        bad_lines=[BadLine(**line) for line in rest["bad_lines"]],
        shapes=rest["shapes"],
        unknown=rest["unknown"],
        rejected=[],
        broken=rest["broken"],
        notes=[Note(**note) for note in rest["notes"]],
        total_of=tuple(rest["total_of"]),
    )
