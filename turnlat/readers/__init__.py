"""Lines become records: the registry of formats, and the reading of a block, line by line.

To add a format: a module with NAME, ABOUT, EXAMPLE and `decode`, and its line in `FORMATS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

import orjson

from turnlat.blocks import Block
from turnlat.readers import hook, otlp, production
from turnlat.readers.fields import BadValueError, Decoded, JsonObject, text_or_none
from turnlat.records import BadLine, Collector, Origin, Records


@dataclass(frozen=True)
class Format:
    """One shape of line."""

    name: str
    about: str
    example: str
    decode: Callable[[JsonObject], list[Decoded] | None]
    """The records of a line; null where the line is not of this shape.

    Raises `BadValueError` where it is, with a value that cannot be.
    """


FORMATS = tuple(
    Format(module.NAME, module.ABOUT, module.EXAMPLE, module.decode)
    for module in (hook, production, otlp)
)
"""In the order in which they are tried."""

_BOM = b"\xef\xbb\xbf"
_STRING_OR_NOT_FINITE = re.compile(
    rb'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|-?\b(?:NaN|Infinity)\b', re.DOTALL
)
_WRAPPED_METRIC = re.compile(
    rb"\s+(?:\d\d:\d\d:\d\d\.\d{3} +)?(?:INFO|DEBUG)\b.{0,12}? \S+ +[A-Za-z]+ metrics\b"
)
"""A row of the table that `dev` mode prints from 1.3 on, cut at the width of the terminal."""


_BRACES_TRIED = 20
"""How many braces of a text line are tried as the start of an object."""


class BadLineError(ValueError):
    """A line that is broken, and why."""


def read_block(block: Block, keep: tuple[str, ...] = ()) -> Records:
    """The records of all lines of `block`; lines that cannot be read are in the tally."""
    collector = Collector(keep)
    offset = block.offset
    for number, line in enumerate(block.lines(), block.first_line):
        try:
            _read_line(line, number, block, collector)
        except (BadLineError, BadValueError) as error:
            collector.tally.reject(BadLine(block.source, number, offset, str(error)))
        offset += len(line) + 1
    return collector.records()


def _read_line(line: bytes, number: int, block: Block, collector: Collector) -> None:
    tally = collector.tally
    content = line.strip().removeprefix(_BOM).lstrip()
    if not content:
        tally.blank += 1
        return
    if not content.startswith(b"{"):
        _check_text(content)
        tally.other += 1
        tally.wrapped += _WRAPPED_METRIC.match(line) is not None
        return
    decoded, finite = _loads(content)
    for format_ in FORMATS:
        if found := format_.decode(decoded):
            for record in found:
                origin = _origin(decoded, number, block, record, collector)
                collector.add(record.kind, record.record, origin)
            tally.metric += 1
            tally.not_finite += not finite
            tally.shapes[format_.name] += 1
            return
    tally.other += 1


def _loads(content: bytes) -> tuple[JsonObject, bool]:
    """The object on the line, and whether all its numbers are finite; others become null."""
    try:
        return orjson.loads(content), True
    except orjson.JSONDecodeError as error:
        if b"NaN" not in content and b"Infinity" not in content:
            raise BadLineError(_not_json(error)) from error
        try:
            return orjson.loads(_STRING_OR_NOT_FINITE.sub(_finite, content)), False
        except orjson.JSONDecodeError:
            raise BadLineError(_not_json(error)) from error


def _not_json(error: orjson.JSONDecodeError) -> str:
    return f"not JSON: {error.msg} (column {error.colno})"


def _finite(token: re.Match[bytes]) -> bytes:
    return token[0] if token[0].startswith(b'"') else b"null"


def _check_text(content: bytes) -> None:
    """Other programs print between the JSON lines; what is left of a broken one is bad."""
    try:
        content.decode()
    except UnicodeDecodeError as error:
        raise BadLineError(f"not UTF-8: {error.reason} at byte {error.start}") from error
    if b"\0" in content:
        raise BadLineError("NUL bytes")
    if content.endswith(b"}") and b'":' in content and not _ends_in_json(content):
        raise BadLineError("not JSON: the start of the object is missing")


def _ends_in_json(content: bytes) -> bool:
    """Whether a text ends in a whole object, as `INFO got {"a": 1}` does."""
    start = content.find(b"{")
    for _ in range(_BRACES_TRIED):
        if start < 0:
            return False
        try:
            orjson.loads(content[start:])
        except orjson.JSONDecodeError:
            start = content.find(b"{", start + 1)
        else:
            return True
    return False


def _origin(
    line: JsonObject, number: int, block: Block, found: Decoded, collector: Collector
) -> Origin:
    known = {
        "job_id": line.get("job_id"),
        "room_id": line.get("room_id"),
        "room": line.get("room"),
        "hook_session": line.get("session"),
        "pid": line.get("pid", line.get("tid")),
        "agent_name": line.get("agent_name"),
    } | dict(found.origin)
    return Origin(
        source=block.source,
        line=number,
        log=block.log,
        plain=found.plain,
        kept=tuple(_kept(line, name) for name in collector.keep),
        **{name: text_or_none(value) for name, value in known.items()},
    )


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
