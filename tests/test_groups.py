"""Groups of live records, and the ranks of what names their sessions."""

from __future__ import annotations

from pathlib import Path

import pytest
from logs import eou, write_log

from turnlat import sources
from turnlat.engines import local
from turnlat.live.groups import Groups
from turnlat.readers import Options
from turnlat.turns import sessions


def test_groups_that_joined_are_told_once_and_otherwise_nothing_is_rebuilt() -> None:
    groups = Groups()
    one, two = groups.group(["a"]), groups.group(["b"])
    keys = groups._of
    assert groups.settle() == {}
    assert groups._of is keys
    assert groups.group(["a", "b"]) == one
    assert groups.settle() == {two: one}
    assert groups.group(["b"]) == one
    assert groups.settle() == {}


@pytest.mark.parametrize(
    ("key", "named", "place"),
    [
        ({"job_id": "AJ_1"}, True, False),
        ({"room_id": "RM_1"}, True, False),
        ({"room": "lobby"}, True, False),
        ({"session": "s1"}, False, False),
        ({"pid": 7}, False, True),
        ({}, False, True),
    ],
)
def test_a_rank_tells_what_kind_of_key_a_session_has(
    tmp_path: Path, key: dict[str, object], *, named: bool, place: bool
) -> None:
    log = write_log(tmp_path / "agent.jsonl", [eou("a", 0) | key])
    records = local.gather(sources.find([str(log)]), Options())
    rank = sessions.assign(records.coded()).frames["eou"]["session_rank"].item()
    assert (rank <= sessions.NAMED_RANK, rank >= sessions.PLACE_RANK) == (named, place)
    assert (rank == sessions.SOURCE_RANK) == (not key)
