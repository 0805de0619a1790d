"""Coding: numbers for what many records of one block share, so that columns need not repeat it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cached_property
from operator import attrgetter
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from msgspec import UNSET
from numpy.typing import NDArray

from turnlat.columns import Coded, Places
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


_Codes: TypeAlias = NDArray[np.int32]


class Shared(NamedTuple):
    """What the records of all kinds in one block have in common."""

    speeches: Speeches
    origins: Origins


class Speeches:
    """The speech ids of one block."""

    def __init__(self) -> None:
        self._places = Places()

    def codes(self, lines: list[Any]) -> _Codes:
        """A number for the id of each line."""
        return _codes(self._places, map(_SPEECH, lines), len(lines))

    def column(self, codes: list[_Codes]) -> Coded | str | None:
        """The column of records with these numbers."""
        return coded(_whole(codes, self._places), self._texts)

    @cached_property
    def _texts(self) -> list[str | None]:
        return [id_ or None for id_ in self._places]


class Origins:
    """What the lines of one block tell of their sessions."""

    def __init__(self, rare: frozenset[str]) -> None:
        self._fields = sorted(rare & {*_ORIGIN.values(), "tid"})
        self._places = Places()
        self._get: Callable[[Any], Any] = attrgetter(*self._fields or ("timestamp",))

    def codes(self, lines: list[Any]) -> _Codes:
        """A number for what each line tells; none where no line tells anything."""
        told = lines if self._fields else ()
        return _codes(self._places, map(self._get, told), len(told))

    def columns(self, codes: list[_Codes]) -> dict[str, Coded | str | None]:
        """The columns of records with these numbers."""
        if not self._fields:
            return {}
        places = _whole(codes, self._places)
        return {name: coded(places, texts) for name, texts in self._texts.items()}

    @cached_property
    def _texts(self) -> dict[str, list[str | None]]:
        """Of each column the text of each origin."""
        # The getter of a single field gives no tuple.
        alone = len(self._fields) == 1
        origins = [(value,) for value in self._places] if alone else list(self._places)
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


def _codes(places: Places, values: Iterable[Any], count: int) -> _Codes:
    return np.fromiter(map(places.__getitem__, values), np.int32, count)


def _whole(codes: list[_Codes], places: Places) -> NDArray[np.unsignedinteger]:
    return np.concatenate(codes).astype(np.min_scalar_type(len(places)))


def coded(places: NDArray[np.unsignedinteger], texts: list[str | None]) -> Coded | str | None:
    """A column of the texts at some places; the only text, or null where there is none."""
    if texts.count(None) == len(texts):
        return None
    return texts[0] if len(texts) == 1 else Coded(places, texts)


_SPEECH: Callable[[Any], str | None] = attrgetter("speech_id")
