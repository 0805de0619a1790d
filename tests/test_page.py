"""Pages in a real browser: charts drawn, tables that work, nothing fetched, nothing injected."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import get_args
from xml.etree import ElementTree as ET

import polars as pl
import pytest
from browser import Opened, chromium, open_page
from crowds import repeated
from logs import DATA, eou, llm, load, stt, tts, write_log
from playwright.sync_api import Browser

import turnlat as package
from turnlat import writers
from turnlat.errors import UsageError
from turnlat.metrics import COMPONENTS
from turnlat.report import Exhibits, FigureKind, Report, analysis
from turnlat.report import comparison as comparisons
from turnlat.report.differences import changes, shifts
from turnlat.report.exhibits import ROWS
from turnlat.report.figures import distribution
from turnlat.run import Run
from turnlat.writers.html.charts import CHARTS

ROOT = Path(__file__).parent.parent
SAMPLES = ("hook", "three_jobs")
PREEMPTIVE = DATA / "1.2.18/preemptive/hook.jsonl"
HOSTILE = (
    "<script>window.hacked = 1</script>",
    "</script><script>window.hacked = 1</script>",
    "<img src=x onerror='window.hacked = 1'>",
    "\"'><svg onload=window.hacked=1>",
    "quote\" tick` and ' \\ $title ${window.hacked = 1}",
    "{{constructor.constructor('window.hacked = 1')()}}",
    "emoji 🦜 \u2028 \u2029 \u202e rtl",
    "x" * 10_000,
)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with chromium() as found:
        yield found


def write(run: Run, path: Path, name: str = "html") -> Path:
    path.write_bytes(writers.WRITERS[name].write(analysis.report(run), writers.Page()))
    return path


def sample(name: str) -> Run:
    return package.load(ROOT / f"sample_logs/{name}.jsonl")


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """The samples' pages, and that of a run whose generation was preemptive."""
    folder = tmp_path_factory.mktemp("pages")
    runs = {name: sample(name) for name in SAMPLES} | {"preemptive": package.load(PREEMPTIVE)}
    return {name: write(run, folder / f"{name}.html") for name, run in runs.items()}


def marks(opened: Opened, figure: str, kind: str) -> int:
    return opened.count(f"#figure-{figure} svg .mark-{kind} path[d]:not([d=''])")


@pytest.mark.parametrize("name", [*SAMPLES, "preemptive"])
def test_a_page_is_drawn_whole_without_network_or_console(
    browser: Browser, pages: dict[str, Path], name: str
) -> None:
    opened = open_page(browser, pages[name])
    assert opened.is_quiet()
    figures = opened("[...document.querySelectorAll('[data-figure]')].map(e => e.dataset.figure)")
    expected = {"distribution", "components", "waterfall"}
    assert expected <= set(figures)
    for figure in figures:
        drawn = "path[d]:not([d=''])"
        assert opened.count(f"#figure-{figure} svg [class*=mark-] {drawn}") >= 3, figure


@pytest.mark.parametrize("name", [*SAMPLES, "preemptive"])
def test_every_chart_has_the_marks_of_its_data(
    browser: Browser, pages: dict[str, Path], name: str
) -> None:
    run = package.load(PREEMPTIVE) if name == "preemptive" else sample(name)
    opened = open_page(browser, pages[name])
    for figure in analysis.report(run).exhibits().figures:
        data = figure.data
        if figure.kind == "stack":
            assert marks(opened, figure.name, "rect") == data["parts"].height + data["waits"].height
        if figure.kind == "waterfall":
            rows = sum(frame.filter(choice=0).height for frame in data.values())
            assert marks(opened, figure.name, "rect") == rows
        if figure.kind == "timeline":
            assert marks(opened, figure.name, "symbol") >= data["turns"].height
        if figure.kind == "distribution":
            symbols = data["curves"].height + data["marks"].height
            assert marks(opened, figure.name, "symbol") == symbols


BOXES = """[...document.querySelectorAll("#figure-waterfall .mark-rect path")].map(path => {
    const box = path.getBoundingClientRect();
    return [path.getAttribute("fill"), box.left, box.right, box.top];
})"""


def test_preemptive_generation_is_drawn_below_the_endpointing_that_it_overlaps(
    browser: Browser, pages: dict[str, Path]
) -> None:
    opened = open_page(browser, pages["preemptive"])
    boxes = opened(BOXES)
    by_colour = {
        name: [box for box in boxes if f"--{name})" in box[0]]
        for name in ("endpointing_delay", "llm_ttft")
    }
    run = package.load(PREEMPTIVE).turns.filter(outcome="replied")
    endpointing, thinking = by_colour["endpointing_delay"][0], by_colour["llm_ttft"][0]
    assert run["llm_offset"][0] < 0
    assert thinking[1] < endpointing[2]
    assert thinking[3] > endpointing[3]
    width = (endpointing[2] - endpointing[1]) / run["endpointing_delay"][0]
    overlap = (endpointing[2] - thinking[1]) / width
    assert overlap == pytest.approx(-run["llm_offset"][0] - run["callback_delay"][0], abs=0.01)


def test_hovering_tells_session_turn_and_place(browser: Browser, pages: dict[str, Path]) -> None:
    opened = open_page(browser, pages["hook"])
    for figure in ("components", "waterfall"):
        bar = opened.page.locator(f"#figure-{figure} .mark-rect path").last
        bar.scroll_into_view_if_needed()
        bar.hover()
        told = opened.page.locator("#vg-tooltip-element.visible").inner_text()
        assert re.search(r"turn\s+\d", told)
        assert re.search(r"first record\s+\S*hook\.jsonl:\d+", told)
        assert "session" in told


def waits(opened: Opened) -> list[str]:
    return opened.texts("#turn-table tbody td:first-child")


def test_the_turn_table_sorts_by_every_column_and_says_so(
    browser: Browser, pages: dict[str, Path]
) -> None:
    opened = open_page(browser, pages["hook"])
    assert waits(opened) == ["2,583", "2,365", "1,575", "1,542", "1,236", "–", "–"]
    heads = opened.page.locator("#turn-table thead th")
    assert heads.nth(0).get_attribute("aria-sort") == "descending"
    heads.nth(0).locator("button").press("Enter")
    assert heads.nth(0).get_attribute("aria-sort") == "ascending"
    assert waits(opened) == ["1,236", "1,542", "1,575", "2,365", "2,583", "–", "–"]
    for number in range(heads.count()):
        heads.nth(number).locator("button").click()
        sorted_by = opened.texts(f"#turn-table tbody td:nth-child({number + 1})")
        known = [text for text in sorted_by if text != "–"]
        numbers = [
            float(text.replace(",", "")) for text in known if re.fullmatch(r"-?[\d,]+", text)
        ]
        assert sorted_by == known + ["–"] * (len(sorted_by) - len(known))
        if numbers and len(numbers) == len(known):
            assert numbers == sorted(numbers, reverse=True)
        else:
            assert known == sorted(known)
        assert opened.count("#turn-table [aria-sort]") == 1


def test_the_turn_table_filters_by_text_outcome_and_wait(
    browser: Browser, pages: dict[str, Path]
) -> None:
    opened = open_page(browser, pages["hook"])
    opened.page.fill("#least", "2000")
    assert waits(opened) == ["2,583", "2,365"]
    opened.page.fill("#least", "")
    opened.page.select_option("#outcome", "silent")
    assert opened.texts("#status") == ["1–1 of 1 turns and speeches"]
    opened.page.select_option("#outcome", "")
    opened.page.fill("#search", "HOOK.jsonl:12 replied")
    opened.page.wait_for_function(
        "() => document.querySelectorAll('#turn-table tbody tr').length === 1"
    )
    assert waits(opened) == ["2,365"]
    opened.page.fill("#search", "no such thing")
    opened.page.wait_for_function(
        "() => document.querySelector('#status').textContent === 'no turn fits'"
    )
    assert opened.is_quiet()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [400, 1280])
@pytest.mark.parametrize("name", SAMPLES)
def test_nothing_sticks_out(
    browser: Browser, pages: dict[str, Path], name: str, width: int, scheme: str
) -> None:
    opened = open_page(browser, pages[name], width=width, scheme=scheme)
    root = "document.documentElement"
    assert opened(f"{root}.scrollWidth <= {root}.clientWidth")
    for box in opened(
        "[...document.querySelectorAll('.chart svg, .card, select, input')]"
        ".map(e => e.getBoundingClientRect()).map(box => [box.left, box.right])"
    ):
        assert box[0] >= 0
        assert box[1] <= width + 0.5


def luminance(colour: str) -> float:
    red, green, blue = (int(part) for part in re.findall(r"\d+", colour)[:3])
    return (0.2126 * red + 0.7152 * green + 0.0722 * blue) / 255


def test_dark_is_dark_and_paper_is_white(browser: Browser, pages: dict[str, Path]) -> None:
    opened = open_page(browser, pages["hook"], scheme="dark")
    card = "getComputedStyle(document.querySelector('.card')).backgroundColor"
    label = "getComputedStyle(document.querySelector('.chart svg .role-axis-label text')).fill"
    assert luminance(opened(card)) < 0.2
    assert luminance(opened(label)) > 0.5
    opened.page.emulate_media(media="print", color_scheme="dark")
    assert luminance(opened(card)) > 0.9
    assert luminance(opened(label)) < 0.5
    assert opened.page.pdf(format="A4").startswith(b"%PDF")


def test_what_is_drawn_is_told_too(browser: Browser, pages: dict[str, Path]) -> None:
    opened = open_page(browser, pages["hook"])
    told = opened("[...document.querySelectorAll('.chart')].map(e => [e.role, e.ariaLabel])")
    assert all(role == "img" and len(label) > 40 for role, label in told)
    assert "p50 1,575 ms, p90 2,496 ms, p95 2,539 ms" in told[0][1]
    assert opened("[...document.querySelectorAll('table')].every(t => t.caption)")
    assert opened("[...document.querySelectorAll('th')].every(th => th.scope)")
    assert opened("[...document.querySelectorAll('input, select')].every(e => e.labels.length)")
    assert opened("document.documentElement.lang") == "en"


def hostile_run(folder: Path) -> Run:
    """A turn for each hostile name, which is model, agent, session and file in one."""
    records: list[dict] = []
    for number, name in enumerate(HOSTILE):
        at, speech, named = 20.0 * number, f"speech_{number}", {"metadata": {"model_name": name}}
        job = {"job_id": name}
        records += [
            eou(speech, at=at) | job,
            llm(speech, at=at + 0.1, **named) | job,
            tts(speech, at=at + 0.9, **named) | job,
            stt(at=at, **named) | job,
        ]
    return load(folder / "<b>'bold'&amp;", records)


def test_hostile_names_are_shown_and_do_nothing(browser: Browser, tmp_path: Path) -> None:
    page = write(hostile_run(tmp_path), tmp_path / "page.html")
    opened = open_page(browser, page)
    assert opened.is_quiet()
    shown = opened.texts("#turn-table tbody tr")
    assert len(shown) == len(HOSTILE)
    everything = "\n".join(shown)
    for name in HOSTILE[:6]:
        assert name in everything
    assert "emoji 🦜 \\u2028 \\u2029 \\u202e rtl" in everything
    assert f"{'x' * 500}… (10,000 characters)" in everything
    for number in range(len(HOSTILE)):
        opened.page.select_option("[data-choice]", index=number)
        opened.page.wait_for_function(
            "n => document.querySelector('[data-figure=waterfall]').dataset.drawn == n",
            arg=str(number),
        )
        opened.page.locator("#figure-waterfall .mark-rect path").first.hover()
    for dot in opened.page.locator("#figure-models_llm_ttft .mark-symbol path").all()[:8]:
        dot.hover(force=True)
    assert opened("window.hacked") is None
    assert opened.count("main img, main script, b, [onerror], [onload]") == 0
    assert opened("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert opened.is_quiet()


def test_a_script_that_was_injected_all_the_same_would_not_run(
    browser: Browser, pages: dict[str, Path], tmp_path: Path
) -> None:
    text = pages["hook"].read_text(encoding="utf-8")
    page = tmp_path / "injected.html"
    page.write_text(text.replace("<main>", "<main><script>window.hacked = 1</script>"), "utf-8")
    opened = open_page(browser, page)
    assert opened("window.hacked") is None
    assert any("Content Security Policy" in message for message in opened.said)


def test_a_hundred_thousand_turns_are_one_small_page(browser: Browser, tmp_path: Path) -> None:
    page = write(repeated(sample("hook"), 100_000), tmp_path / "page.html")
    assert page.stat().st_size < 15_000_000
    opened = open_page(browser, page)
    assert opened.is_quiet()
    assert f"The slowest {ROWS:,} of 100,000" in opened.page.inner_text("#turns")
    assert opened.texts("#status") == ["1–50 of 10,000 turns and speeches"]
    opened.page.click("#on")
    assert opened.texts("#status") == ["51–100 of 10,000 turns and speeches"]
    assert opened.count("[data-choice] option") > 100
    assert opened.count("svg path") < 5_000


@pytest.mark.parametrize("name", ["html", "svg"])
def test_the_same_log_gives_the_same_bytes(turnlat: Callable, tmp_path: Path, name: str) -> None:
    paths = [tmp_path / f"{number}.{name}" for number in range(2)]
    for path in paths:
        assert turnlat("analyze", "sample_logs/hook.jsonl", "-o", path, cwd=ROOT).exit == 0
    first, second = (path.read_bytes() for path in paths)
    assert first == second
    report = analysis.report(package.load(ROOT / "sample_logs/hook.jsonl"))
    again = [writers.WRITERS[name].write(report, writers.Page()) for _ in range(2)]
    assert again[0] == again[1]


def test_a_check_shows_its_verdicts_before_the_charts(
    browser: Browser, turnlat: Callable, tmp_path: Path
) -> None:
    rules = ["e2e_latency.p95 < 1.5s", "silent.share < 50%", "llm_ttft.p50 < 1s"]
    options = [word for rule in rules for word in ("--limit", rule)]
    page = tmp_path / "check.html"
    done = turnlat("check", "sample_logs/hook.jsonl", *options, "-o", page, cwd=ROOT)
    assert done.exit == 1
    opened = open_page(browser, page)
    assert opened.is_quiet()
    assert opened.texts("#table-rules b") == ["✗ failed", "✓ passed", "✓ passed"]
    top = "document.querySelector('{}').getBoundingClientRect().top"
    assert opened(f"{top.format('#table-rules')} < {top.format('figure')}")
    assert marks(opened, "waterfall", "rect") > 20


def comparison() -> Exhibits:
    deciles = [n / 10 for n in range(1, 10)]
    moved = pl.DataFrame(
        {"decile": deciles, "shift": deciles, "low": [d - 0.2 for d in deciles], "high": 1.2}
    )
    names = [metric.name for metric in COMPONENTS]
    split = pl.DataFrame({"component": names, "change": 0.1, "low": -0.1, "high": 0.3})
    turns = sample("hook").frame
    curves = distribution({"<baseline>": turns, "candidate": turns.head(4)})
    assert curves
    return Exhibits((), [curves, shifts(moved), changes(split)], ())


def test_the_figures_of_a_comparison_are_drawn(browser: Browser, tmp_path: Path) -> None:
    plain = analysis.report(sample("hook"))
    report = Report(["b"], [], [], plain.rows, {}, exhibits=comparison)
    page = tmp_path / "page.html"
    page.write_bytes(writers.WRITERS["html"].write(report, writers.Page()))
    opened = open_page(browser, page)
    assert opened.is_quiet()
    assert marks(opened, "shifts_0", "symbol") == 9
    assert marks(opened, "changes_0", "rect") == len(COMPONENTS)
    assert opened.texts("#figure-distribution .legend li") == ["<baseline>", "candidate"]
    picture = writers.WRITERS["svg"].write(report, writers.Page())
    assert b"&lt;baseline&gt;" in picture


@pytest.mark.parametrize("width", [400, 1280])
def test_compare_draws_both_runs_the_shift_and_the_split(
    browser: Browser, turnlat: Callable, tmp_path: Path, width: int
) -> None:
    page, picture = tmp_path / "page.html", tmp_path / "latency.svg"
    logs = ["sample_logs/normal.jsonl", "sample_logs/slower_llm.jsonl"]
    done = turnlat("compare", *logs, "-o", page, "-o", picture, cwd=ROOT)
    assert (done.exit, done.stderr) == (0, "")
    opened = open_page(browser, page, width=width)
    assert opened.is_quiet()
    assert opened("document.documentElement.scrollWidth") <= width
    assert opened.texts("#figure-distribution .legend li") == logs
    assert "✗ worse" in opened.texts("#table-metrics b")
    assert marks(opened, "shifts_0", "symbol") == 9
    assert marks(opened, "changes_0", "rect") >= 5
    text = picture.read_text(encoding="utf-8")
    assert "How far each decile moved" in text
    assert "var(" not in text


def test_the_shift_of_a_decile_is_the_slowdown_and_its_band_holds_it() -> None:
    runs = [sample(name) for name in ("normal", "slower_llm")]
    compared = package.compare(*runs)
    shown = comparisons.report([compared], runs).exhibits()
    [moved] = (figure.data["deciles"] for figure in shown.figures if figure.kind == "shifts")
    waits = [run.turns.filter(outcome="replied")["e2e_latency"].drop_nulls() for run in runs]
    medians = [wait.quantile(0.5, "linear") for wait in waits]
    middle = moved.row(4, named=True)
    assert middle["shift"] == pytest.approx(medians[1] - medians[0], abs=1e-6)
    assert middle["low"] < 0.165 < middle["high"]
    assert (
        moved.select(pl.all_horizontal(pl.col("shift").is_between("low", "high"))).to_series().all()
    )


@pytest.mark.parametrize("name", [*SAMPLES, "hostile"])
def test_a_picture_is_whole_in_itself(tmp_path: Path, name: str) -> None:
    run = hostile_run(tmp_path) if name == "hostile" else sample(name)
    text = write(run, tmp_path / "latency.svg", "svg").read_text(encoding="utf-8")
    tags = {element.tag.rpartition("}")[2] for element in ET.fromstring(text).iter()}  # noqa: S314
    assert tags <= {"svg", "g", "path", "rect", "text", "line", "defs", "clipPath", "title"}
    assert not re.search(r"var\(|href=|url\(['\"]?http|@import|\son\w+=", text)
    assert set(re.findall(r'font-family="([^"]*)"', text)) == {
        "Helvetica, Arial, 'Liberation Sans', sans-serif"
    }


@pytest.mark.parametrize("name", ["var(--x).jsonl", 'fill="var(--ink)" >', "var(--ink)"])
def test_a_picture_leaves_what_looks_like_a_colour_in_a_name(tmp_path: Path, name: str) -> None:
    run = package.load(write_log(tmp_path / name, [eou("a", 0), llm("a", 0), tts("a", 0.5)]))
    report = analysis.report(run)._replace(headline=[f"{name}: a turn"])
    picture = ET.fromstring(writers.WRITERS["svg"].write(report, writers.Page()))  # noqa: S314
    texts = [element.text or "" for element in picture.iter("{http://www.w3.org/2000/svg}text")]
    assert f"{name}: a turn" in texts
    told = [(key, value) for element in picture.iter() for key, value in element.items()]
    assert {key for key, value in told if "var(" in value} <= {"aria-label"}


def test_without_the_extra_it_is_asked_for_before_anything_is_read(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(writers.importlib.util, "find_spec", lambda _: None)
    for path in ("report.html", "latency.svg"):
        with pytest.raises(UsageError) as raised:
            writers.for_file(path, "analysis")
        assert raised.value.hint == "pip install 'turnlat[report]'"


def test_only_pages_and_pictures_load_charts(tmp_path: Path) -> None:
    arguments = ["analyze", str(ROOT / "sample_logs/hook.jsonl"), "-o", str(tmp_path / "a.md")]
    code = (
        f"from turnlat.commands import run; run({arguments!r})\n"
        "import sys; print(sorted({'altair', 'vl_convert'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "[]"


def test_a_notebook_shows_the_summary_and_the_picture(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    run = hostile_run(tmp_path)
    shown = run._repr_html_()
    assert "<svg " in shown
    assert "<caption>latency, ms</caption>" in shown
    assert "<script" not in shown
    monkeypatch.setattr(writers.importlib.util, "find_spec", lambda _: None)
    plain = run._repr_html_()
    assert "<svg " not in plain
    assert "<caption>latency, ms</caption>" in plain


def test_a_run_without_waits_has_a_page_too(browser: Browser, tmp_path: Path) -> None:
    log = write_log(tmp_path / "agent.jsonl", [eou("a", at=0), stt(at=1)])
    opened = open_page(browser, write(package.load(log), tmp_path / "page.html"))
    assert opened.is_quiet()
    assert opened.count("#figure-distribution, #figure-waterfall") == 0
    assert opened.count("#turn-table tbody tr") == 1


def test_every_kind_of_figure_has_a_chart() -> None:
    assert set(CHARTS) == set(get_args(FigureKind))
