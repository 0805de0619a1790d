"""The statistics of comparisons, against scipy and all arrangements gone through by hand."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from turnlat.analysis.arrangements import Plan
from turnlat.analysis.location import Linear, Location, PairedLocation
from turnlat.analysis.permutation import Sample, permute
from turnlat.analysis.statistics import (
    harrell_davis,
    intraclass_correlation,
    maritz_jarrett,
    mid_ranks,
)
from turnlat.analysis.tail import Quantile

VALUES = st.lists(st.floats(0.01, 100), min_size=2, max_size=200).map(np.array)


@given(VALUES, st.sampled_from([0.5, 0.9, 0.95, 0.99]))
def test_harrell_davis_quantiles_are_scipys(values: np.ndarray, share: float) -> None:
    estimate, error = harrell_davis(np.sort(values), share)
    wanted, variance = stats.mstats.hdquantiles(values, prob=[share], var=True)
    assert estimate == pytest.approx(wanted[0], rel=1e-9)
    assert error == pytest.approx(math.sqrt(max(variance[0], 0)), rel=1e-6, abs=1e-6)


@given(st.lists(st.floats(0.01, 100), min_size=30, max_size=200), st.sampled_from([0.5, 0.9]))
def test_maritz_jarrett_errors_are_scipys(values: list[float], share: float) -> None:
    number = len(values)
    middle = int(number * share + 0.5)
    _, error = maritz_jarrett(np.sort(values), middle - 1, number - middle)
    wanted = stats.mstats.mjci(np.array(values), prob=[share])[0]
    assert error == pytest.approx(wanted, rel=1e-6, abs=1e-6)


@given(st.lists(st.integers(0, 9), min_size=1).map(np.array))
def test_mid_ranks_are_scipys(values: np.ndarray) -> None:
    assert mid_ranks(values).tolist() == stats.rankdata(values).tolist()


def test_the_correlation_in_sessions_is_that_of_the_analysis_of_variance() -> None:
    dice = np.random.default_rng(1)
    groups = dice.normal(size=(8, 1)) + dice.normal(size=(8, 5))
    spread = stats.f_oneway(*groups).statistic
    found = intraclass_correlation(groups.ravel(), np.repeat(np.arange(8), 5))
    assert found == pytest.approx((spread - 1) / (spread - 1 + 5))


def made(seed: int, sizes: list[int], shift: float = 0.3) -> Sample:
    """Sessions of these sizes, the second half of them the candidate's."""
    dice = np.random.default_rng(seed)
    unit = np.repeat(np.arange(len(sizes)), sizes)
    candidate = np.arange(len(sizes)) >= len(sizes) // 2
    session = dice.normal(0, 0.2, len(sizes))
    values = session[unit] + dice.normal(0, 0.3, len(unit)) + shift * candidate[unit]
    return Sample(values, unit, candidate)


def by_hand(sample: Sample, candidate: np.ndarray, share: float) -> tuple[float, float]:
    """The location and the tail statistic of one arrangement, straight from their definitions."""
    ranks, sides = stats.rankdata(sample.values), candidate[sample.unit]
    means, variances, tails, tail_variances = [], [], [], []
    correlation = intraclass_correlation(sample.values, sample.unit)
    for side in (True, False):
        inside = sides == side
        units = np.unique(sample.unit[inside])
        mean = ranks[inside].mean()
        left = [(ranks[sample.unit == unit] - mean).sum() for unit in units]
        means.append(mean)
        variances.append(sum(np.square(left)) / inside.sum() ** 2 * len(units) / (len(units) - 1))
        tail, variance = stats.mstats.hdquantiles(sample.values[inside], prob=[share], var=True)
        sizes = np.bincount(sample.unit[inside])
        typical = (sizes**2).sum() / sizes.sum()
        tails.append(tail[0])
        tail_variances.append(variance[0] * (1 + (typical - 1) * correlation))
    return (
        (means[0] - means[1]) / math.sqrt(sum(variances)),
        (tails[0] - tails[1]) / math.sqrt(sum(tail_variances)),
    )


def arrangements(sample: Sample) -> Iterator[np.ndarray]:
    units = len(sample.candidate)
    for members in itertools.combinations(range(units), int(sample.candidate.sum())):
        candidate = np.zeros(units, dtype=bool)
        candidate[list(members)] = True
        yield candidate


@pytest.mark.parametrize("sizes", [[4, 3, 5, 2, 4, 6], [2, 9, 3, 1, 5, 2, 7, 4, 2, 3]])
def test_exact_p_values_are_those_of_all_arrangements(sizes: list[int]) -> None:
    sample = made(len(sizes), sizes)
    table = np.array([by_hand(sample, one, 0.95) for one in arrangements(sample)])
    observed = np.array(by_hand(sample, sample.candidate, 0.95))
    centred, scale = table - table.mean(axis=0), table.std(axis=0)
    found = permute([Location(sample), Quantile(sample, 0.95)], plan(sample))
    assert len(found.chance) == math.comb(len(sizes), len(sizes) // 2)
    assert found.chance[0] == pytest.approx(observed)
    z, z_observed = centred / scale, (observed - table.mean(axis=0)) / scale
    first = z_observed.argmax()
    wanted = (z.max(axis=1) >= z_observed[first] - 1e-9).mean()
    assert found.worse[first] == pytest.approx(wanted)
    alone = (z[:, 1 - first] >= z_observed[1 - first] - 1e-9).mean()
    assert found.worse[1 - first] == pytest.approx(max(wanted, alone))


def plan(sample: Sample, **more: bool) -> Plan:
    return Plan(sample.candidate, more.get("paired", False), candidate_first=True, seed=1)


def test_drawn_arrangements_come_close_to_all_of_them() -> None:
    sample = made(4, [5] * 14, shift=0.25)
    few = Plan(sample.candidate, paired=False, candidate_first=True, seed=1, most_exact=10)
    family = [Location(sample), Quantile(sample, 0.95)]
    drawn, everything = permute(family, few), permute(family, plan(sample))
    assert len(everything.chance) == math.comb(14, 7)
    assert len(drawn.chance) == 10_000
    assert drawn.worse == pytest.approx(everything.worse, abs=0.01)


def paired(seed: int, pairs: int, turns: int = 1) -> Sample:
    dice = np.random.default_rng(seed)
    unit = np.repeat(np.arange(2 * pairs), turns)
    values = np.tile(dice.normal(size=pairs * turns), 2)
    values = values + dice.normal(0.2, 0.4, len(values)) * (unit >= pairs)
    return Sample(values, unit, np.arange(2 * pairs) >= pairs, np.arange(len(values)))


def test_single_turns_in_pairs_are_wilcoxons_test() -> None:
    sample = paired(2, 12)
    found = permute([PairedLocation(sample)], plan(sample, paired=True))
    early, late = np.split(sample.values, 2)
    wanted = stats.wilcoxon(late - early, alternative="greater", method="exact").pvalue
    assert len(found.chance) == 2**12
    assert found.worse[0] == pytest.approx(wanted)


def test_the_location_is_the_median_of_all_differences() -> None:
    sample = made(3, [3, 8, 2, 5, 6, 4, 9, 2, 5, 5])
    sides = sample.of_candidate
    differences = np.subtract.outer(sample.values[sides], sample.values[~sides])
    assert Location(sample).estimate(-2, 2).difference == pytest.approx(
        np.median(differences), abs=1e-5
    )


def test_the_paired_location_is_the_median_of_all_means_of_two_differences() -> None:
    sample = paired(5, 9, turns=3)
    early, late = np.split(sample.values, 2)
    left = late - early
    means = [(left[i] + left[j]) / 2 for i in range(len(left)) for j in range(i, len(left))]
    found = PairedLocation(sample).estimate(-2, 2)
    assert found.difference == pytest.approx(np.median(means), abs=1e-5)
    assert found.low < found.difference < found.high


@pytest.mark.parametrize(
    "statistic", [Location, lambda s: Quantile(s, 0.9), lambda s: Linear(s, s.values)]
)
def test_a_shift_moves_the_estimate_by_as_much(statistic: Callable) -> None:
    early, late = (statistic(made(7, [6] * 12, shift)).estimate(-2, 2) for shift in (0.0, 0.5))
    assert late.difference - early.difference == pytest.approx(0.5, abs=1e-5)
    assert late.low < late.difference < late.high


def test_the_part_that_an_estimate_weighs_is_all_that_it_needs() -> None:
    """Samples large enough to be worked on in parts give what scipy gives for the whole."""
    sample = made(8, [40] * 60)
    sides = np.random.default_rng(1).permuted(np.tile(sample.candidate, (5, 1)), axis=1)
    found = Quantile(sample, 0.95).of(sides.astype(float))
    for side, one in zip(sides, found, strict=True):
        assert one == pytest.approx(by_hand(sample, side, 0.95)[1], rel=1e-6)
