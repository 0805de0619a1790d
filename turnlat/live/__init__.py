"""Live: the turns of logs that grow. Every turn is told once, when nothing should change it.

`Watch` takes records in as they are read, and keeps only conversations that still go on.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import polars as pl

from turnlat.live.arrivals import Arrivals
from turnlat.live.conversations import Conversations
from turnlat.live.finishing import finished
from turnlat.records import Records
from turnlat.tally import Tally
from turnlat.turns import Ledger, members

LONGEST = 5_000
"""A conversation with more records loses its oldest turns, which were told long ago."""

HISTORY = 100_000
"""So many turns are remembered."""

LONGEST_UNBUILT = 0.5
"""Records of one turn come in bursts: building waits for the end of one, but so long at most."""

_LONG_AGO = float("-inf")
_STATE = ("row", "group", "touched", "opened", "told", members.MARK)


class Watch:
    """The turns of records that keep coming.

    Times are seconds of any one clock. A turn is told when it was quiet for `settle` seconds, by
    the rule of `finishing`; a conversation that was quiet for `forget_after` is forgotten.
    """

    def __init__(self, *, settle: float, forget_after: float) -> None:
        self._settle, self._forget_after = settle, forget_after
        self._live = Conversations()
        self._arrivals = Arrivals()
        self._tally = Tally()
        self._changed: dict[int, tuple[float, float]] = {}
        self._told: set[int] = set()
        self._told_speeches: set[tuple[str, str]] = set()
        self._turns_before: dict[str, int] = {}
        built = self._live.build()
        self._past, self._past_ledger = _contract(built.frame), built.ledger
        self._rows, self._owned = self._tabulate(set())

    @property
    def tally(self) -> Tally:
        """Where all lines so far ended up."""
        return self._tally

    @property
    def live_records(self) -> int:
        """How many records are held."""
        return self._live.index().height

    @property
    def rows(self) -> pl.DataFrame:
        """The turns that are remembered, in the order of sessions and time, with `told`."""
        live = self._rows.select(*self._past.columns, "told")
        return pl.concat([self._past.with_columns(told=pl.lit(value=True)), live])

    def take(self, parts: Iterable[Records], now: float, *, written: float | None = None) -> None:
        """Take records in that came at `now`.

        With `written`, the Unix time of `now`, they came when their timestamps say: they are those
        of a log that was there already.
        """
        for part in parts:
            self._tally += part.tally
            marked = members.mark(_without_tally(part), len(self._arrivals))
            self._arrivals.add(part, now, written)
            # A log that was there already is no burst whose end should be waited for.
            came = now if written is None else _LONG_AGO
            for group in self._live.take(marked):
                since, _ = self._changed.get(group, (came, came))
                self._changed[group] = (since, came)

    def tell(self, now: float) -> pl.DataFrame:
        """The rows that were finished since the last time: of the turn table, in its order."""
        calm = now - self._settle / 2
        self._rebuild(
            group
            for group, (since, last) in self._changed.items()
            if last <= calm or since <= now - LONGEST_UNBUILT
        )
        return self._tell(finished(now, self._settle))

    def close(self) -> pl.DataFrame:
        """All rows that were not told yet: nothing follows."""
        self._rebuild(self._live.index()["group"].unique())
        return self._tell(pl.lit(value=True))

    def ledger(self) -> Ledger:
        """Where all lines, records and speeches so far ended up."""
        whole = self._past_ledger + self._live.build().ledger
        lines = ("lines", "metric", "other", "blank", "bad", "joined")
        return replace(whole, **{name: getattr(self._tally, name) for name in lines})

    def forget(self, now: float) -> None:
        """Drop conversations that were quiet for long, and the beginnings of very long ones."""
        self._rebuild(self._changed)
        index = self._live.index().with_columns(
            arrived=self._arrivals.of(self._live.index()["number"])
        )
        for numbers, again in (self._quiet(index, now), self._outgrown(index)):
            if len(numbers):
                self._drop(numbers, again)

    def _tell(self, which: pl.Expr) -> pl.DataFrame:
        new = self._rows.filter(~pl.col("told"), which)
        if not new.height:
            return _contract(new)
        rows = new["row"].implode()
        self._rows = self._rows.with_columns(told=pl.col("told") | pl.col("row").is_in(rows))
        self._remember()
        return _contract(new)

    def _remember(self) -> None:
        """Note the records and the speeches of what was told."""
        told = self._rows.filter("told")
        rows = told["row"].implode()
        self._told |= set(self._owned.filter(pl.col("row").is_in(rows))["number"])
        speeches = told.select("session", "speech_id").drop_nulls().rows()
        self._told_speeches |= set(speeches)

    def _rebuild(self, groups: Iterable[int]) -> None:
        """Build the turns of conversations that changed, in the place of what they were."""
        changed = set(groups)
        if not changed:
            return
        for group in changed:
            self._changed.pop(group, None)
        # Groups that joined others are renamed: what has no records any more is gone.
        index = self._live.index()
        still = set(index["group"].unique()) - changed
        kept = self._rows.filter(pl.col("group").is_in(sorted(still)))
        owned = self._owned.join(kept.select("row"), on="row", how="semi")
        rows, new_owned = self._tabulate(changed)
        last = kept["row"].max()
        shift = (last + 1) if isinstance(last, int) else 0
        shifted = rows.with_columns(pl.col("row") + shift)
        moved = new_owned.with_columns(pl.col("row") + shift)
        self._rows = pl.concat([kept, shifted], rechunk=True)
        self._owned = pl.concat([owned, moved], rechunk=True)

    def _tabulate(self, groups: set[int]) -> tuple[pl.DataFrame, pl.DataFrame]:
        """The rows of some groups with their state, and the records of each."""
        built = self._live.build(groups)
        owned = members.of(built).select("row", "number", "kind")
        owned = owned.with_columns(pl.col("row").cast(pl.Int64)).join(
            self._live.index(), on="number", how="left", maintain_order="left"
        )
        owned = owned.with_columns(arrived=self._arrivals.of(owned["number"]))
        eou = pl.col("arrived").filter(pl.col("kind") == "eou").min()
        state = owned.group_by("row").agg(
            pl.col("group").first(),
            pl.col("arrived").max().alias("touched"),
            pl.coalesce(eou, pl.col("arrived").min()).alias("opened"),
        )
        rows = built.frame.with_columns(row=pl.int_range(pl.len(), dtype=pl.Int64))
        rows = rows.join(state, on="row", how="left", maintain_order="left")
        return self._numbered(rows.with_columns(told=self._was_told(rows))), owned

    def _was_told(self, rows: pl.DataFrame) -> pl.Series:
        named = rows.select(members.MARK, "session", "speech_id").iter_rows()
        told = [
            int(number) in self._told or (session, speech) in self._told_speeches
            for number, session, speech in named
        ]
        return pl.Series("told", told, dtype=pl.Boolean)

    def _numbered(self, rows: pl.DataFrame) -> pl.DataFrame:
        """Count on from the turns of a session that were forgotten."""
        before = pl.col("session").replace_strict(
            self._turns_before, default=0, return_dtype=pl.Int64
        )
        return rows.with_columns(turn=pl.col("turn") + before)

    def _quiet(self, index: pl.DataFrame, now: float) -> tuple[pl.Series, set[int]]:
        """The records of conversations that were quiet for long and whose turns were all told."""
        untold = self._rows.filter(~pl.col("told"))["group"].drop_nulls().unique()
        last = index.group_by("group").agg(pl.col("arrived").max())
        quiet = last.filter(
            pl.col("arrived") < now - self._forget_after, ~pl.col("group").is_in(untold.implode())
        )["group"]
        return index.filter(pl.col("group").is_in(quiet.implode()))["number"], set()

    def _outgrown(self, index: pl.DataFrame) -> tuple[pl.Series, set[int]]:
        """The older records of conversations that are too long, and these conversations."""
        cuts = (
            index.group_by("group")
            .agg(pl.len(), cut=pl.col("number").sort().tail(LONGEST // 2).first())
            .filter(pl.col("len") > LONGEST)
        )
        old = index.join(cuts, on="group").filter(pl.col("number") < pl.col("cut"))
        younger = self._owned.join(cuts, on="group").filter(pl.col("number") >= pl.col("cut"))
        untold = self._rows.filter(~pl.col("told")).select("row")
        rows = pl.concat([younger.select("row"), untold]).unique()
        kept = self._owned.join(rows, on="row", how="semi")["number"]
        return old.filter(~pl.col("number").is_in(kept.implode()))["number"], set(cuts["group"])

    def _drop(self, numbers: pl.Series, again: set[int]) -> None:
        """Forget records; what their turns were goes to the past."""
        gone = self._owned.filter(pl.col("number").is_in(numbers.implode()))
        rows = self._rows.join(gone.select("row").unique(), on="row", how="semi")
        counted = rows.drop_nulls("turn").group_by("session").agg(pl.col("turn").max())
        self._turns_before |= dict(counted.iter_rows())
        self._past = pl.concat([self._past, _contract(rows)]).tail(HISTORY)
        self._past_ledger += self._live.build_of(numbers).ledger
        self._live.forget(numbers)
        self._told -= set(numbers)
        self._told_speeches -= set(rows.select("session", "speech_id").drop_nulls().rows())
        kept = self._rows.join(rows.select("row"), on="row", how="anti")
        self._rows = kept
        self._owned = self._owned.join(kept.select("row"), on="row", how="semi")
        self._changed |= dict.fromkeys(again, (_LONG_AGO, _LONG_AGO))


def _contract(rows: pl.DataFrame) -> pl.DataFrame:
    """The rows without what only this module knows of them."""
    return rows.drop(*_STATE, strict=False)


def _without_tally(records: Records) -> Records:
    """`records` whose lines are counted already."""
    return Records.of_frames(records.frames, Tally(), records.keep)
