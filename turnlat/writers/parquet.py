"""Parquet: the saved run, which loads wherever a log can."""

from __future__ import annotations

from turnlat.report import Report
from turnlat.writers import Page


def write(report: Report, page: Page) -> bytes:  # noqa: ARG001
    """The turn table, with the rest of the run in the file's metadata."""
    if report.saved is None:
        raise ValueError("Parquet is for reports of one run")
    return report.saved.to_parquet()
