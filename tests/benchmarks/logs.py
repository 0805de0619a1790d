"""Large logs with a known truth: many sessions at once, in the shape of a hook or of a worker.

Times are drawn as real ones are: log-normal, now and then a slow one. The same plan gives the same
bytes.
"""

from __future__ import annotations

import heapq
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from tests.benchmarks.sessions import SHAPES, Line, Session

EPOCH = 1_795_332_000.0
"""When the first sessions start."""


@dataclass(frozen=True)
class Plan:
    """What a log shall hold."""

    shape: str = "hook"
    size: int = 260_000_000
    """Bytes: no session starts after them, those that are open end."""
    share: float | None = None
    """Of the lines, how many belong to a turn; null for what real logs of the shape have."""
    at_once: int = 40
    """Sessions that run at the same time."""
    bad: int = 0
    """Malformed lines, evenly spread."""
    huge: int = 0
    """Ordinary log lines of 0.2 to 1.8 MB, evenly spread."""
    seed: int = 1


@dataclass
class Truth:
    """What a log holds, as it was drawn."""

    lines: int = 0
    bad_lines: list[int] = field(default_factory=list)
    sessions: int = 0
    waits: list[float] = field(default_factory=list)
    """Seconds, a turn each: measured in a hook log, LiveKit's sum in a production log."""


def write(path: Path, plan: Plan) -> Truth:
    """Write the log that `plan` asks for, and tell what is in it."""
    truth, dice = Truth(), random.Random(plan.seed)
    blots = _blots(plan, dice)
    with path.open("wb", buffering=1 << 20) as file:
        for text in _interleaved(plan, dice, truth, file):
            while blots and blots[-1][0] <= file.tell():
                _, blot, bad = blots.pop()
                truth.lines += 1
                truth.bad_lines += [truth.lines] * bad
                file.write(blot)
            truth.lines += 1
            file.write(text.encode() + b"\n")
    return truth


def _interleaved(plan: Plan, dice: random.Random, truth: Truth, file: BinaryIO) -> Iterator[str]:
    """The lines of all sessions in the order of time; a new session starts where one has ended."""
    shape = SHAPES[plan.shape]
    running: list[tuple[float, int, str, Iterator[Line], Session]] = []

    def start(at: float) -> None:
        truth.sessions += 1
        session = shape(dice, at, plan.share)
        lines = session.lines()
        begun, text = next(lines)
        heapq.heappush(running, (begun, truth.sessions, text, lines, session))

    for _ in range(plan.at_once):
        start(EPOCH + dice.uniform(0, 60))
    while running:
        now, number, text, lines, session = running[0]
        yield text
        following = next(lines, None)
        if following is not None:
            heapq.heapreplace(running, (*following[:1], number, following[1], lines, session))
            continue
        heapq.heappop(running)
        truth.waits += session.waits
        if file.tell() < plan.size:
            start(now + dice.uniform(1, 30))


def _blots(plan: Plan, dice: random.Random) -> list[tuple[int, bytes, bool]]:
    """Malformed and huge lines, each with the byte that it follows, the last one first."""
    bad = [(_BROKEN[i % len(_BROKEN)], True) for i in range(plan.bad)]
    huge = [(_huge(dice), False) for _ in range(plan.huge)]
    mixed = [*bad, *huge]
    dice.shuffle(mixed)
    step = plan.size // (len(mixed) + 1)
    return [(step * i, *blot) for i, blot in enumerate(mixed, 1)][::-1]


_BROKEN = (
    b'{"type":"llm_metrics","timestamp":1795332034.52,"ttft":0.4\n',
    b'"gpt-4o-mini","model_provider":"openai"}}\n',
    b'{"message": "TTS metrics", "ttfb": "soon", "timestamp": "2026-11-22T07:20:34+00:00"}\n',
    b'{"message": "caf\xe9", "level": "INFO"}\n',
    b'{"message": "cut" "level": "INFO"}\n',
)
"""Cut off, the rest of a line, a text for a number, no UTF-8, no JSON."""


def _huge(dice: random.Random) -> bytes:
    text = "the same words over and over \\u00e9 " * (dice.randrange(200_000, 1_800_000) // 36)
    return b'{"message": "%s", "level": "DEBUG", "name": "app"}\n' % text.encode()
