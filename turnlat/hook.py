"""The hook: records every turn of an `AgentSession` from inside the agent, one JSON object a line.

    from turnlat.hook import record

    record(session, "agent.jsonl")  # or record(session, logger=logging.getLogger("turnlat"))

It needs the standard library only, so `turnlat hook > turnlat_hook.py` takes it anywhere.
It never raises into the agent and never makes it wait: what cannot be written is counted, and
the count is written as soon as something can be (`{"type": "turnlat_hook", "dropped": 3, …}`).
No word that anybody said is recorded unless `text=True`.
"""

from __future__ import annotations

import atexit
import contextlib
import errno
import inspect
import json
import logging
import math
import os
import sys
import threading
import time
import uuid
import weakref
from collections import Counter, deque
from collections.abc import Callable, Iterable, Iterator
from typing import Any, NamedTuple

try:
    import fcntl
except ImportError:  # Windows, where nobody renames a file that is open
    fcntl = None  # type: ignore[assignment]

INTERVAL = 0.2
"""Seconds between two writes: the most that a killed process loses."""
LINGER = 10.0
"""Seconds without a record after which the thread ends; the next record starts another."""
QUEUE = 20_000
"""Records that wait for the thread at most."""
CHUNK = 1 << 18
"""Bytes of one write at most, but for a longer line."""
BREATH = 8
"""Records that are encoded before the agent's thread may go on, if it waits for the interpreter."""
MOMENT = 0.005
"""Seconds in which another process has written its line to the end."""
PATIENCE = 5.0
"""Seconds that `flush` and `close` wait at most, where a disk hangs."""

_warnings = logging.getLogger("turnlat.hook")
_Record = dict[str, Any]


def record(
    session: Any,
    path: str | os.PathLike[str] | None = None,
    *,
    logger: logging.Logger | None = None,
    text: bool = False,
    max_bytes: int | None = None,
) -> Recorder:
    """Record `session`, started or not, into the file `path`, or through `logger`.

    `text` adds what was said, what tools were given and gave, and the message of an error, which
    may quote it. A file that would grow over `max_bytes` becomes `path.1`, in the place of an older
    one, and a new one begins.
    Raises `TypeError` without exactly one of `path` and `logger`.
    """
    if (path is None) == (logger is None):
        raise TypeError("record() needs either a path or a logger")
    sink = _File(os.path.abspath(path), max_bytes) if path is not None else _Log(logger)  # noqa: PTH100
    return Recorder(session, _Writer(sink), text=text)


class _Seen(NamedTuple):
    """What the agent's thread leaves to the writing one: LiveKit changes no event after it."""

    name: str
    dump: Callable[[Any, bool], _Record | None]
    event: Any
    at: float


class Recorder:
    """Listens to one session until it is closed."""

    def __init__(self, session: Any, writer: _Writer, *, text: bool) -> None:
        self._session, self._writer, self._text = session, writer, text
        self._recent: deque[Any] = deque(maxlen=8)
        job, self._room = _job()
        self._id = job or f"session_{uuid.uuid4().hex[:12]}"
        writer.make, writer.stamp = self._made, self._stamp
        _flush_at_process_end()
        self._listeners = {
            name: self._listener(name, dump)
            for name, dump in (("metrics_collected", self._metric), *_EVENTS.items())
        }
        try:
            for name, listener in self._listeners.items():
                _listen(session, name, listener)
        except Exception as error:  # noqa: BLE001  # whatever it is, the agent must go on
            writer.drop(f"listening: {type(error).__name__}")

    def close(self) -> None:
        """Stop listening, write what waits, and let go of the file."""
        for name, listener in self._listeners.items():
            with contextlib.suppress(Exception):
                self._session.off(name, listener)
        self._writer.close()

    def flush(self) -> None:
        """Wait until all is written, for `PATIENCE` at most: keep it out of event loops."""
        self._writer.flush()

    def _listener(
        self, name: str, dump: Callable[[Any, bool], _Record | None]
    ) -> Callable[[Any], None]:
        def listener(event: Any) -> None:
            try:
                self._writer.put(_Seen(name, dump, event, time.time()))
                if name == "close":
                    self._writer.hurry()
            except Exception as error:  # noqa: BLE001
                self._writer.drop(f"{name}: {type(error).__name__}")

        # LiveKit's emitter asks for it at each event, and finding it takes longer than listening.
        listener.__signature__ = inspect.signature(listener)  # type: ignore[attr-defined]
        return listener

    def _made(self, seen: _Seen) -> _Record | None:
        """The record of what was seen; null where it is worth none."""
        found = seen.dump(seen.event, self._text)
        if found is None:
            return None
        if found.get("created_at", seen.at) is None:  # LiveKit 1.0 does not date its events
            found["created_at"] = seen.at
        return self._stamp(found, seen.at)

    def _metric(self, event: Any, _text: bool) -> _Record | None:  # noqa: FBT001
        """The metric; null where it was seen: LiveKit ≤ 1.2.5 lets two activities pass one on."""
        metric = event.metrics
        if any(metric is seen for seen in self._recent):
            return None
        self._recent.append(metric)
        return _fields(metric)

    def _stamp(self, found: _Record, at: float) -> _Record:
        """`found` with where and when it was seen."""
        if self._room is None:
            self._room = _room_of(getattr(self._session, "_room_io", None))
        found["session"], found["room"], found["event"] = self._id, self._room, at
        return found


def _listen(session: Any, name: str, listener: Callable[[Any], None]) -> None:
    """Listen on the session, in every version of LiveKit.

    Only there EOU records are seen, each metric once whatever agents and components change, and
    after the activity has set its `speech_id`. From 1.5 on, `AgentSession.on` warns of
    `metrics_collected` in the agent's log; the emitter that it inherits from does not.
    """
    owners: list[Any] = [kind for kind in type(session).__mro__ if "on" in vars(kind)]
    if owners:
        owners[-1].on(session, name, listener)
    else:
        session.on(name, listener)


def _job() -> tuple[str | None, str | None]:
    """The id of the job that runs here, and its room's name."""
    try:
        context = sys.modules["livekit.agents"].get_job_context()
    except Exception:  # noqa: BLE001  # no LiveKit, or no job
        return None, None
    job = getattr(context, "job", None)
    name = getattr(getattr(job, "room", None), "name", None) or _room_of(context)
    return getattr(job, "id", None) or None, name or None


def _room_of(owner: Any) -> str | None:
    try:
        return getattr(owner, "room", None).name or None  # type: ignore[union-attr]
    except Exception:  # noqa: BLE001
        return None


def _fields(thing: Any) -> _Record:
    """The fields of a metric, whatever kind of object a LiveKit to come makes it."""
    if isinstance(thing, dict):
        return dict(thing)
    dump = getattr(thing, "model_dump", None)
    return dict(vars(thing)) if dump is None else dump()


_MESSAGE = {"id", "type", "role", "interrupted", "metrics", "created_at", "transcript_confidence"}


def _message(event: Any, text: bool) -> _Record | None:  # noqa: FBT001
    item = event.item
    if getattr(item, "type", None) != "message":
        return None
    fields = item.model_dump(include=_MESSAGE)
    said = item.text_content
    fields["word_count"] = len((said or "").split())
    if text:
        fields["text_content"] = said
    return {"type": "conversation_item_added", "item": fields} | _created(event)


def _transcript(event: Any, text: bool) -> _Record | None:  # noqa: FBT001
    if not event.is_final:
        return None
    language = getattr(event, "language", None)
    found = {
        "type": "user_input_transcribed",
        "is_final": True,
        "word_count": len(event.transcript.split()),
        "language": None if language is None else str(language),
    }
    return found | ({"transcript": event.transcript} if text else {}) | _created(event)


def _speech(event: Any, _text: bool) -> _Record:  # noqa: FBT001
    return {
        "type": "speech_created",
        "speech_id": event.speech_handle.id,
        "source": event.source,
        "user_initiated": event.user_initiated,
    } | _created(event)


def _state(event: Any, _text: bool) -> _Record:  # noqa: FBT001
    states = {"old_state": event.old_state, "new_state": event.new_state}
    return {"type": event.type} | states | _created(event)


def _tools(event: Any, text: bool) -> _Record:  # noqa: FBT001
    outputs = {output.call_id: output for output in event.function_call_outputs if output}
    tools = [_tool(call, outputs.get(call.call_id), text) for call in event.function_calls]
    return {"type": "function_tools_executed", "tools": tools} | _created(event)


def _tool(call: Any, output: Any, text: bool) -> _Record:  # noqa: FBT001
    """One call; a tool that raised `StopResponse` has no output before LiveKit 1.5.

    A call is created, or dated again, when its tool starts, and its output when that returns.
    """
    started, ended = getattr(call, "created_at", None), getattr(output, "created_at", None)
    found = {
        "name": call.name,
        "call_id": call.call_id,
        "duration": None if started is None or ended is None else max(ended - started, 0.0),
        "is_error": getattr(output, "is_error", None),
    }
    given = {"arguments": call.arguments, "output": getattr(output, "output", None)}
    return found | (given if text else {})


def _close(event: Any, text: bool) -> _Record:  # noqa: FBT001
    reason, error = getattr(event, "reason", None), getattr(event, "error", None)
    cause = getattr(error, "error", None) or error
    told = None if cause is None else type(cause).__name__
    if told and text:  # a message may quote what was said
        told = f"{told}: {cause}"[:200]
    reason = None if reason is None else str(getattr(reason, "value", reason))
    return {"type": "close", "reason": reason, "error": told} | _created(event)


def _created(event: Any) -> _Record:
    return {"created_at": getattr(event, "created_at", None)}


_EVENTS: dict[str, Callable[[Any, bool], _Record | None]] = {
    "conversation_item_added": _message,
    "user_input_transcribed": _transcript,
    "speech_created": _speech,
    "agent_state_changed": _state,
    "user_state_changed": _state,
    "function_tools_executed": _tools,
    "close": _close,
}


class _Writer:
    """Takes records from the agent's thread and writes them in one of its own."""

    def __init__(self, sink: _File | _Log) -> None:
        self.make: Callable[[_Seen], _Record | None] = lambda _: None
        self.stamp: Callable[[_Record, float], _Record] = lambda found, _: found
        self._sink = sink
        self._warned: set[str] = set()
        self._begin()
        _writers.add(self)

    def _begin(self) -> None:
        """Start anew, with nothing that another process's thread may hold."""
        self._queue: deque[_Seen] = deque()
        self._dropped: Counter[str] = Counter()
        self._thread: threading.Thread | None = None
        self._counting, self._writing = threading.Lock(), threading.Lock()
        self._wake = threading.Event()
        self._closed = False
        self._asked = self._served = 0
        self._rounds = threading.Condition()

    def put(self, seen: _Seen) -> None:
        if len(self._queue) >= QUEUE:
            self.drop("queue is full")
            return
        self._queue.append(seen)
        if self._thread is None:
            self._start()

    def drop(self, reason: str) -> None:
        """Count a record that cannot be written; the thread tells of it."""
        with self._counting:
            self._dropped[reason] += 1
        if self._thread is None:
            self._start()

    def hurry(self) -> None:
        """Let the thread write at once: a job's process may end any time after its session."""
        self._wake.set()

    def flush(self) -> None:
        """Have the thread write what waits: a disk that hangs must not hold the caller."""
        with self._rounds:
            self._asked += 1
            asked = self._asked
        self._wake.set()
        if self._thread is not None or self._start():
            with self._rounds:
                self._rounds.wait_for(lambda: self._served >= asked, PATIENCE)
        elif self._writing.acquire(timeout=PATIENCE):
            try:
                self._write_all()
            finally:
                self._writing.release()

    def close(self) -> None:
        self._closed = True
        self.flush()

    def after_fork(self) -> None:
        """In the child: what waited is the parent's to write, and so is its open file."""
        self._sink.close()
        self._begin()

    def _start(self) -> bool:
        """Start a thread where none runs; whether one does now."""
        with self._counting:
            if self._thread is not None:
                return True
            thread = threading.Thread(target=self._run, name="turnlat.hook", daemon=True)
            self._thread = thread
        try:
            thread.start()
        except RuntimeError:  # no more threads, or the interpreter ends: the next record tries
            self._thread = None
            return False
        return True

    def _run(self) -> None:
        last = time.monotonic()
        while True:
            self._wake.wait(INTERVAL)
            self._wake.clear()
            asked = self._asked
            if self._queue or self._dropped or asked > self._served:
                last = time.monotonic()
                with self._writing:
                    self._write_all()
                with self._rounds:
                    self._served = asked
                    self._rounds.notify_all()
            elif time.monotonic() - last > LINGER and self._may_end():
                return

    def _may_end(self) -> bool:
        """Let go of the file and leave, unless somebody still relied on this thread."""
        with self._writing:
            self._sink.close()
        self._thread = None
        with self._counting:
            waits = self._queue or self._dropped or self._asked > self._served
            if waits and self._thread is None:
                self._thread = threading.current_thread()
                return False
        return True

    def _write_all(self) -> None:
        self._tell_dropped()
        try:
            self._count(self._sink.write(self._waiting()))
        except Exception as error:  # noqa: BLE001
            self._count(Counter([f"writing: {type(error).__name__}"]))
        self._tell_dropped()
        if self._closed:
            self._sink.close()

    def _waiting(self) -> Iterator[_Record]:
        for _ in range(len(self._queue)):
            seen = self._queue.popleft()
            try:
                found = self.make(seen)
            except Exception as error:  # noqa: BLE001
                self.drop(f"{seen.name}: {type(error).__name__}")
            else:
                if found is not None:
                    yield found

    def _tell_dropped(self) -> None:
        with self._counting:
            dropped, self._dropped = self._dropped, Counter()
        if not dropped:
            return
        number, told = sum(dropped.values()), False
        note = {"type": "turnlat_hook", "dropped": number, "reasons": dict(dropped)}
        with contextlib.suppress(Exception):
            told = not self._sink.write([self.stamp(note, time.time())])
        if not told:
            self._count(dropped)
        new = dropped.keys() - self._warned
        self._warned |= new
        if new:
            with contextlib.suppress(Exception):
                _warnings.warning("%s records are not written: %s", number, ", ".join(sorted(new)))

    def _count(self, lost: Counter[str]) -> None:
        if lost:
            with self._counting:
                self._dropped.update(lost)


class _File:
    """Appends lines to a file that other processes may append to, rotate or delete."""

    def __init__(self, path: str, max_bytes: int | None) -> None:
        self.path, self.max_bytes = path, max_bytes
        self._handle: int | None = None

    def write(self, records: Iterable[_Record]) -> Counter[str]:
        """Append a line for each record; why which number of them is lost."""
        lost: Counter[str] = Counter()
        lines: list[bytes] = []
        size, limit = 0, min(CHUNK, self.max_bytes or CHUNK)
        for line in _encoded(records, lost):
            if lines and size + len(line) > limit:
                self._append(lines, lost)
                lines, size = [], 0
            lines.append(line)
            size += len(line)
        if lines:
            self._append(lines, lost)
        return lost

    def close(self) -> None:
        handle, self._handle = self._handle, None
        if handle is not None:
            with contextlib.suppress(OSError):
                os.close(handle)

    def _append(self, lines: list[bytes], lost: Counter[str]) -> None:
        data = b"".join(lines)
        try:
            handle, size = self._open(len(data))
            # What a full disk or a crash cut off ends there: nothing is glued to it.
            torn = size > 0 and _is_torn(handle)
            written = os.write(handle, b"\n" + data if torn else data) - torn
        except (OSError, ValueError) as error:  # a path that cannot be one is a ValueError
            code = getattr(error, "errno", None) or 0
            lost[errno.errorcode.get(code, type(error).__name__)] += len(lines)
            self.close()
            return
        if written < len(data):
            lost["disk is full"] += len(lines) - data[: max(written, 0)].count(b"\n")

    def _open(self, more: int) -> tuple[int, int]:
        """The file under this name now, with room for `more` bytes, and its size."""
        handle, size = self._current()
        if self.max_bytes and size and size + more > self.max_bytes:
            with contextlib.suppress(OSError):  # a log that is too long is better than none
                self._rotate(handle)
            handle, size = self._current()
        return handle, size

    def _current(self) -> tuple[int, int]:
        if self._handle is not None and not self._is_current(self._handle):
            self.close()
        if self._handle is None:
            flags = os.O_RDWR | os.O_APPEND | os.O_CREAT | getattr(os, "O_BINARY", 0)
            self._handle = os.open(self.path, flags, 0o666)
        return self._handle, os.fstat(self._handle).st_size

    def _is_current(self, handle: int) -> bool:
        try:
            return os.path.samestat(os.fstat(handle), os.stat(self.path))  # noqa: PTH116
        except OSError:
            return False

    def _rotate(self, handle: int) -> None:
        """Rename the file, unless another process did: its new one must not be moved away."""
        if fcntl is None:
            return
        fcntl.flock(handle, fcntl.LOCK_EX)
        try:
            if self._is_current(handle):
                os.replace(self.path, f"{self.path}.1")  # noqa: PTH105
        finally:
            fcntl.flock(handle, fcntl.LOCK_UN)


def _is_torn(handle: int) -> bool:
    """Whether the file ends within a line that nobody goes on writing."""
    if _last_byte(handle) == b"\n":
        return False
    size = os.fstat(handle).st_size
    time.sleep(MOMENT)
    return os.fstat(handle).st_size == size and _last_byte(handle) != b"\n"


def _last_byte(handle: int) -> bytes:
    os.lseek(handle, -1, os.SEEK_END)
    return os.read(handle, 1)


class _Log:
    """Hands records to a logger, in shapes that come out of LiveKit's formatter whole.

    A metric goes into one field: the formatter overwrites `timestamp` at the top of a line.
    """

    def __init__(self, logger: Any) -> None:
        self._logger: logging.Logger = logger

    def write(self, records: Iterable[_Record]) -> Counter[str]:
        """Log each record; why which number of them is lost."""
        lost: Counter[str] = Counter()
        for line in _encoded(records, lost):
            try:
                self._log(json.loads(line))
            except Exception as error:  # noqa: BLE001, PERF203
                lost[f"logging: {type(error).__name__}"] += 1
        return lost

    def close(self) -> None:
        """Nothing: the logger is the agent's."""

    def _log(self, fields: _Record) -> None:
        if fields.get("type") in _OWN:
            extra = {f"{name}_" if name in _RESERVED else name: v for name, v in fields.items()}
            self._logger.info(fields["type"], extra=extra)
            return
        extra = {name: fields.pop(name) for name in ("session", "room", "event")}
        self._logger.info("metrics", extra=extra | {"metrics": fields})


_OWN = {*_EVENTS, "turnlat_hook"}
_RESERVED = {*vars(logging.makeLogRecord({})), "message", "asctime", "taskName"}
"""Attributes of a log record, which no field may replace."""


def _encoded(records: Iterable[_Record], lost: Counter[str]) -> Iterator[bytes]:
    """The line of each record; those that have none are counted in `lost`."""
    for number, found in enumerate(records, 1):
        if number % BREATH == 0:
            time.sleep(0)
        try:
            yield _line(found)
        except Exception as error:  # noqa: BLE001
            lost[f"{found.get('type')}: {type(error).__name__}"] += 1


_encode = json.JSONEncoder(separators=(",", ":"), allow_nan=False, default=str).encode


def _line(found: _Record) -> bytes:
    """The record as JSON: what JSON has no value for is its text, no finite number is null."""
    try:
        text = _encode(found)
    except ValueError:
        text = _encode(_finite(found))
    return text.encode() + b"\n"


def _finite(value: Any) -> Any:
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, dict):
        return {name: _finite(item) for name, item in value.items()}
    return [_finite(item) for item in value] if isinstance(value, (list, tuple)) else value


_writers: weakref.WeakSet[_Writer] = weakref.WeakSet()
_processes: set[int] = set()
"""Those that flush at their end: a forked child does not inherit that."""


def _close_all() -> None:
    for writer in list(_writers):
        writer.close()


def _after_fork() -> None:
    for writer in list(_writers):
        writer.after_fork()


def _flush_at_process_end() -> None:
    """Flush where a process of `multiprocessing` ends, as LiveKit's jobs do: not by `atexit`."""
    util = sys.modules.get("multiprocessing.util")
    if util is not None and os.getpid() not in _processes:
        _processes.add(os.getpid())
        with contextlib.suppress(Exception):
            util.Finalize(None, _close_all, exitpriority=0)


atexit.register(_close_all)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
