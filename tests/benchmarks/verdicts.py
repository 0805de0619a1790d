"""How often `compare` cries wolf, and what it sees: `python -m tests.benchmarks.verdicts [--full]`.

Without `--full`, 100 repetitions a cell instead of 1,000, or 2,000 where nothing changed. A
comparison draws 999 arrangements here, a tenth of what the command draws.

Sessions of 2 to 40 turns, 10 on average; log-normal waits (σ 0.4) with an intra-session correlation
of 0.3. *heavy*: 6 % of the turns take 2 to 3 times as long. *spread*: the candidate's σ is twice
the baseline's, at an equal p95.
"""

from __future__ import annotations

import argparse
import json
import math
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from scipy import stats

from tests.benchmarks.__main__ import peak, timed
from turnlat.analysis.arrangements import Plan
from turnlat.analysis.permutation import Sample
from turnlat.analysis.verdicts import Question, judge

Floats = npt.NDArray[np.float64]

SIGMA, CORRELATION, MEDIAN = 0.4, 0.3, 1.2
HEAVY_SHARE = 0.06
SLOW = (2.0, 3.0)
SCRIPTED = 0.5
"""In paired runs the script explains all that sets sessions apart, and this share of the rest."""


@dataclass(frozen=True)
class World:
    """What a cell of the simulation draws."""

    baseline: int
    candidate: int
    heavy: bool = True
    spread: bool = False
    factor: float = 1.0
    """What all of the candidate's turns take longer."""
    stalled: float = 0.0
    """The share of the candidate's turns that take 2.5 times as long."""
    turns: int | None = None
    """Of each session; null for 2 to 40."""
    paired: bool = False


Run = tuple[list[Floats], list[Floats]]
"""The waits of each session, baseline and candidate."""


def draw(world: World, dice: np.random.Generator) -> Run:
    """Two runs."""
    if world.paired:
        return _draw_pairs(world, dice)
    baseline = [_session(world, dice) for _ in range(world.baseline)]
    sigma = SIGMA * (2 if world.spread else 1)
    centre = math.log(MEDIAN)
    if world.spread:
        centre += _p95(SIGMA, heavy=world.heavy) - _p95(sigma, heavy=world.heavy)
    candidate = [_session(world, dice, sigma, centre) for _ in range(world.candidate)]
    return baseline, [_changed(world, session, dice) for session in candidate]


def _session(
    world: World, dice: np.random.Generator, sigma: float = SIGMA, centre: float = math.log(MEDIAN)
) -> Floats:
    turns = world.turns or round(min(40.0, max(2.0, dice.lognormal(math.log(8.6), 0.55))))
    own = math.sqrt(CORRELATION) * dice.standard_normal()
    noise = own + math.sqrt(1 - CORRELATION) * dice.standard_normal(turns)
    return np.exp(centre + sigma * noise) * _slow(world, dice, turns)


def _slow(world: World, dice: np.random.Generator, turns: int) -> Floats:
    hit = dice.random(turns) < (HEAVY_SHARE if world.heavy else 0.0)
    return np.where(hit, dice.uniform(*SLOW, turns), 1.0)


def _changed(world: World, session: Floats, dice: np.random.Generator) -> Floats:
    stalled = dice.random(len(session)) < world.stalled
    return session * world.factor * np.where(stalled, 2.5, 1.0)


def _draw_pairs(world: World, dice: np.random.Generator) -> Run:
    runs: Run = ([], [])
    fresh = math.sqrt((1 - CORRELATION) * (1 - SCRIPTED))
    for _ in range(world.baseline):
        turns = world.turns or 10
        script = math.sqrt(CORRELATION) * dice.standard_normal() + math.sqrt(
            (1 - CORRELATION) * SCRIPTED
        ) * dice.standard_normal(turns)
        for run in runs:
            noise = script + fresh * dice.standard_normal(turns)
            run.append(np.exp(math.log(MEDIAN) + SIGMA * noise) * _slow(world, dice, turns))
    return runs[0], [_changed(world, session, dice) for session in runs[1]]


def _p95(sigma: float, *, heavy: bool) -> float:
    """The logarithm of the 95th percentile, of a median of 1."""
    factors = np.log(np.linspace(*SLOW, 401))
    share = HEAVY_SHARE if heavy else 0.0
    low, high = 0.0, 5.0
    while high - low > 1e-9:
        middle = (low + high) / 2
        plain = stats.norm.cdf(middle / sigma)
        slow = stats.norm.cdf((middle - factors) / sigma).mean()
        below = (1 - share) * plain + share * slow
        low, high = (low, middle) if below > 0.95 else (middle, high)
    return low


def questions(run: Run, *, paired: bool) -> list[Question]:
    """The default family: the location and the 95th percentile of the wait."""
    sessions = [*run[0], *run[1]]
    values = np.concatenate(sessions)
    unit = np.repeat(np.arange(len(sessions)), [len(session) for session in sessions])
    candidate = np.arange(len(sessions)) >= len(run[0])
    pairs = np.arange(len(values)) if paired else None
    sample = Sample(np.log(values), unit, candidate, pairs)
    sides = np.concatenate(run[0]), np.concatenate(run[1])
    return [
        Question(sample, name, *(float(np.quantile(side, share)) for side in sides))
        for name, share in (("p50", 0.5), ("p95", 0.95))
    ]


def called(world: World, repetitions: int, draws: int) -> Floats:
    """How often the whole, the location and the tail were called worse; a row per repetition."""
    verdicts = np.zeros((repetitions, 3))
    for number in range(repetitions):
        dice = np.random.default_rng([number, *_key(world)])
        asked = questions(draw(world, dice), paired=world.paired)
        plan = Plan(asked[0].sample.candidate, world.paired, candidate_first=True, seed=number,
                    draws=draws)  # fmt: skip
        worse = [judgement.verdict == "worse" for judgement in judge(asked, plan)]
        verdicts[number] = any(worse), *worse
    return verdicts


def _key(world: World) -> list[int]:
    return [int(1000 * float(value or 0)) for value in vars(world).values()]


def upper_bound(hits: int, number: int) -> float:
    """The upper end of the 95 % Clopper–Pearson interval of a share."""
    return float(stats.beta.ppf(0.975, hits + 1, number - hits)) if hits < number else 1.0


SIZES = ((10, 10), (40, 10), (40, 40))
UNCHANGED = {
    f"{'heavy' if heavy else 'plain'}, {'spread' if spread else 'equal'}, {a} v {b}": World(
        a, b, heavy=heavy, spread=spread
    )
    for heavy in (True, False)
    for spread in (False, True)
    for a, b in SIZES
}
CHANGED = {
    "40 v 40, +20 %, heavy": (World(40, 40, factor=1.2), 0.72),
    "40 v 40, +20 %, plain": (World(40, 40, heavy=False, factor=1.2), 0.72),
    "40 v 40, 10 % of turns ×2.5, plain": (World(40, 40, heavy=False, stalled=0.1), 0.62),
    "40 v 40, 10 % of turns ×2.5, heavy": (World(40, 40, stalled=0.1), None),
    "10 v 10, +50 %, heavy": (World(10, 10, factor=1.5), None),
    "paired, 10 × 4 turns, +20 %, heavy": (World(10, 10, turns=4, paired=True, factor=1.2), 0.6),
    "paired, 10 × 4 turns, +20 %, plain": (
        World(10, 10, heavy=False, turns=4, paired=True, factor=1.2), 0.6,
    ),
    "paired, 10 × 4 turns, unchanged, heavy": (World(10, 10, turns=4, paired=True), None),
}  # fmt: skip

SPEEDS = {
    "20 v 20 sessions of 15 turns": (20, 15),
    "2,000 v 2,000 sessions of 20 turns": (2000, 20),
}
DRAWS = 999


def unchanged(repetitions: int) -> Iterator[str]:
    """The table of false alarms, line by line."""
    yield f"| nothing changed, {repetitions:,} times | worse | upper 95 % bound | p50 | p95 |"
    yield "|---|--:|--:|--:|--:|"
    for name, world in UNCHANGED.items():
        any_, location, tail = called(world, repetitions, DRAWS).sum(axis=0)
        bound = upper_bound(int(any_), repetitions)
        shares = (f"{hits / repetitions:.1%}" for hits in (location, tail))
        yield f"| {name} | {any_ / repetitions:.1%} | {bound:.1%} | {' | '.join(shares)} |"


def changed(repetitions: int) -> Iterator[str]:
    """The table of power, line by line."""
    yield f"| changed, {repetitions:,} times | worse | at least | p50 | p95 |"
    yield "|---|--:|--:|--:|--:|"
    for name, (world, least) in CHANGED.items():
        shares = [f"{share:.2f}" for share in called(world, repetitions, DRAWS).mean(axis=0)]
        needed = "" if least is None else f"{least:.2f}"
        yield f"| {name} | {shares[0]} | {needed} | {shares[1]} | {shares[2]} |"


def speeds() -> Iterator[str]:
    """The table of speed and memory of whole processes, from logs and from saved runs."""
    yield "| compare | from | s | peak, MB |"
    yield "|---|---|--:|--:|"
    for name, (sessions, turns) in SPEEDS.items():
        with tempfile.TemporaryDirectory() as folder:
            world = World(sessions, sessions, turns=turns)
            logs = [Path(folder) / f"{side}.jsonl" for side in ("baseline", "candidate")]
            for log, run in zip(logs, draw(world, np.random.default_rng(1)), strict=True):
                write_log(log, run)
            for kind, paths in (("logs", logs), ("saved runs", _saved(logs))):
                words = [sys.executable, "-m", "turnlat", "compare", *map(str, paths)]
                seconds, _ = timed(words)
                yield f"| {name} | {kind} | {seconds:.1f} | {peak(words):,.0f} |"


def _saved(logs: list[Path]) -> list[Path]:
    saved = [log.with_suffix(".parquet") for log in logs]
    for log, path in zip(logs, saved, strict=True):
        timed([sys.executable, "-m", "turnlat", "analyze", str(log), "-o", str(path)])
    return saved


def write_log(path: Path, sessions: list[Floats]) -> None:
    """A hook log of sessions that wait so long in their turns."""
    with path.open("w") as file:
        for number, waits in enumerate(sessions):
            for turn, wait in enumerate(waits):
                for record in _records(number, turn, float(wait)):
                    file.write(json.dumps(record) + "\n")


def _records(number: int, turn: int, wait: float) -> list[dict[str, object]]:
    """The EOU, LLM and TTS record of a turn whose wait is split 3 : 5 : 2."""
    decided = 1_795_332_000.0 + 1_000 * number + 20 * turn + 0.3 * wait
    spoken = decided + 0.5 * wait
    own = {"speech_id": f"speech_{number}_{turn}", "job_id": f"AJ_{number}", "room": f"r{number}"}
    return [
        {"type": "eou_metrics", "timestamp": decided, "end_of_utterance_delay": 0.3 * wait,
         "transcription_delay": 0.1 * wait, "on_user_turn_completed_delay": 0.0} | own,
        {"type": "llm_metrics", "timestamp": spoken + 0.4, "request_id": f"l{number}_{turn}",
         "duration": 0.5 * wait + 0.4, "ttft": 0.5 * wait, "cancelled": False,
         "completion_tokens": 20, "prompt_tokens": 200, "tokens_per_second": 20.0} | own,
        {"type": "tts_metrics", "timestamp": spoken + 1, "request_id": f"t{number}_{turn}",
         "duration": 1.0, "ttfb": 0.2 * wait, "audio_duration": 3.0, "cancelled": False,
         "characters_count": 40, "streamed": True} | own,
    ]  # fmt: skip


def main() -> None:
    """Run the simulation and print its tables as they come."""
    parser = argparse.ArgumentParser(
        prog="python -m tests.benchmarks.verdicts", description=__doc__
    )
    parser.add_argument("--full", action="store_true", help="1,000 repetitions a cell and more")
    full = parser.parse_args().full
    for table in (speeds(), unchanged(2_000 if full else 100), changed(1_000 if full else 100)):
        for line in table:
            sys.stdout.write(line + "\n")
            sys.stdout.flush()
        sys.stdout.write("\n")


if __name__ == "__main__":
    main()
