"""Timeline: a conversation in the terminal, every turn true to time on one scale."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise

from rich.cells import cell_len
from rich.text import Text

from turnlat import units
from turnlat.notes import Note
from turnlat.report.conversation import Piece, Spoken, Timeline, Who
from turnlat.writers import Page, drawing
from turnlat.writers.cells import visible
from turnlat.writers.drawing import shortened, shortened_from_left

_MARGIN = 2
_INDENT = " " * _MARGIN
_TICK_CELLS = 9
"""Ticks of the axis are at least so many cells apart."""

_TICKS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 20.0, 60.0, 300.0)
_LONGEST_PLACE = 0.4
"""The share of a line's width that its place may take."""


@dataclass(frozen=True)
class _Look:
    """How something is drawn, with and without Unicode."""

    char: str
    ascii: str
    style: str
    label: str


_LOOKS: dict[Who, _Look] = {
    "user": _Look("▒", "u", "bright_black", "user"),
    "filler": _Look("░", "+", "bright_white", "filler"),
    "agent": _Look("▓", "#", "bright_white", "agent"),
    "tool": _Look("═", "=", "red", "tool"),
}
_SILENCE = _Look("·", ".", "bright_black", "silence")


@dataclass(frozen=True)
class _Axis:
    """From seconds to cells."""

    start: float
    end: float
    width: int

    def cell(self, time: float) -> int:
        """The cell in which a moment lies, within the page."""
        share = (time - self.start) / (self.end - self.start)
        return max(0, min(self.width, round(share * self.width)))


def write(timeline: Timeline, page: Page, *, words: bool) -> bytes:
    """The whole conversation for a page of that width; a line never wraps."""
    axis = _Axis(timeline.start, timeline.end, max(page.width - _MARGIN, 1))
    lines = [Text(shortened(visible(timeline.headline), page.width), style="bold"), *_ticks(axis)]
    for turn in timeline.turns:
        lines += [Text(), _heading(turn, page), *_tracks(turn, axis, page)]
        lines += _said(turn, page) if words else []
        lines += _lines(turn, page)
    lines += [Text(), *_legend(timeline, page), *_notes(timeline.notes, page.width)]
    return drawing.printed(lines, page)


def _ticks(axis: _Axis) -> list[Text]:
    """The clock, from the end of the user's speech on."""
    seconds = axis.end - axis.start
    fitting = (step for step in _TICKS if step / seconds * axis.width >= _TICK_CELLS)
    step = next(fitting, _TICKS[-1])
    line = ""
    for number in range(int(axis.end / step) + 1):
        label = f"{number * step:g} s" if number else "0"
        place = axis.cell(number * step)
        if len(line) <= place and place + len(label) <= axis.width:
            line = line.ljust(place) + label
    return [Text(_INDENT + line, style="dim")]


def _heading(turn: Spoken, page: Page) -> Text:
    name = f"turn {turn.turn}" if turn.turn is not None else "speech"
    time = f"{turn.at:%H:%M:%S}.{turn.at.microsecond // 100_000}" if turn.at else units.MISSING
    told = [time, name, turn.outcome + (", interrupted" if turn.interrupted else "")]
    if turn.wait is not None:
        label = "wait" if turn.wait_metric == "e2e_latency" else "total"
        told.append(f"{label} {units.milliseconds(turn.wait)} ms")
    if turn.silence is not None:
        told.append(f"longest silence {units.milliseconds(turn.silence)} ms")
    spoken = sum(piece.end - piece.start for piece in turn.pieces if piece.who == "agent")
    if spoken:
        told.append(f"spoke {units.seconds(spoken)}")
    if turn.notes:
        told.append(f"notes: {', '.join(turn.notes)}")
    return Text(shortened("  ".join(told), page.width), style="bold")


def _tracks(turn: Spoken, axis: _Axis, page: Page) -> list[Text]:
    """User, wait and agent on one line, since they follow each other; tools below."""
    tools = [piece for piece in turn.pieces if piece.who == "tool"]
    talk = _talk(turn, axis, page)
    return [*([talk] if talk.plain.strip() else []), *(_tool(tool, axis, page) for tool in tools)]


def _talk(turn: Spoken, axis: _Axis, page: Page) -> Text:
    cells: list[tuple[str, str]] = [(" ", "")] * axis.width
    audio = [piece for piece in turn.pieces if piece.who in ("filler", "agent")]
    if audio:
        silence = Piece("agent", min(p.start for p in audio), max(p.end for p in audio))
        _paint(cells, axis, silence, _look(_SILENCE, page))
    for name, start, end in turn.waterfall.parts:
        part = (drawing.fill(name, page), drawing.COLOURS[name])
        _paint(cells, axis, Piece("agent", start, end), part)
    for piece in turn.pieces:
        if piece.who != "tool":
            _paint(cells, axis, piece, _look(_LOOKS[piece.who], page))
    if any(piece.end > axis.end for piece in audio):
        cells[-1] = ("→", "bold")
    text = Text(_INDENT)
    for char, style in cells:
        text.append(char, style=style)
    text.rstrip()
    return text


def _paint(cells: list[tuple[str, str]], axis: _Axis, piece: Piece, look: tuple[str, str]) -> None:
    """What lasts, lasts a cell at least."""
    first = axis.cell(piece.start)
    last = max(axis.cell(piece.end), first + (piece.end > piece.start and piece.who != "user"))
    for cell in range(first, min(last, len(cells))):
        cells[cell] = look


def _look(look: _Look, page: Page) -> tuple[str, str]:
    return (look.char if page.unicode else look.ascii), look.style


def _tool(tool: Piece, axis: _Axis, page: Page) -> Text:
    char, style = _look(_LOOKS["tool"], page)
    first = axis.cell(tool.start)
    length = max(axis.cell(tool.end) - first, 1)
    label = f" {visible(tool.label)} {units.milliseconds(tool.end - tool.start)} ms"
    if first + length + cell_len(label) <= axis.width:
        text = Text(_INDENT + " " * first)
        text.append(char * length, style=style)
        text.append(label)
        return text
    text = Text(_INDENT + shortened(label.strip() + " ", first).rjust(first))
    text.append(char * length, style=style)
    return text


def _said(turn: Spoken, page: Page) -> list[Text]:
    lines = []
    for who, words in turn.said:
        wrapped = textwrap.wrap(
            f"{who}: {visible(words)}",
            page.width,
            initial_indent=_INDENT,
            subsequent_indent=_INDENT + "  ",
        )
        lines += [Text(line, style="italic") for line in wrapped]
    return lines


def _lines(turn: Spoken, page: Page) -> list[Text]:
    """The lines of the log that the turn was made of, each cut at the edge of the page."""
    room = int(page.width * _LONGEST_PLACE)
    places = [shortened_from_left(f"{visible(n)}:{line}", room) for n, line, _ in turn.lines]
    longest = max(map(cell_len, places), default=0)
    texts = []
    for place, (_, _, content) in zip(places, turn.lines, strict=True):
        told = visible(content.decode(errors="replace").strip())
        pad = " " * (longest - cell_len(place) + 2)
        left = page.width - _MARGIN - longest - 2
        texts.append(Text(f"{_INDENT}{place}{pad}{shortened(told, left)}".rstrip(), style="dim"))
    return texts


def _legend(timeline: Timeline, page: Page) -> list[Text]:
    shown = {piece.who for turn in timeline.turns for piece in turn.pieces}
    looks = [look for who, look in _LOOKS.items() if who in shown]
    looks += [_SILENCE] if any(_has_silence(turn.pieces) for turn in timeline.turns) else []
    line = Text("  ").join(
        Text(_look(look, page)[0], style=look.style) + Text(f" {look.label}", style="dim")
        for look in looks
    )
    falls = drawing.legend([turn.waterfall for turn in timeline.turns], page)
    return [*falls, *([line] if line else [])]


def _has_silence(pieces: Iterable[Piece]) -> bool:
    audio = sorted((p.start, p.end) for p in pieces if p.who in ("filler", "agent"))
    return any(start > end for (_, end), (start, _) in pairwise(audio))


def _notes(notes: list[Note], width: int) -> list[Text]:
    lines = [
        Text(line)
        for note in notes
        for line in textwrap.wrap(f"{note.code}: {note.text}", width, subsequent_indent=_INDENT)
    ]
    return [Text(), *lines] if lines else []
