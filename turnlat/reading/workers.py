"""Workers: processes that read parts of files, whichever of them is free the next one.

They are forked where nothing can go wrong with that: forked processes start at once and share what
is loaded. A process with threads might take a lock along that nobody opens again, so where there
are any (polars starts some), workers are started afresh.
"""

from __future__ import annotations

import gc
import multiprocessing
import os
import pickle
import queue
import signal
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from multiprocessing.connection import Connection, wait
from typing import Any, Protocol, TypeVar, cast

from turnlat.errors import TurnlatError
from turnlat.readers import Options
from turnlat.reading import parcels

_PROTOCOL = 5

_Message = TypeVar("_Message")


class Task(Protocol):
    """A part of a file."""

    def results(self, options: Options, /) -> Iterator[Any]:
        """What reading it gives, one after another; what was given is not changed any more."""


class Workers:
    """Some processes that read for this one."""

    def __init__(self, jobs: int, options: Options) -> None:
        context: Any = multiprocessing.get_context(_start_method())
        tasks, self._tasks = context.Pipe(duplex=False)
        self._turn = turn = context.Lock()
        self._results: list[Connection] = []
        self._processes = []
        forked = context.get_start_method() == "fork"
        with _deaf_to_ctrl_c():
            for _ in range(jobs):
                results, own_results = context.Pipe(duplex=False)
                inherited = [self._tasks, results, *self._results] if forked else []
                process = context.Process(
                    target=_work, args=(tasks, turn, own_results, options, inherited), daemon=True
                )
                process.start()
                own_results.close()
                self._results.append(results)
                self._processes.append(process)
        tasks.close()
        # A worker that is killed may leave the others waiting: nobody must wait for them to read.
        self._outbox: queue.SimpleQueue[bytes | None] = queue.SimpleQueue()
        outlet = (self._outbox, self._tasks, Connection.send_bytes)
        self._sender = threading.Thread(target=_send, args=outlet, daemon=True)
        self._sender.start()

    def send(self, number: int, task: Task) -> None:
        """Give a task to the worker that is free first."""
        self._outbox.put(pickle.dumps((number, task), _PROTOCOL))

    def receive(self) -> Iterator[tuple[int, Any]]:
        """Wait for results: those that have come, with the numbers of their tasks.

        Raises `WorkerDiedError` where a worker has ended.
        """
        for connection in cast("list[Connection]", wait(self._results)):
            try:
                found = parcels.receive(connection)
            except (EOFError, OSError):  # it ended before a result, or amid one
                raise WorkerDiedError from None
            if isinstance(found, Exception):
                raise found
            yield found

    def close(self) -> None:
        """End the processes, whatever they do."""
        for process in self._processes:
            process.terminate()
        for process in self._processes:
            process.join()
        self._outbox.put(None)
        self._sender.join()
        for connection in (self._tasks, *self._results):
            connection.close()


class WorkerDiedError(TurnlatError):
    """A reading process has been killed: most often by the system, for want of memory."""

    def __init__(self) -> None:
        super().__init__(
            "a process that read the logs was killed",
            hint="is there too little memory? --jobs 1 reads with less of it",
        )


def _start_method() -> str:
    can_fork = "fork" in multiprocessing.get_all_start_methods() and sys.platform != "darwin"
    return "fork" if can_fork and _is_single_threaded() else "spawn"


def _is_single_threaded() -> bool:
    try:
        return len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208  # names will do
    except OSError:
        return threading.active_count() == 1 and "polars" not in sys.modules


@contextmanager
def _deaf_to_ctrl_c() -> Iterator[None]:
    """Processes that are born now leave Ctrl-C to this one, which ends them."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heeded = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, heeded)


def _work(
    tasks: Connection, turn: Any, results: Connection, options: Options, inherited: list[Connection]
) -> None:
    """What a worker does until no tasks come any more."""
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    for connection in inherited:  # so that a worker sees when the one that started it has ended
        connection.close()
    gc.disable()  # columns have no cycles
    waiting: queue.SimpleQueue[parcels.Parcel | None] = queue.SimpleQueue()
    # The next task is read while nobody fetches the result of the last one.
    sender = threading.Thread(target=_send, args=(waiting, results, parcels.send))
    sender.start()
    try:
        while True:
            with turn:
                message = tasks.recv_bytes()
            for parcel in _results(message, options):
                waiting.put(parcel)
    except EOFError:
        pass
    finally:
        waiting.put(None)
        sender.join()


def _results(message: bytes, options: Options) -> Iterator[parcels.Parcel]:
    number, task = pickle.loads(message)  # noqa: S301  # of our own process
    try:
        for result in task.results(options):
            yield parcels.packed((number, result))
    except Exception as error:  # noqa: BLE001  # it is raised again where the result is awaited
        yield parcels.packed(error)


def _send(
    waiting: queue.SimpleQueue[_Message | None],
    connection: Connection,
    send: Callable[[Connection, _Message], None],
) -> None:
    with suppress(OSError):  # nobody waits for it any more
        while (message := waiting.get()) is not None:
            send(connection, message)
