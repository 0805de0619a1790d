"""A real browser for pages: what it shows, says and asks for."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

LOCAL = ("file:", "data:", "blob:")


@contextmanager
def chromium() -> Iterator[Browser]:
    """Debian's Chromium; a developer without it skips its tests, CI does not."""
    path = shutil.which("chromium")
    if path is None and not os.environ.get("CI"):
        pytest.skip("needs chromium: apt-get install chromium")
    assert path, "CI installs chromium"
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path)
        yield browser
        browser.close()


@dataclass
class Opened:
    """A page in the browser, and all that it said and asked for."""

    page: Page
    said: list[str] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)

    def __call__(self, script: str, argument: Any = None) -> Any:
        """What a JavaScript expression is on the page."""
        return self.page.evaluate(script, argument)

    def count(self, selector: str) -> int:
        return self.page.locator(selector).count()

    def texts(self, selector: str) -> list[str]:
        return self.page.locator(selector).all_inner_texts()

    def drawn_texts(self, selector: str) -> list[str]:
        """The same of SVG, which has no inner text."""
        return [text or "" for text in self.page.locator(selector).all_text_contents()]

    def is_quiet(self) -> bool:
        """Whether it ran without a word on the console and without the network."""
        assert self.said == []
        assert [url for url in self.asked if not url.startswith(LOCAL)] == []
        return True


def open_page(browser: Browser, path: Path, *, width: int = 1280, scheme: Any = "light") -> Opened:
    """The page with all of its charts drawn."""
    context = browser.new_context(
        viewport={"width": width, "height": 900}, color_scheme=scheme, offline=True
    )
    opened = Opened(context.new_page())
    opened.page.on("console", lambda message: opened.said.append(message.text))
    opened.page.on("pageerror", lambda error: opened.said.append(str(error)))
    opened.page.on("request", lambda request: opened.asked.append(request.url))
    opened.page.goto(path.resolve().as_uri())
    opened.page.wait_for_selector("body[data-drawn=all]", timeout=30_000)
    return opened
