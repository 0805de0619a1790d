"""Production lines: what `metrics.log_metrics` writes through LiveKit's JSON formatter.

The values are fields of the line from 1.1.6 on, and inside the message text before.
"""

from __future__ import annotations

import math
import re
from typing import Any

from turnlat.readers.fields import Decoded, JsonObject, typed, unix_seconds

NAME = "production"
ABOUT = "a log_metrics line of a worker in production mode (livekit-agents 0.11 and later)"
EXAMPLE = (
    '{"message": "LLM metrics", "level": "INFO", "name": "livekit.agents", "ttft": 0.42, '
    '"prompt_tokens": 280, "completion_tokens": 10, "tokens_per_second": 12.25, '
    '"job_id": "AJ_c0fc", "timestamp": "2026-11-22T07:20:34.520981+00:00"}'
)

KINDS = {
    "EOU": ("eou", "end_of_utterance_delay"),
    "LLM": ("llm", "ttft"),
    "TTS": ("tts", "ttfb"),
    "STT": ("stt", "audio_duration"),
    "RealtimeModel": ("realtime", "ttft"),
    "VAD": ("other", "inference_count"),
    "Interruption": ("other", "detection_delay"),
    "Avatar": ("other", None),
}
"""The message's first word: the kind, and the field without which a line is somebody's own."""

_MESSAGE = re.compile(r"(?:Pipeline )?(?P<kind>[A-Za-z]+) metrics(?:: (?P<values>.*))?", re.DOTALL)
_VALUE = re.compile(r"\b(?P<name>\w{1,64})=(?P<value>[^,\s]*)")

RENAMED = {
    "llm": {
        "input_tokens": "prompt_tokens",
        "output_tokens": "completion_tokens",
        "cached_input_tokens": "prompt_cached_tokens",
    },
    "realtime": {"cached_input_tokens": "cached_tokens"},
}


def is_ordinary(message: str) -> bool:
    """Whether a line with this message, and without marks of another format, has no metric."""
    found = _MESSAGE.fullmatch(message)
    of_metric = found is not None and found["kind"] in KINDS
    printed = message.startswith(("{", "type='")) or "Metrics(" in message
    return not of_metric and not printed and "UsageSummary(" not in message


def is_whole(line: JsonObject) -> bool:
    """Whether a line is Python's `log_metrics`' beyond doubt, or tells of no metric at all."""
    message = line.get("message")
    if not isinstance(message, str) or "type" in line or "msg" in line:
        return False
    kind, separator, rest = message.partition(" metrics")
    _, required = KINDS.get(kind, (None, None)) if separator and not rest else (None, None)
    return required in line if required else is_ordinary(message)


def decode(line: JsonObject) -> list[Decoded] | None:
    """The record of a `log_metrics` line; null where `line` is none."""
    message = line.get("message")
    if not isinstance(message, str) or not (found := _MESSAGE.fullmatch(message)):
        return None
    if (known := KINDS.get(found["kind"])) is None:
        return None
    kind, required = known
    fields = dict(line)
    if found["values"] is not None:
        fields |= _values(found["values"])
    if required is not None and required not in fields:
        return None
    return [Decoded(kind, typed(kind, _named(kind, fields)), plain=True)]


def _values(text: str) -> dict[str, Any]:
    """`ttft=0.46, input_tokens=512` as a dict; what is no number stays text."""
    return {found["name"]: _number(found["value"]) for found in _VALUE.finditer(text)}


def _number(value: str) -> float | str | None:
    try:
        number = float(value)
    except ValueError:
        return value
    return number if math.isfinite(number) else None


def _named(kind: str, fields: dict[str, Any]) -> dict[str, Any]:
    """`fields` under the names of the metrics objects, with the time of the log line."""
    renamed = RENAMED.get(kind, {})
    named = {renamed.get(name, name): value for name, value in fields.items()}
    named["timestamp"] = unix_seconds(fields.get("timestamp"))
    named["type"] = fields["message"]
    if "sequence_id" in fields:
        named["speech_id"] = fields["sequence_id"]
    return named
