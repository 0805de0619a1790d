"""Arrangements: which units play the candidate, all the ways that chance could have it.

A block of arrangements is a matrix: a row each, 1 where the unit of that column plays the
candidate. The first row of all is what was observed.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import numpy.typing as npt

    Floats = npt.NDArray[np.float64]

MOST_EXACT = 20_000
"""All arrangements are gone through where there are no more than these."""

RANDOM = 9_999
"""Arrangements that are drawn where there are more."""

FEWEST_RANDOM = 1_999
_CELLS = 40_000_000
"""Arrangements × units: more units than 4,000 have fewer arrangements."""

_BLOCK_CELLS = 4_000_000


@dataclass(frozen=True)
class Plan:
    """How labels are exchanged between two runs, or within the pairs of a paired comparison."""

    observed: npt.NDArray[np.bool_]
    """Which units are the candidate's. In pairs: the baselines' units, then the candidates'."""
    paired: bool
    candidate_first: bool
    """Which run the drawn units are put in: a swap of the runs must not change the draw."""
    seed: int
    draws: int = RANDOM
    most_exact: int = MOST_EXACT

    @property
    def total(self) -> int:
        """How many arrangements there are at all."""
        units, candidates = len(self.observed), int(self.observed.sum())
        return 2 ** (units // 2) if self.paired else math.comb(units, candidates)

    @property
    def exact(self) -> bool:
        """Whether all arrangements are gone through."""
        return self.total <= self.most_exact

    def blocks(self, width: int = 0) -> Iterator[Floats]:
        """The arrangements, in blocks small enough for `width` columns a row."""
        rows = max(16, _BLOCK_CELLS // max(len(self.observed), width, 1))
        yield self.observed.astype(np.float64)[None]
        drawn = self._pairs(rows) if self.paired else self._subsets(rows)
        yield from (block.astype(np.float64) for block in drawn)

    def _number(self) -> int:
        fitting = _CELLS // len(self.observed)
        return min(self.draws, max(FEWEST_RANDOM, fitting))

    def _subsets(self, rows: int) -> Iterator[npt.NDArray[np.bool_]]:
        units, candidates = len(self.observed), int(self.observed.sum())
        drawn = candidates if self.candidate_first else units - candidates
        chosen = _all_subsets(units, drawn) if self.exact else self._random_subsets(drawn, rows)
        for members in _in_blocks(chosen, rows):
            block = np.zeros((len(members), units), dtype=np.bool_)
            np.put_along_axis(block, members, values=True, axis=1)
            block = block if self.candidate_first else ~block
            yield block[(block != self.observed).any(axis=1)] if self.exact else block

    def _random_subsets(self, drawn: int, rows: int) -> Iterator[npt.NDArray[np.intp]]:
        dice, left = np.random.default_rng(self.seed), self._number()
        while left:
            keys = dice.random((min(rows, left), len(self.observed)), dtype=np.float32)
            yield np.argpartition(keys, drawn - 1, axis=1)[:, :drawn]
            left -= len(keys)

    def _pairs(self, rows: int) -> Iterator[npt.NDArray[np.bool_]]:
        """Runs change places in some of the pairs."""
        pairs = len(self.observed) // 2
        if self.exact:
            numbers = np.arange(1, 2**pairs)
            swapped = (numbers[:, None] >> np.arange(pairs)) % 2 == 1
        else:
            swapped = np.random.default_rng(self.seed).random((self._number(), pairs)) < 0.5  # noqa: PLR2004
        for start in range(0, len(swapped), rows):
            block = swapped[start : start + rows]
            yield np.concatenate([block, ~block], axis=1)


def _all_subsets(units: int, drawn: int) -> Iterator[npt.NDArray[np.intp]]:
    yield np.array(list(itertools.combinations(range(units), drawn)), dtype=np.intp)


def _in_blocks(chosen: Iterator[npt.NDArray[np.intp]], rows: int) -> Iterator[npt.NDArray[np.intp]]:
    for members in chosen:
        for start in range(0, len(members), rows):
            yield members[start : start + rows]
