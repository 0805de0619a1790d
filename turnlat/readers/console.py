"""Console lines: the coloured one-line output of `dev` and `console` mode up to 1.2, and later."""

from __future__ import annotations

import re
from datetime import datetime, timezone

import orjson

from turnlat.readers.fields import JsonObject

NAME = "console"
ABOUT = "a coloured line of dev or console mode (livekit-agents up to 1.2, or --log-format colored)"
EXAMPLE = (
    "2026-11-22 07:28:56,939 - INFO livekit.agents - LLM metrics "
    '{"ttft": 0.42, "completion_tokens": 11, "tokens_per_second": 14.38}'
)

_COLOUR = re.compile(r"\x1b\[[0-9;]*m")
_HEAD = re.compile(
    r"\r?(?:(?P<date>\d{4}-\d\d-\d\d) )?(?P<time>\d\d:\d\d:\d\d(?:[.,]\d{1,6})?) (?:- )?"
    r"(?P<level>[A-Z]+) +(?P<name>\S+) (?:- )?"
)
_BRACES_TRIED = 10
"""How many braces of a message are tried as the start of its fields."""
UNDATED = "1970-01-01"
"""The date of lines that tell none."""


def as_object(text: str) -> JsonObject | None:
    """The line as the JSON formatter would have written it; null where it is no such line.

    Its time is local to the agent's machine and may have no date; it is taken as UTC.
    """
    plain = _COLOUR.sub("", text)
    found = _HEAD.match(plain)
    if found is None:
        return None
    message, extra = _message(plain[found.end() :].rstrip())
    try:
        time = datetime.fromisoformat(f"{found['date'] or UNDATED}T{_clock(found['time'])}")
    except ValueError:
        return None
    timestamp = time.replace(tzinfo=timezone.utc).isoformat()
    head = {"message": message, "level": found["level"], "name": found["name"]}
    return head | extra | {"timestamp": extra.get("timestamp", timestamp)}


def _message(rest: str) -> tuple[str, JsonObject]:
    """The message of a line, and the fields that the formatter put behind it."""
    start = rest.find("{") if rest.endswith("}") else -1
    for _ in range(_BRACES_TRIED):
        if start < 0:
            break
        try:
            extra: JsonObject = orjson.loads(rest[start:])
        except orjson.JSONDecodeError:
            start = rest.find("{", start + 1)
        else:
            return rest[:start].rstrip(), extra
    return rest, {}


def has_date(line: JsonObject) -> bool:
    """Whether a line told its date, as only short console lines do not."""
    return not str(line.get("timestamp")).startswith(UNDATED)


def _clock(time: str) -> str:
    """`07:28:56,939` as every Python reads it."""
    seconds, _, fraction = time.replace(",", ".").partition(".")
    return f"{seconds}.{fraction:0<6}" if fraction else seconds
