"""A browser for tests to open pages in."""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, NoReturn

import pytest

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


def missing(what: str) -> NoReturn:
    """Skip at home; CI must not pass without having looked."""
    (pytest.fail if os.environ.get("CI") else pytest.skip)(what)
