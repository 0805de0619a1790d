"""Wrapped objects: a metrics object inside an event, a field or a message of a log line."""

from __future__ import annotations

import orjson

from turnlat.readers import hook, node
from turnlat.readers.fields import Decoded, JsonObject

NAME = "wrapped"
ABOUT = "a metrics object in a metrics_collected event, under `metrics`, or as JSON in `message`"
EXAMPLE = (
    '{"type":"metrics_collected","metrics":{"type":"tts_metrics","timestamp":1795332034.86,'
    '"ttfb":0.19,"duration":0.34,"audio_duration":2.3,"speech_id":"speech_2cd0"}}'
)


def decode(line: JsonObject) -> list[Decoded] | None:
    """The record of the object inside `line`; null where there is none."""
    inner = _inner(line)
    return None if inner is None else hook.decode(inner) or node.decode(inner)


def _inner(line: JsonObject) -> JsonObject | None:
    metrics = line.get("metrics")
    if isinstance(metrics, dict):
        return metrics
    message = line.get("message")
    if not isinstance(message, str) or not message.startswith("{"):
        return None
    try:
        content = orjson.loads(message)
    except orjson.JSONDecodeError:
        return None
    return _inner(content) or content if isinstance(content, dict) else None
