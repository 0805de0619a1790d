"""A headless agent: a real AgentSession between fake ears, brain and voice, for recording its logs.

The fakes stand behind LiveKit's own interfaces, so turns, metrics and spans are LiveKit's.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count
from typing import Any

from livekit import rtc
from livekit.agents import Agent, AgentSession, function_tool, llm, stt, tts, vad
from livekit.agents.types import DEFAULT_API_CONNECT_OPTIONS as DEFAULT
from livekit.agents.voice import io

RATE = 16_000
TICK = 0.032
"""Seconds of audio that the VAD judges at a time."""
SILENCE = 0.2
"""Seconds without speech after which the VAD calls it ended."""
NUMBERS = count(1)


def silence(seconds: float) -> rtc.AudioFrame:
    samples = int(RATE * seconds)
    return rtc.AudioFrame(bytes(2 * samples), RATE, 1, samples)


@dataclass
class User:
    """Who talks to the agent: what the fake VAD and STT hear."""

    speaking: bool = False
    finals: asyncio.Queue[str] = field(default_factory=asyncio.Queue)

    async def say(self, text: str, seconds: float = 0.5, transcript_after: float = 0.1) -> None:
        self.speaking = True
        await asyncio.sleep(seconds)
        self.speaking = False
        await asyncio.sleep(transcript_after)
        self.finals.put_nowait(text)


class Ears(vad.VAD):
    """Hears whether the user speaks."""

    def __init__(self, user: User) -> None:
        super().__init__(capabilities=vad.VADCapabilities(update_interval=TICK))
        self.user = user

    def stream(self) -> vad.VADStream:
        return EarsStream(self)


class EarsStream(vad.VADStream):
    async def _main_task(self) -> None:
        speaking, since, user = False, 0.0, self._vad.user
        for tick in count(1):
            await asyncio.sleep(TICK)
            since = since + TICK if user.speaking != speaking else 0.0
            self._send(vad.VADEventType.INFERENCE_DONE, tick, since, speaking=speaking)
            if since and (not speaking or since >= SILENCE):
                speaking = not speaking
                kind = "START_OF_SPEECH" if speaking else "END_OF_SPEECH"
                self._send(vad.VADEventType[kind], tick, since, speaking=speaking)
                since = 0.0

    def _send(self, kind: vad.VADEventType, tick: int, since: float, *, speaking: bool) -> None:
        event = vad.VADEvent(kind, tick, tick * TICK, TICK, since, speaking=speaking)
        changing = "raw_accumulated_silence" if speaking else "raw_accumulated_speech"
        self._event_ch.send_nowait(replace(event, **{changing: since}))


class Stenographer(stt.STT):
    """Knows what the user said."""

    def __init__(self, user: User) -> None:
        super().__init__(capabilities=stt.STTCapabilities(streaming=True, interim_results=False))
        self.user = user

    async def _recognize_impl(self, *args: Any, **kwargs: Any) -> stt.SpeechEvent:
        raise NotImplementedError

    def stream(self, *, conn_options: Any = DEFAULT, **_: Any) -> stt.RecognizeStream:
        return StenographerStream(stt=self, conn_options=conn_options, sample_rate=RATE)


class StenographerStream(stt.RecognizeStream):
    async def _run(self) -> None:
        while True:
            data = stt.SpeechData(language="en", text=await self._stt.user.finals.get())
            kind = stt.SpeechEventType.FINAL_TRANSCRIPT
            self._event_ch.send_nowait(stt.SpeechEvent(kind, "stt", [data]))


class Brain(llm.LLM):
    """Echoes the user; answers a question about the weather by asking the tool first."""

    model = "fake-brain"
    provider = "tests"

    def chat(self, *, conn_options: Any = DEFAULT, **request: Any) -> llm.LLMStream:
        asked = {"chat_ctx": request["chat_ctx"], "tools": request.get("tools") or []}
        return BrainStream(self, conn_options=conn_options, **asked)


class BrainStream(llm.LLMStream):
    async def _run(self) -> None:
        number = next(NUMBERS)
        await asyncio.sleep(0.15)
        last = self._chat_ctx.items[-1]
        heard = getattr(last, "text_content", None) or ""
        if "weather" in heard:
            call = llm.FunctionToolCall(name="weather", arguments="{}", call_id=f"call-{number}")
            self._send(number, llm.ChoiceDelta(role="assistant", tool_calls=[call]))
        else:
            for word in f"You said {heard or 'nothing'} to me. ".split(" "):
                self._send(number, llm.ChoiceDelta(role="assistant", content=f"{word} "))
                await asyncio.sleep(0.01)
        usage = llm.CompletionUsage(completion_tokens=8, prompt_tokens=80, total_tokens=88)
        self._event_ch.send_nowait(llm.ChatChunk(id=f"chat-{number}", usage=usage))

    def _send(self, number: int, delta: llm.ChoiceDelta) -> None:
        self._event_ch.send_nowait(llm.ChatChunk(id=f"chat-{number}", delta=delta))


class Voice(tts.TTS):
    """Speaks silence, sentence by sentence."""

    model = "fake-voice"
    provider = "tests"

    def __init__(self) -> None:
        silent = tts.TTSCapabilities(streaming=False)
        super().__init__(capabilities=silent, sample_rate=RATE, num_channels=1)

    def synthesize(self, text: str, *, conn_options: Any = DEFAULT) -> tts.ChunkedStream:
        return VoiceStream(tts=self, input_text=text, conn_options=conn_options)


class VoiceStream(tts.ChunkedStream):
    async def _run(self, output_emitter: tts.AudioEmitter) -> None:
        number = next(NUMBERS)
        output_emitter.initialize(
            request_id=f"tts-{number}", sample_rate=RATE, num_channels=1, mime_type="audio/pcm"
        )
        await asyncio.sleep(0.1)
        for _ in range(3):
            output_emitter.push(bytes(silence(0.2).data))
            await asyncio.sleep(0.02)
        output_emitter.flush()


class Microphone(io.AudioInput):
    async def __anext__(self) -> rtc.AudioFrame:
        await asyncio.sleep(0.1)
        return silence(0.1)


class Loudspeaker(io.AudioOutput):
    """Plays nothing in real time."""

    def __init__(self) -> None:
        can = io.AudioOutputCapabilities(pause=False)
        super().__init__(label="tests", sample_rate=RATE, capabilities=can)
        self._started, self._pushed, self._cleared = 0.0, 0.0, asyncio.Event()
        self._playing: asyncio.Task[None] | None = None

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        if self._playing is not None:
            await self._playing
        await super().capture_frame(frame)
        if not self._pushed:
            self._started = time.time()
            self.on_playback_started(created_at=self._started)
        self._pushed += frame.duration

    def flush(self) -> None:
        super().flush()
        if self._pushed and self._playing is None:
            self._playing = asyncio.create_task(self._play())

    def clear_buffer(self) -> None:
        if self._pushed:
            self._cleared.set()

    async def _play(self) -> None:
        left = self._started + self._pushed - time.time()
        with contextlib.suppress(asyncio.TimeoutError):
            await asyncio.wait_for(self._cleared.wait(), max(left, 0.0))
        played = min(self._pushed, time.time() - self._started)
        cleared, self._cleared = self._cleared, asyncio.Event()
        self._pushed, self._playing = 0.0, None
        self.on_playback_finished(playback_position=played, interrupted=cleared.is_set())


class Clerk(Agent):
    """An agent with one slow tool."""

    def __init__(self) -> None:
        super().__init__(instructions="Be brief.")

    async def on_user_turn_completed(self, *_: Any, **__: Any) -> None:
        await asyncio.sleep(0.05)

    @function_tool
    async def weather(self) -> str:
        """The weather."""
        await asyncio.sleep(0.3)
        return "sunny"


async def converse(listen: Callable[[AgentSession], None], *utterances: str) -> None:
    """Greet the user, then hold one turn for each of `utterances`; ` ... ` in one is a pause."""
    user = User()
    session = AgentSession(
        stt=Stenographer(user),
        llm=Brain(),
        tts=Voice(),
        vad=Ears(user),
        turn_handling={"turn_detection": "vad", "endpointing": {"min_delay": 0.3}},
        aec_warmup_duration=None,
    )
    session.input.audio, session.output.audio = Microphone(label="tests"), Loudspeaker()
    listen(session)
    await session.start(Clerk())
    await session.say("Welcome.")
    for text in utterances:
        for part in text.split(" ... "):
            await user.say(part)
        await _answered(session)
    await session.aclose()


async def _answered(session: AgentSession) -> None:
    """Wait for the agent to begin to speak, and then to be done."""
    for speaking in (True, False):
        await asyncio.wait_for(_until(session, speaking=speaking), 8)
    await asyncio.sleep(0.2)


async def _until(session: AgentSession, *, speaking: bool) -> None:
    while (session.agent_state == "speaking") is not speaking:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
