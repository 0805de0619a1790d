"""Session reports: `ctx.make_session_report().to_dict()`, and `session.history.to_dict()`."""

from __future__ import annotations

from collections.abc import Iterator

from turnlat.readers import chat
from turnlat.readers.fields import Decoded, JsonObject, text_or_none

NAME = "session report"
ABOUT = "a session report or a session's history, as JSON (livekit-agents 1.3.1 and later)"
EXAMPLE = (
    '{"job_id":"AJ_c0fc","room_id":"RM_6654","room":"demo-room","events":[],"chat_history":'
    '{"items":[{"id":"item_a3a7","type":"message","role":"user","interrupted":false,'
    '"metrics":{"stopped_speaking_at":1795332033.17,"transcription_delay":0.25,'
    '"end_of_turn_delay":0.502,"on_user_turn_completed_delay":0.022},'
    '"created_at":1795332033.67}]}}'
)

_TOOL_ITEMS = ("function_call", "function_call_output")
_ORIGIN = ("job_id", "room_id", "room", "agent_name")


def decode(line: JsonObject) -> list[Decoded] | None:
    """The messages of a report or a history, each once; null where `line` is neither."""
    origin = {name: text_or_none(line[name]) for name in _ORIGIN if name in line}
    messages: dict[object, Decoded] = {}
    for order, (item, follows_tool) in enumerate(_items(line)):
        if chat.is_message(item):
            found = chat.message(item, order, follows_tool=follows_tool)
            messages.setdefault(item.get("id") or order, found._replace(origin=origin))
    return list(messages.values()) or None


def _items(report: JsonObject) -> Iterator[tuple[JsonObject, bool | None]]:
    """All items, and whether a tool was called since the message before: events do not tell."""
    called = False
    history = report.get("chat_history")
    for item in _objects(history if isinstance(history, dict) else report, "items"):
        yield item, called
        called = item.get("type") in _TOOL_ITEMS or (called and item.get("type") != "message")
    for event in _objects(report, "events"):
        added = event.get("item")
        if event.get("type") == chat.EVENT and isinstance(added, dict):
            yield added, None


def _objects(holder: JsonObject, name: str) -> list[JsonObject]:
    values = holder.get(name)
    return [v for v in values if isinstance(v, dict)] if isinstance(values, list) else []
