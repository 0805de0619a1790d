"""What a reader makes of lines: the fields of each kind of record, and the tally of lines.

To add a kind of record: a `Record` subclass here, and a line in `KINDS`.
All durations are seconds, all timestamps Unix seconds. Not measured is null.
"""

from __future__ import annotations

import types
import typing
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache, cached_property
from typing import TYPE_CHECKING

import msgspec

from turnlat import columns
from turnlat.columns import Rows
from turnlat.tally import Tally

if TYPE_CHECKING:
    import polars as pl

    from turnlat.frames import CodedFrames

LATEST_TIMESTAMP = 7_258_118_400.0
"""The year 2200: a later `timestamp` is no time."""


class Record(msgspec.Struct, kw_only=True, gc=False):
    """One metric that one component emitted, in LiveKit's own field names."""

    timestamp: float | None = None
    """When it was emitted: at the end of the stream that it measures."""
    speech_id: str | None = None
    request_id: str | None = None
    model_name: str | None = None


class Eou(Record):
    """End of utterance: the agent decided that the user's turn was over."""

    end_of_utterance_delay: float | None = None
    """End of speech to that decision; contains the transcription delay."""
    transcription_delay: float | None = None
    """End of speech to the final transcript."""
    on_user_turn_completed_delay: float | None = None
    """Time in the agent's own callback, after the decision and before this record."""
    last_speaking_time: float | None = None
    """When the user stopped; only in LiveKit 1.2.0 to 1.3.0, whose versions it tells."""


class Llm(Record):
    """One LLM request."""

    duration: float | None = None
    """Request to the end of the stream."""
    ttft: float | None = None
    """Request to the first token."""
    cancelled: bool | None = None
    prompt_tokens: float | None = None
    prompt_cached_tokens: float | None = None
    completion_tokens: float | None = None
    tokens_per_second: float | None = None


class Tts(Record):
    """One synthesis: a whole reply where the TTS streams, else one sentence."""

    duration: float | None = None
    """Text handed over to the end of the synthesis."""
    ttfb: float | None = None
    """Text handed over to the first audio."""
    audio_duration: float | None = None
    cancelled: bool | None = None
    characters_count: float | None = None
    acquire_time: float | None = None
    """Time to get a connection; its presence tells LiveKit 1.5.2 and later."""


class Stt(Record):
    """One transcription request, or a usage tick of a streaming one."""

    duration: float | None = None
    """Round trip of the request; 0 when streamed."""
    audio_duration: float | None = None
    streamed: bool | None = None
    acquire_time: float | None = None


class Realtime(Record):
    """One response of a speech-to-speech model."""

    duration: float | None = None
    ttft: float | None = None
    """Response created to its first audio."""
    cancelled: bool | None = None
    input_tokens: float | None = None
    cached_tokens: float | None = None
    output_tokens: float | None = None


class Chat(Record):
    """One message of the conversation, without its text; `request_id` is its id.

    `timestamp` is its `created_at`: where the final transcript came, or the reply was begun.
    """

    role: str | None = None
    interrupted: bool | None = None
    started_speaking_at: float | None = None
    stopped_speaking_at: float | None = None
    transcription_delay: float | None = None
    end_of_turn_delay: float | None = None
    """End of speech to the decision that the turn was over; contains the transcription delay."""
    on_user_turn_completed_delay: float | None = None
    llm_node_ttft: float | None = None
    llm_node_ttfs: float | None = None
    """LLM request to the first sentence handed to the TTS; only in LiveKit 1.6.9 and later."""
    tts_node_ttfb: float | None = None
    """To the first audio: from the first token on before LiveKit 1.6.5, then from the sentence."""
    e2e_latency: float | None = None
    playback_latency: float | None = None
    llm_model: str | None = None
    tts_model: str | None = None
    stt_model: str | None = None
    order: int | None = None
    """Its place among the items of the session's history."""
    follows_tool: bool | None = None
    """Whether a tool was called since the message before; null where the source does not tell."""


class Other(Record):
    """A metric that only counts: VAD, interruption, avatar, end-of-turn inference, decision."""

    type: str | None = None


class State(Record):
    """A change of the agent's or the user's state."""

    who: str | None = None
    """`agent` or `user`."""
    state: str | None = None
    """The new one, such as `speaking`."""


class Transcript(Record):
    """One final transcript of what the user said, without its text."""

    word_count: int | None = None
    language: str | None = None


class Created(Record):
    """A speech that the agent began to make; whether anybody heard it is another matter."""

    created_by: str | None = None
    """`say`, `generate_reply` or `tool_response`."""


class Tool(Record):
    """One call of a function tool; `request_id` is the call's id."""

    name: str | None = None
    duration: float | None = None
    is_error: bool | None = None


class Loss(Record):
    """Records that the hook could not write."""

    dropped: int | None = None


KINDS: dict[str, type[Record]] = {
    "eou": Eou,
    "llm": Llm,
    "tts": Tts,
    "stt": Stt,
    "realtime": Realtime,
    "chat": Chat,
    "state": State,
    "transcript": Transcript,
    "created": Created,
    "tool": Tool,
    "loss": Loss,
    "other": Other,
}

ORIGIN: dict[str, type] = {
    "source": str,
    "line": int,
    "log": str,
    "job_id": str,
    "room_id": str,
    "room": str,
    "hook_session": str,
    "container": str,
    "pid": str,
    "agent_name": str,
    "plain": bool,
}
"""Where a record came from: columns that every frame has beside its kind's fields.

`source` and `line` place it, `log` is the set of rotated files that `source` belongs to, the next
seven tell sessions and agents apart, and `plain` says that its numbers are `log_metrics`' rounded
ones and its timestamp is that of the log line.
"""


@cache
def fields(kind: str) -> dict[str, type]:
    """The fields of one kind's records and the type of each, null apart."""
    return {name: _value_type(hint) for name, hint in typing.get_type_hints(KINDS[kind]).items()}


def schema(kind: str, keep: Iterable[str] = ()) -> dict[str, type]:
    """The columns of one kind's frame: origin, its fields, then the kept fields of log lines."""
    return ORIGIN | fields(kind) | dict.fromkeys(map(kept_column, keep), str)


def _value_type(hint: types.UnionType) -> type:
    members: tuple[type, ...] = typing.get_args(hint)
    return next(member for member in members if member is not type(None))


def kept_column(name: str) -> str:
    """The frame column of a field that `--keep` takes over, out of the way of all others."""
    return f"keep:{name}"


class Origin(msgspec.Struct, kw_only=True, gc=False):
    """One record's values for the columns of `ORIGIN`, and its kept fields."""

    source: str
    line: int
    log: str
    job_id: str | None = None
    room_id: str | None = None
    room: str | None = None
    hook_session: str | None = None
    container: str | None = None
    pid: str | None = None
    agent_name: str | None = None
    plain: bool = False
    kept: tuple[str | None, ...] = ()


CODED = {"speeches": ("speech_id",), "origins": ("job_id", "room_id", "room", "hook_session")}
"""Columns whose texts have numbers in the frames that turns are made from.

Those of one name share the numbers, which are in the order of the texts.
"""


@dataclass(frozen=True)
class Records:
    """All records of some lines, and the tally of those lines."""

    rows: dict[str, list[Rows]]
    """The records of each kind."""
    tally: Tally
    keep: tuple[str, ...] = ()
    """The fields of the log lines that the user asked to keep."""

    @property
    def count(self) -> int:
        """Records of all kinds."""
        return sum(rows.height for parts in self.rows.values() for rows in parts)

    @property
    def are_rows(self) -> bool:
        """Whether they have not gone over into frames yet."""
        return "frames" not in vars(self)

    @cached_property
    def frames(self) -> dict[str, pl.DataFrame]:
        """One frame per kind; what `rows` hold goes over into them, so that it is there once."""
        from turnlat import frames  # noqa: PLC0415  # polars loads here, and readers need none

        return {kind: frames.build(schema(kind, self.keep), self.rows[kind]) for kind in KINDS}

    def coded(self) -> CodedFrames:
        """The frames with places for the texts that rules compare; `frames` must not be used then.

        They go over into them where they are not frames yet.
        """
        from turnlat import frames  # noqa: PLC0415  # as above

        if not self.are_rows:
            return frames.coded(self.frames, CODED)
        schemas = {kind: schema(kind, self.keep) for kind in KINDS}
        return frames.build_coded(schemas, self.rows, CODED)

    @classmethod
    def of_frames(
        cls, frames: dict[str, pl.DataFrame], tally: Tally, keep: tuple[str, ...] = ()
    ) -> Records:
        """Records that are frames already."""
        records = cls(
            {kind: [Rows(frame.height, {})] for kind, frame in frames.items()}, tally, keep
        )
        vars(records)["frames"] = frames
        return records

    def moved(self, lines: int) -> Records:
        """The same of lines that so many others of their file come before."""
        rows = {
            kind: [part._replace(before=part.before + lines) for part in parts]
            for kind, parts in self.rows.items()
        }
        return Records(rows, self.tally.moved(lines), self.keep)

    @classmethod
    def concat(cls, parts: Iterable[Records], keep: tuple[str, ...] = ()) -> Records:
        """All parts as one, in their order."""
        parts = list(parts)
        tally = sum((part.tally for part in parts), Tally())
        if not all(part.are_rows for part in parts):
            return cls.of_frames(_stacked(parts), tally, keep)
        rows = {kind: [rows for part in parts for rows in part.rows[kind]] for kind in KINDS}
        return cls(rows, tally, keep)


def _stacked(parts: Sequence[Records]) -> dict[str, pl.DataFrame]:
    """One frame per kind of parts whose rows may have gone over into frames."""
    import polars as pl  # noqa: PLC0415  # readers need none

    return {kind: pl.concat([part.frames[kind] for part in parts]) for kind in KINDS}


class Collector:
    """Gathers decoded records, a column at a time where they come many at once."""

    def __init__(self, keep: tuple[str, ...] = ()) -> None:
        self.keep = keep
        self.tally = Tally()
        self._records: dict[str, list[tuple[Record, Origin]]] = {kind: [] for kind in KINDS}
        self._rows: dict[str, list[Rows]] = {kind: [] for kind in KINDS}

    def add(self, kind: str, record: Record, origin: Origin) -> None:
        """Take one record in."""
        self._records[kind].append((record, origin))

    def add_rows(self, kind: str, rows: Rows) -> None:
        """Take many records in."""
        self._rows[kind].append(rows)

    def records(self) -> Records:
        """Everything taken in so far."""
        for kind, pairs in self._records.items():
            if pairs:
                self._rows[kind].append(self._transposed(kind, pairs))
        return Records(self._rows, self.tally, self.keep)

    def _transposed(self, kind: str, pairs: list[tuple[Record, Origin]]) -> Rows:
        records, origins = [record for record, _ in pairs], [origin for _, origin in pairs]
        named = fields(kind)
        values: dict[str, list[typing.Any]] = {
            name: [getattr(record, name) for record in records] for name in named
        }
        values |= {name: [getattr(origin, name) for origin in origins] for name in ORIGIN}
        values |= {
            kept_column(name): [origin.kept[place] for origin in origins]
            for place, name in enumerate(self.keep)
        }
        if len(pairs) < _FEW:
            return Rows(len(pairs), dict(values))
        types = schema(kind, self.keep)
        compact = {name: columns.compact(column, types[name]) for name, column in values.items()}
        return Rows(len(pairs), compact)


_FEW = 2_000
"""Fewer records are worth no arrays, whose library takes longer to load."""
