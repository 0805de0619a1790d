"""The loop behind `turnlat watch`: looks at the logs, tells turns, draws frames, sums up."""

from __future__ import annotations

import shutil
import signal
import threading
import time
from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

import polars as pl

from turnlat.analysis.rules import Limit
from turnlat.commands import console
from turnlat.errors import ExitCode, InputError
from turnlat.following import Follower
from turnlat.live import Watch
from turnlat.live.runs import as_run
from turnlat.live.windows import Window
from turnlat.report import live as reports
from turnlat.report.live import View
from turnlat.run import Run
from turnlat.turns.table import RECORDED_AT
from turnlat.units import plural
from turnlat.writers import Page, jsonl, live, terminal, turn_lines

POLL = 0.1
"""Seconds between two looks at the logs."""

REFRESH = 1.0
"""Seconds after which a frame is drawn anew though nothing came: it tells how long ago that was."""

LEDGER_REFRESH = 1.0
"""The ledger needs a look at all live records: not at every frame."""

FORGETTING = 5.0
"""Seconds between two searches for conversations that can be forgotten."""


@dataclass(frozen=True)
class Asked:
    """What the user asked for."""

    label: str
    window: Window
    rules: Sequence[Limit]
    format: str
    """`view`, `lines` or `jsonl`."""
    everything: bool
    """Tell turns that were there already even where they lie before the window."""
    page: Page


class Session:
    """One watch: from the first look to the summary."""

    def __init__(self, follower: Follower, watch: Watch, asked: Asked) -> None:
        self._follower, self._watch, self._asked = follower, watch, asked
        self._stop = threading.Event()
        self._ledger, self._ledger_at = watch.ledger(), float("-inf")
        reports.check_limits(self._run(watch.rows), asked.rules)

    def look_once(self) -> None:
        """Show what there is now: a frame, or a line per turn.

        Raises `InputError` where an input is missing or holds no metrics.
        """
        now = time.monotonic()
        self._watch.take(self._follower.poll(), now)
        if missing := self._follower.missing:
            raise InputError(
                f"{missing[0]}: no such file or folder", hint="without --once, watch waits for it"
            )
        self._watch.take(self._follower.finish(to_the_end=True), now)
        told = self._watch.close()
        if not self._watch.rows.height:
            lines = plural(self._watch.tally.lines, "line")
            raise InputError(
                f"{self._asked.label}: no metrics so far ({lines} read)",
                hint="without --once, watch waits for them",
            )
        if self._asked.format == "view":
            page, height = self._asked.page, shutil.get_terminal_size((80, 24)).lines
            console.write(live.write(self._view(now), page, height - 1, live.now()))
        self._tell(told, first=True)

    def follow(self) -> ExitCode:
        """Tell every turn when it is finished, until Ctrl-C or the end of stdin; then sum up."""
        heed = {name: signal.signal(name, self._heed) for name in (signal.SIGINT, signal.SIGTERM)}
        try:
            with self._screen() as screen:
                self._loop(screen)
            self._watch.take(self._follower.finish(), time.monotonic())
            self._tell(self._watch.close())
        finally:
            for name, handler in heed.items():
                signal.signal(name, handler)
        self._sum_up()
        return ExitCode.INTERRUPTED if self._stop.is_set() else ExitCode.OK

    def _heed(self, *_: object) -> None:
        """End at the next good moment; a second Ctrl-C ends at once."""
        if self._stop.is_set():
            raise KeyboardInterrupt
        self._stop.set()

    def _loop(self, screen: live.Screen | None) -> None:
        first, drawn_at, forgot_at = True, float("-inf"), time.monotonic()
        while not self._stop.is_set() and not self._follower.ended:
            now = time.monotonic()
            parts = self._follower.poll()
            self._watch.take(parts, now, written=time.time() if first else None)
            told = self._watch.tell(now)
            self._tell(told, first=first)
            if screen is not None and (parts or told.height or now - drawn_at >= REFRESH):
                screen.show(self._view(now), live.now())
                drawn_at = now
            if now - forgot_at >= FORGETTING:
                self._watch.forget(now)
                forgot_at = now
            first = False
            self._stop.wait(max(0.0, POLL - (time.monotonic() - now)))

    def _screen(self) -> AbstractContextManager[live.Screen | None]:
        if self._asked.format == "view" and console.is_terminal():
            return live.Screen(self._asked.page)
        return nullcontext()

    def _tell(self, told: pl.DataFrame, *, first: bool = False) -> None:
        """Write the turns that were finished; of those there were already, the window's."""
        if first and not self._asked.everything:
            told = self._asked.window.cut(told)
        if not told.height:
            return
        if self._asked.format == "jsonl":
            console.write(jsonl.rows(told.drop(RECORDED_AT)))
        elif self._asked.format == "lines":
            console.write(turn_lines.rows(told, self._asked.page))

    def _view(self, now: float) -> View:
        if now - self._ledger_at >= LEDGER_REFRESH:
            self._ledger, self._ledger_at = self._watch.ledger(), now
        rows = self._asked.window.cut(self._watch.rows)
        return reports.view(
            self._run(rows),
            rows["told"],
            str(self._asked.window),
            self._follower.missing,
            self._asked.rules,
        )

    def _run(self, rows: pl.DataFrame) -> Run:
        return as_run(self._asked.label, rows, self._ledger, self._watch.tally)

    def _sum_up(self) -> None:
        """What was seen: on the terminal below the view, else where it mixes with no data."""
        self._ledger = self._watch.ledger()
        if not self._watch.rows.height:
            lines = plural(self._watch.tally.lines, "line")
            console.say(f"{self._asked.label}: no turns were seen ({lines} read)")
            return
        summary = terminal.write(reports.summary(self._run(self._watch.rows)), self._asked.page)
        if self._asked.format == "view":
            console.write(summary)
        else:
            console.tell(summary)
