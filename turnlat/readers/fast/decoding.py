"""Decoding: bytes into the structs of `shapes`, some whole lines at a time."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, TypeVar

import msgspec

from turnlat.readers.fast.shapes import RARE, shapes
from turnlat.readers.fast.soundness import is_one_object_a_line, is_shallow, is_sound

_T = TypeVar("_T")
_FAILURES = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
_FIELD = re.compile(r"\.(?P<name>\w+)`\Z")
"""The end of what msgspec says of a field with the wrong type."""


class Decoder:
    """Decodes lines of one file, and learns which rare fields they have."""

    def __init__(self) -> None:
        self.shapes = shapes(frozenset())
        self._expects_objects = True

    def step(self, data: bytes) -> list[Any] | None:
        """One struct for each line of `data`; null where a line is not just one that fits."""
        if not (data.startswith(b"{") and data.endswith(b"}\n") and is_sound(data)):
            return None
        found = self._first_that_fits(lambda decoder: decoder.decode_lines(data))
        return found if found and is_one_object_a_line(data, len(found)) else None

    def line(self, data: bytes) -> Any:
        """The struct of one line; null where it fits none."""
        content = data.strip()
        if not content.startswith(b"{") or not is_sound(content) or not is_shallow(content):
            return None
        return self._first_that_fits(lambda decoder: decoder.decode(content))

    def _first_that_fits(self, decode: Callable[[msgspec.json.Decoder[Any]], _T]) -> _T | None:
        """What `decode` makes with the decoder that fitted last, or else with the other one."""
        for expects_objects in (self._expects_objects, not self._expects_objects):
            found = self._learning(decode, expects_objects)
            if found is not None:
                self._expects_objects = expects_objects
                return found
        return None

    def _learning(
        self,
        decode: Callable[[msgspec.json.Decoder[Any]], _T],
        objects: bool,  # noqa: FBT001
    ) -> _T | None:
        """What `decode` makes, with all rare fields that it turns out to need."""
        for _ in range(len(RARE) + 1):
            try:
                return decode(self.shapes.objects if objects else self.shapes.lines)
            except _FAILURES as error:  # noqa: PERF203  # a field is learned once
                place = _FIELD.search(str(error))
                if place is None or place["name"] not in set(RARE) - self.shapes.rare:
                    return None
                self.shapes = shapes(self.shapes.rare | {place["name"]})
        return None
