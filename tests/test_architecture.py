"""The picture in `turnlat/__init__.py` holds: who imports whom, and who owns which library."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import turnlat

PACKAGE = Path(turnlat.__file__).parent

OWNERS = {
    "typer": {"turnlat.commands"},
    "rich": {f"turnlat.writers.{name}" for name in ("drawing", "terminal", "live", "timeline")},
    "scipy": {"turnlat.analysis.statistics"},
    "orjson": {"turnlat.readers", "turnlat.writers", "turnlat.run"},
    "msgspec": {"turnlat.readers", "turnlat.writers", "turnlat.records"},
    "dask": {"turnlat.engines.dask"},
    "altair": {"turnlat.writers.html"},
    "vl_convert": {"turnlat.writers.html"},
}
"""`run` writes and reads the JSON in a saved run's metadata; `records` are msgspec structs."""


def rows() -> list[set[str]]:
    """The rows of the picture, the highest first."""
    drawn = (turnlat.__doc__ or "").split("Modules import downwards only:")[1]
    lines = [line.strip() for line in drawn.split("In Python:")[0].splitlines()]
    return [set(line.split(" | ")) for line in lines if line]


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def name_of(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(part for part in parts if part != "__init__")


def imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


def part(name: str) -> str | None:
    """The package's part that a module belongs to: its first name below `turnlat`."""
    pieces = name.split(".")
    return pieces[1] if pieces[0] == "turnlat" and len(pieces) > 1 else None


LEVEL = {name: level for level, row in enumerate(rows()) for name in row}


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_every_part_is_in_the_picture(path: Path) -> None:
    own = part(name_of(path))
    assert own in {None, "__main__", *LEVEL}


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_modules_import_downwards_only(path: Path) -> None:
    own = part(name_of(path))
    if own not in LEVEL:
        return
    for imported in imports(path):
        other = part(imported)
        if other in LEVEL and other != own:
            assert LEVEL[other] > LEVEL[own], f"{name_of(path)} imports {imported}"


@pytest.mark.parametrize("path", modules(), ids=name_of)
def test_libraries_have_owners(path: Path) -> None:
    name = name_of(path)
    for imported in imports(path):
        owners = OWNERS.get(imported.split(".")[0])
        if owners is not None:
            assert any(name == o or name.startswith(f"{o}.") for o in owners), imported


def test_the_hook_imports_nothing_of_the_package() -> None:
    assert [name for name in imports(PACKAGE / "hook.py") if name.startswith("turnlat")] == []


def loaded_by(code: str) -> set[str]:
    """The top-level modules that running `code` leaves loaded."""
    listing = f"{code}\nimport sys; print(*{{name.split('.')[0] for name in sys.modules}})"
    done = subprocess.run(
        [sys.executable, "-c", listing], capture_output=True, text=True, check=True
    )
    return set(done.stdout.splitlines()[-1].split())


def test_help_loads_no_polars() -> None:
    loaded = loaded_by("from turnlat.commands import run; run(['analyze', '--help'])")
    assert loaded & {"polars", "numpy", "scipy", "orjson"} == set()


def test_analyze_loads_only_what_it_needs() -> None:
    log = PACKAGE.parent / "sample_logs/hook.jsonl"
    loaded = loaded_by(f"from turnlat.commands import run; run(['analyze', {str(log)!r}])")
    assert "polars" in loaded
    assert loaded & {"numpy", "scipy", "pydantic"} == set()
    assert loaded & {"isal", "backports"} == set()  # it is no archive


def test_importing_the_package_loads_nothing_heavy() -> None:
    assert loaded_by("import turnlat") & {"polars", "typer", "rich", "orjson"} == set()
