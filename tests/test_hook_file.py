"""The hook's file: whole lines whatever happens to the process, the disk and the folder."""

from __future__ import annotations

import contextlib
import json
import logging
import math
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from emitter import Session, job

import turnlat as package
from turnlat import hook

SUPPORT = Path(__file__).parent / "support"
SETUP = f"""
import os, resource, signal, sys, time
sys.path[:0] = [{str(SUPPORT)!r}]
from emitter import Session
from turnlat.hook import record
path, session = sys.argv[1], Session()
recorder = record(session, path)
"""
"""How a test's script begins."""


def script(code: str, path: Path, *more: str) -> subprocess.Popen[str]:
    words = [sys.executable, "-c", SETUP + code, str(path), *more]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def finished(process: subprocess.Popen[str]) -> tuple[str, str]:
    told = process.communicate(timeout=120)
    assert process.returncode == 0, told
    return told


def records(path: Path) -> list[dict[str, Any]]:
    """The objects of a file in which every line is whole."""
    return [json.loads(line) for line in path.read_bytes().splitlines() if line]


def numbers(path: Path) -> list[Any]:
    return [line["number"] for line in records(path) if "number" in line]


@pytest.fixture
def session() -> Session:
    return Session()


def recorded(session: Session, path: Path, **more: Any) -> hook.Recorder:
    return hook.record(session, path, **more)


def test_a_metric_is_a_line_with_where_and_when_it_was_seen(
    session: Session, tmp_path: Path
) -> None:
    before = time.time()
    recorder = recorded(session, tmp_path / "agent.jsonl")
    session.measure(1)
    recorder.close()
    [line] = records(tmp_path / "agent.jsonl")
    assert line["type"] == "vad_metrics"
    assert line["session"].startswith("session_")
    assert line["room"] is None
    assert before <= line["event"] <= time.time()


def test_what_json_has_no_value_for_is_null_or_text(session: Session, tmp_path: Path) -> None:
    recorder = recorded(session, tmp_path / "agent.jsonl")
    session.measure(1, ttft=math.nan, nested=[{"a": math.inf}], when=Path("there"))
    recorder.close()
    [line] = records(tmp_path / "agent.jsonl")
    assert (line["ttft"], line["nested"], line["when"]) == (None, [{"a": None}], "there")


class Unspeakable:
    def __str__(self) -> str:
        raise RuntimeError


class Stubborn:
    def model_dump(self) -> dict[str, Any]:
        raise RuntimeError


def test_a_metric_that_does_not_serialise_is_counted_and_told_of_once(
    session: Session, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    recorder = recorded(session, tmp_path / "agent.jsonl")
    with caplog.at_level(logging.WARNING, "turnlat.hook"):
        session.measure(Unspeakable())
        session.emit("metrics_collected", Metrics(Stubborn()))
        recorder.flush()
        session.emit("metrics_collected", Metrics(Stubborn()))
        session.measure(2)
        recorder.close()
    dropped = [line for line in records(tmp_path / "agent.jsonl") if line["type"] == "turnlat_hook"]
    assert sum(line["dropped"] for line in dropped) == 3
    reasons = sum((Counter(line["reasons"]) for line in dropped), Counter())
    assert reasons == {"metrics_collected: RuntimeError": 2, "vad_metrics: RuntimeError": 1}
    assert numbers(tmp_path / "agent.jsonl") == [2]
    assert sum("metrics_collected: RuntimeError" in text for text in caplog.messages) == 1


class Metrics:
    def __init__(self, metrics: Any) -> None:
        self.metrics = metrics


@pytest.mark.parametrize("name", sorted({"metrics_collected", *hook._EVENTS} - {"close"}))
def test_an_event_of_unknown_shape_is_counted(session: Session, tmp_path: Path, name: str) -> None:
    recorder = recorded(session, tmp_path / "agent.jsonl")
    session.emit(name, object())
    recorder.close()
    lines = records(tmp_path / "agent.jsonl")
    silent = name == "conversation_item_added"
    assert silent or lines[0]["reasons"] == {f"{name}: AttributeError": 1}


def test_a_deleted_folder_costs_what_came_meanwhile(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "logs" / "agent.jsonl"
    path.parent.mkdir()
    recorder = recorded(session, path)
    session.measure(1)
    recorder.flush()
    shutil.rmtree(path.parent)
    session.measure(2)
    recorder.flush()
    path.parent.mkdir()
    session.measure(3)
    recorder.close()
    note, line = records(path)
    assert (note["dropped"], note["reasons"]) == (1, {"ENOENT": 1})
    assert line["number"] == 3


def test_a_file_that_is_deleted_begins_anew(session: Session, tmp_path: Path) -> None:
    recorder = recorded(session, tmp_path / "agent.jsonl")
    session.measure(1)
    recorder.flush()
    (tmp_path / "agent.jsonl").unlink()
    session.measure(2)
    recorder.close()
    assert numbers(tmp_path / "agent.jsonl") == [2]


def test_nothing_is_glued_to_a_broken_last_line(session: Session, tmp_path: Path) -> None:
    path = tmp_path / "agent.jsonl"
    path.write_bytes(b'{"type": "llm_met')
    recorder = recorded(session, path)
    session.measure(1)
    recorder.close()
    broken, line = path.read_bytes().splitlines()
    assert broken == b'{"type": "llm_met'
    assert json.loads(line)["number"] == 1


def test_more_records_than_can_wait_are_counted(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hook, "QUEUE", 10)
    recorder = recorded(session, tmp_path / "agent.jsonl")
    with recorder._writer._writing:
        for number in range(15):
            session.measure(number)
    recorder.close()
    assert len(numbers(tmp_path / "agent.jsonl")) == 10
    assert records(tmp_path / "agent.jsonl")[0]["reasons"] == {"queue is full": 5}


def test_records_wait_for_no_longer_than_a_second(session: Session, tmp_path: Path) -> None:
    recorder = recorded(session, tmp_path / "agent.jsonl")
    session.measure(1)
    time.sleep(1)
    assert numbers(tmp_path / "agent.jsonl") == [1]
    recorder.close()


def test_the_thread_ends_when_idle_and_begins_again(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hook, "LINGER", 0.1)
    recorder = recorded(session, tmp_path / "agent.jsonl")
    for number in (1, 2):
        session.measure(number)
        time.sleep(0.9)
        assert recorder._writer._thread is None
    assert numbers(tmp_path / "agent.jsonl") == [1, 2]


def test_sessions_that_fell_silent_hold_no_file_open(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hook, "LINGER", 0.1)
    path, sessions = tmp_path / "agent.jsonl", [Session() for _ in range(20)]
    recorders = [recorded(session, path) for session in sessions]
    for session in sessions:
        session.measure(1)
    time.sleep(1.5)
    assert numbers(path) == [1] * 20
    assert open_files(path) == 0
    sessions[0].measure(2)
    recorders[0].flush()
    assert (numbers(path)[-1], open_files(path)) == (2, 1)
    recorders[0].close()
    assert open_files(path) == 0


def open_files(path: Path) -> int:
    """How many descriptors of this process are this file's."""
    found = 0
    for handle in range(1024):
        with contextlib.suppress(OSError):
            found += os.path.samestat(os.fstat(handle), path.stat())
    return found


def test_where_nothing_can_be_written_nobody_waits_longer_than_patience(tmp_path: Path) -> None:
    code = """
from turnlat import hook
hook.PATIENCE = 1.0
for n in range(1000):
    session.measure(n, padding="x" * 500)
for wait in (recorder.flush, recorder.close):
    began = time.monotonic()
    wait()
    print(time.monotonic() - began)
"""
    os.mkfifo(tmp_path / "pipe")
    process = script(code, tmp_path / "pipe")
    try:
        told, _ = finished(process)
    finally:
        process.kill()
    waits = [float(line) for line in told.splitlines()]
    assert len(waits) == 2
    assert all(0.9 < wait < 1.9 for wait in waits)


def test_the_thread_writes_what_is_flushed(session: Session, tmp_path: Path) -> None:
    threads = set()

    class Telling:
        def __str__(self) -> str:
            threads.add(threading.current_thread().name)
            return "told"

    recorder = recorded(session, tmp_path / "agent.jsonl")
    for _ in range(20):
        session.measure(Telling())
        recorder.flush()
    recorder.close()
    assert numbers(tmp_path / "agent.jsonl") == ["told"] * 20
    assert threads == {"turnlat.hook"}


def test_where_no_thread_starts_flush_writes(
    session: Session, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_: threading.Thread) -> None:
        raise RuntimeError

    recorder = recorded(session, tmp_path / "agent.jsonl")
    monkeypatch.setattr(threading.Thread, "start", refuse)
    session.measure(1)
    recorder.flush()
    assert numbers(tmp_path / "agent.jsonl") == [1]
    session.measure(2)
    recorder.close()
    assert numbers(tmp_path / "agent.jsonl") == [1, 2]


def test_what_a_path_that_cannot_be_one_costs_is_counted(tmp_path: Path) -> None:
    session = Session()
    recorder = recorded(session, tmp_path / "a\0b")
    session.measure(1)
    session.measure(2)
    recorder.flush()
    recorder.flush()
    recorder._writer._sink.path = str(tmp_path / "agent.jsonl")
    session.measure(3)
    recorder.close()
    note, line = records(tmp_path / "agent.jsonl")
    assert (note["dropped"], note["reasons"]) == (2, {"ValueError": 2})
    assert line["number"] == 3


@pytest.mark.parametrize("broken", ["stamp", "_warnings"])
def test_what_fails_while_a_loss_is_told_costs_no_count(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str
) -> None:
    session, path = Session(), tmp_path / "agent.jsonl"
    recorder = recorded(session, path)
    with monkeypatch.context() as patch:
        owner = hook if broken == "_warnings" else recorder._writer
        patch.setattr(owner, broken, None)  # whoever uses it meets an exception
        recorder._writer.drop("lost")
        recorder.flush()
    session.measure(1)
    recorder.close()
    note, line = records(path)
    assert note["reasons"] == {"lost": 1}
    assert line["number"] == 1


@pytest.mark.parametrize(
    ("text", "told"), [(False, "ValueError"), (True, "ValueError: Ada lives in Rome")]
)
def test_the_message_of_an_error_is_recorded_where_words_are(
    session: Session, tmp_path: Path, *, text: bool, told: str
) -> None:
    recorder = recorded(session, tmp_path / "agent.jsonl", text=text)
    error = SimpleNamespace(error=ValueError("Ada lives in Rome"))
    session.emit("close", SimpleNamespace(reason="error", error=error))
    recorder.close()
    [line] = records(tmp_path / "agent.jsonl")
    assert line["error"] == told


def test_a_closed_recorder_listens_no_more(session: Session, tmp_path: Path) -> None:
    recorder = recorded(session, tmp_path / "agent.jsonl")
    recorder.close()
    session.measure(1)
    recorder.close()
    assert not (tmp_path / "agent.jsonl").exists()


def test_a_session_that_cannot_be_listened_to_does_not_stop_the_agent(tmp_path: Path) -> None:
    hook.record(object(), tmp_path / "agent.jsonl").close()
    assert records(tmp_path / "agent.jsonl")[0]["reasons"] == {"listening: AttributeError": 1}


def test_a_recorder_needs_a_path_or_a_logger(session: Session, tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="path or a logger"):
        hook.record(session)
    with pytest.raises(TypeError, match="path or a logger"):
        hook.record(session, tmp_path / "agent.jsonl", logger=logging.getLogger())


def test_no_field_replaces_an_attribute_of_a_log_record(caplog: pytest.LogCaptureFixture) -> None:
    session = Session()
    recorder = hook.record(session, logger=logging.getLogger("agent"))
    with caplog.at_level(logging.INFO, "agent"):
        session.measure(1, name="n", message="m", args=(1,))
        odd = {"type": "close", "name": "n", "msecs": 1}
        recorder._writer.put(hook._Seen("close", lambda *_: odd, None, 0.0))
        recorder.close()
    metric, event = caplog.records
    assert (metric.getMessage(), metric.metrics["message"]) == ("metrics", "m")
    assert (event.getMessage(), event.name, event.name_) == ("close", "agent", "n")


def test_a_logger_that_raises_is_counted() -> None:
    session, seen = Session(), []

    class Broken(logging.Logger):
        def info(self, message: Any, **more: Any) -> None:
            seen.append((message, more["extra"]))
            if len(seen) == 1:
                raise OSError

    recorder = hook.record(session, logger=Broken("broken"))
    session.measure(1)
    recorder.flush()
    recorder.close()
    assert seen[-1][0] == "turnlat_hook"
    assert seen[-1][1]["reasons"] == {"logging: OSError": 1}


def test_an_exit_without_close_loses_nothing(tmp_path: Path) -> None:
    path = tmp_path / "agent.jsonl"
    finished(script("for n in range(1000): session.measure(n)", path))
    assert numbers(path) == list(range(1000))


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_a_process_of_a_worker_loses_nothing(tmp_path: Path, method: str) -> None:
    process = multiprocessing.get_context(method).Process(target=job, args=(tmp_path / "a",))
    process.start()
    process.join(60)
    assert process.exitcode == 0
    assert numbers(tmp_path / "a") == list(range(100))


def test_a_fork_has_a_thread_and_a_file_of_its_own(tmp_path: Path) -> None:
    path = tmp_path / "agent.jsonl"
    code = """
session.measure("parent waits")
session.measure("so does this")
child = os.fork()
session.measure("child" if child == 0 else "parent")
time.sleep(0.6)
if child == 0:
    os._exit(0)
os.waitpid(child, 0)
"""
    finished(script(code, path))
    assert sorted(numbers(path)) == ["child", "parent", "parent waits", "so does this"]


def test_a_killed_process_loses_its_last_second_at_most(tmp_path: Path) -> None:
    path = tmp_path / "agent.jsonl"
    code = """
n = 0
while True:
    session.measure(n, padding="x" * 500)
    n += 1
    time.sleep(0.0002)
"""
    process = script(code, path)
    time.sleep(3)
    process.send_signal(signal.SIGKILL)
    killed = time.time()
    process.communicate()
    run = package.load(path)
    assert run.ledger.bad <= 1
    lines = path.read_bytes().splitlines()
    whole = [json.loads(line) for line in lines[: len(lines) - run.ledger.bad]]
    assert [line["number"] for line in whole] == list(range(len(whole)))
    assert killed - whole[-1]["event"] < 1


def test_recording_goes_on_when_a_full_disk_has_room_again(tmp_path: Path) -> None:
    path = tmp_path / "agent.jsonl"
    code = """
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
limit = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, limit))
for n in range(300):
    session.measure(n)
    time.sleep(0.005)
recorder.flush()
resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
for n in range(300, 400):
    session.measure(n)
"""
    _, said = finished(script(code, path))
    lines, broken, written, dropped = path.read_bytes().splitlines(), 0, [], 0
    for line in lines:
        try:
            found = json.loads(line)
        except ValueError:
            broken += 1
            continue
        written += [found["number"]] if "number" in found else []
        dropped += found.get("dropped", 0)
    assert broken <= 1
    assert written[-100:] == list(range(300, 400))
    assert len(written) + dropped == 400
    assert said.count("records are not written") in (1, 2)
    assert "EFBIG" in said


def test_a_file_that_is_long_enough_makes_room_for_a_new_one(
    session: Session, tmp_path: Path
) -> None:
    path = tmp_path / "agent.jsonl"
    recorder = recorded(session, path, max_bytes=10_000)
    for number in range(250):
        session.measure(number)
        recorder.flush()
    recorder.close()
    older = tmp_path / "agent.jsonl.1"
    assert path.stat().st_size <= 10_000
    assert older.stat().st_size <= 10_000
    both = numbers(older) + numbers(path)
    assert both == list(range(250))[-len(both) :]
    assert len(numbers(older)) > 50
    run = package.load(path, older)
    assert run.ledger.bad == 0


def test_two_writers_share_a_file_that_rotates(tmp_path: Path) -> None:
    path = tmp_path / "agent.jsonl"
    code = """
recorder.close()
recorder = record(session, path, max_bytes=1_000_000)
for n in range(6000):
    session.measure(f"{sys.argv[2]}{n}")
    if n % 20 == 0:
        recorder.flush()
"""
    writers = [script(code, path, name) for name in "ab"]
    for writer in writers:
        finished(writer)
    older = tmp_path / "agent.jsonl.1"
    found = numbers(older) + numbers(path)
    assert path.stat().st_size <= 1_010_000
    for name in "ab":
        own = [int(number[1:]) for number in found if number[0] == name]
        assert own == list(range(6000))[-len(own) :]
    assert len(found) > 5000


def test_two_processes_append_to_one_file_and_no_line_is_lost(tmp_path: Path) -> None:
    path = tmp_path / "agent.jsonl"
    code = """
for n in range(100_000):
    session.measure(f"{sys.argv[2]}{n}")
    if n % 5000 == 0:
        recorder.flush()
"""
    for writer in [script(code, path, name) for name in "ab"]:
        finished(writer)
    found = numbers(path)
    assert len(records(path)) == 200_000
    for name in "ab":
        assert [n for n in found if n[0] == name] == [f"{name}{n}" for n in range(100_000)]


def test_the_module_needs_the_standard_library_only() -> None:
    code = "import sys; old = set(sys.modules); import turnlat.hook; print(*set(sys.modules) - old)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    loaded = {name.split(".")[0] for name in done.stdout.split()}
    assert loaded - set(sys.stdlib_module_names) == {"turnlat"}


def test_turnlat_hook_prints_the_module(turnlat: Callable, tmp_path: Path) -> None:
    done = turnlat("hook")
    assert (done.exit, done.stderr) == (0, "")
    (tmp_path / "turnlat_hook.py").write_text(done.stdout, encoding="utf-8")
    code = "import turnlat_hook, sys; print('turnlat' in sys.modules)"
    words = [sys.executable, "-c", code]
    environment = os.environ | {"PYTHONPATH": str(tmp_path)}
    done = subprocess.run(words, capture_output=True, text=True, check=True, env=environment)
    assert done.stdout == "False\n"
