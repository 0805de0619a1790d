"""A conversation with all that can happen in one, recorded by the hook and by its own events.

`python scenario.py FOLDER` needs `agent.py` and the hook beside it, and no turnlat: it runs with
whatever LiveKit there is. It leaves `agent.jsonl` and `production.jsonl`, both the hook's,
`truth.json`, and in `late.json` how long the machine kept the event loop waiting at most.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import agent
from livekit.agents import AgentSession
from livekit.agents.cli.log import JsonFormatter

if find_spec("turnlat_hook"):
    from turnlat_hook import record
else:
    from turnlat.hook import record

PLAIN = ("Hello there", "What is the weather", "Tell me a story", "!Stop please", "So transfer me")
TICK = 0.002
PREEMPTIVE = ("Hello again", "I would like ... a coffee", "Goodbye")


class Witness:
    """What a session's own events tell, without the hook."""

    def __init__(self) -> None:
        self.stopped: list[float] = []
        """When the user stopped, as the session's user state tells it."""
        self.speaking: list[float] = []
        """When the agent began to speak."""
        self.speeches: list[str] = []
        self.states: list[list[str]] = []
        self.items: list[list[Any]] = []
        """Role, words and whether it was interrupted, of each message."""
        self.metrics: list[dict[str, Any]] = []
        self.user = agent.User()

    def watch(self, session: AgentSession) -> None:
        session.on("user_state_changed", self._user)
        session.on("agent_state_changed", self._agent)
        session.on("speech_created", lambda ev: self.speeches.append(ev.speech_handle.id))
        session.on("conversation_item_added", self._item)
        session.on("metrics_collected", lambda ev: self.metrics.append(ev.metrics.model_dump()))

    def _user(self, event: Any) -> None:
        self.states.append([event.old_state, event.new_state])
        if event.new_state == "listening":
            self.stopped.append(time.time() - self.user.silences[-1])

    def _agent(self, event: Any) -> None:
        self.states.append([event.old_state, event.new_state])
        if event.new_state == "speaking":
            self.speaking.append(time.time())

    def _item(self, event: Any) -> None:
        if event.item.type == "message":
            words = len((event.item.text_content or "").split())
            self.items.append([event.item.role, words, event.item.interrupted])

    @property
    def waits(self) -> list[float]:
        """Of each answer, the agent's change to speaking less the user's last stop before it."""
        found, before = [], 0.0
        for at in self.speaking:
            stops = [stop for stop in self.stopped if before < stop < at]
            found += [at - stops[-1]] if stops else []
            before = at
        return found

    def told(self) -> dict[str, Any]:
        names = ("waits", "speeches", "states", "items", "metrics")
        return {name: getattr(self, name) for name in names}


def logger(path: Path) -> logging.Logger:
    """A logger that writes as a worker in production does."""
    handler = logging.FileHandler(path)
    handler.setFormatter(JsonFormatter())
    made = logging.getLogger("scenario")
    made.setLevel(logging.INFO)
    made.addHandler(handler)
    return made


async def converse(folder: Path) -> list[dict[str, Any]]:
    """Hold the two conversations, one after the other, into one file; what their events told."""
    told, log = [], logger(folder / "production.jsonl")
    for utterances, preemptive in ((PLAIN, False), (PREEMPTIVE, True)):
        witness = Witness()

        def listen(session: AgentSession, witness: Witness = witness) -> None:
            witness.watch(session)
            record(session, folder / "agent.jsonl")
            record(session, logger=log)

        await agent.converse(listen, *utterances, preemptive=preemptive, user=witness.user)
        told.append(witness.told())
    return told


async def watched(folder: Path) -> list[dict[str, Any]]:
    """`converse`, beside a clock that tells how late it is."""
    late = [0.0]
    clock = asyncio.create_task(tick(late))
    told = await converse(folder)
    clock.cancel()
    (folder / "late.json").write_text(json.dumps(max(late)))
    return told


async def tick(late: list[float]) -> None:
    while True:
        begun = time.perf_counter()
        await asyncio.sleep(TICK)
        late.append(time.perf_counter() - begun - TICK)


def main(folder: Path) -> None:
    told = asyncio.run(watched(folder))
    (folder / "truth.json").write_text(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
