"""Lines become records: envelopes opened, split lines joined, every line counted once."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, NamedTuple, TypeAlias

import orjson

from turnlat.blocks import Block
from turnlat.readers import console, envelopes, syntax
from turnlat.readers.envelopes import Unwrapped
from turnlat.readers.fields import (
    BadValueError,
    Decoded,
    JsonObject,
    text_or_none,
    unix_seconds,
)
from turnlat.readers.formats import FORMATS
from turnlat.records import LATEST_TIMESTAMP, Collector, Origin, Records
from turnlat.tally import BadLine

if TYPE_CHECKING:
    from turnlat.readers.fast import FastReader

_DEEPEST = 4
"""Envelopes in envelopes: journald around Docker around Compose, and one to spare."""

_LONGEST_TYPE = 80
"""More of an unknown metric type is not worth keeping."""

_WRAPPED_ROW = re.compile(rb" {4,}(?:\d\d:\d\d:\d\d\.\d{3}| {12}) ")
_WRAPPED_METRIC = re.compile(
    rb"\s+(?:\d\d:\d\d:\d\d\.\d{3} +)?(?:INFO|DEBUG)\b.{0,12}? \S+ +[A-Za-z]+ metrics\b"
)
"""A row of the table that `dev` mode prints from 1.3 on, cut at the width of the terminal."""


class Options(NamedTuple):
    """What a user asked of the reading of lines."""

    keep: tuple[str, ...] = ()
    """Fields of the log lines to take over."""
    unwrap: str | None = None
    """The field of a JSON envelope that holds the line."""
    rejects: bool = False
    """Whether to hold on to the bytes of bad lines."""
    fast_from: int = 50_000
    """From so many bytes at once on, the fast path has loaded sooner than they are read."""


@dataclass
class _Line:
    """A logical line: its place, its bytes as they were, and what its envelopes tell."""

    block: Block
    number: int
    offset: int
    raw: list[bytes]
    container: str | None = None
    time: str | None = None
    finite: bool = True
    shape: str | None = None
    """What the line is called where its format does not say it."""
    fields: JsonObject = field(default_factory=dict)
    parts: list[bytes] = field(default_factory=list)
    """Of a split line, the parts that were read so far."""


_Inner: TypeAlias = bytes | JsonObject | syntax.BadLineError
"""What is inside all envelopes: text, an object, or what is wrong with it."""


class LineReader:
    """Reads the lines of one file in their order; a split line may end in a later block."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._split: _Line | None = None
        self._collector = Collector(options.keep)
        self._gathered: dict[str, tuple[_Line, list[JsonObject]]] = {}
        # Kept fields and envelopes of the user's own may be anywhere in a line.
        self._may_be_fast = not options.keep and not options.unwrap
        self._fast: FastReader | None = None

    def read(self, block: Block) -> Records:
        """The records of all lines of `block`; lines that cannot be read are in the tally."""
        self.take(block)
        return self.hand_over()

    def take(self, block: Block) -> int:
        """Take in the lines of `block`, for `hand_over`; how many they are."""
        if self._fast is None and self._may_be_fast and len(block.data) >= self._options.fast_from:
            from turnlat.readers import fast  # noqa: PLC0415  # small logs need none

            self._may_be_fast = fast.IS_BUILT
            self._fast = fast.FastReader() if fast.IS_BUILT else None
        if self._fast is None:
            left = list(block.places())
            count = len(left)
        else:
            count, left = self._fast.take(block, self._collector)
        for number, offset, content in left:
            self._take(_Line(block, number, offset, [content]), content)
        return count

    @property
    def is_open(self) -> bool:
        """Whether lines that were read need others that may follow."""
        return self._split is not None or bool(self._gathered)

    def finish(self) -> Records:
        """What lines hold that need others: a split one that nothing ended, gathered ones."""
        if (line := self._split) is not None:
            self._split = None
            self._count(line, b"".join(line.parts).strip())
        for format_ in FORMATS:
            if format_.gather is not None and format_.name in self._gathered:
                line, parts = self._gathered.pop(format_.name)
                self._settle(line, format_.gather(parts))
        return self.hand_over()

    def read_document(self, file: Block) -> Records | None:
        """The records of a file that is one JSON value; null where it is none.

        The first line stands for the document, all others are `joined` to it.
        """
        tally = self._collector.tally
        line = _Line(file, file.first_line, file.offset, file.lines())
        try:
            value, line.finite = syntax.loads(bytes(file.data).removeprefix(syntax.BOM))
            values = value if isinstance(value, list) else [value]
            objects = [item for item in values if isinstance(item, dict)]
            found = [self._decode(line, item) for item in objects]
        except syntax.BadLineError:
            return None
        except (BadValueError, RecursionError) as error:
            # One document is one line of the ledger: it cannot be read in part.
            self._collector = Collector(self._options.keep)
            tally = self._collector.tally
            self._reject(line, error)
        else:
            tally.metric, tally.other = int(any(found)), int(not any(found))
            tally.not_finite = int(any(found) and not line.finite)
        tally.joined = len(line.raw) - 1
        return self.hand_over()

    def hand_over(self) -> Records:
        """The records of all lines that were taken in since the last call."""
        if self._fast is not None:
            self._fast.hand_over(self._collector)
        records = self._collector.records()
        self._collector = Collector(self._options.keep)
        return records

    def _take(self, line: _Line, content: bytes) -> None:
        """Count `line`, or keep it as a part of a split one."""
        opened = self._open(line, content)
        if opened is not None:
            self._count(*opened)

    def _open(self, line: _Line, content: bytes) -> tuple[_Line, _Inner] | None:
        """The line inside all envelopes; null where it goes on in the next one."""
        for _ in range(_DEEPEST):
            inner = self._syntax(line, content.strip().removeprefix(syntax.BOM).lstrip())
            if isinstance(inner, bytes):
                opened = envelopes.strip_prefix(inner)
            elif isinstance(inner, dict):
                opened = envelopes.open_object(inner, self._options.unwrap)
            else:
                opened = None
            if opened is None:
                return line, inner
            line, joined = self._join(line, opened)
            if joined is None:
                return None
            content = joined
        return line, content.strip()

    @staticmethod
    def _syntax(line: _Line, content: bytes) -> _Inner:
        """The object that the line is; text as it is."""
        if not content.startswith(b"{"):
            return content
        try:
            decoded: JsonObject
            decoded, line.finite = syntax.loads(content)
        except syntax.BadLineError as error:
            return error
        return decoded

    def _join(self, line: _Line, opened: Unwrapped) -> tuple[_Line, bytes | None]:
        """`line` with what its envelope tells; its content, with the parts that came before."""
        whole = self._split
        if whole is not None:
            self._split = None
            whole.raw += line.raw
            self._collector.tally.joined += 1
        else:
            whole = line
        whole.container = opened.container or whole.container
        whole.time = opened.time or whole.time
        whole.fields = opened.fields or whole.fields
        whole.parts.append(opened.line)
        if opened.partial:
            self._split = whole
            return whole, None
        content, whole.parts = b"".join(whole.parts), []
        return whole, content

    def _count(self, line: _Line, inner: _Inner) -> None:
        """Put a logical line where it belongs in the tally, and its records into the frames."""
        try:
            if isinstance(inner, syntax.BadLineError):
                raise inner
            decoded = self._object(line, inner) if isinstance(inner, bytes) else inner
        except syntax.BadLineError as error:
            self._reject(line, error)
            return
        if decoded is None:
            self._collector.tally.blank += inner == b""
            self._collector.tally.other += inner != b""
        elif not self._gather(line, decoded):
            self._settle(line, decoded)

    def _gather(self, line: _Line, decoded: JsonObject) -> bool:
        """Whether `decoded` was kept to be read with others of its shape, as one with the first."""
        format_ = next((format_ for format_ in FORMATS if format_.is_part(decoded)), None)
        if format_ is None:
            return False
        try:
            format_.decode(decoded)
        except (BadValueError, RecursionError) as error:
            self._reject(line, error)
            return True
        name = format_.name
        if name in self._gathered:
            self._collector.tally.joined += 1
        self._gathered.setdefault(name, (line, []))[1].append(decoded)
        return True

    def _settle(self, line: _Line, decoded: JsonObject) -> None:
        tally = self._collector.tally
        try:
            found = self._decode(line, decoded)
        except (BadValueError, RecursionError) as error:
            self._reject(line, error)
            return
        tally.metric += found
        tally.other += not found
        tally.not_finite += found and not line.finite
        tally.undated += found and not console.has_date(decoded)

    def _object(self, line: _Line, content: bytes) -> JsonObject | None:
        """The object that a line of text stands for; null where it is just text, or blank."""
        if not content:
            return None
        if content.startswith(b"{"):
            decoded: JsonObject = syntax.loads(content)[0]
            return decoded
        text = syntax.text(content)
        if _WRAPPED_ROW.match(line.raw[0]):
            self._collector.tally.wrapped += _WRAPPED_METRIC.match(line.raw[0]) is not None
            return None
        line.shape = console.NAME
        return console.as_object(text)

    def _decode(self, line: _Line, decoded: JsonObject) -> bool:
        """Take in the records of one object; whether it has any."""
        tally = self._collector.tally
        for format_ in FORMATS:
            found = format_.decode(decoded)
            if found is None:
                continue
            for record in found:
                self._add(line, decoded, record)
            tally.shapes[line.shape or format_.name] += 1
            return bool(found)
        if isinstance(type_ := decoded.get("type"), str) and type_.endswith("_metrics"):
            tally.unknown[type_[:_LONGEST_TYPE]] += 1
        return False

    def _add(self, line: _Line, decoded: JsonObject, found: Decoded) -> None:
        if found.record.timestamp is None and line.time is not None:
            found.record.timestamp = _envelope_time(line.time)
        self._collector.add(found.kind, found.record, self._origin(line, decoded, found))

    def _origin(self, line: _Line, decoded: JsonObject, found: Decoded) -> Origin:
        known = {
            "job_id": decoded.get("job_id"),
            "room_id": decoded.get("room_id"),
            "room": decoded.get("room"),
            "hook_session": decoded.get("session"),
            "container": line.container,
            "pid": decoded.get("pid", decoded.get("tid")),
            "agent_name": decoded.get("agent_name"),
        } | {name: value for name, value in found.origin.items() if value is not None}
        return Origin(
            source=line.block.source,
            line=line.number,
            log=line.block.log,
            plain=found.plain,
            kept=tuple(_kept(line.fields | decoded, name) for name in self._options.keep),
            **{name: text_or_none(value) for name, value in known.items()},
        )

    def _reject(self, line: _Line, error: ValueError | RecursionError) -> None:
        raw = b"\n".join(line.raw) if self._options.rejects else None
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        bad = BadLine(line.block.source, line.number, line.offset, reason)
        self._collector.tally.reject(bad, raw)


def _envelope_time(text: str) -> float | None:
    """The time of an envelope, which has nanoseconds; null where it is none."""
    try:
        time = unix_seconds(_NANOSECONDS.sub(r"\1", text))
    except BadValueError:
        return None
    return time if isinstance(time, float) and 0 <= time <= LATEST_TIMESTAMP else None


_NANOSECONDS = re.compile(r"(\.\d{6})\d+")


def _kept(line: JsonObject, name: str) -> str | None:
    """The field `name` as text: LiveKit's own names have dots, so a whole name goes first."""
    value: object = line
    for part in [name] if name in line else name.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    if value is None or isinstance(value, str):
        return value
    try:
        return orjson.dumps(value).decode()
    except TypeError:  # orjson reads deeper nesting than it writes
        return "(nested too deeply)"
