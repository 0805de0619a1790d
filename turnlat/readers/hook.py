"""Hook lines: one metrics object per line, as `ev.metrics.model_dump_json()` writes it."""

from __future__ import annotations

from typing import Any

from turnlat.readers.fields import Decoded, JsonObject, typed, unix_seconds

NAME = "hook"
ABOUT = "a metrics object, as a hook dumps it (livekit-agents 0.11 and later)"
EXAMPLE = (
    '{"type":"eou_metrics","timestamp":1795332033.69,"end_of_utterance_delay":0.501,'
    '"transcription_delay":0.249,"on_user_turn_completed_delay":0.021,"speech_id":"speech_2cd0"}'
)

KINDS = {
    "eou_metrics": "eou",
    "llm_metrics": "llm",
    "tts_metrics": "tts",
    "stt_metrics": "stt",
    "realtime_model_metrics": "realtime",
    "vad_metrics": "other",
    "interruption_metrics": "other",
    "avatar_metrics": "other",
    "eot_inference_metrics": "other",
    "decision_metrics": "other",
}

_UNTYPED = {
    "end_of_utterance_delay": "eou",
    "input_token_details": "realtime",
    "ttft": "llm",
    "ttfb": "tts",
    "inference_count": "other",
    "audio_duration": "stt",
}
"""0.11 and 0.12 wrote no `type`: the first of these fields that a line has tells its kind."""

ESSENTIAL = {
    "eou": ("end_of_utterance_delay", "transcription_delay"),
    "llm": ("duration", "ttft"),
    "tts": ("duration", "ttfb"),
    "stt": ("duration", "audio_duration"),
    "other": ("inference_count",),
}
"""What a Python agent's objects always have, under these names; `other` is the VAD."""


def is_whole(line: JsonObject) -> bool:
    """Whether a metrics object is a Python agent's beyond doubt, whatever else the line has."""
    kind = _kind(line) if "type" in line else None
    return kind in ESSENTIAL and all(name in line for name in ESSENTIAL[kind])


def decode(line: JsonObject) -> list[Decoded] | None:
    """The record of a metrics object; null where `line` is none."""
    kind = _kind(line)
    return None if kind is None else [Decoded(kind, typed(kind, _flat(line)))]


def _kind(line: JsonObject) -> str | None:
    if "type" in line:
        type_ = line["type"]
        return KINDS.get(type_) if isinstance(type_, str) else None
    if "message" in line or not ("label" in line or "sequence_id" in line):
        return None
    return next((kind for field, kind in _UNTYPED.items() if field in line), None)


def _flat(line: JsonObject) -> dict[str, Any]:
    """`line` with nested values at the top and today's names."""
    fields = dict(line)
    fields["timestamp"] = unix_seconds(line.get("timestamp"))
    if isinstance(metadata := line.get("metadata"), dict):
        fields["model_name"] = metadata.get("model_name")
    if "sequence_id" in line:
        fields["speech_id"] = line["sequence_id"]
    if isinstance(details := line.get("input_token_details"), dict):
        fields["cached_tokens"] = details.get("cached_tokens")
        fields.setdefault("input_tokens", line.get("prompt_tokens"))
        fields.setdefault("output_tokens", line.get("completion_tokens"))
    return fields
