"""Bars: shares and waterfalls drawn in a row of characters."""

from __future__ import annotations

from turnlat.metrics import COMPONENTS
from turnlat.report import Diverging, Waterfall

LETTERS = {
    "transcription_delay": "t",
    "endpointing_delay": "e",
    "callback_delay": "c",
    "llm_offset": "o",
    "llm_ttft": "L",
    "tool_gap": "T",
    "sentence_gap": "s",
    "tts_ttfb": "V",
    "remainder": "r",
}
"""What each component is drawn with; a colour comes on top where there is one."""

_EIGHTHS = " ▏▎▍▌▋▊▉█"


def share(fraction: float | None, width: int, *, unicode: bool) -> str:
    """A bar of `fraction` of `width`; nothing for a missing or negative fraction."""
    filled = max(0.0, min(fraction or 0.0, 1.0)) * width
    if not unicode:
        return "#" * round(filled)
    whole = int(filled)
    rest = _EIGHTHS[round((filled - whole) * 8)].strip()
    return "█" * whole + rest


def diverging(value: Diverging, width: int, *, unicode: bool) -> str:
    """A bar to the right of the axis for what grew, to the left for what shrank."""
    half = (width - 1) // 2
    length = min(abs(value.change) / value.scale, 1.0) * half if value.scale else 0.0
    halves = round(length * 2)
    full, block = halves // 2, "█" if unicode else "#"
    axis = "│" if unicode else "|"
    if value.change >= 0:
        bar = block * full + ("▌" if unicode and halves % 2 else "")
        return " " * half + axis + bar
    bar = ("▐" if unicode and halves % 2 else "") + block * full
    return f"{bar:>{half}}{axis}"


def waterfall(value: Waterfall, width: int) -> list[tuple[str, int]]:
    """The components in the order in which they show, each with its number of cells.

    Later parts lie over earlier ones: preemptive generation covers the end of the turn detector's
    wait that it ran in.
    """
    cells: list[str | None] = [None] * width
    for name, start, end in value.parts:
        first, last = (round(time / value.scale * width) for time in (start, end))
        for cell in range(first, min(last, width)):
            cells[cell] = name
    runs: list[tuple[str, int]] = []
    for name_ in cells:
        if name_ is None:
            continue
        if runs and runs[-1][0] == name_:
            runs[-1] = (name_, runs[-1][1] + 1)
        else:
            runs.append((name_, 1))
    return runs


def legend(values: list[Waterfall]) -> list[tuple[str, str]]:
    """The components that the waterfalls show, with their labels."""
    shown = {name for value in values for name, _, _ in value.parts}
    return [(metric.name, metric.label) for metric in COMPONENTS if metric.name in shown]


_HEIGHTS = "▁▂▃▄▅▆▇█"
_ASCII_HEIGHTS = "_.-=+*%#"


def sparkline(values: list[float | None], *, unicode: bool) -> str:
    """A character per value, as high as its share of the highest; a blank where there is none."""
    heights = _HEIGHTS if unicode else _ASCII_HEIGHTS
    highest = max((value for value in values if value is not None), default=0.0)
    if highest <= 0:
        return "".join(" " if value is None else heights[0] for value in values)
    top = len(heights) - 1
    return "".join(
        " " if value is None else heights[round(max(value, 0.0) / highest * top)]
        for value in values
    )
