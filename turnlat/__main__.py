"""The entry point: runs the command line and turns errors into exit codes."""

from __future__ import annotations

import gc
import os
import sys

LIVES_ON = 100_000
"""So many new objects are worth a search for garbage: what imports make lives to the end."""


def main() -> None:
    """Run `turnlat` and exit with its code."""
    gc.set_threshold(LIVES_ON)
    from turnlat.commands import run  # noqa: PLC0415  # the import is what --help waits for

    code = run(sys.argv[1:])
    try:
        for stream in filter(None, (sys.stdout, sys.stderr)):
            stream.flush()
    except OSError:
        sys.exit(code)
    # Taking down polars' modules one by one takes longer than to read a small log.
    os._exit(code)


if __name__ == "__main__":
    main()
