"""The output at several widths: goldens for the layout, and what must hold at any width."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path

import orjson
import polars as pl
import pyte
import pytest
from golden import check
from hypothesis import given
from hypothesis import strategies as st
from logs import eou, llm, stt, tts, write_log
from rich.cells import cell_len

from turnlat import load
from turnlat.report import Report, analysis
from turnlat.turns.table import TIME
from turnlat.writers import WRITERS, Page, json, jsonl

ROOT = Path(__file__).parent.parent
GOLDEN = Path(__file__).parent / "golden"
SAMPLES = ("hook", "three_jobs")
TABLES = ("turns", "latency", "transcriptions", "tools", "usage", "ledger")


@pytest.mark.parametrize("width", [80, 120, 200])
@pytest.mark.parametrize("sample", SAMPLES)
def test_analyze_looks_as_it_did(turnlat: Callable, sample: str, width: int) -> None:
    log = f"sample_logs/{sample}.jsonl"
    done = turnlat("analyze", log, cwd=ROOT, COLUMNS=str(width))
    assert (done.exit, done.stderr) == (0, "")
    check(GOLDEN / f"analyze_{sample}_{width}.txt", done.stdout)


@pytest.mark.parametrize("name", TABLES)
def test_a_picked_table_looks_as_it_did(turnlat: Callable, name: str) -> None:
    done = turnlat("analyze", "sample_logs/three_jobs.jsonl", "--table", name, cwd=ROOT)
    check(GOLDEN / f"table_{name}.txt", done.stdout)


def test_markdown_looks_as_it_did(turnlat: Callable) -> None:
    done = turnlat("analyze", "sample_logs/hook.jsonl", "--format", "markdown", cwd=ROOT)
    check(GOLDEN / "analyze_hook.md", done.stdout)


@pytest.mark.parametrize("width", [60, 80, 120, 200])
@pytest.mark.parametrize("sample", SAMPLES)
def test_no_line_is_wider_than_the_page(turnlat: Callable, sample: str, width: int) -> None:
    log = f"sample_logs/{sample}.jsonl"
    shown = turnlat("analyze", log, cwd=ROOT, COLUMNS=str(width)).stdout
    assert max(map(cell_len, shown.splitlines())) <= width
    for name in TABLES:
        shown = turnlat("analyze", log, "--table", name, cwd=ROOT, COLUMNS=str(width)).stdout
        assert max(map(cell_len, shown.splitlines())) <= width


@pytest.mark.parametrize("width", [80, 120, 200])
def test_long_names_and_large_numbers_are_not_cut(
    turnlat: Callable, tmp_path: Path, width: int
) -> None:
    job = {"job_id": "AJ_" + "长" * 40, "room": "r" * 80}
    records = [eou("a", 0, 401.0), llm("a", 12_345.0), tts("a", 12_346.0), stt(1, 76_543.2)]
    log = write_log(tmp_path / ("x" * 60 + ".jsonl"), [record | job for record in records])
    shown = turnlat("analyze", log, COLUMNS=str(width)).stdout
    assert max(map(cell_len, shown.splitlines())) <= width
    wait = re.search(r"^e2e_latency +(.*)$", shown, re.MULTILINE)
    assert wait
    assert "12,747,200" in wait[1]
    assert "76,543.2 s" in shown
    assert ".jsonl:1" in shown


def test_colours_change_no_text() -> None:
    report = analysis.report(load(ROOT / "sample_logs/hook.jsonl"))
    coloured = WRITERS["table"].write(report, Page(width=100, colour=True)).decode()
    screen = pyte.Screen(100, 60)
    pyte.Stream(screen).feed(coloured.replace("\n", "\r\n"))
    plain = WRITERS["table"].write(report, Page(width=100)).decode()
    shown = "\n".join(line.rstrip() for line in screen.display).rstrip()
    assert re.sub(r"[█teocLTsVr]+", "", shown) == re.sub(r"[█teocLTsVr]+", "", plain.rstrip())
    row = next(i for i, line in enumerate(screen.display) if line.startswith("2,583"))
    colours = {screen.buffer[row][x].fg for x in range(100) if screen.buffer[row][x].data == "█"}
    assert len(colours) >= 5


ROW = st.tuples(
    st.none() | st.text(),
    st.none() | st.floats(),
    st.none()
    | st.datetimes(datetime(1970, 1, 1), datetime(2200, 1, 1), timezones=st.just(timezone.utc)),  # noqa: DTZ001
    st.lists(st.text(), max_size=2),
)


@given(st.lists(ROW, max_size=5))
def test_a_table_in_json_is_its_rows(rows: list[tuple[object, ...]]) -> None:
    schema = {"text": pl.String, "seconds": pl.Float64, "at": TIME, "notes": pl.List(pl.String)}
    table = pl.DataFrame(rows, schema=schema, orient="row")
    expected = [orjson.dumps(row, option=orjson.OPT_UTC_Z) for row in table.to_dicts()]
    report = Report([], [], [], table, {"rows": table})
    assert jsonl.write(report, Page(80)).splitlines() == expected
    assert orjson.loads(json.write(report, Page(80))) == {"rows": list(map(orjson.loads, expected))}
