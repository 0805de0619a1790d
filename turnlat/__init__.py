"""turnlat reads the metric logs of LiveKit voice agents and tells how long users waited, and why.

     paths      ──sources───▶  Block       bytes of whole lines, from files, folders, stdin
     blocks     ──readers───▶  Records     one typed frame per kind of record, the tally of lines
     records    ──turns─────▶  Turns       one row per turn, and the ledger
                ──summaries─▶  Run         + transcriptions, tools, usage, latency statistics, notes
     run        ──report────▶  Report      what to show: tables and figures of raw values, notes
     report     ──writers───▶  bytes       terminal, markdown, json, jsonl, csv, parquet, html, svg

`engines` run the first half, `commands` are the command line. Modules import downwards only:

    commands
    writers
    report
    analysis
    run
    engines
    selection | summaries
    turns | readers | sources
    records | blocks | metrics | notes
    errors | units

In Python:

    run = turnlat.load("agent.jsonl")
    run.turns, run.latency, run.transcriptions, run.tools, run.usage    # polars frames
    run.ledger
    run.save("agent.parquet")                                # loads wherever a log can
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from turnlat.errors import InputError as InputError
    from turnlat.errors import TurnlatError as TurnlatError
    from turnlat.errors import UsageError as UsageError
    from turnlat.run import Run as Run
    from turnlat.run import load as load
    from turnlat.selection import Selection as Selection

__version__ = "0.1.0"

_PUBLIC = {
    "InputError": "turnlat.errors",
    "Run": "turnlat.run",
    "Selection": "turnlat.selection",
    "TurnlatError": "turnlat.errors",
    "UsageError": "turnlat.errors",
    "load": "turnlat.run",
}

__all__ = [*_PUBLIC, "__version__"]  # noqa: PLE0604


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: `turnlat --help` needs none of them."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'turnlat' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)
