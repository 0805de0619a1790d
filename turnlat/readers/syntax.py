"""Syntax: what a line of JSON or of text is, and what makes it a bad one."""

from __future__ import annotations

import re
from typing import Any

import orjson

BOM = b"\xef\xbb\xbf"
_STRING_OR_NOT_FINITE = re.compile(
    rb'"(?:[^"\\]|\\.)*(?:"|\\?\Z)|-?\b(?:NaN|Infinity)\b', re.DOTALL
)
_BRACES_TRIED = 20
"""How many braces of a text line are tried as the start of an object."""


class BadLineError(ValueError):
    """A line that is broken, and why."""


def loads(content: bytes) -> tuple[Any, bool]:
    """The JSON value, and whether all its numbers are finite; others become null.

    Raises `BadLineError` where it is none: orjson is the judge of that.
    """
    try:
        return orjson.loads(content), True
    except orjson.JSONDecodeError as error:
        if b"NaN" not in content and b"Infinity" not in content:
            raise BadLineError(_not_json(error)) from error
        try:
            return orjson.loads(_STRING_OR_NOT_FINITE.sub(_finite, content)), False
        except orjson.JSONDecodeError:
            raise BadLineError(_not_json(error)) from error


def text(content: bytes) -> str:
    """The text of a line that is no JSON: other programs print between the JSON lines.

    Raises `BadLineError` where it is no text, or what is left of a broken JSON line.
    """
    try:
        decoded = content.decode()
    except UnicodeDecodeError as error:
        raise BadLineError(f"not UTF-8: {error.reason} at byte {error.start}") from error
    if "\0" in decoded:
        raise BadLineError("NUL bytes")
    if content.endswith(b"}") and b'":' in content and not _ends_in_json(content):
        raise BadLineError("not JSON: the start of the object is missing")
    return decoded


def _not_json(error: orjson.JSONDecodeError) -> str:
    return f"not JSON: {error.msg} (column {error.colno})"


def _finite(token: re.Match[bytes]) -> bytes:
    return token[0] if token[0].startswith(b'"') else b"null"


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
