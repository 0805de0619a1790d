"""Names and units: LiveKit's Python names and seconds, whatever a line calls them."""

from __future__ import annotations

import re
from typing import Any

from turnlat.readers.fields import JsonObject

_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_MILLISECONDS = "_ms"
_EPOCH_MILLISECONDS = 1e11, 1e13
"""Between these a Unix time counts milliseconds: 1973 to 2286."""


def is_foreign(line: JsonObject) -> bool:
    """Whether a line has names of Node's, or values in milliseconds."""
    timestamp = line.get("timestamp")
    if isinstance(timestamp, (int, float)) and _in_milliseconds(timestamp):
        return True
    return any(key.endswith(("Ms", _MILLISECONDS)) or key == "speechId" for key in line)


def in_seconds(line: JsonObject) -> JsonObject:
    """`line` with `ttftMs` or `ttft_ms` as `ttft`, `speechId` as `speech_id`, and so on."""
    return dict(_named(key, value) for key, value in line.items())


def _named(key: str, value: Any) -> tuple[str, Any]:
    name = _HUMP.sub("_", key).lower() if not key.isupper() else key
    if isinstance(value, dict):
        return name, in_seconds(value)
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return name, value
    if name in ("timestamp", "time") and _in_milliseconds(value):
        return name, value / 1000
    if name.endswith(_MILLISECONDS):
        # LiveKit's sentinel stays what it is.
        return name.removesuffix(_MILLISECONDS), value / 1000 if value >= 0 else -1.0
    return name, value


def _in_milliseconds(time: float) -> bool:
    return _EPOCH_MILLISECONDS[0] < time < _EPOCH_MILLISECONDS[1]
