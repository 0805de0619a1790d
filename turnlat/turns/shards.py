"""Shards: records in parts of whole sessions, each of which makes its turns apart.

That takes less memory than all at once. Sessions are told apart before there are frames, where one
column names the session of every record and no rule looks from one session to another.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from turnlat import columns
from turnlat.columns import Coded, Joined, Places, Rows, Texts, codes_of, loaded, texts_of
from turnlat.frames import series_of
from turnlat.records import KINDS, Records
from turnlat.tally import Tally
from turnlat.turns.sessions import NAMES, OF_SPEECHES, is_job

_ANSWERING = (*OF_SPEECHES, "realtime")
"""The kinds whose records make rows of the turn table; sessions are in the order of these."""

_Numbers = NDArray[np.int32]


class _Part(NamedTuple):
    """Records of one kind that lie together."""

    kind: str
    rows: Rows
    name: Any
    """The column that names their sessions."""
    numbers: _Numbers
    """The sessions' numbers, one for each of the column's texts."""

    @property
    def sessions(self) -> _Numbers:
        """The session of each record: made when it is asked for, since records are many."""
        return np.asarray(self.numbers[codes_of(self.name, self.rows.height)])


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
        if looks_on or (kind in OF_SPEECHES and _lacks(part, "speech_id", known)):
            return None
    texts = {name: _different(name, [part for _, part in parts], known) for name in NAMES}
    jobs = set(map(is_job, filter(None, texts["hook_session"])))
    if texts["job_id"] == {None} and True in jobs:
        return None if False in jobs or None in texts["hook_session"] else "hook_session"
    named = next((name for name in NAMES if texts[name] != {None}), None)
    return None if named is None or None in texts[named] else named


def _different(name: str, parts: list[Rows], known: _Texts) -> set[str | None]:
    """The different texts of a column, null among them where any record has none."""
    held = [column for part in parts if (column := part.columns.get(name)) is not None]
    lists = {id(texts): texts for texts in map(texts_of, held)}
    listed = (known.of(texts).to_list() for texts in lists.values())
    found = set(itertools.chain.from_iterable(listed)) - {None}
    return found | ({None} if any(_lacks(part, name, known) for part in parts) else set())


def _lacks(part: Rows, name: str, known: _Texts) -> bool:
    """Whether a record has no text there."""
    column = part.columns.get(name)
    texts = texts_of(column)
    if not known.of(texts).has_nulls():
        return False
    if not isinstance(column, Coded):
        return True
    return bool(known.are_null(texts)[codes_of(column, part.height)].any())


class _Texts:
    """What is known of texts: found once for those that the parts of one block share."""

    def __init__(self) -> None:
        self._series: dict[int, tuple[Texts, pl.Series]] = {}
        self._nulls: dict[int, NDArray[np.bool_]] = {}

    def of(self, texts: Texts) -> pl.Series:
        """The texts themselves."""
        if id(texts) not in self._series:
            self._series[id(texts)] = (texts, series_of(texts))
        return self._series[id(texts)][1]

    def are_null(self, texts: Texts) -> NDArray[np.bool_]:
        """Of each text whether it is null."""
        if id(texts) not in self._nulls:
            self._nulls[id(texts)] = self.of(texts).is_null().to_numpy()
        return self._nulls[id(texts)]


def _numbered(parts: list[tuple[str, Rows]], name: str, known: _Texts) -> tuple[list[_Part], int]:
    """`parts` with the numbers of their sessions, and how many these are."""
    numbers, of_texts, told = Places(), dict[int, _Numbers](), []
    for kind, rows in parts:
        column = rows.columns[name]
        texts = texts_of(column)
        # Parts of one block share their texts.
        if id(texts) not in of_texts or not isinstance(column, Coded):
            of_texts[id(texts)] = np.array(
                [numbers[text] for text in known.of(texts).to_list()], np.int32
            )
        told.append(_Part(kind, rows, column, of_texts[id(texts)]))
    return told, len(numbers)


def _share_speeches(parts: list[_Part], known: _Texts) -> bool:
    """Whether several sessions have a speech id in common."""
    owners: dict[int, tuple[pl.Series, _Numbers]] = {}
    for part in parts:
        column = part.rows.columns.get("speech_id")
        if column is None:
            continue
        texts, codes = texts_of(column), codes_of(column, part.rows.height)
        ids = known.of(texts)
        _, owner = owners.setdefault(id(texts), (ids, np.full(len(ids), _NOBODY, np.int32)))
        sessions = part.sessions
        if ids.has_nulls():
            named = ~known.are_null(texts)[codes]
            codes, sessions = codes[named], sessions[named]
        owned = owner[codes]
        owner[codes] = np.where(owned == _NOBODY, sessions, owned)
        if (owner[codes] != sessions).any():
            return True
    if not owners:
        return False
    sessions = np.concatenate([owner for _, owner in owners.values()])
    hashes = pl.concat([ids for ids, _ in owners.values()]).hash().to_numpy()
    # Different texts of one hash would keep sessions together without need, and do no harm.
    bits = int(sessions.max()).bit_length()
    told = sessions != _NOBODY
    pairs = np.sort((hashes[told] << np.uint64(bits)) | sessions[told].astype(np.uint64))
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
