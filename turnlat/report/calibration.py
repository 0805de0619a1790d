"""The report of a calibration: how often each rule cries wolf on a run, and what it catches."""

from __future__ import annotations

from dataclasses import asdict

import polars as pl

from turnlat.analysis.calibration import Calibration
from turnlat.report import Column, Report, Table

SCHEMA = "turnlat/calibration/1"

_RULES = (
    Column("a build is worse if", "name"),
    Column("false alarms", "percent"),
    Column("interval", "percents", 1),
    Column("catches from", "growth"),
)


def report(calibration: Calibration) -> Report:
    """What `turnlat compare --calibrate` shows."""
    rules = [
        (rule.name, rule.false_alarms, (rule.low, rule.high), rule.smallest)
        for rule in calibration.rules
    ]
    early, late = calibration.sessions
    headline = (
        f"{calibration.run}: {calibration.turns:,} turns split {calibration.splits} times into "
        f"{early:,} and {late:,} sessions, by {calibration.wait}"
    )
    title = "how often a rule calls one half worse, and what it would catch"
    return Report(
        [headline],
        [Table("rules", title, _RULES, rules)],
        list(calibration.notes),
        pl.DataFrame([asdict(rule) for rule in calibration.rules], infer_schema_length=None),
        {"schema": SCHEMA} | asdict(calibration),
    )
