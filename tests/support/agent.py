"""A headless agent: a real AgentSession between fake ears, brain and voice, for recording its logs.

The fakes stand behind LiveKit's own interfaces, so turns, metrics and spans are LiveKit's; they
fit livekit-agents 1.0 to 1.8.
"""

from __future__ import annotations

import asyncio
import contextlib
import inspect
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
TOOLS = ("weather", "transfer")
STORY = "Once upon a time there was a caller who waited and waited for an answer to all of it. " * 3


def silence(seconds: float) -> rtc.AudioFrame:
    samples = int(RATE * seconds)
    return rtc.AudioFrame(bytes(2 * samples), RATE, 1, samples)


@dataclass
class User:
    """Who talks to the agent: what the fake VAD and STT hear."""

    speaking: bool = False
    finals: asyncio.Queue[str] = field(default_factory=asyncio.Queue)
    silences: list[float] = field(default_factory=list)
    """Of each end of speech, how many seconds ago it was when the VAD told of it."""

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
        speaking, user = False, self._vad.user
        heard = quiet = changed = time.time()
        for tick in count(1):
            await asyncio.sleep(TICK)
            now = time.time()
            heard, quiet = (now, quiet) if user.speaking else (heard, now)
            changed = now if user.speaking == speaking else changed
            since = now - changed
            self._send("INFERENCE_DONE", tick, now - heard, now - quiet, speaking=speaking)
            if since and (not speaking or since >= SILENCE):
                speaking = not speaking
                kind = "START_OF_SPEECH" if speaking else "END_OF_SPEECH"
                user.silences += [] if speaking else [since]
                self._send(kind, tick, now - heard, now - quiet, speaking=speaking)

    def _send(self, kind: str, tick: int, silent: float, spoken: float, *, speaking: bool) -> None:
        kind_ = vad.VADEventType[kind]
        event = vad.VADEvent(kind_, tick, tick * TICK, spoken, silent, speaking=speaking)
        raw = {"raw_accumulated_silence": silent, "raw_accumulated_speech": spoken}
        self._event_ch.send_nowait(replace(event, **raw))


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
            self.heard(await self._stt.user.finals.get())

    def heard(self, text: str) -> None:
        data = stt.SpeechData(language="en", text=text)
        kind = stt.SpeechEventType.FINAL_TRANSCRIPT
        self._event_ch.send_nowait(stt.SpeechEvent(kind, "stt", [data]))


class Brain(llm.LLM):
    """Echoes the user; uses a tool when the user names it; can tell a long story."""

    model = "fake-brain"
    provider = "tests"

    def chat(self, *, conn_options: Any = DEFAULT, **request: Any) -> llm.LLMStream:
        asked = {"chat_ctx": request["chat_ctx"], "tools": request.get("tools") or []}
        return BrainStream(self, conn_options=conn_options, **asked)

    async def think(self) -> None:
        await asyncio.sleep(0.15)


class BrainStream(llm.LLMStream):
    async def _run(self) -> None:
        number = next(NUMBERS)
        await self._llm.think()
        last = self._chat_ctx.items[-1] if self._chat_ctx.items else None
        heard = getattr(last, "text_content", None) or ""
        tool = next((name for name in TOOLS if name in heard), None)
        if tool is not None:
            call = llm.FunctionToolCall(name=tool, arguments="{}", call_id=f"call-{number}")
            self._send(number, llm.ChoiceDelta(role="assistant", tool_calls=[call]))
        else:
            told = STORY if "story" in heard else f"You said {heard or 'nothing'} to me. "
            for word in told.split(" "):
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

    async def prepare(self) -> None:
        await asyncio.sleep(0.1)


class VoiceStream(tts.ChunkedStream):
    async def _run(self, output_emitter: Any = None) -> None:
        number = next(NUMBERS)
        if output_emitter is not None:
            output_emitter.initialize(
                request_id=f"tts-{number}", sample_rate=RATE, num_channels=1, mime_type="audio/pcm"
            )
        await self._tts.prepare()
        for _ in range(max(3, len(self._input_text) // 20)):
            self._push(silence(0.2), f"tts-{number}", output_emitter)
        await asyncio.sleep(0.06)
        if output_emitter is not None:
            output_emitter.flush()

    def _push(self, frame: rtc.AudioFrame, request: str, output_emitter: Any) -> None:
        """Hand over some audio; LiveKit 1.0 has no emitter for it."""
        if output_emitter is None:
            self._event_ch.send_nowait(tts.SynthesizedAudio(frame=frame, request_id=request))
        else:
            output_emitter.push(bytes(frame.data))


class Microphone(io.AudioInput):
    async def __anext__(self) -> rtc.AudioFrame:
        await asyncio.sleep(0.1)
        return silence(0.1)


class Loudspeaker(io.AudioOutput):
    """Plays nothing in real time."""

    def __init__(self) -> None:
        known = inspect.signature(io.AudioOutput.__init__).parameters
        more = {"label": "tests"} if "label" in known else {}
        if "capabilities" in known:
            more["capabilities"] = io.AudioOutputCapabilities(pause=False)
        super().__init__(sample_rate=RATE, **more)
        self._started, self._pushed, self._cleared = 0.0, 0.0, asyncio.Event()
        self._playing: asyncio.Task[None] | None = None

    async def capture_frame(self, frame: rtc.AudioFrame) -> None:
        if self._playing is not None:
            await self._playing
        await super().capture_frame(frame)
        if not self._pushed:
            self._started = time.time()
            if hasattr(self, "on_playback_started"):  # LiveKit 1.4 asks for it
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
    """An agent with one slow tool, and one that hands the user over."""

    def __init__(self) -> None:
        super().__init__(instructions="Be brief.")

    async def on_user_turn_completed(self, *_: Any, **__: Any) -> None:
        await asyncio.sleep(0.05)

    @function_tool
    async def weather(self) -> str:
        """The weather."""
        await asyncio.sleep(0.3)
        return "sunny"

    @function_tool
    async def transfer(self) -> Agent:
        """Hand the user over to a specialist."""
        return Specialist()


class Specialist(Agent):
    """Whom the user is handed over to."""

    def __init__(self) -> None:
        super().__init__(instructions="Be thorough.")

    async def on_enter(self) -> None:
        self.session.generate_reply()


def made(*, preemptive: bool = True, **parts: Any) -> AgentSession:
    """A session of any LiveKit between fakes (`stt`, `llm`, `tts`, `vad`), without a room."""
    known = inspect.signature(AgentSession.__init__).parameters
    if "turn_handling" in known:
        handling = {"turn_detection": "vad", "endpointing": {"min_delay": 0.3}}
        handling["preemptive_generation"] = {"enabled": preemptive}
        options = {"turn_handling": handling, "aec_warmup_duration": None}
    else:
        options = {"turn_detection": "vad", "min_endpointing_delay": 0.3}
        options |= {"preemptive_generation": preemptive, "aec_warmup_duration": None}
    given = parts | {name: value for name, value in options.items() if name in known}
    session = AgentSession(**given)
    label = {"label": "tests"} if "label" in inspect.signature(io.AudioInput).parameters else {}
    session.input.audio, session.output.audio = Microphone(**label), Loudspeaker()
    return session


async def converse(
    listen: Callable[[AgentSession], None],
    *utterances: str,
    preemptive: bool = True,
    user: User | None = None,
) -> None:
    """Greet the user, then hold one turn for each of `utterances`.

    ` ... ` in one is a pause; one that begins with `!` interrupts the answer to the one before.
    """
    user = user or User()
    parts = {"stt": Stenographer(user), "llm": Brain(), "tts": Voice(), "vad": Ears(user)}
    session = made(preemptive=preemptive, **parts)
    listen(session)
    await session.start(Clerk())
    await session.say("Welcome.")
    for text, following in zip(utterances, [*utterances[1:], ""], strict=True):
        for part in text.lstrip("!").split(" ... "):
            # LiveKit lets half a second of speech interrupt.
            await user.say(part, 1.0 if text.startswith("!") else 0.5)
        await answered(session, wholly=not following.startswith("!"))
    await session.aclose()


async def answered(session: AgentSession, *, wholly: bool = True) -> None:
    """Wait for the agent to begin to speak, and then to be done, or just until it was heard."""
    await asyncio.wait_for(_until(session, speaking=True), 8)
    if wholly:
        await asyncio.wait_for(_until(session, speaking=False), 20)
    await asyncio.sleep(0.2)


async def _until(session: AgentSession, *, speaking: bool) -> None:
    while (session.agent_state == "speaking") is not speaking:  # noqa: ASYNC110
        await asyncio.sleep(0.01)
