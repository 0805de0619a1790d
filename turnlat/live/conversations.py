"""Conversations: the live records, in groups that no rule about turns looks across.

The turns of a group depend on its records alone, so that only groups that changed are rebuilt.
"""

from __future__ import annotations

from collections.abc import Collection

import polars as pl

from turnlat import turns
from turnlat.live.groups import Groups, keys_of, own_sessions, tells_twice
from turnlat.records import KINDS, Records, schema
from turnlat.tally import Tally
from turnlat.turns import Turns, members

_GROUP = "group"

MOST_CHUNKS = 64
"""Every look at a log adds a chunk to each frame, and many chunks make it slow."""

_QUIET = {"stt", "other", "tool", "transcript", "loss"}
"""Kinds whose records make no turn and change none."""


class Conversations:
    """Marked records with their groups."""

    def __init__(self) -> None:
        self._groups = Groups()
        self._shapes: set[tuple[bool, bool]] = set()
        group = pl.Series(_GROUP, dtype=pl.Int64)
        self._frames = {
            kind: pl.DataFrame(schema=schema(kind, (members.MARK,))).with_columns(group)
            for kind in KINDS
        }

    def take(self, records: Records) -> set[int]:
        """Put marked records into their groups; the groups whose turns may be others now."""
        changed: set[int] = set()
        own = own_sessions(records)
        together = ["all"] if tells_twice(own, self._shapes) else []
        for kind in (kind for kind, frame in own.items() if frame.height):
            groups = [self._groups.group([*keys, *together]) for keys in keys_of(kind, own[kind])]
            column = pl.Series(_GROUP, groups, dtype=pl.Int64)
            whole = pl.concat([self._frames[kind], records.frames[kind].with_columns(column)])
            self._frames[kind] = whole.rechunk() if whole.n_chunks() > MOST_CHUNKS else whole
            changed |= set(groups) if kind not in _QUIET else set()
        renamed = self._groups.settle()
        if renamed:
            self._rename(renamed)
        return {renamed.get(group, group) for group in changed} | set(renamed.values())

    def index(self) -> pl.DataFrame:
        """The `number` and `group` of every record."""
        return pl.concat(
            [
                frame.select(_GROUP, number=members.numbers_of(frame))
                for frame in self._frames.values()
            ]
        )

    def build(self, groups: Collection[int] | None = None) -> Turns:
        """The turns of some groups, or of all."""
        wanted = pl.lit(value=True) if groups is None else pl.col(_GROUP).is_in(list(groups))
        return self._build({kind: frame.filter(wanted) for kind, frame in self._frames.items()})

    def build_of(self, numbers: pl.Series) -> Turns:
        """The turns of some records, as if there were no others."""
        return self._build(
            {
                kind: frame.filter(members.numbers_of(frame).is_in(numbers.implode()))
                for kind, frame in self._frames.items()
            }
        )

    def forget(self, numbers: pl.Series) -> None:
        """Drop some records."""
        self._frames = {
            kind: frame.filter(~members.numbers_of(frame).is_in(numbers.implode()))
            for kind, frame in self._frames.items()
        }
        self._groups.forget(set(self.index()[_GROUP].unique()))

    def _rename(self, renamed: dict[int, int]) -> None:
        self._frames = {
            kind: frame.with_columns(pl.col(_GROUP).replace(renamed))
            for kind, frame in self._frames.items()
        }

    @staticmethod
    def _build(frames: dict[str, pl.DataFrame]) -> Turns:
        plain = {kind: frame.drop(_GROUP) for kind, frame in frames.items()}
        return turns.build(Records.of_frames(plain, Tally(), (members.MARK,)))
