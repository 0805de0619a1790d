"""Sources: packed, rotated, split and piped logs, damaged archives, what is left out of them."""

from __future__ import annotations

import bz2
import gzip
import json
import lzma
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from logs import DATA, eou, llm, plain, recordings, stt, tts, write_log

import turnlat
from turnlat.readers import ENVELOPES, FORMATS, TEXT_FORMATS

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

PRODUCTION = DATA / "1.2.18/threejobs/production.jsonl"
CONTENT = PRODUCTION.read_bytes()
PACK: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstd.compress,
}
TURN = [eou("a", 0), llm("a", 0), tts("a", 0.7)]


def tables(run: turnlat.Run) -> list[dict]:
    return run.turns.drop("source", "line").to_dicts()


BARE = tables(turnlat.load(PRODUCTION))


@pytest.mark.parametrize("suffix", PACK)
def test_a_packed_log_gives_the_tables_of_the_bare_one(suffix: str, tmp_path: Path) -> None:
    for name in (f"agent.log.{suffix}", "agent.log"):  # by its first bytes, whatever its name
        packed = tmp_path / suffix / name
        packed.parent.mkdir(exist_ok=True)
        packed.write_bytes(PACK[suffix](CONTENT))
        assert tables(turnlat.load(packed)) == BARE
        packed.unlink()


@pytest.mark.parametrize("suffix", PACK)
def test_several_archives_in_one_file_are_read_on(suffix: str, tmp_path: Path) -> None:
    pack, half = PACK[suffix], len(CONTENT) // 2
    packed = tmp_path / "agent.log"
    packed.write_bytes(pack(CONTENT[:half]) + pack(CONTENT[half:]))
    assert tables(turnlat.load(packed)) == BARE


@settings(max_examples=20, deadline=None)
@given(st.data())
def test_a_rotated_split_at_any_line_ends_is_the_log(
    tmp_path_factory: pytest.TempPathFactory, data: st.DataObject
) -> None:
    folder = tmp_path_factory.mktemp("rotated")
    lines = CONTENT.splitlines(keepends=True)
    cuts = sorted(data.draw(st.sets(st.integers(1, len(lines) - 1), min_size=1, max_size=4)))
    pieces = [lines[a:b] for a, b in zip([0, *cuts], [*cuts, None], strict=True)]
    for age, piece in enumerate(reversed(pieces)):
        suffix = data.draw(st.sampled_from(sorted(PACK))) if age > 1 else ""
        name = "agent.log" + (f".{age}" if age else "") + (f".{suffix}" if suffix else "")
        content = b"".join(piece)
        (folder / name).write_bytes(PACK[suffix](content) if suffix else content)
    assert tables(turnlat.load(folder)) == BARE
    assert tables(turnlat.load(f"{folder}/agent.log*")) == BARE


def test_stdin_gives_the_tables_of_the_file(turnlat: Callable) -> None:
    from_file = turnlat("analyze", PRODUCTION, "--table", "turns", "--format", "json")
    piped = turnlat("analyze", "-", "--table", "turns", "--format", "json", stdin=CONTENT)
    rows = [json.loads(done.stdout)["turns"] for done in (from_file, piped)]
    for row in rows[0] + rows[1]:
        del row["source"]
    assert rows[0] == rows[1]


@pytest.mark.parametrize("suffix", PACK)
def test_of_a_damaged_archive_counts_what_could_be_read(
    suffix: str, turnlat: Callable, tmp_path: Path
) -> None:
    log = tmp_path / f"agent.log.{suffix}"
    record = "".join(json.dumps(r) + "\n" for r in TURN).encode()
    noise = b"".join(b'{"message": "%x"}\n' % (7**n) for n in range(3000))
    log.write_bytes(PACK[suffix](record + noise)[:-500])
    warned = turnlat("analyze", log, "--table", "ledger", "--format", "json")
    skipped = turnlat("analyze", log, "--table", "ledger", "--format", "json", "--errors", "skip")
    assert (warned.exit, skipped.exit) == (3, 0)
    assert "the archive is damaged after" in warned.stderr
    assert skipped.stderr == ""
    assert warned.stdout == skipped.stdout
    [ledger] = json.loads(warned.stdout)["ledger"]
    if suffix != "bz2":  # whose blocks of 900 kB are all or nothing
        assert ledger["replied"] == 1
        assert ledger["lines"] > 1000
    assert turnlat("analyze", log, "--errors", "fail").exit == 3


def test_python_refuses_a_damaged_archive_unless_told_otherwise(tmp_path: Path) -> None:
    log = tmp_path / "agent.log.gz"
    log.write_bytes(gzip.compress(CONTENT)[:-9])
    with pytest.raises(turnlat.InputError, match="the archive is damaged"):
        turnlat.load(log)
    assert turnlat.load(log, on_broken="keep").broken


def test_a_decompression_bomb_stays_in_flat_memory(tmp_path: Path) -> None:
    peaks = []
    for megabytes in (10, 200):
        bomb = tmp_path / f"{megabytes}.jsonl.gz"
        with gzip.open(bomb, "wb") as file:
            file.writelines(json.dumps(record).encode() + b"\n" for record in TURN)
            file.write((b'{"message": "%s"}\n' % (b"quiet " * 20)) * (megabytes * 7_500))
        code = (
            "import pathlib, turnlat\n"
            f"turnlat.load({str(bomb)!r})\n"
            "print(pathlib.Path('/proc/self/status').read_text().split('VmHWM:')[1].split()[0])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=True)
        peaks.append(int(done.stdout) / 1024)
    assert bomb.stat().st_size < 1_000_000
    assert peaks[1] < peaks[0] + 20


def test_a_line_without_end_stays_in_flat_memory(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.jsonl.gz"
    with gzip.open(bomb, "wb", compresslevel=1) as file:
        file.writelines(json.dumps(record).encode() + b"\n" for record in TURN)
        file.write(b'{"message": "')
        for _ in range(40):
            file.write(b"a" * 10_000_000)
        file.write(b'"}\n{"type":\n')
    run = turnlat.load(bomb)
    assert (run.ledger.metric, run.ledger.bad, run.ledger.lines) == (3, 2, 5)
    endless, after = run.bad_lines
    assert (endless.line, after.line) == (4, 5)
    assert after.offset == endless.offset + 400_000_000 + len(b'{"message": ""}\n')


# What is left out


def test_rejects_writes_every_bad_line_byte_for_byte(turnlat: Callable, tmp_path: Path) -> None:
    bad = [b'{"type":', b"\xff\xfe", b'{"type":"tts_metrics","ttfb":"slow"}'] * 60
    log = write_log(tmp_path / "agent.log", [*TURN, *bad])
    done = turnlat("analyze", log, "--rejects", tmp_path / "rejects.txt", "--errors", "skip")
    assert (done.exit, done.stderr) == (0, "")
    written = (tmp_path / "rejects.txt").read_bytes().split(b"\n")
    assert written[1::2][: len(bad)] == bad
    reason = "not JSON: unexpected end of data (column 9)"
    assert written[0].decode() == f"# {log}:4: {reason} (byte {offset(log, 4):,})"
    assert len(written) == 2 * len(bad) + 1


def offset(log: Path, line: int) -> int:
    return sum(len(text) for text in log.read_bytes().splitlines(keepends=True)[: line - 1])


def test_rejects_are_written_where_nothing_else_was_found(
    turnlat: Callable, tmp_path: Path
) -> None:
    log = write_log(tmp_path / "agent.log", ["{"])
    assert turnlat("analyze", log, "--rejects", tmp_path / "rejects.txt").exit == 3
    assert (tmp_path / "rejects.txt").read_bytes().endswith(b"\n{\n")


def test_no_output_replaces_what_the_command_reads_or_writes(
    turnlat: Callable, tmp_path: Path
) -> None:
    log = write_log(tmp_path / "agent.jsonl", TURN)
    out = tmp_path / "out.jsonl"
    for outputs in (["-o", log], ["--rejects", log], ["-o", out, "--rejects", out]):
        done = turnlat("analyze", log, *outputs, "--force")
        assert done.exit == 2
        assert "read, or written, by the same command" in done.stderr
    assert log.read_text().count("\n") == 3
    assert not out.exists()


def test_packed_stdin_is_unpacked(turnlat: Callable) -> None:
    packed = gzip.compress(CONTENT)
    done = turnlat("analyze", "-", "--table", "ledger", "--format", "json", stdin=packed)
    [ledger] = json.loads(done.stdout)["ledger"]
    assert ledger["lines"] == CONTENT.count(b"\n")


def test_an_input_without_a_name_reads_nothing(turnlat: Callable) -> None:
    done = turnlat("analyze", "")
    assert (done.exit, done.stdout) == (3, "")


def test_errors_fail_ends_at_the_first_bad_line(turnlat: Callable, tmp_path: Path) -> None:
    log = write_log(tmp_path / "agent.log", [*TURN, "{"])
    done = turnlat("analyze", log, "--errors", "fail")
    assert (done.exit, done.stdout) == (3, "")
    assert f"{log}:4: not JSON" in done.stderr
    assert turnlat("analyze", log, "--errors", "skip").stderr == ""


def test_verbose_tells_what_lines_were_read_as(turnlat: Callable, tmp_path: Path) -> None:
    tomorrow = {"type": "telepathy_metrics", "latency": 0}
    log = write_log(tmp_path / "agent.log", [*TURN, {"metrics": TURN[0]}, tomorrow])
    shown = turnlat("analyze", log, "-v").stderr
    assert "lines read as: 3 hook, 1 wrapped" in shown
    assert "metric types that turnlat does not know: 1 telepathy_metrics" in shown


def test_formats_lists_every_shape(turnlat: Callable) -> None:
    shown = turnlat("formats").stdout
    for format_ in FORMATS:
        assert f"{format_.name}: {format_.about}\n  {format_.example}\n" in shown
    for name in (*ENVELOPES, *(name for name, _, _ in TEXT_FORMATS)):
        assert f"{name}: " in shown


# The same metric twice


def test_calls_that_look_alike_are_not_merged(tmp_path: Path) -> None:
    """Two jobs at the same time with equal delays: one logged whole, the other by its lines."""
    ticks = [stt(n) for n in (1, 6)]
    whole = [record | {"job_id": "A"} for record in (*TURN, *ticks)]
    late = [record | {"timestamp": record["timestamp"] + 0.05} for record in (*TURN, *ticks)]
    run = turnlat.load(
        write_log(tmp_path / "both.log", [*whole, *(plain(r, job_id="B") for r in late)])
    )
    assert run.ledger.duplicates == 0
    assert run.turns["session"].to_list() == ["A", "B"]
    assert run.usage.filter(component="stt")["requests"].item(0) == 2


@pytest.mark.parametrize("recording", recordings("production.jsonl", "hook.jsonl"), ids=str)
def test_a_hook_log_and_the_workers_log_together_are_the_hook_log(recording: Path) -> None:
    folder = DATA / recording
    hook = turnlat.load(folder / "hook.jsonl")
    both = turnlat.load(folder / "hook.jsonl", folder / "production.jsonl")
    assert both.turns.equals(hook.turns)
    assert both.usage.equals(hook.usage)
    merged = both.ledger.duplicates - hook.ledger.duplicates
    plain = turnlat.load(folder / "production.jsonl")
    assert merged == plain.ledger.records - plain.shapes["usage summary"]
    assert ("merged", merged) in [(note.code, note.count) for note in both.notes]
