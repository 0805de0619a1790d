"""Deciles: how far each decile of the wait moved, with a band that holds all of them at once."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import polars as pl

from turnlat.analysis.samples import Pooled

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

DRAWS = 499
"""Bootstrap samples of whole sessions."""
CONFIDENCE = 0.95
SHARES = np.arange(1, 10) / 10
_LEAST = 1e-9

SCHEMA = dict.fromkeys(("decile", "shift", "low", "high"), pl.Float64())


def shifts(pooled: Pooled, wait: str) -> pl.DataFrame:
    """Per decile: candidate less baseline in seconds, and its band; null with too few sessions.

    The band is the bootstrap's, whole sessions being drawn, widened by the 95 % quantile of the
    largest studentised deviation over all deciles.
    Source: the shift function, Doksum & Sievers 1976, Biometrika 63:421; Wilcox 1995.
    """
    sides = [_Side(pooled, wait, candidate=candidate) for candidate in (False, True)]
    early, late = (np.quantile(side.values, SHARES) for side in sides)
    shift = late - early
    reach = _reach(pooled, sides, shift) if pooled.enough(wait) else None
    low, high = (None, None) if reach is None else (shift - reach, shift + reach)
    columns = {"decile": SHARES, "shift": shift, "low": low, "high": high}
    return pl.DataFrame(columns, schema=SCHEMA).with_columns(
        pl.col("shift", "low", "high").round(6)
    )


class _Side:
    """The turns of one run in the order of their waits, and the session of each."""

    def __init__(self, pooled: Pooled, wait: str, *, candidate: bool) -> None:
        rows = pooled.present(wait) & (pooled.of_candidate == candidate)
        values = pooled.turns[wait].to_numpy()[rows]
        order = np.argsort(values, kind="stable")
        self.values: Floats = values[order]
        self.members, session = np.unique(pooled.index[rows], return_inverse=True)
        self.session = session[order]

    def drawn(self, dice: np.random.Generator) -> Floats:
        """The deciles of a bootstrap sample of as many sessions."""
        number = len(self.members)
        times = dice.multinomial(number, np.full(number, 1 / number))
        weights = times[self.session].cumsum()
        places = np.searchsorted(weights, SHARES * weights[-1])
        found: Floats = self.values[np.minimum(places, len(self.values) - 1)]
        return found


def _reach(pooled: Pooled, sides: list[_Side], shift: Floats) -> Floats:
    """How far the band reaches from each decile's shift; partners are drawn together."""
    seed = pooled.plan().seed
    dice = [np.random.default_rng([seed, 0 if pooled.paired else n]) for n in range(2)]
    drawn = [
        np.subtract(*(side.drawn(die) for side, die in zip(sides[::-1], dice[::-1], strict=True)))
        for _ in range(DRAWS)
    ]
    deviations = np.array(drawn) - shift
    spread = np.maximum(deviations.std(axis=0), _LEAST)
    reach: Floats = np.quantile(np.abs(deviations / spread).max(axis=1), CONFIDENCE) * spread
    return reach
