"""How fast a page opens: `python -m tests.benchmarks.page [--turns 10000,100000] [--rounds 3]`.

Times are of headless Chromium: until the first paint, and until the last chart is drawn.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
import time
from pathlib import Path

import turnlat
from turnlat.report import analysis
from turnlat.writers import WRITERS, Page

ROOT = Path(__file__).parent.parent.parent
sys.path.insert(0, str(ROOT / "tests/support"))

from browser import chromium, open_page  # noqa: E402
from crowds import repeated  # noqa: E402

PAINT = "performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? NaN"
NOW = "performance.now()"


def main() -> None:
    """Print a line for each number of turns."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--turns", default="10000,100000")
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args()
    print("turns    written  size     first paint  all drawn")  # noqa: T201
    for turns in map(int, options.turns.split(",")):
        print(measure(turns, options.rounds), flush=True)  # noqa: T201


def measure(turns: int, rounds: int) -> str:
    """Write the page of that many turns, open it `rounds` times, and tell the medians."""
    run = repeated(turnlat.load(ROOT / "sample_logs/hook.jsonl"), turns)
    start = time.perf_counter()
    content = WRITERS["html"].write(analysis.report(run), Page())
    written = time.perf_counter() - start
    times = opened(content, rounds)
    paint, drawn = (statistics.median(column) / 1000 for column in zip(*times, strict=True))
    size = f"{len(content) / 1e6:.1f} MB"
    return f"{turns:<8,} {written:>5.1f} s  {size:<8} {paint:>9.2f} s {drawn:>9.2f} s"


def opened(content: bytes, rounds: int) -> list[tuple[float, float]]:
    """Milliseconds until the first paint and until all is drawn, of each opening."""
    with tempfile.TemporaryDirectory() as folder, chromium() as browser:
        path = Path(folder) / "page.html"
        path.write_bytes(content)
        pages = (open_page(browser, path) for _ in range(rounds))
        return [(page(PAINT), page(NOW)) for page in pages]


if __name__ == "__main__":
    main()
