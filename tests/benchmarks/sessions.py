"""Made-up conversations, line by line, as a hook or a worker of livekit-agents 1.8 logs them."""

from __future__ import annotations

import random
from abc import ABC, abstractmethod
from collections.abc import Iterator
from datetime import datetime, timezone
from typing import ClassVar

Line = tuple[float, str]
"""When it is written, and its text."""

Call = tuple[float, float, float]
"""When an LLM call started, its time to the first token, and its duration."""

_LLM = '{"model_name":"gpt-4o-mini","model_provider":"openai"}'
_TTS = '{"model_name":"sonic-3","model_provider":"Cartesia"}'
_STT = '{"model_name":"nova-3","model_provider":"Deepgram"}'
_VAD = '{"model_name":"unknown","model_provider":"unknown"}'


class Session(ABC):
    """One conversation: a greeting, then turns, every tenth of which calls a tool."""

    SHARE: ClassVar[float]
    """Of the lines of a real log, how many belong to a turn."""
    STT_EVERY: ClassVar[int]
    """Of the other lines, every how many-th tells what the STT heard."""

    def __init__(self, dice: random.Random, at: float, share: float | None) -> None:
        share = share or self.SHARE
        self.waits: list[float] = []
        self.job, self.room = f"AJ_{self._id(dice)}", f"call-{dice.getrandbits(32):08x}"
        self.pid = dice.randrange(1_000, 60_000)
        self._dice, self._now = dice, at
        self._ticks_a_line, self._ticks, self._idle = (1 - share) / share, 0.0, 0
        self._by_sentence = dice.random() < 0.4
        self._pace = dice.lognormvariate(0, 0.2)

    @staticmethod
    def _id(dice: random.Random) -> str:
        return f"{dice.getrandbits(48):012x}"

    def _time(self, typical: float) -> float:
        slow = 3.0 if self._dice.random() < 0.03 else 1.0
        return typical * self._pace * slow * self._dice.lognormvariate(0, 0.35)

    def lines(self) -> Iterator[Line]:
        """All lines in the order of time."""
        yield from self._audio("speech_" + self._id(self._dice), self._now, self._time(0.2), [])
        for _ in range(max(1, round(self._dice.lognormvariate(2.2, 0.5)))):
            yield from self._turn()

    def _turn(self) -> Iterator[Line]:
        dice, speech = self._dice, "speech_" + self._id(self._dice)
        stopped = self._now + dice.uniform(1, 6)
        transcription = self._time(0.25)
        delay = transcription + self._time(0.3)
        callback = self._time(0.05) if dice.random() < 0.1 else 0.0
        decided = stopped + delay + callback
        yield from self._between(self._now, decided)
        yield decided, self.eou(decided, delay, transcription, callback, speech)
        calls = [self._call(decided + 0.002)]
        if dice.random() < 0.1:
            start, _, duration = calls[0]
            yield start + duration, self.llm(*calls[0], speech)
            calls.append(self._call(start + duration + self._time(0.4)))
        start, ttft, duration = calls[-1]
        spoken, ttfb = start + ttft + self._time(0.15), self._time(0.2)
        self.waits.append(self.told(spoken + ttfb - stopped, delay, calls[0][1], ttfb))
        own = [(start + duration, self.llm(start, ttft, duration, speech))]
        yield from self._audio(speech, spoken, ttfb, own)

    def _call(self, start: float) -> Call:
        ttft = self._time(0.45)
        return start, ttft, ttft + self._time(0.5)

    def _audio(self, speech: str, start: float, ttfb: float, lines: list[Line]) -> Iterator[Line]:
        """The syntheses of an answer and the `lines` beside them, in the order of time."""
        ended = start
        for _ in range(self._dice.randrange(1, 5) if self._by_sentence else 1):
            audio = self._dice.uniform(1, 4)
            took = ttfb + 0.1 * audio
            lines.append((start + took, self.tts(start + took, ttfb, took, audio, speech)))
            ended = max(ended, start + ttfb) + audio
            start, ttfb = start + took, self._time(0.2)
        lines.sort()
        yield from lines
        self._ticks += self._ticks_a_line * (len(lines) + 1)
        self._now = max(ended, lines[-1][0])

    def _between(self, since: float, until: float) -> Iterator[Line]:
        """The lines that belong to no turn and are due, at even distances."""
        due, self._ticks = divmod(self._ticks, 1.0)
        for number in range(int(due)):
            self._idle += 1
            at = since + (until - since) * (number + 0.5) / due
            yield at, self.tick(at) if self._idle % self.STT_EVERY else self.stt(at)

    @abstractmethod
    def told(self, wait: float, delay: float, ttft: float, ttfb: float) -> float:
        """The figure that a log of this shape holds of a turn."""

    @abstractmethod
    def eou(
        self, at: float, delay: float, transcription: float, callback: float, speech: str
    ) -> str:
        """The line of a decision that the user's turn was over."""

    @abstractmethod
    def llm(self, start: float, ttft: float, duration: float, speech: str) -> str:
        """The line of an LLM call."""

    @abstractmethod
    def tts(self, at: float, ttfb: float, duration: float, audio: float, speech: str) -> str:
        """The line of a synthesis."""

    @abstractmethod
    def stt(self, at: float) -> str:
        """The line of a streaming STT's usage."""

    @abstractmethod
    def tick(self, at: float) -> str:
        """A line that is about no turn."""


class HookSession(Session):
    """A hook that writes each metrics object whole, with the session's job and room."""

    SHARE = 0.46
    STT_EVERY = 6

    def told(self, wait: float, delay: float, ttft: float, ttfb: float) -> float:  # noqa: ARG002
        """The measured wait."""
        return wait

    def _line(self, start: str, metadata: str) -> str:
        return f'{start},"metadata":{metadata},"session":"{self.job}","room":"{self.room}"}}'

    def eou(
        self, at: float, delay: float, transcription: float, callback: float, speech: str
    ) -> str:
        """An `EOUMetrics` object."""
        return self._line(
            f'{{"type":"eou_metrics","timestamp":{at:.6f},"end_of_utterance_delay":{delay},'
            f'"transcription_delay":{transcription},"on_user_turn_completed_delay":{callback},'
            f'"speech_id":"{speech}"',
            "null",
        )

    def llm(self, start: float, ttft: float, duration: float, speech: str) -> str:
        """An `LLMMetrics` object."""
        dice = self._dice
        completion, prompt = dice.randrange(5, 120), dice.randrange(200, 4_000)
        return self._line(
            f'{{"type":"llm_metrics","label":"livekit.plugins.openai.llm.LLM","request_id":'
            f'"chatcmpl-{self._id(dice)}","timestamp":{start + duration:.6f},'
            f'"duration":{duration},"ttft":{ttft},"cancelled":false,'
            f'"completion_tokens":{completion},"prompt_tokens":{prompt},"prompt_cached_tokens":0,'
            f'"cache_creation_tokens":0,"reasoning_tokens":0,'
            f'"total_tokens":{completion + prompt},"tokens_per_second":{completion / duration},'
            f'"speech_id":"{speech}"',
            _LLM,
        )

    def tts(self, at: float, ttfb: float, duration: float, audio: float, speech: str) -> str:
        """A `TTSMetrics` object."""
        return self._line(
            f'{{"type":"tts_metrics","label":"livekit.plugins.cartesia.tts.TTS","request_id":'
            f'"tts_{self._id(self._dice)}","timestamp":{at:.6f},"ttfb":{ttfb},'
            f'"duration":{duration},"audio_duration":{audio},"cancelled":false,'
            f'"characters_count":{int(audio * 18)},"input_tokens":0,"output_tokens":0,'
            f'"streamed":true,"acquire_time":0.0,"connection_reused":true,'
            f'"segment_id":"seg_{self._id(self._dice)}","speech_id":"{speech}"',
            _TTS,
        )

    def stt(self, at: float) -> str:
        """An `STTMetrics` object."""
        return self._line(
            f'{{"type":"stt_metrics","label":"livekit.plugins.deepgram.stt.STT","request_id":'
            f'"stt_{self.job}","timestamp":{at:.6f},"duration":0.0,"audio_duration":5.05,'
            f'"streamed":true,"input_tokens":0,"output_tokens":0,"total_tokens":0,'
            f'"input_audio_tokens":0,"acquire_time":0.0,"connection_reused":false',
            _STT,
        )

    def tick(self, at: float) -> str:
        """A `VADMetrics` object."""
        return self._line(
            f'{{"type":"vad_metrics","label":"livekit.plugins.silero.vad.VAD",'
            f'"timestamp":{at:.6f},"idle_time":{at - self._now},'
            f'"inference_duration_total":0.0312,"inference_count":31',
            _VAD,
        )


class WorkerSession(Session):
    """A worker in production mode: `log_metrics` lines among ordinary ones."""

    SHARE = 0.165
    STT_EVERY = 20

    def told(self, wait: float, delay: float, ttft: float, ttfb: float) -> float:  # noqa: ARG002
        """LiveKit's sum of rounded parts; only `ttfb` is written in full."""
        return round(delay, 2) + round(ttft, 2) + ttfb

    def _line(self, head: str, at: float, code: int) -> str:
        time = datetime.fromtimestamp(at, tz=timezone.utc).isoformat()
        return (
            f'{{{head}, "pid": {self.pid}, "job_id": "{self.job}", "room": "{self.room}", '
            f'"room_id": "RM_{self.job[3:]}", "code.file.path": "/app/.venv/lib/python3.11/'
            f'site-packages/livekit/agents/metrics/utils.py", "code.function.name": '
            f'"log_metrics", "code.line.number": {code}, "timestamp": "{time}"}}'
        )

    def _metric(self, kind: str, metadata: str, values: str, at: float, code: int) -> str:
        named = metadata[1:-1].replace('":"', '": "').replace('","', '", "')
        comma = ", " if named else ""
        return self._line(
            f'"message": "{kind} metrics", "level": "INFO", "name": "livekit.agents", '
            f"{named}{comma}{values}",
            at,
            code,
        )

    def eou(
        self,
        at: float,
        delay: float,
        transcription: float,
        callback: float,  # noqa: ARG002
        speech: str,  # noqa: ARG002
    ) -> str:
        """An `EOU metrics` line."""
        values = (
            f'"end_of_utterance_delay": {round(delay, 2)}, '
            f'"transcription_delay": {round(transcription, 2)}'
        )
        return self._metric("EOU", "", values, at, 81)

    def llm(self, start: float, ttft: float, duration: float, speech: str) -> str:  # noqa: ARG002
        """An `LLM metrics` line."""
        dice = self._dice
        completion, prompt = dice.randrange(20, 120), dice.randrange(200, 4_000)
        values = (
            f'"ttft": {round(ttft, 2)}, "prompt_tokens": {prompt}, "prompt_cached_tokens": 0, '
            f'"cache_creation_tokens": 0, "completion_tokens": {completion}, '
            f'"reasoning_tokens": 0, "tokens_per_second": {round(completion / duration, 2)}'
        )
        return self._metric("LLM", _LLM, values, start + duration, 30)

    def tts(self, at: float, ttfb: float, duration: float, audio: float, speech: str) -> str:  # noqa: ARG002
        """A `TTS metrics` line."""
        values = f'"ttfb": {ttfb}, "audio_duration": {round(audio, 2)}'
        return self._metric("TTS", _TTS, values, at, 72)

    def stt(self, at: float) -> str:
        """An `STT metrics` line."""
        values = '"audio_duration": 5.05, "input_tokens": 0, "output_tokens": 0'
        return self._metric("STT", _STT, values, at, 90)

    def tick(self, at: float) -> str:
        """An ordinary log line, as long as real ones are."""
        words = self._dice.choice(_SAID)
        return self._line(
            f'"message": "{words}", "level": "DEBUG", "name": "app.agent", "duration": 0.2878, '
            f'"threshold": 0.1, "task": "job_ipc_read", "stack": "{_STACK}"',
            at,
            490,
        )


_SAID = (
    "received user transcript",
    "speech playout finished \\u2014 next one",
    'event loop blocked for 288ms at \\"loop_monitor.py\\", line 374, in _on_gc',
    'executing tool {\\"order\\": 17, \\"ttft\\": \\"unknown\\"}',
)
_STACK = (
    "# loop thread sampled 130ms into the stall\\n"
    '  File \\"/usr/local/lib/python3.11/asyncio/base_events.py\\", line 607, in run_forever\\n'
    '  File \\"/usr/local/lib/python3.11/asyncio/events.py\\", line 84, in _run\\n'
    '  File \\"/app/.venv/lib/python3.11/site-packages/livekit/agents/voice/agent_activity.py\\",'
    " line 5316, in _resolve_interruption_detection\\n"
)

SHAPES: dict[str, type[Session]] = {"hook": HookSession, "production": WorkerSession}
