"""The fast path against the plain one: same records, same bad lines, for any bytes."""

from __future__ import annotations

import gzip
import json
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from itertools import chain
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from logs import DATA, all_logs, eou, llm, plain, stt, tts, write_log

from turnlat.blocks import Block
from turnlat.engines import local
from turnlat.errors import ExitCode
from turnlat.readers import LineReader, Options, fast
from turnlat.reading import packed as packed_files
from turnlat.reading import ranges
from turnlat.reading.ranges import Range
from turnlat.reading.workers import WorkerDiedError, Workers
from turnlat.records import Collector, Records
from turnlat.sources import find

if sys.version_info >= (3, 14):
    from compression import zstd
else:
    from backports import zstd

FAST = Options(fast_from=0)
PLAIN = Options(unwrap="a field that no line has")


def read(content: bytes, options: Options) -> Records:
    reader = LineReader(options)
    return Records.concat([reader.read(Block("a", "a", 1, 0, content)), reader.finish()])


def assert_alike(content: bytes) -> None:
    slow = read(content, PLAIN)
    quick = read(content, FAST)
    assert quick.tally == slow.tally
    for kind, frame in slow.frames.items():
        assert quick.frames[kind].sort("line", maintain_order=True).equals(frame)


LOGS = [path for path in all_logs() if path.suffix == ".jsonl"]
LINES = sorted({line for log in LOGS for line in log.read_bytes().splitlines()})


@pytest.mark.parametrize("log", all_logs(), ids=lambda path: str(path.relative_to(DATA)))
def test_every_recorded_log_reads_alike(log: Path) -> None:
    assert_alike(log.read_bytes())


ODD = st.sampled_from(
    [
        b"1e999", b"-1E+400", b"1e-999", b"1" * 400, b"1" * 250 + b"e99", b"0." + b"1" * 300,
        b"12e305", b'"3e1234"', b"NaN", b"-Infinity", b"null", b"true", b'""', b'"unknown"', b"-1",
        b"[1, 2]", b'{"a": {"b": 1}}', b"[" * 900 + b"]" * 900, b"[" * 1100 + b"]" * 1100,
        b'"\xff"', b'"\xed\xa0\x80"', b'"\\ud800"', b'"caf\xc3\xa9"', b'"a\tb"', b"1795332033.69",
        b"1795332033690", b'"2026-11-22T07:20:33+00:00"', b'"1970-01-01T00:00:00"', b'"noon"',
        b'"0001-01-01T00:00:00"',
        b'"LLM metrics"', b'"EOU metrics: end_of_utterance_delay=0.5"', b"7", b"1e300", b"01",
    ]
)  # fmt: skip
NAMES = [
    "type", "timestamp", "message", "msg", "metadata", "model_name", "speech_id", "speechId",
    "request_id", "sequence_id", "job_id", "pid", "tid", "room", "session", "agent_name", "ttft",
    "ttft_ms", "ttftMs", "duration", "ttfb", "audio_duration", "inference_count", "log", "stream",
    "time", "MESSAGE", "__REALTIME_TIMESTAMP", "event", "items", "metrics", "input_tokens",
    "cancelled", "prompt_tokens", "elapsed_ms", "Type", "label", "anything", "resourceSpans",
    "resource_spans", "end_of_utterance_delay", "transcription_delay",
]  # fmt: skip


@st.composite
def odd_lines(draw: st.DrawFn) -> bytes:
    """A recorded line with a field put in, replaced or taken away, or with bytes changed."""
    line = draw(st.sampled_from(LINES))
    change = draw(st.sampled_from(["put", "drop", "cut", "flip", "spaces", "none"]))
    try:
        fields = {key: json.dumps(value).encode() for key, value in json.loads(line).items()}
    except (ValueError, AttributeError):
        return line
    match change:
        case "put":
            fields[draw(st.sampled_from(NAMES))] = draw(ODD)
        case "drop":
            fields.pop(draw(st.sampled_from(sorted(fields))))
        case "cut":
            return line[: draw(st.integers(0, len(line)))]
        case "flip":
            at = draw(st.integers(0, len(line) - 1))
            return line[:at] + bytes([line[at] ^ draw(st.integers(1, 255))]) + line[at + 1 :]
        case "spaces":
            return draw(st.sampled_from([b" ", b"\t", b"\xef\xbb\xbf", b"\x0c"])) + line + b"\r"
    return b"{" + b", ".join(b'"%s": %s' % (k.encode(), v) for k, v in fields.items()) + b"}"


VAD = b'{"type": "vad_metrics", "timestamp": 1.5, "inference_count": 1'

SEPARATORS = st.sampled_from([b"\n", b"\n", b"\n", b"\n", b"\r\n", b"\n\n", b"", b" "])


@settings(max_examples=400, deadline=None)
@given(st.lists(st.tuples(odd_lines(), SEPARATORS), min_size=1, max_size=12))
@example([(b'{"type":"vad_metrics","inference_count":1}' * 2, b"\n"), (b"", b"\n")])
@example([(b'{"message": "x", "a": 1e999}', b"\n")])
@example([(VAD + b', "resourceSpans": []}', b"\n"), (VAD + b', "resource_spans": [1]}', b"\n")])
def test_any_line_reads_alike(parts: list[tuple[bytes, bytes]]) -> None:
    assert_alike(b"".join(line + end for line, end in parts))


METRICS = [
    eou("s1", 1),
    llm("s1", 1),
    tts("s1", 2),
    stt(3),
    plain(llm(None, 1)),
    plain(tts(None, 2)),
]
KEYS = st.sampled_from(["label", "caf\u00e9", "", "x" * 36, "x" * 37, "type ", "typ", "a\tb"])
GAPS = st.sampled_from(["", "", " ", "  ", "\t"])


@st.composite
def lines_with_keys(draw: st.DrawFn) -> bytes:
    """A metric whose keys come in any order, among others, and with gaps around them."""
    fields = {
        **draw(st.sampled_from(METRICS)),
        **draw(st.dictionaries(KEYS | st.integers(0, 150).map(str), st.integers(0, 9), max_size=4)),
    }
    order = draw(st.permutations(sorted(fields)) | st.just(list(fields)))
    before, behind = draw(GAPS), draw(GAPS)
    as_ascii = draw(st.booleans())
    pairs = [
        f"{json.dumps(key, ensure_ascii=as_ascii)}{before}:{behind}{json.dumps(fields[key])}"
        for key in order
    ]
    return ("{" + f"{behind},{before}".join(pairs) + "}").encode()


@settings(max_examples=200, deadline=None)
@given(st.lists(lines_with_keys(), min_size=1, max_size=30))
@example([json.dumps(eou("s1", 1, **{str(number): 0})).encode() for number in range(300)])
def test_keys_in_any_order_read_alike(lines: list[bytes]) -> None:
    assert_alike(b"\n".join(lines))


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300))
def test_any_bytes_read_alike(content: bytes) -> None:
    assert_alike(content)


def mixed_log(seed: int) -> bytes:
    """Two thousand lines of every recorded shape, with a long one and broken ones among them."""
    dice = random.Random(seed)
    lines = [dice.choice(LINES) for _ in range(2_000)]
    lines[700:700] = [b'{"message": "' + b"x" * 300_000 + b'"}', b'{"cut', b"", b"\xff"]
    return b"\n".join(lines)


def test_a_log_of_every_shape_reads_alike() -> None:
    assert_alike(mixed_log(1))


def test_the_scanner_was_built() -> None:
    assert fast.IS_BUILT


def test_most_lines_of_hooks_and_workers_take_the_fast_path() -> None:
    for name in ("1.8.9/main/hook_with_vad.jsonl", "1.8.9/main/production.jsonl"):
        content = (DATA / name).read_bytes()
        block = Block("a", "a", 1, 0, content)
        _, left = fast.FastReader().take(block, Collector())
        assert len(left) < 0.3 * content.count(b"\n")


@pytest.fixture
def many_sessions(tmp_path: Path) -> Path:
    """A hook's and a worker's lines of many sessions, with bad ones, in one file."""
    lines: list[bytes] = []
    for number in range(300):
        job, at = {"job_id": f"AJ_{number}"}, number * 7.0
        records = [
            eou(f"s{number}", at, **job),
            llm(f"s{number}", at, **job),
            tts(f"s{number}", at + 0.7, **job),
            stt(at + 1, **job),
            plain(eou(None, at), job_id="AJ_p"),
        ]
        lines += [json.dumps(record).encode() for record in records]
        lines += [b'{"type":"tts_metrics","ttfb":"slow"}'] * (number % 17 == 0)
    path = tmp_path / "many.jsonl"
    path.write_bytes(b"\n".join(lines))
    return path


@pytest.mark.parametrize("jobs", [1, 2, 4])
@pytest.mark.parametrize(("block", "part"), [(4_000_000, 50_000), (1, 7_777), (999, 200_000)])
def test_any_number_of_jobs_and_any_block_size_give_the_same_run(
    many_sessions: Path, monkeypatch: pytest.MonkeyPatch, jobs: int, block: int, part: int
) -> None:
    whole = local.tabulate(find([str(many_sessions)]), FAST)
    monkeypatch.setattr(ranges, "WORTH_IT", 0)
    split = local.tabulate(
        find([str(many_sessions)]), FAST, block_bytes=block, jobs=jobs, range_bytes=part
    )
    for name in ("frame", "transcriptions", "tools", "usage"):
        assert getattr(split, name).equals(getattr(whole, name))
    for name in ("ledger", "bad_lines", "shapes", "notes"):
        assert getattr(split, name) == getattr(whole, name)
    assert [bad.line for bad in split.bad_lines][:2] == [6, 92]


def pack(log: Path, suffix: str) -> Path:
    packed = log.with_name(f"{log.name}.{suffix}")
    packed.write_bytes({"gz": gzip.compress, "zst": zstd.compress}[suffix](log.read_bytes()))
    return packed


@pytest.mark.parametrize("suffix", ["gz", "zst"])
@pytest.mark.parametrize(("jobs", "block"), [(2, 50_000), (4, 7_777), (2, 1)])
def test_an_archive_gives_the_same_run_to_any_number_of_jobs(
    many_sessions: Path, monkeypatch: pytest.MonkeyPatch, suffix: str, jobs: int, block: int
) -> None:
    packed = pack(many_sessions, suffix)
    whole = local.tabulate(find([str(packed)]), FAST)
    monkeypatch.setattr(packed_files, "WORTH_IT", 0)
    split = local.tabulate(find([str(packed)]), FAST, block_bytes=block, jobs=jobs)
    assert split.frame.equals(whole.frame)
    for name in ("ledger", "bad_lines", "shapes", "notes"):
        assert getattr(split, name) == getattr(whole, name)


def test_a_damaged_archive_gives_the_same_run_to_any_number_of_jobs(
    many_sessions: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    packed = pack(many_sessions, "gz")
    packed.write_bytes(packed.read_bytes()[:-2_000])
    whole = local.tabulate(find([str(packed)]), FAST)
    monkeypatch.setattr(packed_files, "WORTH_IT", 0)
    split = local.tabulate(find([str(packed)]), FAST, block_bytes=9_999, jobs=2)
    assert split.frame.equals(whole.frame)
    assert split.ledger == whole.ledger
    assert split.broken == whole.broken
    assert "the archive is damaged after" in split.broken[0]


def test_a_fresh_process_forks_and_gives_the_same_run(
    turnlat: Callable, many_sessions: Path
) -> None:
    large = many_sessions.with_name("large.jsonl")
    large.write_bytes((many_sessions.read_bytes() + b"\n") * 200)
    assert large.stat().st_size > ranges.WORTH_IT
    options = ("--errors", "skip", "--format", "json")
    alone = turnlat("analyze", large, *options, "--jobs", "1")
    assert alone.stderr == ""
    assert turnlat("analyze", large, *options, "--jobs", "2") == alone


def test_a_range_of_a_file_that_has_become_shorter_is_what_is_left(tmp_path: Path) -> None:
    log = write_log(tmp_path / "agent.jsonl", [eou("s", at) for at in range(100)])
    size = log.stat().st_size
    for start, lost in ((0, 0), (0, 1_000), (size, 0)):
        whole = Range(str(log), "a", start, size + lost)
        (result,) = whole.results(Options(fast_from=0))
        assert result.records.tally.lines == (100 if start == 0 else 0)


def test_lines_that_docker_cut_are_joined_over_the_end_of_a_range(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = json.dumps(llm("a", 0) | {"padding": "x" * 60_000}) + "\n"
    cuts = [text[i : i + 16_384] for i in range(0, len(text), 16_384)]
    lines = [
        json.dumps({"log": cut, "stream": "stdout", "time": "2026-11-22T07:20:00Z"}) for cut in cuts
    ]
    path = tmp_path / "docker.log"
    path.write_text("\n".join(lines * 5) + "\n")
    whole = local.tabulate(find([str(path)]), FAST)
    monkeypatch.setattr(ranges, "WORTH_IT", 0)
    split = local.tabulate(find([str(path)]), FAST, jobs=2, range_bytes=20_000)
    assert split.ledger == whole.ledger
    monkeypatch.setattr(packed_files, "WORTH_IT", 0)
    packed = local.tabulate(find([str(pack(path, "gz"))]), FAST, jobs=2, block_bytes=20_000)
    assert packed.ledger == whole.ledger
    assert whole.ledger.joined == 5 * (len(cuts) - 1)


@pytest.mark.skipif(sys.platform != "linux", reason="asks /proc for the processes")
def test_ctrl_c_ends_all_processes_without_a_word(tmp_path: Path) -> None:
    log = tmp_path / "large.jsonl"
    log.write_bytes((mixed_log(2) + b"\n") * 200)
    assert log.stat().st_size > ranges.WORTH_IT
    command = [sys.executable, "-m", "turnlat", "analyze", str(log), "--jobs", "2"]
    run = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, start_new_session=True
    )
    children = Path(f"/proc/{run.pid}/task/{run.pid}/children")
    while run.poll() is None and len(children.read_text().split()) < 2:
        time.sleep(0.01)
    time.sleep(0.3)
    os.killpg(run.pid, signal.SIGINT)
    assert run.communicate(timeout=60) == (b"", b"")
    assert run.returncode == ExitCode.INTERRUPTED


def test_a_worker_that_is_killed_ends_the_reading(tmp_path: Path) -> None:
    """Also one that waits for work, and others that would wait for it."""
    log = tmp_path / "agent.jsonl"
    log.write_bytes(LINES[0] + b"\n" + b'{"message": "quiet"}\n' * 150_000)
    whole = Range(str(log), str(log), 0, log.stat().st_size)
    workers = Workers(2, FAST)
    try:
        os.kill(workers._processes[0].pid, signal.SIGKILL)
        for number in range(8):
            workers.send(number, whole)
        with pytest.raises(WorkerDiedError):
            list(chain.from_iterable(workers.receive() for _ in range(8)))
    finally:
        workers.close()
