"""From a decoded JSON object to one typed record: what all formats share."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from datetime import datetime, timezone
from typing import Any, NamedTuple, TypeAlias

import msgspec

from turnlat.records import KINDS, LATEST_TIMESTAMP, Record

JsonObject: TypeAlias = dict[str, Any]


class BadValueError(ValueError):
    """A metric line with a value that its field cannot have."""


class Decoded(NamedTuple):
    """One record, before it is known which line it came from."""

    kind: str
    record: Record
    plain: bool = False
    """Rounded values of a `log_metrics` line, at the time of the log line."""
    origin: Mapping[str, str | None] = {}
    """What the record itself tells of its job and room; the line tells the rest."""


def typed(kind: str, fields: Mapping[str, Any]) -> Record:
    """The record that `fields` describe; fields that its kind does not have are passed over.

    Raises `BadValueError` where a value has the wrong type or a timestamp is no time.
    """
    try:
        record = msgspec.convert(fields, KINDS[kind])
    except msgspec.ValidationError as error:
        raise BadValueError(_explain(str(error))) from error
    timestamp = record.timestamp
    if timestamp is not None and not 0 <= timestamp <= LATEST_TIMESTAMP:
        raise BadValueError(f"timestamp: {timestamp:g} is no time")
    record.speech_id = record.speech_id or None
    record.request_id = record.request_id or None
    if record.model_name == "unknown":  # what log_metrics writes for None
        record.model_name = None
    return record


def _explain(message: str) -> str:
    """Msgspec's message for people: `ttft: expected a number, got text`."""
    text, _, path = message.partition(" - at ")
    found = _EXPECTED.fullmatch(text)
    if found is None:
        return message
    field = path.strip("`").removeprefix("$.")
    wanted, got = (_WORDS.get(found[name], found[name]) for name in ("wanted", "got"))
    return f"{field}: expected {wanted}, got {got}"


_EXPECTED = re.compile(r"Expected `(?P<wanted>\w+) \| null`, got `(?P<got>\w+)`")
_WORDS = {
    "float": "a number",
    "int": "a number",
    "str": "text",
    "bool": "true or false",
    "object": "an object",
    "array": "a list",
}


def unix_seconds(value: object) -> object:
    """An ISO-8601 time as Unix seconds; anything else as it is, for `typed` to judge.

    Raises `BadValueError` where a text is no such time.
    """
    return iso_seconds(value) if isinstance(value, str) else value


def iso_seconds(value: str) -> float:
    """An ISO-8601 time as Unix seconds; UTC where it does not say.

    Raises `BadValueError` where it is none.
    """
    try:
        time = datetime.fromisoformat(value.replace("Z", "+00:00"))
        if time.tzinfo is None:
            time = time.replace(tzinfo=timezone.utc)
        return time.timestamp()
    except (ValueError, OverflowError) as error:
        raise BadValueError(f"timestamp: {value[:40]!r} is no ISO-8601 time") from error


def text_or_none(value: object) -> str | None:
    """A scalar as text, for ids that people write as text or as a number."""
    if isinstance(value, str):
        return value or None
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    return str(value) if math.isfinite(value) else None
