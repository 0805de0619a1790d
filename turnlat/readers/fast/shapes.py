"""Shapes: the structs that lines are decoded into, made from the fields of `records.KINDS`.

A line that a struct does not fit raises, and is left to the plain path: it lacks a field that its
kind always has, or has a field of another format.
"""

from __future__ import annotations

from functools import cache
from typing import Annotated, Any, NamedTuple, TypeAlias, Union

import msgspec
from msgspec import UNSET, Meta, UnsetType

from turnlat import records
from turnlat.readers import chat, hook, session_events

RARE = (
    "job_id", "room_id", "room", "session", "pid", "tid", "agent_name",
    "last_speaking_time", "acquire_time", "speech_id", "request_id",
)  # fmt: skip
"""Fields that most logs do not have: they are looked for from the first line on that has one."""

_IDS = {
    "eou": ("speech_id",),
    "llm": ("speech_id", "request_id"),
    "tts": ("speech_id", "request_id"),
    "stt": ("request_id",),
    "other": (),
}
"""Ids that objects of each kind have in any log."""

IDS_OF_LINES = frozenset({"speech_id", "request_id"})
"""Ids that lines of `log_metrics` may have, whatever the metric."""

_Never: TypeAlias = Annotated[int, Meta(ge=1, le=0)] | UnsetType
"""The type of a field that no value fits."""
_Id: TypeAlias = Annotated[int, Meta(ge=-(2**53), le=2**53)] | str | None
_Number: TypeAlias = float | None
_Time: TypeAlias = Annotated[float, Meta(ge=0, le=records.LATEST_TIMESTAMP)]

_TYPES: dict[type, Any] = {float: _Number, bool: bool | None, str: str | None}
_OF_LINE: dict[str, Any] = dict.fromkeys(RARE[:7], _Id) | {"pid": _Id | UnsetType}
_MARKS = ("log", "MESSAGE", "sequence_id")
_LOG_MARKS = (
    *_MARKS, "type", "event", "label", "metrics", "items", "events", "chat_history", "msg",
    "resourceSpans", "resource_spans",
)  # fmt: skip
"""Fields by which other formats and older agents are known."""

RENAMED = ("input_tokens", "output_tokens", "cached_input_tokens")
"""What the LLM calls of `log_metrics` had up to 1.1.5 instead."""

_TAGS = {
    "eou": "eou_metrics",
    "llm": "llm_metrics",
    "tts": "tts_metrics",
    "stt": "stt_metrics",
    "other": "vad_metrics",
}

_LEFT_ALONE = (*session_events.TYPES, chat.EVENT)
"""Types of lines that a log may be full of, and that the plain path reads."""

LOG_LINES = {
    "EOU metrics": ("eou", "end_of_utterance_delay"),
    "LLM metrics": ("llm", "ttft"),
    "TTS metrics": ("tts", "ttfb"),
    "STT metrics": ("stt", "audio_duration"),
}
"""Messages of `log_metrics` whose values are fields, and the field that such a line must have."""


class _Metadata(msgspec.Struct, gc=False):
    model_name: str | None = None


class Shapes(NamedTuple):
    """Decoders for a log whose lines have some of the rare fields."""

    objects: msgspec.json.Decoder[Any]
    """Of metrics objects, as a hook dumps them."""
    lines: msgspec.json.Decoder[Any]
    """Of lines of LiveKit's JSON formatter."""
    kinds: dict[type, str]
    """The kind of record that each struct of an object is."""
    rare: frozenset[str]


@cache
def shapes(rare: frozenset[str]) -> Shapes:
    """The decoders for lines that have these of the rare fields."""
    kinds = {_object(kind, rare): kind for kind in _TAGS}
    union: Any = Union[(*kinds, *_left_alone())]  # of as many as there are
    return Shapes(
        msgspec.json.Decoder(union),
        msgspec.json.Decoder(_log_line(rare | IDS_OF_LINES)),
        kinds,
        rare,
    )


def fields_of(kind: str, rare: frozenset[str]) -> dict[str, type]:
    """The fields of records of a kind that lines with these rare fields may have."""
    return {
        name: type_
        for name, type_ in records.fields(kind).items()
        if name not in RARE or name in rare or name in _IDS[kind]
    }


def _object(kind: str, rare: frozenset[str]) -> type:
    fields = _fields(kind, rare)
    fields["timestamp"] = _Time
    fields["metadata"] = (_Metadata | None, None)
    fields |= dict.fromkeys(hook.ESSENTIAL[kind], _Number)
    fields |= dict.fromkeys(_MARKS, (_Never, UNSET))
    return _struct(kind, fields, tag_field="type", tag=_TAGS[kind])


@cache
def _left_alone() -> tuple[type, ...]:
    """Structs that let a step with such lines be decoded; they have no message, as if unknown."""
    return tuple(
        _struct("left_alone", {"message": (None, None)}, tag_field="type", tag=type_)
        for type_ in _LEFT_ALONE
    )


def _log_line(rare: frozenset[str]) -> type:
    """All that `log_metrics` writes, whatever the metric."""
    fields: dict[str, Any] = {}
    for kind, _ in LOG_LINES.values():
        fields |= _fields(kind, rare)
    for _, essential in LOG_LINES.values():
        fields[essential] = (_Number | UnsetType, UNSET)
    fields["message"] = (str | None, None)
    fields["timestamp"] = (float | str | None, None)
    fields |= dict.fromkeys(RENAMED, (msgspec.Raw | UnsetType, UNSET))
    fields |= dict.fromkeys(_LOG_MARKS, (_Never, UNSET))
    return _struct("log_line", fields)


def _fields(kind: str, rare: frozenset[str]) -> dict[str, Any]:
    """The fields of a kind and of any line, with their types and defaults."""
    all_types = {name: _TYPES[type_] for name, type_ in records.fields(kind).items()} | _OF_LINE
    known = fields_of(kind, rare).keys() | rare
    fields: dict[str, Any] = {
        name: (type_, UNSET if name == "pid" else None) if name in known else (_Never, UNSET)
        for name, type_ in all_types.items()
    }
    fields.pop("type", None)
    return fields


def _struct(name: str, fields: dict[str, Any], **options: Any) -> type:
    typed = [
        (field, *given) if isinstance(given, tuple) else (field, given)
        for field, given in fields.items()
    ]
    return msgspec.defstruct(name, typed, kw_only=True, gc=False, **options)
