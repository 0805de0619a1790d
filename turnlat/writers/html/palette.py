"""The colours of pages and pictures, light and dark; charts name them as CSS variables."""

from __future__ import annotations

import re

LIGHT = {
    "paper": "#f6f7f9",
    "card": "#ffffff",
    "ink": "#1b1f27",
    "muted": "#59616e",
    "line": "#dde1e7",
    "grid": "#eceff3",
    "accent": "#1f5fbf",
    "mark": "#b4470f",
    "good": "#1a7f4b",
    "bad": "#c02f3c",
    "transcription_delay": "#6cb0e8",
    "endpointing_delay": "#2f6db5",
    "callback_delay": "#5fbdb4",
    "llm_offset": "#c3c8d0",
    "llm_ttft": "#8a58b8",
    "tool_gap": "#d24b5e",
    "sentence_gap": "#58a56f",
    "tts_ttfb": "#eaa63a",
    "remainder": "#858b96",
}
"""Each component's colour goes by its name."""

DARK = LIGHT | {
    "paper": "#12151a",
    "card": "#1a1e25",
    "ink": "#e8ebf0",
    "muted": "#a2abb9",
    "line": "#343b47",
    "grid": "#272d37",
    "accent": "#7fb2ff",
    "mark": "#ff9d5c",
    "good": "#5cc98d",
    "bad": "#ff7a85",
    "endpointing_delay": "#4a88d2",
    "llm_offset": "#5b6472",
    "llm_ttft": "#a878d6",
    "tool_gap": "#e56678",
    "remainder": "#8d95a3",
}

SERIES = ("muted", "accent", "mark", "sentence_gap", "llm_ttft", "tool_gap")
"""Curves of several series: the first is what the others are compared with."""

_TAG = re.compile(r"<[^<>]*>")
_PAINT = re.compile(rf' (fill|stroke)="var\(--({"|".join(LIGHT)})\)"')
"""A colour of a tag: a user's text has no bare `<` there, and no bare quotes inside a tag."""


def variable(name: str) -> str:
    """The colour as a page's style sheet gives it, which knows light from dark."""
    return f"var(--{name})"


def style() -> str:
    """The variables' values: dark where the reader likes it so, never on paper."""
    dark = f"@media screen and (prefers-color-scheme: dark) {{ :root {{ {_values(DARK)} }} }}"
    return f":root {{ {_values(LIGHT)} }}\n{dark}"


def _values(colours: dict[str, str]) -> str:
    return " ".join(f"--{name}: {colour};" for name, colour in colours.items())


def resolved(picture: str) -> str:
    """An SVG with the light values in the place of variables, for want of a style sheet."""
    return _TAG.sub(lambda tag: _PAINT.sub(_painted, tag[0]), picture)


def _painted(found: re.Match[str]) -> str:
    return f' {found[1]}="{LIGHT[found[2]]}"'
