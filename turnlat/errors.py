"""What can go wrong on the user's side, and the exit code that each kind ends with."""

from __future__ import annotations

from collections.abc import Sequence
from enum import IntEnum


class ExitCode(IntEnum):
    """How `turnlat` ends. Scripts and CI rely on these."""

    OK = 0
    """Done, or every check passed."""
    CHECK_FAILED = 1
    """A check failed; nothing else ever gives 1."""
    USAGE = 2
    """The command line, a rule or the configuration is wrong."""
    INPUT = 3
    """An input is missing, unreadable, or holds no metrics."""
    NOT_JUDGED = 4
    """A check could not be judged."""
    BUG = 70
    """A bug in turnlat."""
    INTERRUPTED = 130
    """Ctrl-C."""


class TurnlatError(Exception):
    """Something that the user can mend: what happened and where, and what to do about it."""

    exit_code = ExitCode.USAGE

    def __init__(
        self, message: str, *, hint: str | None = None, detail: Sequence[str] = ()
    ) -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint
        self.detail = detail
        """Lines between the message and the hint, such as a rule with a caret under the place."""


class UsageError(TurnlatError):
    """The command line, an argument or the configuration is wrong."""


class InputError(TurnlatError):
    """An input is missing, unreadable, or holds no metrics."""

    exit_code = ExitCode.INPUT
    rejected: Sequence[tuple[object, bytes]] = ()
    """The bad lines of an input that holds nothing else, where they were asked for."""


class NotComparableError(InputError):
    """Runs have nothing that can be held against each other."""

    exit_code = ExitCode.NOT_JUDGED


class OutputError(TurnlatError):
    """An output file cannot be written."""
