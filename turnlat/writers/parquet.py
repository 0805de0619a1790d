"""Parquet: the saved run, which loads wherever a log can."""

from __future__ import annotations

from turnlat.errors import UsageError
from turnlat.report import Report
from turnlat.writers import Page


def write(report: Report, page: Page) -> bytes:  # noqa: ARG001
    """The turn table, with the rest of the run in the file's metadata.

    Raises `UsageError` where the report is not of one run.
    """
    if report.saved is None:
        raise UsageError(
            "-o: a .parquet file holds one run, and this is no report of one",
            hint="turnlat analyze saves runs; other suffixes hold this report",
        )
    return report.saved.to_parquet()
