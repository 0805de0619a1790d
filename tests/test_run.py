"""Runs: loading, saving, the contract of their tables, and the files that `-o` writes."""

from __future__ import annotations

import csv
import io
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import polars as pl
import pytest
from logs import DATA, eou, llm, load, plain, tts, write_log

import turnlat
from turnlat.summaries import latency
from turnlat.turns.ledger import OUTCOMES

ROOT = Path(__file__).parent.parent
HOOK = ROOT / "sample_logs/hook.jsonl"
JOBS = ROOT / "sample_logs/three_jobs.jsonl"
TURN = [eou("a", 0), llm("a", 0), tts("a", 0.7)]

CONTRACT = """
session turn speech_id outcome interrupted grouping user_stopped_at first_audio_at
e2e_latency total_latency longest_silence eou_delay transcription_delay endpointing_delay
callback_delay llm_offset llm_ttft tool_gap sentence_gap tts_ttfb remainder llm_duration
tts_duration llm_calls tts_segments prompt_tokens cached_tokens completion_tokens characters
audio_duration llm_model tts_model stt_model job_id room agent_name source line notes
"""


def equal(one: turnlat.Run, other: turnlat.Run) -> bool:
    frames = ("frame", "transcriptions", "tools", "usage", "latency")
    rest = ("label", "ledger", "bad_lines", "shapes", "notes", "total_of")
    return all(getattr(one, name).equals(getattr(other, name)) for name in frames) and all(
        getattr(one, name) == getattr(other, name) for name in rest
    )


@pytest.mark.parametrize("log", [HOOK, JOBS], ids=lambda path: path.stem)
def test_the_turn_table_keeps_its_contract(log: Path) -> None:
    run = turnlat.load(log, keep=["level", "name"])
    assert run.turns.columns == [*CONTRACT.split(), "level", "name"]
    times = pl.Datetime("us", "UTC")
    assert run.turns.schema["user_stopped_at"] == run.turns.schema["first_audio_at"] == times


def test_rows_of_a_session_are_in_the_order_of_time_and_its_turns_counted() -> None:
    turns = turnlat.load(JOBS).turns
    for _, rows in turns.group_by("session"):
        counted = rows["turn"].drop_nulls().to_list()
        assert counted == list(range(1, len(counted) + 1))


@pytest.mark.parametrize("log", [HOOK, JOBS], ids=lambda path: path.stem)
def test_a_saved_run_is_the_run(log: Path, tmp_path: Path) -> None:
    run = turnlat.load(log, keep=["level"], label="nightly").with_total(["eou_delay", "llm_ttft"])
    run.save(tmp_path / "run.parquet")
    assert equal(turnlat.load(tmp_path / "run.parquet"), run)
    assert turnlat.load(f"other={tmp_path / 'run.parquet'}").label == "other"


def test_a_saved_run_stands_wherever_a_log_can(turnlat: Callable, tmp_path: Path) -> None:
    saved = tmp_path / "run.saved"  # whatever its name
    assert turnlat("analyze", HOOK, "-o", tmp_path / "run.parquet").exit == 0
    (tmp_path / "run.parquet").rename(saved)
    for arguments in ([], ["--format", "json"], ["--by", "hour"], ["--table", "turns"]):
        assert turnlat("analyze", saved, *arguments) == turnlat("analyze", HOOK, *arguments)


def test_a_saved_run_is_not_pooled_and_a_foreign_parquet_is_refused(tmp_path: Path) -> None:
    turnlat.load(HOOK).save(tmp_path / "run.parquet")
    with pytest.raises(turnlat.UsageError, match="cannot be pooled"):
        turnlat.load(tmp_path / "run.parquet", HOOK)
    pl.DataFrame({"a": [1]}).write_parquet(tmp_path / "foreign.parquet")
    with pytest.raises(turnlat.InputError, match="no run that this version of turnlat saved"):
        turnlat.load(tmp_path / "foreign.parquet")
    (tmp_path / "cut.parquet").write_bytes((tmp_path / "run.parquet").read_bytes()[:400])
    with pytest.raises(turnlat.InputError, match="cannot be read"):
        turnlat.load(tmp_path / "cut.parquet")


@pytest.mark.parametrize("rest", ["{", "[]", '{"schema":"turnlat/run/1"}', '{"schema":"x/2"}'])
def test_a_saved_run_whose_metadata_is_not_ours_is_refused(rest: str, tmp_path: Path) -> None:
    foreign = tmp_path / "run.parquet"
    turnlat.load(HOOK).frame.write_parquet(foreign, metadata={"turnlat": rest})
    with pytest.raises(turnlat.InputError, match="no run that this version of turnlat saved"):
        turnlat.load(foreign)


def test_a_file_has_one_name_however_it_is_spelled(tmp_path: Path) -> None:
    log = write_log(tmp_path / "agent.log", TURN)
    write_log(tmp_path / "agent.log.1", [eou("z", -9)])
    around = f"{tmp_path}/../{tmp_path.name}/./agent.log"
    assert turnlat.load(log, around).ledger.lines == 3
    mixed = turnlat.load(around, f"{tmp_path}/./agent.log.1")
    assert mixed.turns["session"].unique().to_list() == [str(log)]


def test_several_logs_are_one_run(tmp_path: Path) -> None:
    both = turnlat.load(HOOK, JOBS)
    alone = [turnlat.load(HOOK), turnlat.load(JOBS)]
    for name in ("lines", "records", "replied", "in_turns"):
        assert both.ledger[name] == sum(run.ledger[name] for run in alone)
    assert turnlat.load(HOOK, HOOK).ledger == alone[0].ledger  # each file once
    folder = tmp_path / "logs"
    write_log(folder / "a.jsonl", TURN)
    write_log(folder / "deeper" / "b.log", [eou("b", 9)])
    write_log(folder / "notes.pdf", ["not a log"])
    assert turnlat.load(folder).ledger.lines == 4
    assert turnlat.load(f"{folder}/**/*.log").ledger.lines == 1


def test_a_label_is_no_part_of_a_path(tmp_path: Path) -> None:
    log = write_log(tmp_path / "a=b.jsonl", TURN)
    assert turnlat.load(log).label == str(log)
    assert turnlat.load(f"nightly={log}").label == "nightly"


def test_kept_fields_may_have_the_names_that_rules_use(tmp_path: Path) -> None:
    names = ["at", "place", "speech", "turn_speech", "row", "recorded", "number"]
    more = {name: f"own {name}" for name in names}
    run = load(tmp_path, [record | more for record in TURN], keep=names)
    assert run.turns.select(names).row(0, named=True) == more


def test_kept_fields_are_columns_and_their_names_are_taken_whole(tmp_path: Path) -> None:
    more = {"tenant": {"id": 7, "tags": ["x"]}, "code.line.number": 81, "plan": "gold"}
    names = ["tenant.id", "tenant.tags", "code.line.number", "plan", "missing"]
    run = load(tmp_path, [record | more for record in TURN], keep=names)
    assert run.turns.select(names).row(0) == ("7", '["x"]', "81", "gold", None)
    with pytest.raises(turnlat.UsageError, match="already has a column"):
        load(tmp_path, TURN, keep=["room"])
    deep = json.loads("[" * 300 + "]" * 300)
    nested = load(tmp_path, [record | {"deep": deep} for record in TURN], keep=["deep", "deep"])
    assert nested.turns["deep"].to_list() == ["(nested too deeply)"]
    run.save(tmp_path / "run.parquet")
    assert turnlat.load(tmp_path / "run.parquet", keep=["plan"]).kept == names
    with pytest.raises(turnlat.UsageError, match="was saved without this field"):
        turnlat.load(tmp_path / "run.parquet", keep=["tenant"])


def test_by_splits_the_statistics(turnlat: Callable) -> None:
    done = turnlat("analyze", JOBS, "--by", "session", "--table", "latency", "--format", "json")
    rows = json.loads(done.stdout)["latency"]
    totals = {row["session"]: row for row in rows if row["metric"] == "total_latency"}
    assert len(totals) == 3
    assert sum(row["count"] + row["missing"] for row in totals.values()) == 10
    assert turnlat("analyze", JOBS, "--by", "model").exit == 0
    hours = turnlat("analyze", HOOK, "--by", "hour", "--table", "latency").stdout
    assert "2026-11-22 07:00:00" in hours
    outcomes = turnlat("analyze", HOOK, "--by", "outcome", "--table", "latency").stdout
    assert "initiated" in outcomes


def test_json_is_the_whole_analysis(turnlat: Callable, tmp_path: Path) -> None:
    log = write_log(tmp_path / "agent.jsonl", [*TURN, "{"])
    done = turnlat("analyze", log, "--format", "json")
    document = json.loads(done.stdout)
    assert list(document) == [
        "schema", "run", "ledger", "bad_lines", "bad_line_count", "latency", "transcriptions",
        "tools", "usage", "notes",
    ]  # fmt: skip
    assert document["schema"] == "turnlat/analysis/1"
    assert document["bad_lines"][0].keys() == {"source", "line", "offset", "reason"}
    assert document["bad_line_count"] == document["ledger"]["bad"] == 1
    assert set(OUTCOMES) < set(document["ledger"])
    wait = next(row for row in document["latency"] if row["metric"] == "e2e_latency")
    assert list(wait) == list(latency.SCHEMA)
    assert wait["p50"] == pytest.approx(1.4)


def test_every_output_file_says_the_same(turnlat: Callable, tmp_path: Path) -> None:
    names = ["run.csv", "run.json", "run.jsonl", "run.md", "run.parquet"]
    arguments = [part for name in names for part in ("-o", tmp_path / name)]
    shown = turnlat("analyze", HOOK, *arguments)
    assert shown == turnlat("analyze", HOOK)
    rows = list(csv.DictReader(io.StringIO((tmp_path / "run.csv").read_text())))
    lines = [json.loads(line) for line in (tmp_path / "run.jsonl").read_text().splitlines()]
    run = load_saved(tmp_path / "run.parquet")
    waits = run.turns["e2e_latency"].to_list()
    assert [line["e2e_latency"] for line in lines] == waits
    assert [float(row["e2e_latency"]) if row["e2e_latency"] else None for row in rows] == waits
    assert [row["user_stopped_at"] or None for row in rows] == [
        line["user_stopped_at"] for line in lines
    ]
    assert json.loads((tmp_path / "run.json").read_text())["ledger"] == run.ledger.flat()
    assert "| e2e_latency |" in (tmp_path / "run.md").read_text()


def load_saved(path: Path) -> turnlat.Run:
    return turnlat.load(path)


def test_output_appears_whole_or_not_at_all(turnlat: Callable, tmp_path: Path) -> None:
    target = tmp_path / "run.csv"
    target.write_text("mine")
    assert turnlat("analyze", HOOK, "-o", target).exit == 2
    assert target.read_text() == "mine"
    assert turnlat("analyze", HOOK, "-o", target, "--force").exit == 0
    assert target.read_text().startswith("session,turn")
    assert turnlat("analyze", HOOK, "-o", tmp_path / "no/run.csv").exit == 2
    broken = tmp_path / "log.jsonl"
    broken.touch()
    assert turnlat("analyze", broken, "-o", tmp_path / "other.csv").exit == 3
    assert sorted(path.name for path in tmp_path.iterdir()) == ["log.jsonl", "run.csv"]


def test_a_reader_that_goes_away_ends_the_program_quietly(tmp_path: Path) -> None:
    lines = [plain(record, job_id=f"AJ_{n}") for n in range(3000) for record in TURN]
    log = write_log(tmp_path / "agent.jsonl", lines)
    command = [sys.executable, "-m", "turnlat", "analyze", log, "--format", "jsonl"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.readline()
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


def test_ctrl_c_ends_with_130(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.jsonl"
    os.mkfifo(pipe)
    command = [sys.executable, "-m", "turnlat", "analyze", pipe]
    process = subprocess.Popen(command, stderr=subprocess.PIPE)
    with process, pipe.open("w"):  # opens once turnlat reads
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=20) == 130


def test_a_pipe_is_read_from_its_first_byte_on() -> None:
    command = f"{sys.executable} -m turnlat analyze <(cat {HOOK}) --table ledger --format json"
    done = subprocess.run(["bash", "-c", command], capture_output=True, check=True)
    assert json.loads(done.stdout)["ledger"][0]["lines"] == 26


def test_a_bug_is_70_with_its_traceback(tmp_path: Path) -> None:
    code = (
        "import turnlat.run, turnlat.commands as c\n"
        "turnlat.run.load_with = lambda *a, **k: 1 / 0\n"
        f"raise SystemExit(c.run(['analyze', {str(HOOK)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 70
    assert "ZeroDivisionError" in done.stderr
    assert "this is a bug in turnlat" in done.stderr
    assert tmp_path.exists()


def test_the_ledger_answers_to_its_flat_keys() -> None:
    ledger = turnlat.load(DATA / "1.8.9/preemptive/hook.jsonl").ledger
    assert ledger["discarded"] == ledger.outcomes["discarded"] == 1
    assert ledger["lines"] == ledger.lines == 17
    with pytest.raises(KeyError):
        ledger["nothing"]
