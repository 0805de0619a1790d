"""End-to-end cases: each file in `cases/` is one run of the command line, named for its point."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from golden import UPDATING

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

CASES = sorted((Path(__file__).parent / "cases").glob("*.toml"))
KEYS = {"about", "args", "input", "files", "env", "stdin", "stdout", "stderr", "exit", "absent"}


@pytest.mark.parametrize("path", CASES, ids=lambda path: path.stem)
def test_case(path: Path, turnlat: Callable, tmp_path: Path) -> None:
    case = tomllib.loads(path.read_text(encoding="utf-8"))
    assert set(case) <= KEYS
    assert case["about"]
    files = case.get("files", {}) | ({"agent.log": case["input"]} if "input" in case else {})
    for name, content in files.items():
        (tmp_path / name).write_text(content, encoding="utf-8")
    stdin = case.get("stdin", "").encode()
    done = turnlat(*case["args"], cwd=tmp_path, stdin=stdin, **case.get("env", {}))
    if UPDATING and case.get("stdout"):
        text = path.read_text(encoding="utf-8").replace(case["stdout"], done.stdout)
        path.write_text(text, encoding="utf-8")
        return
    assert done.stdout == case.get("stdout", "")
    assert done.stderr == case.get("stderr", "")
    assert done.exit == case["exit"]
    for name in case.get("absent", []):
        assert not (tmp_path / name).exists()
