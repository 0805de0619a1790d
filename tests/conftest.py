"""Where the tests find their logs, and how they run the command line."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

settings.register_profile("local", deadline=None)
settings.register_profile("ci", settings.get_profile("local"), derandomize=True)
"""CI repeats the same examples, so that a failure is the change's; a developer's run explores."""
settings.load_profile("ci" if os.environ.get("CI") else "local")

TESTS = Path(__file__).parent
sys.path.insert(0, str(TESTS / "support"))


@dataclass(frozen=True)
class Finished:
    """What a run of the command line left behind."""

    exit: int
    stdout: str
    stderr: str


@pytest.fixture
def turnlat() -> Callable[..., Finished]:
    """Run `turnlat` as a user would, in a process of its own."""

    def run(*args: object, cwd: Path | None = None, stdin: bytes = b"", **env: str) -> Finished:
        environment = {k: v for k, v in os.environ.items() if k not in ("COLUMNS", "NO_COLOR")}
        environment |= {"COLUMNS": "100", "PYTHONUTF8": "1"} | env
        done = subprocess.run(
            [sys.executable, "-m", "turnlat", *map(str, args)],
            cwd=cwd,
            input=stdin,
            env=environment,
            capture_output=True,
            check=False,
            timeout=120,
        )
        return Finished(done.returncode, done.stdout.decode(), done.stderr.decode())

    return run
