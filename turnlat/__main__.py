"""The entry point: runs the command line and turns errors into exit codes."""

from __future__ import annotations

import sys


def main() -> None:
    """Run `turnlat` and exit with its code."""
    from turnlat.commands import run  # noqa: PLC0415  # the import is what --help waits for

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
