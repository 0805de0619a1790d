"""Arrivals: when each record came, by its number."""

from __future__ import annotations

import numpy as np
import polars as pl

from turnlat.records import KINDS, Records

_REMEMBERED = 500_000
"""Older records came long ago, whenever that was."""


class Arrivals:
    """Times of records that are numbered in the order in which they came."""

    def __init__(self) -> None:
        self._first = 0
        self._times = np.empty(0, dtype=np.float64)

    def __len__(self) -> int:
        return self._first + len(self._times)

    def add(self, records: Records, now: float, written: float | None) -> None:
        """`records` came at `now`; with `written`, the Unix time of `now`, when they say."""
        parts = [self._times]
        for kind in KINDS:
            times = records.frames[kind]["timestamp"]
            ages = np.zeros(len(times))
            if written is not None:
                ages = np.nan_to_num((written - times).fill_null(0.0).to_numpy()).clip(0.0)
            parts.append(now - ages)
        self._times = np.concatenate(parts)
        if len(self._times) > 2 * _REMEMBERED:
            self._first += len(self._times) - _REMEMBERED
            self._times = self._times[-_REMEMBERED:]

    def of(self, numbers: pl.Series) -> pl.Series:
        """When the records with these numbers came."""
        places = numbers.to_numpy() - self._first
        times = np.full(len(places), -np.inf)
        known = places >= 0
        times[known] = self._times[places[known]]
        return pl.Series("arrived", times)
