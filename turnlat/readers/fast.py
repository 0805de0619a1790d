"""The fast path: metrics objects and `log_metrics` lines, decoded straight into typed structs.

It takes only lines that it is sure of; all others are left to `lines`, which alone decides what a
line is. `tests/test_fast.py` holds it to that: same records, same bad lines, for any bytes.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from operator import attrgetter
from typing import Any, TypeAlias

import msgspec
import numpy as np
from msgspec import UNSET, Raw, UnsetType

from turnlat.blocks import Block, Place, lines_of
from turnlat.readers import hook, production
from turnlat.readers.console import UNDATED
from turnlat.readers.fields import BadValueError, iso_seconds, text_or_none
from turnlat.records import KINDS, LATEST_TIMESTAMP, Collector, Rows

STEP_BYTES = 64 * 1024
"""How much is decoded at once: what fits the processor's cache is up to twice as fast."""

_BETWEEN = b"}\n{"
"""What stands between the objects of two lines, and nowhere inside an object."""

_Scalar: TypeAlias = str | int | float | bool | None
_Presence: TypeAlias = Raw | UnsetType
"""A field that is never decoded: a line that has it is left to the plain path."""


class _Metadata(msgspec.Struct, gc=False):
    model_name: str | None = None


class _Line(msgspec.Struct, kw_only=True, gc=False):
    """What a line of any shape may have: the keys of its session, and marks of other formats."""

    timestamp: float | str | None = None
    request_id: str | None = None
    speech_id: str | None = None
    model_name: str | None = None
    job_id: _Scalar = None
    room_id: _Scalar = None
    room: _Scalar = None
    session: _Scalar = None
    pid: _Scalar | UnsetType = UNSET
    tid: _Scalar = None
    agent_name: _Scalar = None
    sequence_id: _Presence = UNSET
    log: _Presence = UNSET
    MESSAGE: _Presence = UNSET


class _Object(_Line, kw_only=True, gc=False, tag_field="type"):
    metadata: _Metadata | None = None


class _EouObject(_Object, kw_only=True, gc=False, tag="eou_metrics"):
    end_of_utterance_delay: float | UnsetType | None = UNSET
    transcription_delay: float | UnsetType | None = UNSET
    on_user_turn_completed_delay: float | None = None
    last_speaking_time: float | None = None


class _LlmObject(_Object, kw_only=True, gc=False, tag="llm_metrics"):
    duration: float | UnsetType | None = UNSET
    ttft: float | UnsetType | None = UNSET
    cancelled: bool | None = None
    prompt_tokens: float | None = None
    prompt_cached_tokens: float | None = None
    completion_tokens: float | None = None
    tokens_per_second: float | None = None


class _TtsObject(_Object, kw_only=True, gc=False, tag="tts_metrics"):
    duration: float | UnsetType | None = UNSET
    ttfb: float | UnsetType | None = UNSET
    audio_duration: float | None = None
    cancelled: bool | None = None
    characters_count: float | None = None
    acquire_time: float | None = None


class _SttObject(_Object, kw_only=True, gc=False, tag="stt_metrics"):
    duration: float | UnsetType | None = UNSET
    audio_duration: float | UnsetType | None = UNSET
    streamed: bool | None = None
    acquire_time: float | None = None


class _VadObject(_Object, kw_only=True, gc=False, tag="vad_metrics"):
    inference_count: float | UnsetType | None = UNSET


class _LogLine(_Line, kw_only=True, gc=False):
    """A line of LiveKit's JSON formatter: all that `log_metrics` writes, whatever the metric."""

    message: str | None = None
    end_of_utterance_delay: float | UnsetType | None = UNSET
    transcription_delay: float | None = None
    on_user_turn_completed_delay: float | None = None
    last_speaking_time: float | None = None
    duration: float | None = None
    ttft: float | UnsetType | None = UNSET
    cancelled: bool | None = None
    prompt_tokens: float | None = None
    prompt_cached_tokens: float | None = None
    completion_tokens: float | None = None
    tokens_per_second: float | None = None
    ttfb: float | UnsetType | None = UNSET
    audio_duration: float | UnsetType | None = UNSET
    characters_count: float | None = None
    acquire_time: float | None = None
    streamed: bool | None = None
    input_tokens: _Presence = UNSET
    output_tokens: _Presence = UNSET
    cached_input_tokens: _Presence = UNSET
    type: _Presence = UNSET
    event: _Presence = UNSET
    label: _Presence = UNSET
    metrics: _Presence = UNSET
    items: _Presence = UNSET
    events: _Presence = UNSET
    chat_history: _Presence = UNSET
    msg: _Presence = UNSET
    resourceSpans: _Presence = UNSET  # noqa: N815  # the protocol's name
    resource_spans: _Presence = UNSET


_OBJECTS: dict[type[_Object], str] = {
    _EouObject: "eou",
    _LlmObject: "llm",
    _TtsObject: "tts",
    _SttObject: "stt",
    _VadObject: "other",
}
_LOG_LINES = {
    "EOU metrics": ("eou", "end_of_utterance_delay"),
    "LLM metrics": ("llm", "ttft"),
    "TTS metrics": ("tts", "ttfb"),
    "STT metrics": ("stt", "audio_duration"),
}
"""Messages of `log_metrics` whose values are fields, and the field that such a line must have."""

_ORDINARY = "ordinary"

_DECODERS: tuple[msgspec.json.Decoder[Any], ...] = (
    msgspec.json.Decoder(_EouObject | _LlmObject | _TtsObject | _SttObject | _VadObject),
    msgspec.json.Decoder(_LogLine),
)
_REMEMBERED = 4096
"""How many different messages of ordinary lines are known by heart."""
_LONGEST_REMEMBERED = 120

_EXPONENT = re.compile(rb"(?:[\s:,\[]-?[\d.]+|[\d.]{30})[eE]\Z")
"""A number up to its exponent; ids have other letters before."""
_MANTISSA = 40
_MANY_BRACKETS = 1000
"""Values can be nested in one another 1024 deep, and no deeper."""
_RUN_STEP, _RUN_SAMPLES = 20, 9
"""A run of 200 digits holds at least nine of the bytes that are 20 apart."""

_MARKS = ("log", "MESSAGE", "sequence_id")
_LOG_MARKS = (
    "log", "MESSAGE", "type", "event", "metrics", "items", "events", "chat_history", "msg",
    "resourceSpans", "resource_spans",
)  # fmt: skip
_RENAMED = ("input_tokens", "output_tokens", "cached_input_tokens")
"""What LLM calls had up to 1.1.5 instead; of other metrics it is not read."""


class FastReader:
    """Reads what it can of the lines of one file."""

    def __init__(self) -> None:
        self._decoders = _DECODERS
        self._messages = _Messages()

    def read(self, block: Block, collector: Collector) -> Iterator[Place]:
        """Put the records of `block` into `collector`; yield the lines that are left alone."""
        batches: defaultdict[Any, _Batch] = defaultdict(_Batch)
        left = self._sort(block, batches)
        for type_, batch in batches.items():
            if type_ is not _ORDINARY:
                left |= _hand_over(type_, batch, block, collector)
            else:
                unsure = batch.unsure(_LOG_MARKS, ())
                collector.tally.other += len(batch.numbers) - len(unsure)
                left |= unsure
        if left:
            yield from (place for place in block.places() if place.number in left)

    def _sort(self, block: Block, batches: defaultdict[Any, _Batch]) -> set[int]:
        """Put every decoded line into the batch of its kind; the numbers of all others."""
        left = set[int]()
        number, start, data = block.first_line, 0, block.data
        while start < len(data):
            end = _end_of_step(data, start)
            step = data[start:end]
            found = self._decode(step) or list(map(self._decode_line, lines_of(step)))
            for line in found:
                kind = self._messages[line.message] if type(line) is _LogLine else type(line)
                if line is None or kind is None:
                    left.add(number)
                else:
                    batch = batches[kind]
                    batch.numbers.append(number)
                    batch.lines.append(line)
                number += 1
            start = end
        return left

    def _decode(self, step: bytes) -> list[Any] | None:
        """One object for each line; null where a line is not just one that this module knows.

        Objects may share a line or span several, so the bytes between all of them are counted.
        """
        if not (step.startswith(b"{") and step.endswith(b"}\n") and _is_sound(step)):
            return None
        for decoder in self._decoders:
            try:
                found = decoder.decode_lines(step)
            except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                continue
            if step.count(_BETWEEN) != len(found) - 1:
                return None
            if decoder is not self._decoders[0]:
                self._decoders = self._decoders[::-1]
            return found
        return None

    def _decode_line(self, line: bytes) -> _Line | None:
        content = line.strip()
        if not content.startswith(b"{") or not _is_sound(content):
            return None
        for decoder in self._decoders:
            with suppress(msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
                decoded: _Line = decoder.decode(content)
                return decoded
        return None


@dataclass
class _Batch:
    """Lines of one kind."""

    numbers: list[int] = field(default_factory=list)
    lines: list[Any] = field(default_factory=list)

    def column(self, name: str) -> list[Any]:
        """One field of all lines."""
        return list(map(attrgetter(name), self.lines))

    def unsure(self, marks: Iterable[str], essential: Iterable[str]) -> set[int]:
        """The numbers of lines that have one of `marks`, or lack what is `essential`."""
        found = set[int]()
        for name in marks:
            column = self.column(name)
            if column.count(UNSET) < len(column):
                found |= {n for n, v in zip(self.numbers, column, strict=True) if v is not UNSET}
        for name in essential:
            column = self.column(name)
            if UNSET in column:
                found |= {n for n, v in zip(self.numbers, column, strict=True) if v is UNSET}
        return found

    def without(self, numbers: set[int]) -> _Batch:
        """All other lines."""
        kept = [(n, v) for n, v in zip(self.numbers, self.lines, strict=True) if n not in numbers]
        return _Batch([n for n, _ in kept], [v for _, v in kept])


class _Messages(dict[Any, Any]):
    """What a line is by its message: a kind with its essential field, ordinary, or unknown."""

    def __missing__(self, message: str | None) -> Any:
        if message is None:
            return None
        found = _LOG_LINES.get(message) or (_ORDINARY if production.is_ordinary(message) else None)
        if len(message) <= _LONGEST_REMEMBERED and len(self) < _REMEMBERED:
            self[message] = found
        return found


def _hand_over(type_: Any, batch: _Batch, block: Block, collector: Collector) -> set[int]:
    """Put the records of `batch` into `collector`; the numbers of lines that are left alone."""
    plain = isinstance(type_, tuple)
    if plain:
        kind, essential = type_
        marks = (*_LOG_MARKS, "sequence_id", *(_RENAMED if kind == "llm" else ()))
        left = batch.unsure(marks, [essential])
    else:
        kind = _OBJECTS[type_]
        left = batch.unsure(_MARKS, hook.ESSENTIAL[kind])
    times = [_time(line.timestamp) for line in batch.lines]
    if None in times:
        left |= {n for n, time in zip(batch.numbers, times, strict=True) if time is None}
    if left:
        batch = batch.without(left)
        times = [_time(line.timestamp) for line in batch.lines]
    if batch.lines:
        rows = _rows(kind, block, batch, times, plain=plain)
        collector.add_rows(kind, rows)
        collector.tally.metric += rows.height
        collector.tally.shapes[production.NAME if plain else hook.NAME] += rows.height
    return left


def _end_of_step(data: bytes, start: int) -> int:
    """Where some whole lines end; one line where a single one is longer."""
    end = data.rfind(b"\n", start, start + STEP_BYTES) + 1
    return end or data.find(b"\n", start) + 1 or len(data)


def _is_sound(data: bytes) -> bool:
    """Whether `data` is UTF-8, without huge numbers or very deep values.

    Msgspec looks at none of that in what it skips.
    """
    if not data.isascii():
        try:
            data.decode()
        except UnicodeDecodeError:
            return False
    brackets = data.count(b"[") + data.count(b"{")
    return brackets < _MANY_BRACKETS and not _may_have_huge_number(data)


def _may_have_huge_number(data: bytes) -> bool:
    """Whether there may be a number that no float can hold: of 200 digits, or 1e100 and more."""
    content = np.frombuffer(data, np.uint8)
    run = _is_digit(content[::_RUN_STEP]).cumsum()
    if (run[_RUN_SAMPLES:] - run[:-_RUN_SAMPLES] == _RUN_SAMPLES).any():
        return True
    at = np.flatnonzero((content[:-4] | 0x20) == ord("e"))
    at = at[_is_digit(content[at - 1])]
    power = at + 1 + (content[at + 1] == ord("+"))
    long = _is_digit(content[power]) & _is_digit(content[power + 1]) & _is_digit(content[power + 2])
    return any(
        _EXPONENT.search(data, max(0, end - _MANTISSA), end) is not None
        for end in (at[long] + 1).tolist()
    )


def _is_digit(content: Any) -> Any:
    return (content ^ 0x30) < 10  # noqa: PLR2004  # "0" to "9" are 0x30 to 0x39


def _time(timestamp: float | str | None) -> float | None:
    """The Unix seconds of a record; null where they are missing, or the plain path must judge."""
    time = timestamp if not isinstance(timestamp, str) else _dated(timestamp)
    return time if time is not None and 0 <= time <= LATEST_TIMESTAMP else None


def _dated(timestamp: str) -> float | None:
    if timestamp.startswith(UNDATED):
        return None
    try:
        return iso_seconds(timestamp)
    except BadValueError:
        return None


def _rows(kind: str, block: Block, batch: _Batch, times: list[Any], *, plain: bool) -> Rows:
    """The columns of one kind's records."""
    columns: dict[str, Any] = {
        name: batch.column(name)
        for name in KINDS[kind].__struct_fields__
        if name not in ("type", "timestamp")
    }
    if plain:
        columns = {n: [None if v is UNSET else v for v in c] for n, c in columns.items()}
    else:
        columns["model_name"] = [
            line.model_name if line.metadata is None else line.metadata.model_name
            for line in batch.lines
        ]
    if kind == "other":
        columns["type"] = "vad_metrics"
    columns["model_name"] = [None if n == "unknown" else n for n in columns["model_name"]]
    for name in ("speech_id", "request_id"):
        if "" in columns[name]:
            columns[name] = [value or None for value in columns[name]]
    columns |= {name: _texts(batch.column(field)) for name, field in _ORIGIN.items()}
    columns["pid"] = _texts(list(map(_pid, batch.lines)))
    columns |= {"source": block.source, "log": block.log, "plain": plain}
    return Rows(len(times), columns | {"line": batch.numbers, "timestamp": times})


def _texts(values: list[Any]) -> list[str | None] | None:
    """Ids as texts; null where none of the lines has one."""
    if values.count(None) == len(values):
        return None
    return [value if type(value) is str and value else text_or_none(value) for value in values]


_ORIGIN = {
    "job_id": "job_id",
    "room_id": "room_id",
    "room": "room",
    "hook_session": "session",
    "agent_name": "agent_name",
}


def _pid(line: _Line) -> object:
    return line.tid if line.pid is UNSET else line.pid
