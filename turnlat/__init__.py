"""turnlat reads the metric logs of LiveKit voice agents and tells how long users waited, and why.

     paths      ──sources───▶  Block       bytes of whole lines, from files, folders, stdin
     blocks     ──readers───▶  Records     one typed frame per kind of record, the tally of lines
     records    ──turns─────▶  Turns       one row per turn, and the ledger
                ──summaries─▶  Run         + transcriptions, tools, usage, latency statistics, notes
     runs       ──analysis──▶  Comparison  verdicts, where the change comes from
     results    ──report────▶  Report      what to show: tables and figures of raw values, notes
     report     ──writers───▶  bytes       terminal, markdown, json, jsonl, csv, parquet, html, svg

A log that grows goes the same way a look at a time: `following` reads, `live` keeps the turns.
`engines` run the first half, `commands` are the command line, `hook` runs inside the agent and
writes such a log. Modules import downwards only:

    commands | gate
    writers
    report
    analysis
    live | conversation
    run
    engines
    selection | summaries | reading | following
    turns | readers | sources
    records | blocks | metrics | notes
    frames | tally
    columns | archives
    errors | units | hook

In Python:

    run = turnlat.load("agent.jsonl")
    run.turns, run.latency, run.transcriptions, run.tools, run.usage    # polars frames
    run.ledger
    run.save("agent.parquet")                                # loads wherever a log can
    turnlat.compare(turnlat.load("before.jsonl"), run).verdict
    turnlat.assert_limits(run, "e2e_latency.p95 < 1.5s")     # for pytest
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from turnlat.analysis.comparison import compare as compare
    from turnlat.analysis.results import Comparison as Comparison
    from turnlat.analysis.verdicts import Gate as Gate
    from turnlat.analysis.verdicts import Margin as Margin
    from turnlat.errors import InputError as InputError
    from turnlat.errors import NotComparableError as NotComparableError
    from turnlat.errors import TurnlatError as TurnlatError
    from turnlat.errors import UsageError as UsageError
    from turnlat.gate import assert_limits as assert_limits
    from turnlat.gate import check as check
    from turnlat.run import Run as Run
    from turnlat.run import load as load
    from turnlat.selection import Selection as Selection

__version__ = "0.1.0"

_PUBLIC = {
    "Comparison": "turnlat.analysis.results",
    "Gate": "turnlat.analysis.verdicts",
    "InputError": "turnlat.errors",
    "Margin": "turnlat.analysis.verdicts",
    "NotComparableError": "turnlat.errors",
    "Run": "turnlat.run",
    "Selection": "turnlat.selection",
    "TurnlatError": "turnlat.errors",
    "UsageError": "turnlat.errors",
    "assert_limits": "turnlat.gate",
    "check": "turnlat.gate",
    "compare": "turnlat.analysis.comparison",
    "load": "turnlat.run",
}

__all__ = [*_PUBLIC, "__version__"]  # noqa: PLE0604


def __getattr__(name: str) -> object:
    """Import a public name when it is first used: `turnlat --help` needs none of them."""
    if name not in _PUBLIC:
        raise AttributeError(f"module 'turnlat' has no attribute {name!r}")
    return getattr(importlib.import_module(_PUBLIC[name]), name)
