"""Live: the view of a log that is watched, a frame at a time, as large as the terminal."""

from __future__ import annotations

import os
from datetime import datetime, timezone
from types import TracebackType
from typing import TYPE_CHECKING

from rich.console import Console, Group
from rich.live import Live
from rich.text import Text

from turnlat import units
from turnlat.report.live import Held, Rolling, Row, View
from turnlat.units import plural
from turnlat.writers import Page, bars, drawing
from turnlat.writers.cells import visible
from turnlat.writers.drawing import shortened, shortened_from_left

if TYPE_CHECKING:
    from typing_extensions import Self

_TALL = 36
"""A screen with so many lines shows every metric, a lower one the main ones."""

WAIT_METRICS = ("e2e_latency", "total_latency")
_MAIN = (*WAIT_METRICS, "eou_delay", "llm_ttft", "tts_ttfb")
_NAME, _NUMBER = 21, 8
_LONGEST_TREND = 100
_STALE = 60.0
"""After so many seconds without a turn a reader should know."""

_VERDICT, _RULE = 6, 28
_VERDICTS = {"passed": "green", "failed": "bold red"}
_SESSION, _WIDE_SESSION, _WIDE = 14, 26, 110


class Screen:
    """The terminal as long as a log is watched: shows frames, and gives it back as it was."""

    def __init__(self, page: Page) -> None:
        self._page = page
        # A terminal can be resized, which these do not follow.
        environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "LINES")}
        self._console = Console(
            highlight=False,
            markup=False,
            emoji=False,
            no_color=not page.colour,
            legacy_windows=False,
            _environ=environment,
        )
        self._live = Live(
            console=self._console, screen=True, auto_refresh=False, vertical_overflow="crop"
        )

    def __enter__(self) -> Self:
        self._live.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._live.stop()

    @property
    def size(self) -> tuple[int, int]:
        """Columns and lines, which may change at any time."""
        return self._console.size.width, self._console.size.height

    def show(self, view: View, now: datetime) -> None:
        """Show a frame in place of the last one."""
        width, height = self.size
        page = Page(width, colour=self._page.colour, unicode=self._page.unicode)
        self._live.update(Group(*_encodable(lines(view, page, height, now), page)), refresh=True)


def write(view: View, page: Page, height: int, now: datetime) -> bytes:
    """One frame, for a terminal that stays."""
    return drawing.printed(lines(view, page, height, now), page)


def lines(view: View, page: Page, height: int, now: datetime) -> list[Text]:
    """A frame of at most `height` lines, none wider than the page."""
    head = [*_head(view, page, now), Text(), *_rolling(view, page, tall=height >= _TALL)]
    if view.limits:
        head += [Text(), *(_limit(held, page) for held in view.limits)]
    legend = drawing.legend([row.waterfall for row in view.rows], page)
    room = height - len(head) - len(legend) - 2
    if room < 1:
        legend, room = [], max(height - len(head) - 2, 0)
    shown = view.rows[-room:] if room else []
    table = [Text(), *_rows(shown, page), *legend] if shown else []
    frame = [*head, *table][:height]
    for line in frame:
        line.truncate(page.width)
    return frame


def _encodable(frame: list[Text], page: Page) -> list[Text]:
    if page.unicode:
        return frame
    return [Text(line.plain.translate(drawing.ASCII), spans=line.spans) for line in frame]


def _head(view: View, page: Page, now: datetime) -> list[Text]:
    state, style = _state(view, now)
    label = shortened_from_left(visible(view.label), page.width - len(state) - 2)
    first = Text(label, style="bold")
    first.append(" " * (page.width - first.cell_len - len(state)))
    first.append(state, style=style)
    broken = sum(held.verdict == "failed" for held in view.limits)
    second = Text(
        f"last {view.window}: {plural(view.turns, 'user turn')} in "
        f"{plural(view.sessions, 'session')}"
    )
    if broken:
        second.append(f", {plural(broken, 'limit')} broken", style="bold red")
    return [first, second, Text(shortened(view.ledger, page.width), style="dim")]


def _state(view: View, now: datetime) -> tuple[str, str]:
    """How long ago the newest turn was."""
    if view.waiting_for and view.newest is None:
        return "waiting for the file", "yellow"
    if view.newest is None:
        return "waiting for turns", "yellow"
    age = max(0.0, (now - view.newest).total_seconds())
    return f"last turn {_age(age)} ago", "dim" if age < _STALE else "yellow"


def _age(seconds: float) -> str:
    for unit, size in (("d", 86_400), ("h", 3_600), ("min", 60)):
        if seconds >= 2 * size:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def _rolling(view: View, page: Page, *, tall: bool) -> list[Text]:
    main = [name for name in _MAIN if name == view.wait or name not in WAIT_METRICS]
    shown = view.rolling
    if not tall:
        shown = sorted(
            (one for one in view.rolling if one.name in main), key=lambda one: main.index(one.name)
        )
    head = f"{'ms':<{_NAME}}{'p50':>{_NUMBER}}{'p95':>{_NUMBER}}{'turns':>{_NUMBER}}"
    if page.width > len(head) + 2 + len("trend"):
        head += "  trend"
    return [Text(head, style="dim"), *(_metric(one, view.wait, page) for one in shown)]


def _metric(one: Rolling, wait: str, page: Page) -> Text:
    name = ("" if one.name == wait else "  ") + one.name
    text = Text(f"{name:<{_NAME}}", style="bold" if one.name == wait else "")
    for value in (one.p50, one.p95):
        text.append(f"{units.milliseconds(value):>{_NUMBER}}")
    text.append(f"{units.count(one.count):>{_NUMBER}}", style="dim")
    room = min(page.width - text.cell_len - 2, _LONGEST_TREND)
    if room > 0:
        spark = bars.sparkline(one.trend[-room:], unicode=page.unicode)
        text.append("  ")
        text.append(spark, style="cyan")
    return text


def _limit(held: Held, page: Page) -> Text:
    style = _VERDICTS.get(held.verdict, "yellow")
    found = ""
    if held.found is not None:
        found = f"{units.quantity(held.found, held.unit)} over {plural(held.turns, 'turn')}"
    told = f" ({visible(held.reason)})" if found and held.reason else visible(held.reason)
    rule = visible(held.rule)
    text = f"{held.verdict:<{_VERDICT}}  {rule:<{_RULE}}  {found}{told}"
    return Text(shortened(text.rstrip(), page.width), style=style)


def _rows(rows: list[Row], page: Page) -> list[Text]:
    session = _WIDE_SESSION if page.width >= _WIDE else _SESSION
    session = max(len("session"), min(session, max(len(visible(row.session)) for row in rows)))
    head = f"{'UTC':<8}  {'session':<{session}}  {'turn':>4}  {'wait':>7}  "
    bar = max(page.width - len(head), 1)
    title = shortened("from the end of the user's speech, ms", bar)
    return [
        Text((head + title).rstrip(), style="dim"),
        *(_row(row, session, bar, page) for row in rows),
    ]


def _row(row: Row, session: int, bar: int, page: Page) -> Text:
    time = f"{row.at:%H:%M:%S}" if row.at else units.MISSING
    name = shortened_from_left(visible(row.session), session)
    pad = " " * (session - Text(name).cell_len)
    turn = units.MISSING if row.turn is None else str(row.turn)
    wait = units.milliseconds(row.wait) if row.told or row.wait is not None else "…"
    text = Text(f"{time:<8}  {name}{pad}  {turn:>4}  ", style="" if row.told else "dim")
    text.append(f"{wait:>7}  ", style="bold" if row.told else "dim")
    if row.waterfall.parts and (row.wait is not None or not row.told):
        text.append_text(drawing.waterfall(row.waterfall, bar, page))
    else:
        text.append(shortened(_outcome(row), bar), style="dim")
    return text


def _outcome(row: Row) -> str:
    """What became of a speech that has no wait to draw."""
    if not row.told:
        return "…"
    said = {
        "replied": "answered, the wait is unknown",
        "silent": "no audio followed",
        "initiated": "the agent spoke unasked",
        "discarded": "generated, never heard",
        "unmeasured": "no TTS metrics",
        "realtime": "a speech-to-speech response",
    }.get(row.outcome, row.outcome)
    return f"{said}, interrupted" if row.interrupted else said


def now() -> datetime:
    """The time that ages are told by."""
    return datetime.now(timezone.utc)
