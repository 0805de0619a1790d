"""Shards: records in parts of whole sessions, each of which makes its turns apart.

That takes less memory than all at once. Sessions are told apart before there are frames, where one
column names the session of every record and no rule looks from one session to another.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Hashable, Iterator
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from turnlat import columns
from turnlat.columns import Coded, Joined, Rows, codes_of, key_of, loaded, texts_of
from turnlat.frames import series_of
from turnlat.records import KINDS, Records
from turnlat.tally import Tally
from turnlat.turns.sessions import NAMES, OF_SPEECHES, are_jobs

_ANSWERING = (*OF_SPEECHES, "realtime")
"""The kinds whose records make rows of the turn table; sessions are in the order of these."""

_Numbers = NDArray[np.int32]


class _Part(NamedTuple):
    """Records of one kind that lie together."""

    kind: str
    rows: Rows
    sessions: _Numbers
    """The number of each record's session."""


def split(records: Records, most: int) -> list[Records]:
    """`records`, which are let go, in shards of about `most`; sessions that began first go first.

    The first shard has the tally.
    """
    parts = _one_after_another(records)
    known = _Texts()
    name = _name_of_sessions(parts, known) if records.are_rows else None
    if name is None:
        return [records]
    told, count = _numbered(parts, name, known)
    if _share_speeches(told, known):
        return [records]
    shard_of = _in_shards(told, count, most)
    shards: list[dict[str, list[Rows]]] = [
        {kind: [] for kind in KINDS} for _ in range(shard_of.max() + 1)
    ]
    del known
    parts.clear()
    for kind_parts in records.rows.values():
        kind_parts.clear()
    told.reverse()
    while told:  # each part is let go when it has been taken apart, with the pages that it came in
        part = told.pop()
        for column in part.rows.columns.values():
            if isinstance(column, Coded) and isinstance(column.texts, Joined):
                column.texts.leave_pages()
        for shard, rows in _apart(part.rows, shard_of[part.sessions]):
            shards[shard][part.kind].append(rows)
    tallies = [records.tally, *(Tally() for _ in shards[1:])]
    return [Records(*pair, records.keep) for pair in zip(shards, tallies, strict=True)]


def _one_after_another(records: Records) -> list[tuple[str, Rows]]:
    """All parts of records, those of all kinds that were read together one after another."""
    together = itertools.zip_longest(
        *([(kind, part) for part in parts] for kind, parts in records.rows.items())
    )
    told = filter(None, itertools.chain.from_iterable(together))
    return [(kind, part) for kind, part in told if part.height]


def _name_of_sessions(parts: list[tuple[str, Rows]], known: _Texts) -> str | None:
    """The column that names the session of every record; null where none does, or rules look on.

    `log_metrics` lines are sought among the records of other sources, messages among the delays of
    other sessions, and speeches without an id are numbered over all sessions.
    """
    for kind, part in parts:
        looks_on = kind == "chat" or bool(np.any(part.columns["plain"]))
        if looks_on or (kind in OF_SPEECHES and known.lacks(part, "speech_id")):
            return None
    texts = {name: pl.concat(known.by_key(name, parts).values()) for name in NAMES}
    jobs = are_jobs(texts["hook_session"].drop_nulls())
    if jobs.any() and not texts["job_id"].count():
        name = "hook_session" if jobs.all() else None
    else:
        name = next((name for name in NAMES if texts[name].count()), None)
    return None if name is None or any(known.lacks(part, name) for _, part in parts) else name


class _Texts:
    """What is known of the texts of columns: found once for those that parts of one block share."""

    def __init__(self) -> None:
        self._series: dict[Hashable, tuple[Any, pl.Series]] = {}
        self._nulls: dict[Hashable, NDArray[np.bool_]] = {}

    def of(self, column: Any) -> pl.Series:
        """The texts themselves."""
        key = key_of(column)
        if key not in self._series:  # the column is held, too, so that no other one has its key
            self._series[key] = (column, series_of(texts_of(column)))
        return self._series[key][1]

    def by_key(self, name: str, parts: list[tuple[str, Rows]]) -> dict[Hashable, pl.Series]:
        """The texts of a column of all parts, once where several share them."""
        columns = [part.columns.get(name) for _, part in parts]
        return {key_of(column): self.of(column) for column in columns}

    def are_null(self, column: Any) -> NDArray[np.bool_]:
        """Of each text whether it is null."""
        key = key_of(column)
        if key not in self._nulls:
            self._nulls[key] = self.of(column).is_null().to_numpy()
        return self._nulls[key]

    def lacks(self, part: Rows, name: str) -> bool:
        """Whether a record has no text there."""
        column = part.columns.get(name)
        if not self.of(column).has_nulls():
            return False
        return bool(self.are_null(column)[codes_of(column, part.height)].any())


def _numbered(parts: list[tuple[str, Rows]], name: str, known: _Texts) -> tuple[list[_Part], int]:
    """`parts` with the numbers of their sessions, and how many these are."""
    texts = known.by_key(name, parts)
    ranks = pl.concat(texts.values()).rank("dense").fill_null(1)
    places = (ranks - 1).cast(pl.Int32).to_numpy()
    ends = np.cumsum([len(each) for each in texts.values()])
    numbers = dict(zip(texts, np.split(places, ends[:-1]), strict=True))
    told = []
    for kind, rows in parts:
        column = rows.columns[name]
        sessions = numbers[key_of(column)][codes_of(column, rows.height)]
        told.append(_Part(kind, rows, sessions))
    return told, int(places.max()) + 1


def _share_speeches(parts: list[_Part], known: _Texts) -> bool:
    """Whether several sessions have a speech id in common."""
    owners: dict[Hashable, tuple[pl.Series, _Numbers]] = {}
    for part in parts:
        column = part.rows.columns.get("speech_id")
        if column is None:
            continue
        ids, codes = known.of(column), codes_of(column, part.rows.height)
        _, owner = owners.setdefault(key_of(column), (ids, np.full(len(ids), _NOBODY, np.int32)))
        sessions = part.sessions
        if ids.has_nulls():
            named = ~known.are_null(column)[codes]
            codes, sessions = codes[named], sessions[named]
        owned = owner[codes]
        owner[codes] = np.where(owned == _NOBODY, sessions, owned)
        if (owner[codes] != sessions).any():
            return True
    if not owners:
        return False
    sessions = np.concatenate([owner for _, owner in owners.values()])
    told = sessions != _NOBODY
    hashes = pl.concat([ids for ids, _ in owners.values()]).hash().to_numpy()[told]
    # Different texts of one hash would keep sessions together without need, and do no harm.
    bits = int(sessions.max()).bit_length()
    pairs = (hashes << np.uint64(bits)) | sessions[told].astype(np.uint64)
    pairs = pl.Series(pairs).sort().to_numpy()
    differ = pairs[1:] ^ pairs[:-1]
    return bool(((differ != 0) & (differ >> np.uint64(bits) == 0)).any())


_NOBODY = -1


def _in_shards(parts: list[_Part], count: int, most: int) -> _Numbers:
    """The shard of each of `count` sessions; all shards are about as large."""
    began, weights = np.full(count, np.inf), np.zeros(count)
    for part in parts:
        times = part.rows.columns.get("timestamp")
        if part.kind in _ANSWERING and times is not None:
            np.fmin.at(began, part.sessions, np.array(loaded(times), np.float64))
        weight = _ONLY_COUNTS if part.kind == "other" else 1.0
        weights += weight * np.bincount(part.sessions, minlength=count)
    order = np.argsort(began, kind="stable")
    ends = np.cumsum(weights[order])
    size = ends[-1] / math.ceil(ends[-1] / most)
    shards = np.empty(count, np.int32)
    shards[order] = (ends - weights[order]) // size
    return np.unique(shards, return_inverse=True)[1].astype(np.int32)


_ONLY_COUNTS = 0.25
"""How much a record that only counts adds to a shard: that much of the memory of another."""


def _apart(rows: Rows, shards: _Numbers) -> Iterator[tuple[int, Rows]]:
    """The rows of each shard."""
    found = np.flatnonzero(np.bincount(shards)).tolist()
    if len(found) == 1:
        yield found[0], rows
        return
    for shard in found:
        yield shard, columns.chosen(rows, np.flatnonzero(shards == shard))
