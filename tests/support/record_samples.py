"""Record the two runs of `sample_logs/`: `python tests/support/record_samples.py [SESSIONS]`.

Sixteen callers replay one script each, with an agent whose parts take as long as real ones do:
log-normal, and now and then much longer. Both runs have the same scripts, each in a room of its
name; in the second the LLM takes 30 % more time to answer.
"""

from __future__ import annotations

import asyncio
import contextvars
import random
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import agent
from livekit.agents import AgentSession, stt
from livekit.agents.job import _JobContextVar

from turnlat.hook import Recorder, record

SAMPLES = Path(__file__).parents[2] / "sample_logs"
RUNS = {"normal": 1.0, "slower_llm": 1.3}
TOPICS = ("booking", "billing", "delivery", "returns", "hours", "support", "upgrade", "taxes")
SAYINGS = (
    "Hello, I have a question",
    "I would like to change my order",
    "What is the weather for the delivery",
    "Could you say that again",
    "My number is four seven one one",
    "How long does that take",
    "I had to wait for ... two days already",
    "That is fine with me",
    "Can you send me a message about it",
    "What is the weather tomorrow",
    "Is there anything that I have to pay",
    "Thank you, goodbye",
)
TURNS = 10


def drawn(dice: random.Random, median: float, spread: float = 0.25, slow: float = 0.03) -> float:
    """Seconds as real services take them: log-normal, `slow` of them three times as long."""
    seconds = dice.lognormvariate(0.0, spread) * median
    return seconds * 3 if dice.random() < slow else seconds


class Stenographer(agent.Stenographer):
    """Tells of its usage now and then, as streaming ones do."""

    model, provider = "nova-3", "Deepgram"

    def stream(self, *, conn_options: Any = agent.DEFAULT, **_: Any) -> stt.RecognizeStream:
        return StenographerStream(stt=self, conn_options=conn_options, sample_rate=agent.RATE)


class StenographerStream(agent.StenographerStream):
    words = 0

    def heard(self, text: str) -> None:
        super().heard(text)
        self.words += len(text.split())
        if self.words > 15:
            usage = stt.RecognitionUsage(audio_duration=0.4 * self.words)
            kind = stt.SpeechEventType.RECOGNITION_USAGE
            self._event_ch.send_nowait(stt.SpeechEvent(kind, "stt", recognition_usage=usage))
            self.words = 0


class Brain(agent.Brain):
    """Takes most of its time for the first token."""

    model, provider = "gpt-4o-mini", "openai"

    def __init__(self, dice: random.Random, factor: float) -> None:
        super().__init__()
        self.dice, self.factor = dice, factor

    async def think(self) -> None:
        await asyncio.sleep(drawn(self.dice, 0.45) * self.factor)


class Voice(agent.Voice):
    model, provider = "sonic-3", "Cartesia"

    def __init__(self, dice: random.Random) -> None:
        super().__init__()
        self.dice = dice

    async def prepare(self) -> None:
        await asyncio.sleep(drawn(self.dice, 0.18))


class Ears(agent.Ears):
    """Infers all the time, and tells of it every ten seconds."""

    def __init__(self, user: agent.User) -> None:
        super().__init__(user)
        self.capabilities.update_interval = agent.TICK / 10


async def call(script: str, number: int, run: str, path: Path) -> None:
    """One session: a caller who replays `script`."""
    user, takes, says = agent.User(), random.Random(f"{run} {script}"), random.Random(script)
    session = agent.made(
        stt=Stenographer(user), llm=Brain(takes, RUNS[run]), tts=Voice(takes), vad=Ears(user)
    )
    recorder = recorder_of(session, path, f"AJ_{run}_{number:02}", script)
    await asyncio.sleep(says.uniform(0, 6))
    await session.start(agent.Clerk())
    await session.say("Welcome, how can I help you?")
    for text in [SAYINGS[0], *says.sample(SAYINGS[1:-1], TURNS - 2), SAYINGS[-1]]:
        await asyncio.sleep(says.uniform(0.2, 0.8))
        for part in text.split(" ... "):
            await user.say(part, says.uniform(0.8, 1.6), min(drawn(takes, 0.14, 0.35), 1.5))
        await agent.answered(session)
    await session.aclose()
    recorder.close()


def recorder_of(session: AgentSession, path: Path, job_id: str, room: str) -> Recorder:
    """A recorder that finds itself in a job; the session must not, which has no server."""
    job = SimpleNamespace(id=job_id, room=SimpleNamespace(name=room))
    context = contextvars.copy_context()
    context.run(_JobContextVar.set, SimpleNamespace(job=job))
    return context.run(record, session, path)


async def main(sessions: int) -> None:
    for run in RUNS:
        path = SAMPLES / f"{run}.jsonl"
        path.unlink(missing_ok=True)
        scripts = [f"{TOPICS[n % 8]}-{n // 8 + 1}" for n in range(sessions)]
        await asyncio.gather(*(call(s, n + 1, run, path) for n, s in enumerate(scripts)))


if __name__ == "__main__":
    asyncio.run(main(int(sys.argv[1]) if len(sys.argv) > 1 else 16))
