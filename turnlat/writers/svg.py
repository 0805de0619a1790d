"""SVG: the distribution of the wait and its components, for a slide or a pull request."""

from __future__ import annotations

from turnlat.report import Report
from turnlat.writers import Page
from turnlat.writers.html import pictures


def write(report: Report, page: Page) -> bytes:  # noqa: ARG001
    """The figures that a picture has room for; its colours and fonts need nothing from outside."""
    headline = report.headline[0] if report.headline else ""
    return pictures.svg(headline, report.exhibits().figures)
