"""Shards: turns of some sessions at a time, against the turns of all of them at once."""

from __future__ import annotations

import random
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import polars as pl
import pytest
from logs import DATA, START, eou, llm, plain, recordings, stt, tts, write_log
from polars.testing import assert_frame_equal

from tests.benchmarks.logs import Plan, write
from turnlat import turns
from turnlat.engines import Tables, local
from turnlat.readers import Options
from turnlat.reading import Readers
from turnlat.sources import find
from turnlat.turns import shards

ALL = 10**9


def tables(paths: list[Path], most: int, **options: int) -> Tables:
    with closing(Readers(Options(**options))) as readers:
        return local.tabulate_with(readers, find(map(str, paths)), most)


def count(paths: list[Path], most: int) -> int:
    return len(shards.split(local.gather(find(map(str, paths))), most))


def assert_alike(paths: list[Path], most: int, **options: int) -> None:
    whole, split = tables(paths, ALL, **options), tables(paths, most, **options)
    assert split.frame.equals(whole.frame)
    assert split.transcriptions.equals(whole.transcriptions)
    assert split.tools.equals(whole.tools)
    # The order of its terms may show in the last digit of a sum.
    assert split.usage.select(pl.exclude(pl.Float64)).equals(
        whole.usage.select(pl.exclude(pl.Float64))
    )
    for one, other in zip(split.usage.rows(), whole.usage.rows(), strict=True):
        assert one == pytest.approx(other, abs=1e-6)
    assert split.ledger == whole.ledger
    assert split.notes == whole.notes
    assert split.shapes == whole.shapes


@pytest.fixture(autouse=True)
def small_runs_are_split_too(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(local, "WHOLE_RECORDS", 0)


@pytest.fixture(scope="module")
def crowd(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Many sessions at a time, some malformed lines between theirs."""
    log = tmp_path_factory.mktemp("crowd") / "agent.jsonl"
    write(log, Plan(shape="hook", size=400_000, at_once=7, bad=3))
    return log


@pytest.mark.parametrize("fast_from", [0, ALL])
@pytest.mark.parametrize("most", [1, 7, 100, 400])
def test_a_crowd_is_the_same_in_any_shards(crowd: Path, most: int, fast_from: int) -> None:
    assert count([crowd], most) > 1
    assert_alike([crowd], most, fast_from=fast_from)


def test_in_any_order_of_lines(crowd: Path, tmp_path: Path) -> None:
    lines = crowd.read_bytes().splitlines(keepends=True)
    random.Random(1).shuffle(lines)
    shuffled = tmp_path / "agent.jsonl"
    shuffled.write_bytes(b"".join(lines))
    assert_alike([shuffled], 50, fast_from=0)


@pytest.mark.parametrize("log", recordings("hook.jsonl"), ids=str)
def test_recordings_are_the_same_in_any_shards(log: Path) -> None:
    assert_alike([DATA / log / "hook.jsonl"], 1)


def test_all_recordings_together() -> None:
    logs = [DATA / log / "hook.jsonl" for log in recordings("hook.jsonl")]
    assert_alike(logs, 1)
    assert_alike(logs, 20, fast_from=0)


def session(name: str, at: float, speech: str, **more: str) -> list[dict]:
    records = [eou(speech, at), llm(speech, at + 1), tts(speech, at + 1.5), stt(at)]
    return [record | {"room": name, "session": f"s{name}"} | more for record in records]


def test_sessions_keep_the_order_in_which_they_began(tmp_path: Path) -> None:
    lines = session("b", 100, "1") + session("a", 50, "2") + session("c", 75, "3")
    log = write_log(tmp_path / "agent.jsonl", lines)
    assert count([log], 1) == 3
    assert tables([log], 1).frame["session"].to_list() == ["a", "c", "b"]
    assert_alike([log], 1)


def test_records_that_only_count_are_little_of_a_shard(tmp_path: Path) -> None:
    vad = {"type": "vad_metrics", "inference_count": 1}
    records = [vad | {"timestamp": START + at, "room": room} for at in range(3) for room in "ab"]
    log = write_log(tmp_path / "agent.jsonl", records)
    assert count([log], 2) == 1
    assert_alike([log], 1)


def without_speech(record: dict) -> dict:
    return {name: value for name, value in record.items() if name != "speech_id"}


def without_room(record: dict) -> dict:
    return {name: value for name, value in record.items() if name not in ("room", "session")}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(lambda record: record | {"speech_id": "same"}, id="one speech in two"),
        pytest.param(without_speech, id="no speech ids"),
        pytest.param(without_room, id="no name"),
        pytest.param(lambda record: record | {"job_id": "AJ_1"}, id="a better name"),
        pytest.param(plain, id="rounded lines"),
    ],
)
def test_what_a_rule_looks_on_from_is_not_split(
    tmp_path: Path, change: Callable[[dict], dict]
) -> None:
    """A record of each kind that some rule compares over sessions keeps all of them together."""
    lines = session("a", 0, "same") + session("b", 50, "2")
    odd = change(lines[4])
    log = write_log(tmp_path / "agent.jsonl", [*lines[:4], odd, *lines[5:]])
    assert count([log], 1) == 1
    assert_alike([log], 1)


@pytest.mark.parametrize("ids", [(None, ""), ("", None), (None, None), ("", "")])
def test_an_id_that_says_nothing_is_none(
    tmp_path: Path, ids: tuple[str | None, str | None]
) -> None:
    """Whichever way a record says that it has no speech, the speeches stay together."""
    first = [record | {"speech_id": ids[0]} for record in session("a", 0, "1")[3:]]
    second = [record | {"speech_id": ids[1]} for record in session("b", 50, "2")[1:2]]
    log = write_log(tmp_path / "agent.jsonl", first + second + session("c", 90, "3"))
    records = local.gather(find([str(log)]), Options(fast_from=0))
    assert len(shards.split(records, 1)) == 1
    assert_alike([log], 1, fast_from=0)


def test_job_ids_of_a_hook_name_sessions_before_rooms(tmp_path: Path) -> None:
    lines = session("a", 0, "1", session="AJ_1") + session("a", 50, "2", session="AJ_2")
    log = write_log(tmp_path / "agent.jsonl", lines)
    assert count([log], 1) == 2
    assert tables([log], 1).frame["session"].to_list() == ["AJ_1", "AJ_2"]
    mixed = write_log(tmp_path / "b.jsonl", lines + session("c", 90, "3"))
    assert count([mixed], 1) == 1
    assert_alike([mixed], 1)


def test_other_shapes_are_not_split() -> None:
    for log in DATA.rglob("*.json"):
        assert count([log], 1) == 1


@pytest.mark.parametrize("count", [1, 127, 128, 2**31, -(2**40), None])
@pytest.mark.parametrize("source", ["a.jsonl", None])
def test_what_is_narrow_is_all_there(crowd: Path, count: int | None, source: str | None) -> None:
    table = turns.build(local.gather(find([str(crowd)]))).table
    odd = pl.int_range(pl.len()) % 3 == 0
    rows = table.rows.with_columns(
        prompt_tokens=pl.when(odd).then(count).otherwise("prompt_tokens"),
        source=pl.when(odd).then(pl.lit(source)).otherwise("source"),
        room=pl.when(~odd).then("room"),
        tts_model=pl.lit(source),
        agent_name=pl.lit(None, dtype=pl.String),
    )
    for each in (rows, rows.head(1), rows.clear()):
        whole = table._replace(rows=each)
        assert_frame_equal(whole.narrowed().named(), whole.named())
