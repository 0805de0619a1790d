"""Printed objects: what `str()` and `repr()` make of LiveKit's metrics objects."""

from __future__ import annotations

import ast
import re
from typing import Any

from turnlat.readers import hook
from turnlat.readers.fields import Decoded, JsonObject

NAME = "printed"
ABOUT = "the str() or repr() of a metrics object as the message of a log line"
EXAMPLE = (
    '{"message": "LLMMetrics(request_id=\'chatcmpl-AbC\', timestamp=1795330000.25, '
    "duration=1.23, ttft=0.457, speech_id='speech_0a1b')\"}"
)

_CLASS = re.compile(r"(?P<name>[A-Z]\w*Metrics)\((?P<fields>.*)\)", re.DOTALL)
_TYPES = {
    "LLM": "llm_metrics",
    "STT": "stt_metrics",
    "TTS": "tts_metrics",
    "VAD": "vad_metrics",
    "EOU": "eou_metrics",
    "RealtimeModel": "realtime_model_metrics",
    "Interruption": "interruption_metrics",
    "Avatar": "avatar_metrics",
    "EOTInference": "eot_inference_metrics",
    "Decision": "decision_metrics",
}
_NESTED = r"\((?:[^()]|\([^()]*\))*\)|\{(?:[^{}]|\{[^{}]*\})*\}"
_FIELD = re.compile(
    rf"""\b(?P<name>\w{{1,64}})=(?P<value>'(?:[^'\\]|\\.)*'|"(?:[^"\\]|\\.)*"|\w*(?:{_NESTED})|[^\s,]+)""",
    re.DOTALL,
)


def decode(line: JsonObject) -> list[Decoded] | None:
    """The record of a printed object; null where the message is none."""
    message = line.get("message")
    if not isinstance(message, str):
        return None
    if found := _CLASS.fullmatch(message):
        type_ = _TYPES.get(found["name"].removesuffix("Metrics").removeprefix("Pipeline"))
        fields = {"type": type_} | _fields(found["fields"])
    elif message.startswith("type='"):
        fields = _fields(message)
    else:
        return None
    return hook.decode(fields)


def _fields(text: str) -> dict[str, Any]:
    return {found["name"]: _value(found["value"]) for found in _FIELD.finditer(text)}


def _value(text: str) -> Any:
    """A Python literal, or the fields of a nested object; what is neither stays text."""
    head, bracket, rest = text.partition("(")
    if bracket and head.isidentifier():
        return _fields(rest.removesuffix(")"))
    try:
        value = ast.literal_eval(text)
    except (ValueError, TypeError, SyntaxError, MemoryError, RecursionError):
        return None if text in ("nan", "inf", "-inf") else text
    # Half a surrogate pair is no text that anybody can write.
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
