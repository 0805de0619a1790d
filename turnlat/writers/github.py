"""GitHub Actions: annotations, which a job writes as commands among its output."""

from __future__ import annotations

from turnlat.report import Case, Report
from turnlat.writers import Page

_LEVELS = {"failed": "error", "not judged": "error", "inconclusive": "warning"}


def write(report: Report, page: Page) -> bytes:  # noqa: ARG001
    """One command for each rule that did not pass; its first place is where it points to."""
    lines = [_command(case) for case in report.cases if case.verdict in _LEVELS]
    return "".join(f"{line}\n" for line in lines).encode()


def _command(case: Case) -> str:
    title = f"turnlat: {case.rule} {case.verdict}"
    where = dict(zip(("file", "line"), case.first or (), strict=False)) | {"title": title}
    properties = ",".join(f"{name}={_property(str(value))}" for name, value in where.items())
    message = "\n".join([case.sentence, *case.places])
    return f"::{_LEVELS[case.verdict]} {properties}::{_message(message)}"


def _message(text: str) -> str:
    """As GitHub's toolkit escapes the data of a command."""
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _message(text).replace(":", "%3A").replace(",", "%2C")
