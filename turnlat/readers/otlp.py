"""OpenTelemetry: LiveKit's spans in an OTLP/JSON export request, as the records of a hook log.

A span says nothing of its speech, which stands on the agent's turn above it: what one request
does not hold cannot be joined, and its records keep no speech id.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import orjson

from turnlat.readers import hook
from turnlat.readers.fields import Decoded, JsonObject, text_or_none, typed
from turnlat.readers.spans import Span, Trace, is_request, traces

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
_CALLBACK_DELAY = ("lk.on_user_turn_completed_delay",)
_USER_INPUT = ("lk.pii.user_input", "lk.user_input")
_AGENT_TURNS = ("agent_turn", "assistant_turn")
_NODES = {
    "llm_node": ("llm", "ttft", "lk.response.ttft"),
    "tts_node": ("tts", "ttfb", "lk.response.ttfb"),
}
"""Spans that time a component from outside: their kind, and the delay that they know."""

_ORIGIN = {
    "job_id": ("lk.job_id", "job_id"),
    "room_id": ("lk.room_sid", "room_id"),
    "room": ("lk.pii.room_name", "lk.room_name", "room"),
    "agent_name": ("lk.agent_name", "agent_name"),
}
"""Attributes of some span of a session, or of its process, that tell it apart."""


def decode(line: JsonObject) -> list[Decoded] | None:
    """The records of an export request's spans; null where `line` is no such request."""
    if not is_request(line):
        return None
    return [found for trace in traces(line) for found in _records(trace)]


def _records(trace: Trace) -> list[Decoded]:
    origin = _origin(trace)
    found = [*_measured(trace), *_unmeasured(trace), *_eous(trace)]
    return [decoded._replace(origin=origin) for decoded in found]


def _origin(trace: Trace) -> Mapping[str, str | None]:
    """What tells the session apart; its trace, where nothing better does."""
    known: dict[str, str | None] = {"hook_session": trace.spans[0].trace_id or None}
    carriers = [span.attributes for span in trace.spans] + [span.resource for span in trace.spans]
    for key, names in _ORIGIN.items():
        values = (text_or_none(_first(carrier, names)) for carrier in carriers)
        known[key] = next((value for value in values if value is not None), None)
    return known


def _measured(trace: Trace) -> Iterator[Decoded]:
    """The metrics objects that LiveKit puts whole on the spans of its requests."""
    for span in trace.spans:
        for fields in _metrics(span):
            for found in hook.decode(fields) or []:
                found.record.speech_id = found.record.speech_id or _speech(span, trace)
                yield found


def _metrics(span: Span) -> list[JsonObject]:
    """What can be read of them: exporters may be told to cut long values short."""
    objects = []
    for name in _METRICS:
        text = span.attributes.get(name)
        with contextlib.suppress(orjson.JSONDecodeError):
            objects.append(orjson.loads(text) if isinstance(text, str) else None)
    return [found for found in objects if isinstance(found, dict)]


def _unmeasured(trace: Trace) -> Iterator[Decoded]:
    """Records of an agent's own LLM and TTS nodes, behind which LiveKit measured nothing.

    A node's request ends just before it and its agent turn seconds later, so a request that
    holds the turn would hold what LiveKit measured.
    """
    measured = {
        above.span_id for span in trace.spans if _metrics(span) for above in trace.upwards(span)
    }
    for span in trace.named(*_NODES):
        if span.span_id not in measured and trace.has_parent(span):
            yield from _node(span, trace)


def _node(span: Span, trace: Trace) -> list[Decoded]:
    """The record of a node; a TTS node starts before it has text: its length is no duration."""
    kind, name, attribute = _NODES[span.name]
    delay = span.attributes.get(attribute)
    if delay is None or span.start is None or span.end is None:
        return []
    fields: dict[str, Any] = {
        "timestamp": span.end,
        "duration": span.end - span.start if kind == "llm" else None,
        name: delay,
        "speech_id": _speech(span, trace),
        "model_name": span.attributes.get("gen_ai.request.model"),
    }
    return [Decoded(kind, typed(kind, fields))]


def _speech(span: Span, trace: Trace) -> str | None:
    """The speech that `span` worked for: that of the agent turn above it."""
    for above in trace.upwards(span):
        if _SPEECH in above.attributes:
            return _discarded(span, above) or text_or_none(above.attributes[_SPEECH])
    return None


def _discarded(span: Span, agent_turn: Span) -> str | None:
    """The thrown away speech that `span` worked for: its turn went on to another one (1.8)."""
    later = (
        event
        for event in agent_turn.events
        if event.name == "preemptive_generation_discarded"
        and span.start is not None
        and event.at is not None
        and span.start < event.at
    )
    return next((text_or_none(event.attributes.get(_SPEECH)) for event in later), None)


def _eous(trace: Trace) -> Iterator[Decoded]:
    """An EOU for every user turn that was decided."""
    decided = [s for s in trace.named("user_turn") if _first(s.attributes, _EOU_DELAY) is not None]
    decided.sort(key=_start)
    nexts = [*map(_start, decided[1:]), float("inf")]
    for user_turn, end in zip(decided, nexts, strict=False):
        if not _ignored(user_turn, trace):
            yield _eou(user_turn, _answer(user_turn, end, trace), trace)


def _start(span: Span) -> float:
    return span.start or 0.0


def _ignored(user_turn: Span, trace: Trace) -> bool:
    """Whether the agent's callback chose not to answer; LiveKit emits no EOU then."""
    callbacks = trace.children(user_turn, "on_user_turn_completed")
    return any(event.name == "stop_response" for span in callbacks for event in span.events)


def _eou(user_turn: Span, answer: Span | None, trace: Trace) -> Decoded:
    attributes = user_turn.attributes
    callback = _callback_delay(user_turn, answer, trace)
    decided_at = _decided_at(user_turn, trace)
    fields: dict[str, Any] = {
        "timestamp": None if decided_at is None else decided_at + (callback or 0.0),
        "end_of_utterance_delay": _first(attributes, _EOU_DELAY),
        "transcription_delay": _first(attributes, _TRANSCRIPTION_DELAY),
        "on_user_turn_completed_delay": callback,
        "speech_id": None if answer is None else answer.attributes.get(_SPEECH),
    }
    return Decoded("eou", typed("eou", fields))


def _decided_at(user_turn: Span, trace: Trace) -> float | None:
    """When the user's turn was over; from 1.8 on its span goes on through the callback."""
    waits = trace.children(user_turn, "eou_wait")
    ends = [w.end for w in waits if w.attributes.get("lk.eou.outcome") == "committed"]
    callbacks = [span.start for span in trace.children(user_turn, "on_user_turn_completed")]
    return next((at for at in [*ends, *callbacks] if at is not None), user_turn.end)


def _callback_delay(user_turn: Span, answer: Span | None, trace: Trace) -> float | None:
    stated = [_first(s.attributes, _CALLBACK_DELAY) for s in (user_turn, answer) if s is not None]
    callbacks = trace.children(user_turn, "on_user_turn_completed")
    lengths = [s.end - s.start for s in callbacks if s.start is not None and s.end is not None]
    return next((delay for delay in [*stated, *lengths] if isinstance(delay, float)), None)


def _answer(user_turn: Span, end: float, trace: Trace) -> Span | None:
    """The agent turn that answers `user_turn`: the one that repeats its delays (1.8).

    Else the last one for a user's input that started before the next user turn, at `end`:
    earlier ones are preemptive attempts that were thrown away.
    """
    agent_turns = trace.named(*_AGENT_TURNS)
    delays = _delays(user_turn)
    repeating = [turn for turn in agent_turns if delays[0] and _delays(turn) == delays]
    during = [
        turn
        for turn in agent_turns
        if _start(user_turn) <= _start(turn) < end
        and _first(turn.attributes, _USER_INPUT) is not None
    ]
    return max(repeating or during, key=_start, default=None)


def _delays(turn: Span) -> tuple[object, object]:
    """Both delays to the last digit, which no other turn has; 0 where unknown."""
    return (
        _first(turn.attributes, _EOU_DELAY) or 0.0,
        _first(turn.attributes, _TRANSCRIPTION_DELAY) or 0.0,
    )


def _first(attributes: Mapping[str, object], names: Iterable[str]) -> object:
    return next((attributes[name] for name in names if name in attributes), None)
