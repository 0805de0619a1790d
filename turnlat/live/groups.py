"""Groups: which records belong together, by the keys that they share."""

from __future__ import annotations

from collections.abc import Collection, Hashable, Iterable, Iterator

import polars as pl

from turnlat.records import Records
from turnlat.turns import sessions

_DELAYS = {
    "eou": ("end_of_utterance_delay", "transcription_delay"),
    "chat": ("end_of_turn_delay", "transcription_delay"),
}
"""What an EOU record and the message about it tell to the same last digit."""


class Groups:
    """Numbers for sets of keys; keys that turn out to belong together join their sets."""

    def __init__(self) -> None:
        self._of: dict[Hashable, int] = {}
        self._joined: dict[int, int] = {}
        self._count = 0

    def group(self, keys: Iterable[Hashable]) -> int:
        """The group of something with these keys."""
        known = sorted({self.root(self._of[key]) for key in keys if key in self._of})
        if not known:
            self._count += 1
            known = [self._count]
        self._joined.update(dict.fromkeys(known[1:], known[0]))
        self._of.update(dict.fromkeys(keys, known[0]))
        return known[0]

    def root(self, group: int) -> int:
        """What `group` is called after it joined others."""
        while group in self._joined:
            group = self._joined[group]
        return group

    def settle(self) -> dict[int, int]:
        """The groups that joined others since the last time, and what they are called now."""
        if not self._joined:
            return {}
        renamed = {group: self.root(group) for group in self._joined}
        self._of = {key: renamed.get(group, group) for key, group in self._of.items()}
        self._joined = {}
        return renamed

    def forget(self, live: Collection[int]) -> None:
        """Drop the keys of all groups but `live` ones."""
        self._of = {key: group for key, group in self._of.items() if group in live}


def tells_twice(own: sessions.Frames, shapes: set[tuple[bool, bool]]) -> bool:
    """Whether there are whole records and rounded lines, not all of sessions that have names.

    Then any line may repeat a record of any session (`turns.merging`). `shapes` has what there was.
    """
    for frame in own.values():
        known = pl.col("session_rank") <= sessions.NAMED_RANK
        shapes |= set(frame.select("plain", known=known).unique().rows())
    plain = {is_plain for is_plain, _ in shapes}
    return plain == {True, False} and any(not known for _, known in shapes)


def own_sessions(records: Records) -> sessions.Frames:
    """The records with the session that each names itself, whatever its speech tells."""
    alone = {
        kind: frame.rename({"speech_id": "named_speech"}).with_columns(
            speech_id=pl.lit(None, dtype=pl.String)
        )
        for kind, frame in records.frames.items()
    }
    found, names = sessions.assign(Records.of_frames(alone, records.tally).coded())
    return {
        kind: frame.with_columns(session=names[frame["session"]]) for kind, frame in found.items()
    }


def keys_of(kind: str, frame: pl.DataFrame) -> Iterator[tuple[Hashable, ...]]:
    """The keys of every record: its session, speech and request, an EOU's delays."""
    columns = ["plain", "session", "named_speech", "request_id", "timestamp"]
    rows = frame.select(*columns, *_DELAYS.get(kind, ())).iter_rows()
    for plain, session, speech, request, timestamp, *delays in rows:
        keys: list[Hashable] = [("session", session)]
        if speech is not None:
            keys.append(("speech", speech))
        if request is not None and kind in ("llm", "tts"):
            keys.append(("request", request, timestamp))
        if delays and not plain and (delays[0] or 0) > 0:
            keys.append(("delays", *delays))
        yield tuple(keys)
