"""Session events: what turnlat's hook records of a session beside its metrics and messages."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from turnlat.readers.fields import Decoded, JsonObject, typed, unix_seconds

NAME = "session event"
ABOUT = (
    "a state change, transcript, speech, tool call or end of a session, as turnlat's hook has it"
)
EXAMPLE = (
    '{"type":"agent_state_changed","old_state":"thinking","new_state":"speaking",'
    '"created_at":1795332034.71,"session":"AJ_ed6c","room":"support-1","event":1795332034.71}'
)

HOOK_LOSSES = "turnlat_hook"
"""The type of the line in which the hook tells what it could not write."""


def decode(line: JsonObject) -> list[Decoded] | None:
    """The records of a session event, none where it tells nothing; null where `line` is none."""
    type_ = line.get("type")
    read = _EVENTS.get(type_) if isinstance(type_, str) else None
    if read is None:
        return None
    moment = line.get("created_at", line.get("event"))
    time = {"timestamp": unix_seconds(moment)}
    return [Decoded(kind, typed(kind, time | fields)) for kind, fields in read(line)]


_Fields = list[tuple[str, dict[str, Any]]]


def _state_of(who: str) -> Callable[[JsonObject], _Fields]:
    return lambda line: [("state", {"who": who, "state": line.get("new_state")})]


def _transcript(line: JsonObject) -> _Fields:
    """A final transcript; the words of an interim one are counted with the final one."""
    if line.get("is_final") is False:
        return []
    words, text = line.get("word_count"), line.get("transcript")
    if words is None and isinstance(text, str):
        words = len(text.split())
    return [("transcript", {"word_count": words, "language": line.get("language")})]


def _speech(line: JsonObject) -> _Fields:
    return [("created", {"speech_id": line.get("speech_id"), "created_by": line.get("source")})]


def _tools(line: JsonObject) -> _Fields:
    """One record a call; LiveKit's own event has calls and outputs in lists of their own."""
    tools = line.get("tools")
    if tools is None:
        tools = _livekit_tools(line.get("function_calls"), line.get("function_call_outputs"))
    return [
        ("tool", tool | {"request_id": tool.get("call_id")})
        for tool in (tools if isinstance(tools, list) else [])
        if isinstance(tool, dict)
    ]


def _livekit_tools(calls: object, outputs: object) -> list[JsonObject]:
    if not isinstance(calls, list):
        return []
    told = {
        output.get("call_id"): output
        for output in (outputs if isinstance(outputs, list) else [])
        if isinstance(output, dict)
    }
    found = []
    for call in calls:
        if isinstance(call, dict):
            output = told.get(call.get("call_id"), {})
            begun, ended = call.get("created_at"), output.get("created_at")
            known = isinstance(begun, float) and isinstance(ended, float)
            duration = {"duration": ended - begun} if known else {}  # type: ignore[operator]
            found.append(call | {"is_error": output.get("is_error")} | duration)
    return found


def _end(line: JsonObject) -> _Fields:
    return [("other", {"type": line["type"]})]


def _losses(line: JsonObject) -> _Fields:
    return [("loss", {"dropped": line.get("dropped")})]


_EVENTS: dict[str, Callable[[JsonObject], _Fields]] = {
    "agent_state_changed": _state_of("agent"),
    "user_state_changed": _state_of("user"),
    "user_input_transcribed": _transcript,
    "speech_created": _speech,
    "function_tools_executed": _tools,
    "close": _end,
    HOOK_LOSSES: _losses,
}

TYPES = tuple(_EVENTS)
"""The types of session events."""
