"""Reports become bytes: the registry of outputs.

To add an output: a module with a `write` function, and its line in `WRITERS`.
"""

from __future__ import annotations

import importlib.util
from collections.abc import Callable
from typing import NamedTuple, cast

from turnlat.errors import UsageError
from turnlat.report import Report


class Page(NamedTuple):
    """What a report is shown on."""

    width: int = 80
    colour: bool = False
    unicode: bool = True


class Output(NamedTuple):
    """One output: the name for `--format`, the file suffix, and the module that writes it."""

    name: str
    suffix: str | None
    module: str
    about: str
    reports: tuple[str, ...] = ("analysis", "check", "comparison", "calibration")
    """The reports that have what it writes."""
    extra: str | None = None
    """The extra of turnlat that it needs."""

    def write(self, report: Report, page: Page) -> bytes:
        """The report in this output's form."""
        module = importlib.import_module(f"turnlat.writers.{self.module}")
        return cast("Callable[[Report, Page], bytes]", module.write)(report, page)


PICTURED = ("analysis", "check", "comparison")

WRITERS = {
    writer.name: writer
    for writer in (
        Output("table", None, "terminal", "tables for a terminal"),
        Output("markdown", ".md", "markdown", "the same tables in Markdown"),
        Output("json", ".json", "json", "one object, which names its schema"),
        Output("jsonl", ".jsonl", "jsonl", "one table, a JSON object per row"),
        Output("csv", ".csv", "csv", "one table, durations in seconds"),
        Output("junit", ".xml", "junit", "a test case per rule", ("check",)),
        Output("github", None, "github", "annotations per rule", ("check",)),
        Output(
            "parquet",
            ".parquet",
            "parquet",
            "the whole run, loads wherever a log can",
            ("analysis",),
        ),
        Output("html", ".html", "html", "a page with charts", PICTURED, "report"),
        Output("svg", ".svg", "svg", "waits and components as a picture", PICTURED, "report"),
    )
}

EXTRAS = {"report": ("altair", "vl_convert")}
"""The modules that an extra of turnlat brings."""


def for_file(path: str, report: str) -> Output:
    """The output of a kind of report that a file's suffix asks for.

    Raises `UsageError` where none has it, and where what it needs is not installed.
    """
    known = [writer for writer in WRITERS.values() if writer.suffix and report in writer.reports]
    for writer in known:
        if writer.suffix and path.endswith(writer.suffix):
            _check_installed(path, writer)
            return writer
    suffixes = ", ".join(writer.suffix or "" for writer in known)
    raise UsageError(f"-o {path}: no output has this suffix", hint=f"suffixes are {suffixes}")


def has_extra(name: str) -> bool:
    """Whether the modules of an extra are there; it loads none of them."""
    return all(importlib.util.find_spec(module) for module in EXTRAS[name])


def _check_installed(path: str, writer: Output) -> None:
    if writer.extra and not has_extra(writer.extra):
        needed = " and ".join(EXTRAS[writer.extra])
        raise UsageError(
            f"-o {path}: it needs {needed}, which are not installed",
            hint=f"pip install 'turnlat[{writer.extra}]'",
        )
