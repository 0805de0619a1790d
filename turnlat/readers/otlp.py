"""OpenTelemetry: LiveKit's spans in an OTLP/JSON export request, as the records of a hook log.

A span's speech stands on the agent turn above it, which ends and is exported later. So the
requests of a file are read as one, and only a file that holds a whole session gives speech ids;
records of other files have none, all alike, and are grouped by inference.
"""

from __future__ import annotations

import contextlib
import math
from collections.abc import Iterable, Iterator
from itertools import chain, takewhile
from typing import Any, ClassVar

import msgspec
import orjson

from turnlat.readers import hook
from turnlat.readers.fields import Decoded, JsonObject, text_or_none, typed
from turnlat.readers.spans import Attributes, Span, Trace, is_request, resource_spans, traces

NAME = "otlp"
ABOUT = (
    "OpenTelemetry spans of an agent, an OTLP/JSON export request (livekit-agents 1.2 and later)"
)
EXAMPLE = (
    '{"resourceSpans":[{"scopeSpans":[{"scope":{"name":"livekit-agents"},"spans":[{"traceId":'
    '"5b8efff798038103d269b633813fc60c","spanId":"eee19b7ec3c1b174","name":"user_turn",'
    '"startTimeUnixNano":"1795332031000000000","endTimeUnixNano":"1795332033690000000",'
    '"attributes":[{"key":"lk.end_of_turn_delay","value":{"doubleValue":0.501}},'
    '{"key":"lk.transcription_delay","value":{"doubleValue":0.249}}]}]}]}]}'
)

_SPEECH = "lk.speech_id"
_METRICS = ("lk.llm_metrics", "lk.tts_metrics", "lk.realtime_model_metrics")
_EOU_DELAY = ("lk.end_of_turn_delay", "lk.end_of_utterance_delay")
"""Its name from 1.3 on, and before."""
_TRANSCRIPTION_DELAY = ("lk.transcription_delay",)
_CALLBACK = "on_user_turn_completed"
_CALLBACK_DELAY = ("lk.on_user_turn_completed_delay",)
_FIRST_SPANS = ("session_start", "start_agent_activity")
_STARTUP = 10.0
"""Seconds from a session's start within which one of its first spans starts."""
_USER_INPUT = ("lk.pii.user_input", "lk.user_input")
_TRANSCRIPTS = "lk.stt.events"
_TRANSCRIPT = ("lk.pii.user_transcript", "lk.user_transcript")
_AGENT_TURNS = ("agent_turn", "assistant_turn")
_REQUESTS = ("llm_request", "tts_request")
_NODES = {
    "llm_node": ("llm", "ttft", "lk.response.ttft"),
    "tts_node": ("tts", "ttfb", "lk.response.ttfb"),
}
"""Spans that time a component from outside: their kind, and the delay that they know."""

_KEYS = (
    ("job_id", "lk.job_id"),
    ("job_id", "job_id"),
    ("room_id", "lk.room_sid"),
    ("room_id", "room_id"),
    ("room", "lk.pii.room_name"),
    ("room", "lk.room_name"),
    ("room", "room"),
    ("agent_name", "lk.agent_name"),
    ("agent_name", "agent_name"),
)
"""Attributes of some span of a session, or of its process, that tell it apart."""


def decode(line: JsonObject) -> list[Decoded] | None:
    """The records of an export request's spans; null where `line` is no such request."""
    if not is_request(line):
        return None
    return [found for trace in traces(line) for found in _records(trace)]


def gather(requests: list[JsonObject]) -> JsonObject:
    """All requests as one: a speech's id is on a span that ends, and is exported, after others."""
    spans = [item for request in requests for item in resource_spans(request)]
    return {"resourceSpans": spans}


GATHERED = {"gather": gather, "is_part": is_request}


def _records(trace: Trace) -> Iterator[Decoded]:
    whole = _is_whole(trace)
    speeches = _speeches(trace) if whole else {}
    shared = _origin(span.attributes for span in trace.spans) if whole else {}
    nodes = _unmeasured(trace) if whole else []
    for span, found in chain(_measured(trace), nodes, _eous(trace)):
        found.record.speech_id = found.record.speech_id or speeches.get(span.span_id)
        own = _origin([span.attributes, span.resource])
        yield found._replace(origin={"hook_session": span.trace_id or None} | own | shared)


def _is_whole(trace: Trace) -> bool:
    """Whether the request holds a session from one of its first spans to its last: its own.

    Of parts, some would know their speeches and some not, and a turn would lose its answer.
    """
    sessions = [_start(span) for span in trace.named("agent_session")]
    starts = [_start(span) for span in trace.named(*_FIRST_SPANS)]
    return bool(sessions) and all(
        any(0 <= start - session < _STARTUP for start in starts) for session in sessions
    )


def _start(span: Span) -> float:
    return span.start or 0.0


def _origin(carriers: Iterable[Attributes]) -> dict[str, str | None]:
    """What tells a session apart: of each key the first value.

    Parts of a session carry what each span says, lest they become sessions of their own.
    """
    known = [(key, carrier[name]) for carrier in carriers for key, name in _KEYS if name in carrier]
    return {key: text_or_none(value) for key, value in reversed(known)}


def _measured(trace: Trace) -> Iterator[tuple[Span, Decoded]]:
    """The metrics objects that LiveKit puts whole on the spans of its requests."""
    for span in trace.spans:
        for fields in _metrics(span):
            for found in hook.decode(fields) or []:
                yield span, found


def _metrics(span: Span) -> list[JsonObject]:
    """What can be read of them: exporters may be told to cut long values short."""
    objects = []
    for name in _METRICS:
        text = span.attributes.get(name)
        with contextlib.suppress(orjson.JSONDecodeError):
            objects.append(orjson.loads(text) if isinstance(text, str) else None)
    return [found for found in objects if isinstance(found, dict)]


def _unmeasured(trace: Trace) -> Iterator[tuple[Span, Decoded]]:
    """Records of an agent's own LLM and TTS nodes, behind which no request of LiveKit's stands.

    A request without metrics was cancelled, and its audio not heard; one whose metrics were cut
    short counts as none. Only of a whole session: the request may be in another part.
    """
    requests = [span for span in trace.named(*_REQUESTS) if not _is_cut(span)]
    behind = {above.span_id for span in requests for above in trace.upwards(span)}
    for span in trace.named(*_NODES):
        if span.span_id not in behind:
            yield from ((span, found) for found in _node(span))


def _is_cut(span: Span) -> bool:
    return any(name in span.attributes for name in _METRICS) and not _metrics(span)


def _node(span: Span) -> list[Decoded]:
    """The record of a node; a TTS node starts before it has text: its length is no duration."""
    kind, name, attribute = _NODES[span.name]
    if attribute not in span.attributes or span.start is None or span.end is None:
        return []
    fields: dict[str, Any] = {
        "timestamp": span.end,
        "duration": span.end - span.start if kind == "llm" else None,
        name: span.attributes[attribute],
        "model_name": span.attributes.get("gen_ai.request.model"),
    }
    return [Decoded(kind, typed(kind, fields))]


def _eous(trace: Trace) -> Iterator[tuple[Span, Decoded]]:
    """An EOU for every user turn that was decided and that the agent did not choose to ignore."""
    for user_turn in _decided(trace):
        callbacks = trace.children(user_turn, _CALLBACK)
        if not any(event.name == "stop_response" for c in callbacks for event in c.events):
            yield user_turn, _eou(user_turn, trace)


def _decided(trace: Trace) -> list[Span]:
    turns = trace.named("user_turn")
    return sorted((t for t in turns if _first(t, _EOU_DELAY) is not None), key=_start)


def _eou(user_turn: Span, trace: Trace) -> Decoded:
    callback = _callback_delay(user_turn, trace)
    decided_at = _decided_at(user_turn, trace)
    fields: dict[str, Any] = {
        "timestamp": None if decided_at is None else decided_at + (callback or 0.0),
        "end_of_utterance_delay": _first(user_turn, _EOU_DELAY),
        "transcription_delay": _first(user_turn, _TRANSCRIPTION_DELAY),
        "on_user_turn_completed_delay": callback,
    }
    return Decoded("eou", typed("eou", fields))


def _decided_at(user_turn: Span, trace: Trace) -> float | None:
    """When the user's turn was over; from 1.8 on its span goes on through the callback."""
    waits = trace.children(user_turn, "eou_wait")
    ends = [w.end for w in waits if w.attributes.get("lk.eou.outcome") == "committed"]
    callbacks = [span.start for span in trace.children(user_turn, _CALLBACK)]
    known = [*ends, *callbacks, _decided_after_transcript(user_turn), user_turn.end]
    return next((at for at in known if at is not None), None)


def _decided_after_transcript(user_turn: Span) -> float | None:
    """The same from the span alone: both delays count from when the user stopped (1.8)."""
    eou, transcription = _delays(user_turn)
    try:
        heard = msgspec.json.decode(str(user_turn.attributes[_TRANSCRIPTS]), type=list[_Transcript])
    except (KeyError, msgspec.MsgspecError):
        return None
    finals = [t.received_at for t in heard if t.type in _Transcript.FINAL]
    if not finals or not isinstance(eou, float) or not isinstance(transcription, float):
        return None
    return max(finals) - transcription + eou if transcription else None


class _Transcript(msgspec.Struct):
    """One transcript that the agent was given during a user turn."""

    received_at: float
    type: str

    FINAL: ClassVar[tuple[str, str]] = ("final_transcript", "preflight_transcript")


def _callback_delay(user_turn: Span, trace: Trace) -> float | None:
    """Null before 1.8, whose spans do not tell."""
    stated = _first(user_turn, _CALLBACK_DELAY)
    if isinstance(stated, float):
        return stated
    if callbacks := trace.children(user_turn, _CALLBACK):
        return next((s.end - s.start for s in callbacks if s.start and s.end), None)
    decided_at = _decided_after_transcript(user_turn)
    if decided_at is None or user_turn.end is None or decided_at > user_turn.end:
        return None
    return user_turn.end - decided_at


def _speeches(trace: Trace) -> dict[str, str | None]:
    """The speech that each span worked for, by span id."""
    found = {span.span_id: _speech(span, trace) for span in trace.spans}
    decided = _decided(trace)
    agent_turns = trace.named(*_AGENT_TURNS)
    for user_turn, end in zip(decided, [*map(_start, decided[1:]), math.inf], strict=False):
        answer = _answer(user_turn, end, agent_turns)
        found[user_turn.span_id] = None if answer is None else found[answer.span_id]
    return found


def _speech(span: Span, trace: Trace) -> str | None:
    """That of the agent turn above `span`; `say()` had no such span before 1.3, only a node.

    Then a tool's `say()` stands below the turn of the tool, and is a speech of its own.
    """
    for above in takewhile(lambda above: above.name != "function_tool", trace.upwards(span)):
        if speech := text_or_none(above.attributes.get(_SPEECH)):
            return _discarded(span, above) or speech
    nodes = (above.span_id for above in trace.upwards(span) if above.name in _NODES)
    return next((f"span_{node}" for node in nodes), None)


def _discarded(span: Span, agent_turn: Span) -> str | None:
    """The preemptive speech that `span` worked for, if its turn went on without it (1.8)."""
    thrown_away = (
        text_or_none(event.attributes.get(_SPEECH))
        for event in agent_turn.events
        if event.name == "preemptive_generation_discarded"
        and span is not agent_turn
        and _start(span) < (event.at or 0.0)
    )
    return next(thrown_away, None)


def _answer(user_turn: Span, end: float, agent_turns: list[Span]) -> Span | None:
    """The agent turn that answers `user_turn`: the one that repeats its delays (1.8).

    Else the last one for what the user said that started before the next user turn, at `end`:
    earlier ones are preemptive attempts that were thrown away. The callback may have changed what
    the user said; without that, an answer to other words is one to typed input.
    """
    delays = _delays(user_turn)
    repeating = [turn for turn in agent_turns if delays[0] and _delays(turn) == delays]
    during = [
        turn
        for turn in agent_turns
        if _start(user_turn) <= _start(turn) < end and _first(turn, _USER_INPUT) is not None
    ]
    said = _first(user_turn, _TRANSCRIPT)
    verbatim = [turn for turn in during if _first(turn, _USER_INPUT) == said]
    return max(repeating or verbatim or during, key=_start, default=None)


def _delays(turn: Span) -> tuple[object, object]:
    """Both delays to the last digit, which no other turn has; 0 where unknown."""
    return _first(turn, _EOU_DELAY) or 0.0, _first(turn, _TRANSCRIPTION_DELAY) or 0.0


def _first(span: Span, names: Iterable[str]) -> object:
    return next((span.attributes[name] for name in names if name in span.attributes), None)
