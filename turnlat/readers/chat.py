"""Chat messages: the metrics that LiveKit 1.3.1 and later keep with each message of a session."""

from __future__ import annotations

from typing import Any, TypeGuard

from turnlat.readers.fields import Decoded, JsonObject, typed, unix_seconds

NAME = "chat"
ABOUT = "a conversation_item_added event, as a hook dumps it (livekit-agents 1.3.1 and later)"
EXAMPLE = (
    '{"type":"conversation_item_added","item":{"id":"item_4b05","type":"message",'
    '"role":"assistant","interrupted":false,"metrics":{"started_speaking_at":1795332034.71,'
    '"llm_node_ttft":0.422,"tts_node_ttfb":0.192,"e2e_latency":1.543},'
    '"created_at":1795332033.7},"created_at":1795332037.04}'
)

EVENT = "conversation_item_added"

_MODELS = {
    "llm_model": "llm_metadata",
    "tts_model": "tts_metadata",
    "stt_model": "stt_metadata",
}


def decode(line: JsonObject) -> list[Decoded] | None:
    """The message of a `conversation_item_added` event; null where `line` is none."""
    if EVENT not in (line.get("type"), line.get("event")):
        return None
    item = line.get("item")
    if is_message(item):
        return [message({"created_at": line.get("created_at")} | item)]
    if not is_message(bare := _with_metrics(item)):
        return None
    # Before 1.3.1 a message tells whether it was cut short; it was added when its audio ended.
    added = line.get("event", line.get("created_at"))
    return [message(bare | {"created_at": added})] if "session" in line else None


def _with_metrics(item: object) -> object:
    return item | {"metrics": item.get("metrics") or {}} if isinstance(item, dict) else None


def is_message(item: object) -> TypeGuard[JsonObject]:
    """Whether `item` is a message of a LiveKit that keeps metrics with it, if only empty ones."""
    return (
        isinstance(item, dict)
        and item.get("type") == "message"
        and item.get("role") in ("user", "assistant")
        and isinstance(item.get("metrics"), dict)
    )


def message(item: JsonObject, order: int = 0, *, follows_tool: bool | None = None) -> Decoded:
    """The record of an item that `is_message`, without its text."""
    metrics: dict[str, Any] = item["metrics"]
    fields = metrics | {name: _model(metrics.get(source)) for name, source in _MODELS.items()}
    fields |= {
        "request_id": item.get("id"),
        "timestamp": unix_seconds(item.get("created_at")),
        "role": item["role"],
        "interrupted": item.get("interrupted"),
        "order": order,
        "follows_tool": follows_tool,
    }
    return Decoded("chat", typed("chat", fields))


def _model(metadata: object) -> object:
    return metadata.get("model_name") if isinstance(metadata, dict) else None
