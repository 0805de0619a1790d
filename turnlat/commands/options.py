"""Options that several commands have."""

from __future__ import annotations

from enum import Enum
from typing import Annotated

import typer


class FormatName(str, Enum):
    """The formats that stdout can have."""

    table = "table"
    markdown = "markdown"
    json = "json"
    jsonl = "jsonl"
    csv = "csv"


class OnErrors(str, Enum):
    """What to do about input that cannot be read."""

    skip = "skip"
    warn = "warn"
    fail = "fail"


Format = Annotated[FormatName, typer.Option("--format", help="How stdout is written.")]

Outputs = Annotated[
    list[str] | None,
    typer.Option(
        "--output",
        "-o",
        metavar="FILE",
        help="Also write this file (.csv .parquet .json .jsonl .md .html .svg); repeatable.",
        show_default=False,
    ),
]

Keep = Annotated[
    list[str] | None,
    typer.Option(
        metavar="FIELD",
        help="Take a field of the log lines over into the turn table; repeatable.",
        show_default=False,
    ),
]

Unwrap = Annotated[
    str | None,
    typer.Option(
        metavar="FIELD",
        help="The field of a JSON envelope around each line that holds the line.",
        show_default=False,
    ),
]

Since = Annotated[
    str | None,
    typer.Option(
        metavar="TIME",
        help="Turns from then on: 2026-11-22, 2026-11-22T07:20Z, -3h, today, yesterday.",
        show_default=False,
    ),
]

Until = Annotated[
    str | None, typer.Option(metavar="TIME", help="Turns before then.", show_default=False)
]

Sessions = Annotated[
    list[str] | None,
    typer.Option(
        help="Turns of this session, * standing for anything; repeatable.", show_default=False
    ),
]

Models = Annotated[
    list[str] | None,
    typer.Option(
        help="Turns with this LLM, TTS or STT, * standing for anything; repeatable.",
        show_default=False,
    ),
]

Where = Annotated[
    str | None,
    typer.Option(
        metavar="SQL",
        help="Turns that fulfil a condition over the columns, such as 'e2e_latency > 2'.",
        show_default=False,
    ),
]

Errors = Annotated[
    OnErrors, typer.Option(help="What a line or an archive that cannot be read does.")
]

Jobs = Annotated[
    int,
    typer.Option(
        "--jobs",
        "-j",
        min=0,
        help="How many processes read files of 50 MB and more; 0 is one for each core.",
    ),
]

PairBy = Annotated[
    str | None,
    typer.Option(
        metavar="COLUMN",
        help="Both runs replay the same scripts: match sessions by this column, such as room.",
        show_default=False,
    ),
]

Total = Annotated[
    str | None,
    typer.Option(
        metavar="NAMES",
        help="What total_latency adds up, such as eou_delay+llm_ttft+tts_ttfb.",
        show_default=False,
    ),
]

Force = Annotated[bool, typer.Option("--force", help="Replace existing output files.")]

NoColor = Annotated[bool, typer.Option("--no-color", help="No colours.")]
