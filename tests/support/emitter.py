"""A session that only emits, for tests of how the hook writes; standard library only.

`python -c` scripts of tests import it beside the hook, where LiveKit would take seconds to load.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any


class Session:
    def __init__(self) -> None:
        self._events: dict[str, list[Callable[[Any], None]]] = {}

    def on(self, event: str, callback: Callable[[Any], None]) -> None:
        self._events.setdefault(event, []).append(callback)

    def off(self, event: str, callback: Callable[[Any], None]) -> None:
        self._events[event].remove(callback)

    def emit(self, event: str, argument: Any) -> None:
        for callback in self._events.get(event, []):
            callback(argument)

    def measure(self, number: Any, **more: Any) -> None:
        """Emit a metric that can be told from others by its number."""
        self.emit("metrics_collected", Collected(Metric(number, more)))


@dataclass(frozen=True)
class Metric:
    number: Any
    more: dict[str, Any] = field(default_factory=dict)

    def model_dump(self) -> dict[str, Any]:
        return {"type": "vad_metrics", "inference_count": 1, "number": self.number} | self.more


@dataclass(frozen=True)
class Collected:
    metrics: Any


def job(path: str) -> None:
    """What a process of a worker does: it records and ends, without a word to the hook."""
    from turnlat.hook import record  # noqa: PLC0415  # scripts of tests need no installed turnlat

    session = Session()
    record(session, path)
    for number in range(100):
        session.measure(number)
