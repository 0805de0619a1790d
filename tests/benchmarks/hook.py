"""What the hook costs an agent: `python -m tests.benchmarks.hook [--seconds 10] [--rate 10000]`.

LiveKit's own events go through LiveKit's own emitter on a running event loop: to nobody, to a
listener that does nothing, and to the hook, which writes a file. `emit` is what an emission takes
of the clock, `cpu` what the loop's thread works for it; `late` is how much later than planned the
loop wakes. What the hook takes beyond the empty listener is its own; the rest is the emitter's.
"""

from __future__ import annotations

import argparse
import asyncio
import inspect
import json
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import cycle
from pathlib import Path

from livekit import rtc
from livekit.agents import MetricsCollectedEvent, llm, metrics
from livekit.agents.voice import events

from turnlat.hook import record

TICK = 0.002
"""Seconds between two looks of the loop at the clock."""


def emissions() -> list[tuple[str, Callable[[], object]]]:
    """The events of a turn, in the proportions of a call."""

    def metric() -> object:
        found = metrics.LLMMetrics(
            label="openai.LLM", request_id="chat-1", timestamp=time.time(), duration=0.9, ttft=0.4,
            cancelled=False, completion_tokens=20, prompt_tokens=400, prompt_cached_tokens=0,
            total_tokens=420, tokens_per_second=22.2, speech_id="speech_1",
        )  # fmt: skip
        return MetricsCollectedEvent(metrics=found)

    def message() -> object:
        item = llm.ChatMessage(role="assistant", content=["It will be sunny. " * 10])
        item.metrics = {"llm_node_ttft": 0.4, "tts_node_ttfb": 0.2, "e2e_latency": 1.2}
        return events.ConversationItemAddedEvent(item=item)

    def state() -> object:
        return events.AgentStateChangedEvent(old_state="thinking", new_state="speaking")

    return [
        *[("metrics_collected", metric)] * 4,
        *[("agent_state_changed", state)] * 3,
        ("conversation_item_added", message),
    ]


@dataclass
class Measured:
    """One run: seconds per emission, seconds that the loop was late, and what the file holds."""

    emitted: list[float] = field(default_factory=list)
    worked: list[float] = field(default_factory=list)
    late: list[float] = field(default_factory=list)
    written: int = 0
    dropped: int = 0


async def _watch(late: list[float]) -> None:
    while True:
        begun = time.perf_counter()
        await asyncio.sleep(TICK)
        late.append(time.perf_counter() - begun - TICK)


async def _emit(session: rtc.EventEmitter[str], seconds: float, rate: int, found: Measured) -> None:
    """Emit `rate` events a second in small groups; only the emission itself is timed."""
    makers = cycle(emissions())
    begun = time.perf_counter()
    while (since := time.perf_counter() - begun) < seconds:
        for _ in range(int(since * rate) - len(found.emitted)):
            name, make = next(makers)
            event = make()
            start, work = time.perf_counter(), time.thread_time()
            session.emit(name, event)
            found.worked.append(time.thread_time() - work)
            found.emitted.append(time.perf_counter() - start)
        await asyncio.sleep(0.001)


def listen_idly(session: rtc.EventEmitter[str]) -> None:
    """Listen to all that is emitted, and do nothing about it."""

    def listener(_event: object) -> None: ...

    # As the hook does it: the emitter asks for it at each event.
    listener.__signature__ = inspect.signature(listener)  # type: ignore[attr-defined]
    for name in {name for name, _ in emissions()}:
        session.on(name, listener)


async def measured(seconds: float, rate: int, path: Path | None, *, idle: bool = False) -> Measured:
    """What emissions take: into the file `path`, to an idle listener, or to nobody."""
    found, session = Measured(), rtc.EventEmitter[str]()
    if idle:
        listen_idly(session)
    recorder = record(session, path) if path else None
    watching = asyncio.create_task(_watch(found.late))
    await _emit(session, seconds, rate, found)
    watching.cancel()
    if recorder is not None and path is not None:
        recorder.close()
        count(path, found)
    return found


def count(path: Path, found: Measured) -> None:
    """Count what is in the file `path`, and what it says is not."""
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    found.dropped = sum(line.get("dropped", 0) for line in lines)
    found.written = len(lines)


def at(values: list[float], share: float) -> float:
    """The value below which `share` of `values` lie, in µs."""
    return sorted(values)[min(int(share * len(values)), len(values) - 1)] * 1e6


def row(name: str, found: Measured) -> str:
    times = [at(v, q) for v in (found.emitted, found.worked, found.late) for q in (0.5, 0.99)]
    counts = [len(found.emitted), found.written, found.dropped]
    return f"{name:<16}" + "".join(f"{n:>10,.0f}" for n in (*times, *counts))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--rate", type=int, default=10_000)
    options = parser.parse_args()
    heads = ("emit p50", "p99", "cpu p50", "p99", "late p50", "p99")
    heads += ("emitted", "written", "dropped")
    sys.stdout.write(f"{'µs':<16}" + "".join(f"{head:>10}" for head in heads) + "\n")
    with tempfile.TemporaryDirectory() as folder:
        for rate in (100, options.rate):
            path = Path(folder) / f"{rate}.jsonl"
            for name, into, idle in (
                ("nobody", None, False),
                ("idle", None, True),
                ("hook", path, False),
            ):
                found = asyncio.run(measured(options.seconds, rate, into, idle=idle))
                sys.stdout.write(row(f"{name} {rate}/s", found) + "\n")


if __name__ == "__main__":
    main()
