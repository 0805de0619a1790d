"""Drawing: lines of text in colour, waterfalls and their legend, as all pages for people share."""

from __future__ import annotations

import io
from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.cells import cell_len, set_cell_size
from rich.text import Text

from turnlat.report import Waterfall
from turnlat.writers import Page, bars

if TYPE_CHECKING:
    from rich.console import Console

COLOURS = {
    "transcription_delay": "cyan",
    "endpointing_delay": "blue",
    "callback_delay": "yellow",
    "llm_offset": "bright_black",
    "llm_ttft": "magenta",
    "tool_gap": "red",
    "sentence_gap": "green",
    "tts_ttfb": "bright_yellow",
    "remainder": "white",
}
ASCII = str.maketrans(
    {
        "–": "-",
        "…": "~",
        "−": "-",
        "→": ">",
        "·": ".",
        "│": "|",
        "─": "-",
        "▁": "_",
        "█": "#",
        "×": "x",
    }
)
"""What a terminal without Unicode shows instead."""

_GAP = 2


def printed(lines: Sequence[Text], page: Page) -> bytes:
    """`lines` as a page shows them; none of them wraps."""
    text = _coloured(lines, page) if page.colour else _plain(lines, page.width)
    return (text if page.unicode else text.translate(ASCII)).encode()


def _plain(lines: Sequence[Text], width: int) -> str:
    for line in lines:
        line.rstrip_end(width)
    return "".join(f"{line.plain}\n" for line in lines)


def _coloured(lines: Sequence[Text], page: Page) -> str:
    buffer = io.StringIO()
    console = console_of(page, file=buffer)
    for line in lines:
        console.print(line, no_wrap=True, overflow="ignore", crop=False)
    return buffer.getvalue()


def console_of(page: Page, *, file: io.StringIO) -> Console:
    """A console that adds nothing of its own."""
    from rich.console import Console  # noqa: PLC0415  # takes longer than the rest of rich

    return Console(
        file=file,
        width=page.width,
        force_terminal=page.colour,
        color_system="standard" if page.colour else None,
        highlight=False,
        markup=False,
        emoji=False,
        legacy_windows=False,
    )


def shortened(text: str, width: int) -> str:
    """`text` in `width` cells, its end cut."""
    if cell_len(text) <= width:
        return text
    return set_cell_size(text, max(width - 1, 0)).rstrip() + "…"


def shortened_from_left(text: str, width: int) -> str:
    """`text` in `width` cells, its beginning cut: of places and ids the end tells most."""
    if cell_len(text) <= width:
        return text
    while text and cell_len(text) > width - 1:
        text = text[1:]
    return "…" + text


def waterfall(value: Waterfall, width: int, page: Page) -> Text:
    """The components of a wait in a bar of `width` cells."""
    text = Text()
    for name, cells in bars.waterfall(value, width):
        text.append(fill(name, page) * cells, style=COLOURS[name])
    text.append(" " * (width - text.cell_len))
    return text


def fill(name: str, page: Page) -> str:
    """What one cell of a component is drawn with."""
    return "█" if page.colour and page.unicode else bars.LETTERS[name]


def legend(falls: Sequence[Waterfall], page: Page) -> list[Text]:
    """What the waterfalls are drawn with, in as many lines as the width asks for."""
    lines: list[Text] = []
    line = Text()
    for name, label in bars.legend(list(falls)):
        entry = Text(fill(name, page), style=COLOURS[name]) + Text(f" {label}", style="dim")
        if line and line.cell_len + _GAP + entry.cell_len > page.width:
            lines.append(line)
            line = Text()
        line = line + Text("  ") + entry if line else entry
    return [*lines, line] if line else lines
