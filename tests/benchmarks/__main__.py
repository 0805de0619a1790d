"""Turnlat beside its rivals: `python -m tests.benchmarks [--sizes 260,1000] [--rounds 3]`.

Whole processes on the same log in turn, A B A B …; medians, ratios and peak memory (Linux).
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from pathlib import Path

from tests.benchmarks.logs import Plan, write
from tests.benchmarks.rivals import PERCENTILES, RIVALS, percentiles
from tests.benchmarks.sessions import SHAPES

METRIC = {"hook": "e2e_latency", "production": "total_latency"}
TOLERANCE = {"hook": 2e-6, "production": 0.011}
"""Seconds: a float of Unix time, and what `log_metrics` rounds away."""

SAME = 2e-6
"""Seconds between the answers of two tools to one log."""

INSTALLED = Path(sysconfig.get_path("scripts"), "turnlat")
ENVIRONMENT = {name: os.environ[name] for name in os.environ if name != "PYTHONDONTWRITEBYTECODE"}
"""Tools run as users have them: compiled once, not at each start."""


def hold(tool: str, found: dict[str, float], wanted: dict[str, float], tolerance: float) -> None:
    """End the benchmark where a tool gives other percentiles: it is no rival then."""
    for name in PERCENTILES:
        if name not in found or abs(found[name] - wanted[name]) > tolerance:
            raise SystemExit(f"{tool}: {name} is {found.get(name)}, not {wanted[name]}")


def command(tool: str, shape: str, log: Path) -> list[str]:
    """The command line of a tool."""
    if tool == "turnlat":
        options = ["--format", "json", "--table", "latency"]
        return [str(INSTALLED), "analyze", str(log), *options]
    return [sys.executable, "-m", "tests.benchmarks.rivals", tool, shape, str(log)]


def timed(words: list[str]) -> tuple[float, bytes]:
    """Seconds of a whole process, and what it printed."""
    start = time.perf_counter()
    done = subprocess.run(words, capture_output=True, check=True, env=ENVIRONMENT)
    return time.perf_counter() - start, done.stdout


def told(tool: str, shape: str, output: bytes) -> dict[str, float]:
    """The percentiles that a tool printed."""
    found = json.loads(output)
    if tool == "turnlat":
        rows = {row["metric"]: row for row in found["latency"]}
        return {name: rows[METRIC[shape]][name] for name in PERCENTILES}
    return dict(found)


def peak(words: list[str]) -> float:
    """The most memory that a process and its children had at one time, in MB (PSS)."""
    process, most = subprocess.Popen(words, stdout=subprocess.DEVNULL, env=ENVIRONMENT), 0.0
    while process.poll() is None:
        most = max(most, sum(map(_pss, _family(process.pid))))
        time.sleep(0.02)
    return most / 1000


def _family(pid: int) -> list[int]:
    try:
        tasks = Path(f"/proc/{pid}/task").glob("*/children")
        children = [child for task in tasks for child in task.read_text().split()]
    except OSError:
        return []
    return [pid, *(each for child in children for each in _family(int(child)))]


def _pss(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0.0
    return next((float(line.split()[1]) for line in lines if line.startswith("Pss:")), 0.0)


def compare(shape: str, megabytes: int, rounds: int, folder: Path) -> None:
    """Print the table of one log."""
    log = folder / f"{shape}-{megabytes}.jsonl"
    truth = percentiles(write(log, Plan(shape, megabytes * 1_000_000)).waits)
    os.sync()  # nobody is to write it to the disk while tools are timed
    tools = ["turnlat", *RIVALS]
    seconds: dict[str, list[float]] = {tool: [] for tool in tools}
    for _ in range(rounds):
        for tool in tools:
            took, output = timed(command(tool, shape, log))
            seconds[tool].append(took)
            if tool == "turnlat":
                own_answer = told(tool, shape, output)
                hold(tool, own_answer, truth, TOLERANCE[shape])
            elif tool != "read":
                hold(tool, told(tool, shape, output), own_answer, SAME)
    own = statistics.median(seconds["turnlat"])
    rows = [
        "",
        f"| {shape}, {megabytes} MB | s | MB/s | turnlat is | peak, MB |",
        "|---|--:|--:|--:|--:|",
    ]
    for tool in tools:
        median = statistics.median(seconds[tool])
        memory = peak(command(tool, shape, log))
        speed, ratio = f"{megabytes / median:,.0f}", f"{median / own:.2f}×"
        rows.append(f"| {tool} | {median:.2f} | {speed} | {ratio} | {memory:,.0f} |")
    sys.stdout.write("\n".join(rows) + "\n")
    log.unlink()


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks", description=__doc__)
    parser.add_argument("--sizes", default="260,1000", help="megabytes of the logs")
    parser.add_argument("--shapes", default=",".join(SHAPES))
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        for shape in options.shapes.split(","):
            for size in options.sizes.split(","):
                compare(shape, int(size), options.rounds, Path(folder))


if __name__ == "__main__":
    main()
