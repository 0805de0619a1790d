"""Envelopes: what Docker, Kubernetes, Compose and journald put around a line.

To add an envelope: a pattern in `_PREFIXES`, or a function in `_OBJECTS`.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field

from turnlat.readers.fields import JsonObject


@dataclass(frozen=True)
class Unwrapped:
    """The line inside an envelope, and what the envelope tells of it."""

    line: bytes
    container: str | None = None
    """Pod, container, service or unit: tells sessions apart where nothing better does."""
    time: str | None = None
    partial: bool = False
    """The line goes on in the next envelope."""
    shape: str = ""
    fields: JsonObject = field(default_factory=dict)


_PREFIXES = {
    "kubernetes cri": re.compile(
        rb"(?P<time>\d{4}-\d\d-\d\dT\S+) (?:stdout|stderr) (?P<flag>[FP])(?: (?P<line>.*))?",
        re.DOTALL,
    ),
    "kubectl prefix": re.compile(rb"\[pod/(?P<container>[^\]\s]+)\] (?P<line>.*)", re.DOTALL),
    "kubectl timestamp": re.compile(
        rb"(?P<time>\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)) (?P<line>\{.*)",
        re.DOTALL,
    ),
    "docker compose": re.compile(
        rb"(?:\x1b\[[0-9;]*m)*(?P<container>[\w.-]+) +\| ?(?:\x1b\[[0-9;]*m)*(?P<line>.*)",
        re.DOTALL,
    ),
}


ENVELOPES = {
    "docker": "the json-file driver's objects; lines that it cut are joined",
    "kubernetes cri": "the container runtime's prefix; lines that it cut are joined",
    "kubectl prefix": "kubectl logs --prefix",
    "kubectl timestamp": "kubectl logs --timestamps",
    "docker compose": "docker compose logs, in colour or not",
    "journald": "journalctl -o json",
    "any other JSON": "with --unwrap FIELD, the field that holds the line",
}
"""What is recognised around a line, for people."""


_DOCKER_PART = 16 * 1024
"""What the driver cuts lines at. Exporters strip newlines, so that a shorter part is whole."""


def strip_prefix(content: bytes) -> Unwrapped | None:
    """The line behind a text prefix; null where there is none."""
    for shape, pattern in _PREFIXES.items():
        if found := pattern.fullmatch(content):
            parts = found.groupdict()
            return Unwrapped(
                parts["line"] or b"",
                container=_text(parts.get("container")),
                time=_text(parts.get("time")),
                partial=parts.get("flag") == b"P",
                shape=shape,
            )
    return None


def open_object(line: JsonObject, unwrap: str | None) -> Unwrapped | None:
    """The line inside a JSON envelope; null where `line` is none.

    `unwrap` names the field that holds it, in any other envelope; dots go deeper.
    """
    if unwrap is not None and isinstance(inner := _field(line, unwrap), str):
        return Unwrapped(inner.encode(), shape="unwrapped", fields=line)
    return next((found for open_ in _OBJECTS if (found := open_(line))), None)


def _docker(line: JsonObject) -> Unwrapped | None:
    """Docker's json-file driver cuts long lines: a full part without a newline goes on."""
    log = line.get("log")
    if not isinstance(log, str) or not {"stream", "time"} <= set(line):
        return None
    content = log.encode()
    partial = not log.endswith("\n") and len(content) >= _DOCKER_PART
    time = line["time"] if isinstance(line["time"], str) else None
    return Unwrapped(content, time=time, partial=partial, shape="docker")


def _journald(line: JsonObject) -> Unwrapped | None:
    """`journalctl -o json`: a message that is no UTF-8 is a list of bytes."""
    message = line.get("MESSAGE")
    if "__REALTIME_TIMESTAMP" not in line or not isinstance(message, (str, list)):
        return None
    content = message.encode() if isinstance(message, str) else _bytes(message)
    unit = line.get("CONTAINER_NAME") or line.get("_SYSTEMD_UNIT")
    return Unwrapped(content, container=unit if isinstance(unit, str) else None, shape="journald")


_OBJECTS: tuple[Callable[[JsonObject], Unwrapped | None], ...] = (_docker, _journald)


def _bytes(numbers: list[object]) -> bytes:
    return bytes(n for n in numbers if isinstance(n, int) and 0 <= n <= 0xFF)  # noqa: PLR2004


def _field(line: JsonObject, path: str) -> object:
    value: object = line
    for name in [path] if path in line else path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _text(content: bytes | None) -> str | None:
    return None if content is None else content.decode(errors="replace")
