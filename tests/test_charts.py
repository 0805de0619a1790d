"""Charts in a real browser: the last one asked for is drawn, and nothing of one is cut off."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser import Opened, chromium, open_page
from logs import eou, llm, load, tts
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


def slow(folder: Path) -> Run:
    """Waits of minutes, most with several LLM calls, of models with long names."""
    records: list[dict] = []
    for number, wait in enumerate((100.0, 105.0, 110.0, 150.0, 120.0)):
        speech, at, step = f"speech_{number}", 300.0 * number, wait * 0.3
        named = {"metadata": {"model_name": f"meta-llama/Llama-3.3-70B-Instruct-Turbo-{number}"}}
        records += [
            eou(speech, at=at),
            *(llm(speech, at=at + n * step, length=1.0, **named) for n in range(1 + number % 3)),
            tts(speech, at=at + wait * 0.9, ttfb=wait * 0.1, length=wait * 0.2, **named),
        ]
    return load(folder, records)


CUT_OFF = """[...document.querySelectorAll(".chart > div")].flatMap((place) => {
    const room = place.getBoundingClientRect();
    return [...place.querySelectorAll("svg text")]
        .filter((text) => text.textContent && getComputedStyle(text).opacity > 0)
        .map((text) => [text.textContent, text.getBoundingClientRect()])
        .filter(([, box]) => box.left < room.left - 0.5 || box.right > room.right + 0.5
            || box.top < room.top - 0.5 || box.bottom > room.bottom + 0.5)
        .map(([text]) => `${place.dataset.figure}: ${text}`);
})"""
FITS = """width => [...document.querySelectorAll(".chart > div")].every(
    (place) => "drawn" in place.dataset && place.clientWidth < width
        && place.querySelector("svg").viewBox.baseVal.width === place.clientWidth)"""


def texts_cut_off(opened: Opened) -> list[str]:
    assert opened.count(".chart svg text") > 50
    found: list[str] = opened(CUT_OFF)
    return found


@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("name", ["normal", "three_jobs", "slow"])
def test_no_text_of_a_chart_is_cut_off(
    browser: Browser, tmp_path: Path, name: str, width: int
) -> None:
    run = slow(tmp_path) if name == "slow" else package.load(ROOT / f"sample_logs/{name}.jsonl")
    opened = open_page(browser, write(run, tmp_path / "page.html"), width=width)
    assert texts_cut_off(opened) == []
    assert opened.is_quiet()


def test_charts_fit_a_window_that_becomes_narrow(browser: Browser, tmp_path: Path) -> None:
    run = package.load(ROOT / "sample_logs/normal.jsonl")
    opened = open_page(browser, write(run, tmp_path / "page.html"))
    opened.page.set_viewport_size({"width": 400, "height": 500})
    opened.page.wait_for_function(FITS, arg=400)
    assert texts_cut_off(opened) == []
    assert opened.is_quiet()


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
