"""Expected texts that `TURNLAT_UPDATE=1` rewrites; a person reads the difference."""

from __future__ import annotations

import os
from pathlib import Path

UPDATING = bool(os.environ.get("TURNLAT_UPDATE"))


def check(path: Path, text: str) -> None:
    if UPDATING:
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")
