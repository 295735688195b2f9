"""A browser for tests to open pages in."""

import os
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import pytest

PATIENCE = 30
"""Seconds to wait for a page."""
NAMES = ("chromium", "chromium-browser", "google-chrome")


@contextmanager
def launched() -> Iterator[Any]:
    """Start Chromium without a window, through Playwright."""
    command = next(filter(None, map(shutil.which, NAMES)), None)
    if command is None:
        missing(f"needs one of {', '.join(NAMES)}: apt-get install chromium")
    try:
        from playwright.sync_api import sync_playwright
    except ModuleNotFoundError:
        missing("needs Playwright: pip install playwright")
    with sync_playwright() as playwright:
        # Chromium's sandbox does not work for root, which is what containers run tests as.
        arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
        browser = playwright.chromium.launch(executable_path=command, args=arguments)
        yield browser
        browser.close()


def until(page: Any, condition: str, argument: Any = None) -> None:
    """Wait until an expression of JavaScript holds.

    Playwright's own `wait_for_function` needs `eval` to ask again, which a report forbids.
    """
    given_up = time.monotonic() + PATIENCE
    while not page.evaluate(condition, argument):
        assert time.monotonic() < given_up, f"{condition} does not hold after {PATIENCE} s"
        page.wait_for_timeout(50)


def missing(what: str) -> NoReturn:
    """Skip at home; CI must not pass without having looked."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(what)
