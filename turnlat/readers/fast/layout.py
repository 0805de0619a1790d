"""The layout: what the scanner looks for in lines, made from what `records` and formats tell."""

from __future__ import annotations

from typing import NamedTuple

from turnlat import records
from turnlat.readers import hook, production

_OBJECTS = ("eou_metrics", "llm_metrics", "tts_metrics", "stt_metrics", "vad_metrics")
"""The types of the metrics objects that logs are full of."""

_LINES = ("EOU", "LLM", "TTS", "STT")
"""The first words of `log_metrics` lines whose values are fields."""

ORIGIN = {
    "job_id": "job_id",
    "room_id": "room_id",
    "room": "room",
    "session": "hook_session",
    "agent_name": "agent_name",
    "pid": "pid",
}
"""Fields of a line that tell its session, and the columns of `records.ORIGIN` that they are."""

_OTHERS = ("log", "MESSAGE", "sequence_id", "resourceSpans", "resource_spans")
"""Fields of envelopes, of older agents and of traces, for which a line is read before its type."""
_MARKS = (
    *_OTHERS, "type", "event", "label", "metrics", "items", "events", "chat_history", "msg",
)  # fmt: skip
"""Fields by which other formats are known."""

_ALWAYS = (
    "type", "message", "timestamp", "metadata", "model_name", "speech_id", "request_id", "tid",
)  # fmt: skip
_TWO_DAYS = 2 * 86_400.0


class Kind(NamedTuple):
    """Records of one kind, in lines of one shape."""

    kind: str
    plain: bool
    """Whether the lines are those of `log_metrics`, whose timestamps are texts."""
    numbers: tuple[str, ...]
    truths: tuple[str, ...]
    essential: tuple[str, ...]
    """Fields that a line has for sure, be they null."""
    never: tuple[str, ...]
    """Fields with which a line is something else."""


class Layout(NamedTuple):
    """All that the scanner looks for."""

    types: dict[str, Kind]
    """What a line is by its `type`."""
    messages: dict[str, Kind]
    """What a line without a type is by its `message`."""
    origin: tuple[str, ...] = tuple(ORIGIN)
    marks: tuple[str, ...] = _MARKS
    """Fields with which a line may have a metric whatever its message."""
    earliest: float = _TWO_DAYS
    """Texts of earlier times are of the day that `UNDATED` names, whatever their zone."""
    latest: float = records.LATEST_TIMESTAMP

    @property
    def kinds(self) -> tuple[Kind, ...]:
        """All kinds."""
        return (*self.types.values(), *self.messages.values())

    @property
    def fields(self) -> tuple[str, ...]:
        """All fields of lines that are looked at."""
        found = dict.fromkeys((*_ALWAYS, *self.origin, *self.marks))
        for kind in self.kinds:
            found |= dict.fromkeys((*kind.numbers, *kind.truths, *kind.essential, *kind.never))
        return tuple(found)


def layout() -> Layout:
    """What is looked for in any log."""
    objects, lines = {}, {}
    for type_ in _OBJECTS:
        kind = hook.KINDS[type_]
        objects[type_] = _kind(kind, hook.ESSENTIAL[kind], _OTHERS)
    for word in _LINES:
        kind, essential = production.KINDS[word]
        older = production.RENAMED.get(kind, {})
        always = () if essential is None else (essential,)
        lines[f"{word} metrics"] = _kind(kind, always, (*_MARKS, *older), plain=True)
    return Layout(objects, lines)


def _kind(
    kind: str, essential: tuple[str, ...], never: tuple[str, ...], *, plain: bool = False
) -> Kind:
    types = {name: type_ for name, type_ in records.fields(kind).items() if name != "timestamp"}
    numbers = tuple(name for name, type_ in types.items() if type_ is float)
    truths = tuple(name for name, type_ in types.items() if type_ is bool)
    return Kind(kind, plain, numbers, truths, essential, never)
