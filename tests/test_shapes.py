"""Every shape of a line: real objects through real formatters, and envelopes around real logs."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from logs import DATA, eou, llm, load, tts, write_log

import turnlat
from turnlat.readers import FORMATS, TEXT_FORMATS, LineReader, Options
from turnlat.records import Records
from turnlat.sources import find

MILLISECOND = 0.0006
TTFT, TTFB = 0.456789, 0.187654321
KINDS = ("stt", "eou", "llm", "tts", "other", "realtime")


def read(log: Path, **options: object) -> Records:
    reader = LineReader(Options(**options))
    [source] = find([str(log)])
    parts = [reader.read(block) for block in source.blocks(source.files[0])]
    return Records.concat([*parts, reader.finish()])


def logs(pattern: str) -> list[Path]:
    return sorted(DATA.glob(pattern))


def ids(path: Path) -> str:
    return str(path.relative_to(DATA))


@pytest.mark.parametrize("log", logs("*/objects/hook_variants.jsonl"), ids=ids)
def test_the_ten_ways_to_dump_a_metric_give_one_record_each(log: Path) -> None:
    records = read(log)
    llm_records = records.frames["llm"]
    assert (records.tally.metric, records.tally.lines, llm_records.height) == (10, 10, 10)
    assert llm_records["ttft"].to_list() == pytest.approx([TTFT] * 9 + [0.457])
    assert llm_records["speech_id"].unique().to_list() == ["speech_0a1b2c3d4e5f"]
    assert llm_records["duration"].drop_nulls().to_list() == [1.23456] * 9
    assert llm_records["timestamp"].null_count() == 0
    assert set(llm_records["completion_tokens"].drop_nulls()) == {42}


@pytest.mark.parametrize(
    "log",
    logs("*/objects/objects.hook.jsonl")
    + logs("*/objects/objects.production.jsonl")
    + logs("*/objects/objects.colored*.txt")
    + logs("node-1.9.0/*.jsonl"),
    ids=ids,
)
def test_every_object_gives_a_record_with_its_values_in_seconds(log: Path) -> None:
    records = read(log)
    lines = log.read_bytes().count(b"\n")
    assert records.tally.metric == records.tally.lines == records.count == lines
    frames = records.frames
    exact = "hook" in log.name
    assert values(frames["llm"]["ttft"]) <= {TTFT, 0.46, 0.45679, -1.0}
    assert min(abs(x - TTFT) for x in values(frames["llm"]["ttft"])) < (1e-6 if exact else 0.004)
    assert min(abs(x - TTFB) for x in values(frames["tts"]["ttfb"])) < 1e-5
    assert values(frames["eou"]["end_of_utterance_delay"]) & {0.51234, 0.512341, 0.51}
    assert values(frames["stt"]["audio_duration"]) & {5.05, 5.0512}
    assert max(frames["tts"]["audio_duration"]) == pytest.approx(3.14, abs=0.005)
    assert frames["llm"]["completion_tokens"].max() == 42
    if "colored" not in log.name:
        assert frames["llm"]["timestamp"].min() > 1.7e9


def values(column: object) -> set[float]:
    return {round(value, 9) for value in column.drop_nulls()}  # type: ignore[attr-defined]


def test_the_older_dev_mode_gives_the_turns_of_the_hook() -> None:
    console = turnlat.load(DATA / "1.2.18/dev/dev.txt")
    hook = turnlat.load(DATA / "1.2.18/dev/hook.jsonl")
    assert console.ledger.outcomes == hook.ledger.outcomes
    assert console.shapes == {"console": 21}  # 20 metrics and the usage summary
    ours = console.turns.filter(outcome="replied")["total_latency"].to_list()
    assert ours == pytest.approx(hook.turns.filter(outcome="replied")["total_latency"], abs=0.015)


def test_console_lines_without_a_date_say_so(tmp_path: Path) -> None:
    line = '07:28:35 \x1b[32mINFO\x1b[0m livekit.agents EOU metrics \x1b[90m{"a": 1}\x1b[0m'
    line = line.replace('"a": 1', '"end_of_utterance_delay": 0.5, "transcription_delay": 0.3')
    run = load(tmp_path, [line])
    assert {note.code for note in run.notes} == {"undated", "unmeasured"}


@pytest.mark.parametrize("format_", FORMATS, ids=lambda format_: format_.name)
def test_the_example_of_every_format_is_read_as_that_format(format_: object) -> None:
    line = json.loads(format_.example)  # type: ignore[attr-defined]
    readers = [f.name for f in FORMATS if f.decode(line)]
    assert readers[0] == format_.name  # type: ignore[attr-defined]


def test_the_example_of_every_text_format_is_read(tmp_path: Path) -> None:
    for name, _, example in TEXT_FORMATS:
        assert load(tmp_path, [example]).shapes == {name: 1}


# Envelopes

PRODUCTION = DATA / "1.2.18/threejobs/production.jsonl"
BARE = PRODUCTION.read_text().splitlines()
TIME = "2026-11-22T07:29:04.123456789Z"


def docker(line: str) -> list[str]:
    """Docker's json-file driver, which cuts at 16 KB."""
    long = line[:-1] + f', "padding": "{"x" * 40_000}"}}'
    parts = [long[i : i + 16_384] for i in range(0, len(long), 16_384)]
    parts[-1] += "\n"
    return [json.dumps({"log": part, "stream": "stdout", "time": TIME}) for part in parts]


def cri(line: str) -> list[str]:
    parts = [line[i : i + 200] for i in range(0, len(line), 200)]
    flags = ["P"] * (len(parts) - 1) + ["F"]
    return [f"{TIME} stdout {flag} {part}" for flag, part in zip(flags, parts, strict=True)]


ENVELOPES: dict[str, Callable[[str], list[str]]] = {
    "docker": docker,
    "kubernetes cri": cri,
    "kubectl prefix": lambda line: [f"[pod/agent-7d9f/agent] {line}"],
    "kubectl timestamp": lambda line: [f"{TIME} {line}"],
    "docker compose": lambda line: [f"\x1b[36magent-1  | \x1b[0m{line}"],
    "journald": lambda line: [
        json.dumps({"__REALTIME_TIMESTAMP": "1795332", "_SYSTEMD_UNIT": "a", "MESSAGE": line})
    ],
    "journald bytes": lambda line: [
        json.dumps({"__REALTIME_TIMESTAMP": "1", "MESSAGE": list(line.encode())})
    ],
    "docker without newlines": lambda line: [
        json.dumps({"log": line, "stream": "stdout", "time": TIME})
    ],
    "compose in docker": lambda line: docker(f"agent-1 | {line}"),
}


@pytest.mark.parametrize("name", ENVELOPES)
def test_an_envelope_changes_no_table(name: str, tmp_path: Path) -> None:
    wrapped = [part for line in BARE for part in ENVELOPES[name](line)]
    run, bare = load(tmp_path, wrapped), turnlat.load(PRODUCTION)
    place = ["source", "line"]
    assert run.turns.drop(place).equals(bare.turns.drop(place))
    assert run.transcriptions.equals(bare.transcriptions)
    assert run.usage.equals(bare.usage)
    assert run.ledger.joined == len(wrapped) - len(BARE)
    assert run.ledger.lines == len(wrapped)
    assert (run.ledger.metric, run.ledger.other) == (bare.ledger.metric, bare.ledger.other)


def test_unwrap_opens_any_json_envelope(tmp_path: Path) -> None:
    lines = [{"labels": {"app": "agent"}, "event": {"line": line}} for line in BARE]
    log = write_log(tmp_path / "export.jsonl", lines)
    run = turnlat.load(log, unwrap="event.line", keep=["labels.app"])
    assert run.turns["labels.app"].unique().to_list() == ["agent"]
    bare = turnlat.load(PRODUCTION).turns.drop("source", "line")
    assert run.turns.drop("source", "line", "labels.app").equals(bare)


def test_containers_tell_sessions_apart_where_nothing_better_does(tmp_path: Path) -> None:
    pods = {"one": 0.0, "two": 0.25}
    lines = [
        f"[pod/{pod}/agent] {json.dumps(record)}"
        for pod, late in pods.items()
        for record in (eou(None, late), llm(None, late), tts(None, late + 0.7))
    ]
    random.Random(1).shuffle(lines)
    run = load(tmp_path, lines)
    assert run.turns["outcome"].to_list() == ["replied", "replied"]
    assert [s.rsplit(":", 1)[1] for s in run.turns["session"]] == ["one/agent", "two/agent"]


def test_a_split_line_that_nothing_ends_is_counted_and_read(tmp_path: Path) -> None:
    record = json.dumps(eou("a", 0))
    run = load(tmp_path, [f"{TIME} stdout P {record[:40]}", f"{TIME} stdout P {record[40:]}"])
    assert (run.ledger.metric, run.ledger.joined, run.ledger.lines) == (1, 1, 2)


def test_a_bad_line_in_an_envelope_is_named_where_it_starts(tmp_path: Path) -> None:
    record = json.dumps(eou("a", 0))
    broken = [f'{TIME} stdout P {{"type":', f'{TIME} stdout F "llm_metr']
    run = load(tmp_path, [record, *broken, record])
    assert (run.ledger.bad, run.ledger.joined, run.ledger.metric) == (1, 1, 2)
    assert run.bad_lines[0].line == 2


ODD = [
    {"message": "LLMMetrics(timestamp=1, ttft=b'x')"},
    {"message": "LLMMetrics(ttft={[1]:2})"},
    {"message": "LLMMetrics(request_id='\\ud800')"},
    {"message": "LLMMetrics(ttft=" + "A(ttft=" * 600 + ")" * 601},
    {"message": "LLM metrics: " + "a" * 100_000},
    {"message": "type='x' " + "a" * 100_000},
    {"type": "llm_metrics", "ttftMs": 1, "a": json.loads('{"a":' * 400 + "1" + "}" * 400)},
    "12:00:00 INFO x " + " " * 20_000 + "y",
    "12:00:00 INFO x " + "{}x" * 30_000,
    "12:00:00 INFO x " + "{" * 100_000 + "}",
]


@pytest.mark.parametrize("line", ODD, ids=range(len(ODD)))
def test_an_odd_line_is_counted_and_takes_no_time(line: Any, tmp_path: Path) -> None:
    run = load(tmp_path, [eou("a", 0), line])
    assert run.ledger.lines == 2
    assert run.ledger.metric >= 1


def test_an_envelope_whose_time_is_none_changes_nothing(tmp_path: Path) -> None:
    record = {"type": "llm_metrics", "ttft": 0.3, "speech_id": "a"}
    for time, known in ((TIME, True), ("noon", False), ("9999-12-31T23:59:59Z", False)):
        log = {"log": json.dumps(record), "stream": "stdout", "time": time}
        run = load(tmp_path, [eou("a", 0), log])
        assert run.ledger.metric == 2
        assert (run.frame["recorded_at"].min().year == 2026) is True
        assert known or run.turns["llm_ttft"].to_list() == [0.3]


# Independence

SESSIONS = [
    PRODUCTION,
    DATA / "1.8.9/main/production.jsonl",
    DATA / "1.8.9/preemptive/production.jsonl",
    DATA / "1.0.23/main/production.jsonl",
]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**9))
def test_any_interleaving_gives_each_session_the_turns_it_has_alone(
    tmp_path_factory: pytest.TempPathFactory, seed: int
) -> None:
    folder = tmp_path_factory.mktemp("interleaved")
    queues = [log.read_text().splitlines() for log in SESSIONS]
    choose = random.Random(seed)
    together = []
    while any(queues):
        queue = choose.choice([queue for queue in queues if queue])
        together.append(queue.pop(0))
    run = turnlat.load(write_log(folder / "all.log", together))
    for log in SESSIONS:
        alone = turnlat.load(log).turns.drop("source", "line")
        mine = run.turns.filter(run.turns["session"].is_in(alone["session"].to_list()))
        assert (
            mine.drop("source", "line")
            .sort("session", "turn", "total_latency")
            .equals(alone.sort("session", "turn", "total_latency"))
        )
