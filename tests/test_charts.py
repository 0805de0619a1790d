"""Charts in a real browser: the last one asked for is drawn, and nothing of one is cut off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import chromium, open_page
from playwright.sync_api import Browser

import turnlat as package
from turnlat import writers
from turnlat.report import analysis
from turnlat.run import Run

ROOT = Path(__file__).parent.parent


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def write(run: Run, path: Path) -> Path:
    path.write_bytes(writers.WRITERS["html"].write(analysis.report(run), writers.Page()))
    return path


SLOW_AT_FIRST = """() => {
    const embed = window.vegaEmbed;
    window.calls = 0;
    window.vegaEmbed = async (...given) => {
        const first = window.calls++ === 0;
        if (first) await new Promise((go) => setTimeout(go, 400));
        return await embed(...given);
    };
}"""
CHOOSE = """numbers => {
    const picker = document.querySelector("[data-choice=waterfall]");
    for (const number of numbers) {
        picker.value = number;
        picker.dispatchEvent(new Event("change"));
    }
}"""


def test_of_sessions_chosen_in_quick_succession_the_last_is_drawn(
    browser: Browser, tmp_path: Path
) -> None:
    run = package.load(ROOT / "sample_logs/normal.jsonl")
    opened = open_page(browser, write(run, tmp_path / "page.html"))
    opened.page.select_option("[data-choice=waterfall]", index=5)
    opened.page.wait_for_selector("[data-figure=waterfall][data-drawn='5']")
    expected = opened.page.inner_html("[data-figure=waterfall]")
    opened.page.select_option("[data-choice=waterfall]", index=0)
    opened.page.wait_for_selector("[data-figure=waterfall][data-drawn='0']")
    assert opened.page.inner_html("[data-figure=waterfall]") != expected
    opened(SLOW_AT_FIRST)
    opened(CHOOSE, [2, 3])
    opened.page.wait_for_timeout(100)
    opened(CHOOSE, [4, 5])
    opened.page.wait_for_selector("[data-figure=waterfall][data-drawn='5']")
    opened.page.wait_for_timeout(600)
    assert opened.page.inner_html("[data-figure=waterfall]") == expected
    assert opened.count("[data-figure=waterfall] svg") == 1
    assert opened("window.calls") == 2
    assert opened.is_quiet()


def test_a_drawing_that_failed_stops_no_other(browser: Browser, tmp_path: Path) -> None:
    run = package.load(ROOT / "sample_logs/three_jobs.jsonl")
    opened = open_page(browser, write(run, tmp_path / "page.html"))
    opened("() => { window.embed = vegaEmbed; window.vegaEmbed = () => Promise.reject('no'); }")
    opened(CHOOSE, [1])
    opened.page.wait_for_timeout(100)
    assert opened.said == ["no"]
    opened("() => { window.vegaEmbed = window.embed; }")
    opened(CHOOSE, [2])
    opened.page.wait_for_selector("[data-figure=waterfall][data-drawn='2']")
    assert opened.count("[data-figure=waterfall] svg") == 1
