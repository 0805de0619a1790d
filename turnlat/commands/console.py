"""What commands say on stderr, and what they know of the terminal they write to."""

from __future__ import annotations

import os
import shutil
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress

from turnlat.errors import OutputError


class ReaderGoneError(Exception):
    """Whoever read stdout has left, as `| head` does: nothing is wrong."""


def write(content: bytes) -> None:
    """Write UTF-8 to stdout, in the encoding that stdout has.

    Raises `ReaderGoneError` where nobody reads on, and `OutputError` where it cannot be written.
    """
    if sys.stdout is None:
        raise OutputError("stdout is closed", hint="-o FILE writes a file")
    if (sys.stdout.encoding or "utf-8").lower() not in ("utf-8", "utf8"):
        content = content.decode().encode(sys.stdout.encoding, errors="backslashreplace")
    try:
        sys.stdout.buffer.write(content)
        sys.stdout.buffer.flush()
    except BrokenPipeError as error:
        # The interpreter flushes stdout once more at its end, which must not fail too.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise ReaderGoneError from error
    except OSError as error:
        reason = (error.strerror or str(error)).lower()
        raise OutputError(f"stdout cannot be written: {reason}") from error


def tell(content: bytes) -> None:
    """Write UTF-8 to stderr as it is: commands for the system that runs turnlat."""
    with suppress(BrokenPipeError):
        sys.stderr.buffer.write(content)
        sys.stderr.flush()


def heed_ctrl_c() -> None:
    """Let Ctrl-C end a read that waits: polars' handler makes the system resume it."""
    if hasattr(signal, "siginterrupt"):  # Windows has none
        signal.siginterrupt(signal.SIGINT, True)  # noqa: FBT003


def say(message: str, *, hint: str | None = None, detail: Sequence[str] = ()) -> None:
    """A sentence on stderr, with what it is about and what to do on lines of their own."""
    lines = [
        f"turnlat: {_visible(message)}",
        *(f"  {_visible(line)}" for line in detail),
        *([f"  hint: {_visible(hint)}"] if hint else []),
    ]
    with suppress(BrokenPipeError):  # whoever read it has left
        sys.stderr.write("\n".join(lines) + "\n")


def _visible(text: str) -> str:
    """Names and reasons may come from a log or the file system: nothing in them acts."""
    if text.isprintable():
        return text
    from turnlat.writers.cells import visible  # noqa: PLC0415  # only odd texts need it

    return visible(text)


def width() -> int:
    """The columns of the terminal, or `COLUMNS`, or 80."""
    return shutil.get_terminal_size((80, 24)).columns


def colour() -> bool:
    """Whether stdout takes colour: a terminal, and nobody said NO_COLOR."""
    return is_terminal() and not os.environ.get("NO_COLOR")


def is_terminal() -> bool:
    """Whether stdout is a terminal that can be drawn on."""
    return sys.stdout is not None and sys.stdout.isatty() and _term() != "dumb"


def unicode() -> bool:
    """Whether stdout can show block characters."""
    try:
        "█…–".encode(getattr(sys.stdout, "encoding", None) or "ascii")
    except (LookupError, UnicodeEncodeError):
        return False
    return True


def _term() -> str:
    return os.environ.get("TERM", "")
