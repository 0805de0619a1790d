"""Coding: numbers for what many records of one block share, so that columns need not repeat it."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterable
from functools import cached_property
from operator import attrgetter
from typing import Any, NamedTuple

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from turnlat.columns import Coded
from turnlat.readers.fields import text_or_none

_ORIGIN = {
    "job_id": "job_id",
    "room_id": "room_id",
    "room": "room",
    "hook_session": "session",
    "agent_name": "agent_name",
    "pid": "pid",
}
"""Columns of `records.ORIGIN` and the fields of a line that they are."""


class Shared(NamedTuple):
    """What the records of all kinds in one block have in common."""

    speeches: Speeches
    origins: Origins


class Coder:
    """A number for each value that is different."""

    def __init__(self) -> None:
        self._numbers: dict[Any, int] = {}
        self._next = 0

    def numbers(self, values: list[Any]) -> Iterable[int]:
        """The numbers of `values`; there are gaps between those of different ones."""
        first, self._next = self._next, self._next + len(values)
        return map(self._numbers.setdefault, values, itertools.count(first))

    @property
    def values(self) -> list[Any]:
        """The values, each once."""
        return list(self._numbers)

    def places(self, numbers: list[int]) -> NDArray[np.unsignedinteger]:
        """The places among `values` of those with these numbers."""
        known = np.fromiter(self._numbers.values(), np.int64, len(self._numbers))
        places = np.searchsorted(known, np.array(numbers, np.int64))
        return places.astype(np.min_scalar_type(len(known)))


class Speeches:
    """The speech ids of one block."""

    def __init__(self) -> None:
        self._coder = Coder()

    def numbers(self, lines: list[Any]) -> Iterable[int]:
        """A number for the id of each line."""
        return self._coder.numbers(list(map(_SPEECH, lines)))

    def column(self, numbers: list[int]) -> Coded | str | None:
        """The column of records with these numbers."""
        return coded(self._coder.places(numbers), self._texts)

    @cached_property
    def _texts(self) -> list[str | None]:
        return [id_ or None for id_ in self._coder.values]


class Origins:
    """What the lines of one block tell of their sessions."""

    def __init__(self, rare: frozenset[str]) -> None:
        self._fields = sorted(rare & {*_ORIGIN.values(), "tid"})
        self._coder = Coder()
        self._get: Callable[[Any], Any] = attrgetter(*self._fields or ("timestamp",))

    def numbers(self, lines: list[Any]) -> Iterable[int]:
        """A number for what each line tells; none where no line tells anything."""
        return self._coder.numbers(list(map(self._get, lines))) if self._fields else ()

    def columns(self, numbers: list[int]) -> dict[str, Coded | str | None]:
        """The columns of records with these numbers."""
        if not self._fields:
            return {}
        places = self._coder.places(numbers)
        return {name: coded(places, texts) for name, texts in self._texts.items()}

    @cached_property
    def _texts(self) -> dict[str, list[str | None]]:
        """Of each column the text of each origin."""
        values = self._coder.values
        # The getter of a single field gives no tuple.
        origins = [(value,) for value in values] if len(self._fields) == 1 else values
        told = {
            name: [origin[place] for origin in origins] for place, name in enumerate(self._fields)
        }
        if "tid" in told or "pid" in told:
            nothing = [UNSET] * len(origins), [None] * len(origins)
            both = zip(told.get("pid", nothing[0]), told.get("tid", nothing[1]), strict=True)
            told["pid"] = [tid if pid is UNSET else pid for pid, tid in both]
        return {
            name: [text_or_none(value) for value in told[field]]
            for name, field in _ORIGIN.items()
            if field in told
        }


def coded(places: NDArray[np.unsignedinteger], texts: list[str | None]) -> Coded | str | None:
    """A column of the texts at some places; the only text, or null where there is none."""
    if texts.count(None) == len(texts):
        return None
    return texts[0] if len(texts) == 1 else Coded(places, texts)


_SPEECH: Callable[[Any], str | None] = attrgetter("speech_id")
