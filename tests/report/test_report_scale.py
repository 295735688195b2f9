"""The report of a tree as large as the full configuration makes it, and of many benchmarks.

For want of time two of the seven models stand for all; `docs/measurements` has all of them.
"""

import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import full_tree
import pytest

from hyenadna.report.inputs.reading import read
from hyenadna.report.page import crate
from hyenadna.report.tables import provenance

FEW_MODELS = full_tree.MODELS[:2]
MOST_BYTES = 5_000_000
"""Of it 2 MB are plotly.js."""
MOST_SECONDS = 75
"""Of one core."""
MOST_MEMORY = 1_000_000_000
MOST_OPENING = 3
"""Seconds of a core, from an address to the first figure."""
MEASURED = """
import atexit, pathlib, time
from hyenadna.cli import main

@atexit.register
def say():
    lines = pathlib.Path("/proc/self/status").read_text().splitlines()
    peak = next(line.split()[1] for line in lines if line.startswith("VmHWM"))
    print(time.process_time(), peak)

main()
"""
"""The command, which then says what it took. Not getrusage: its peak counts the parent's memory."""
PUBLISHED = full_tree.ROOT / "resources/published"

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    shape = full_tree.full(steps=2, points=3, epochs=1, resamples=2)
    return full_tree.write(tmp_path_factory.mktemp("scale") / "results", shape)


@pytest.fixture(scope="module")
def made(tmp_path_factory) -> SimpleNamespace:
    """The page of a large tree, the seconds of a core that it took, and the bytes of memory."""
    folder = tmp_path_factory.mktemp("large")
    root = full_tree.write(folder / "results", full_tree.full(models=FEW_MODELS))
    page = folder / "report.html"
    command = [sys.executable, "-c", MEASURED, "report", "--results", str(root)]
    command += ["--published", str(PUBLISHED), "--out", str(page)]
    ended = subprocess.run(command, check=True, capture_output=True, text=True)
    seconds, kilobytes = ended.stdout.splitlines()[-1].split()
    return SimpleNamespace(page=page, seconds=float(seconds), memory=int(kilobytes) * 1024)


def test_what_was_run_is_said_by_the_hundred_and_not_by_the_thousand(small):
    found = read(small, PUBLISHED)
    assert found.problems == []
    assert len(found.runs) > 3500
    assert len(provenance.commands(found.runs)) < 800
    assert len(provenance.runs(found.runs).rows) < 800
    described = crate.of({"": found}, title="", link=str)
    actions = [of for of in described["@graph"] if of["@type"] == "CreateAction"]
    assert len(actions) < 800
    assert len(str(described)) < 1_000_000


def test_the_page_of_a_large_run_is_small_and_made_in_a_minute(made):
    assert made.page.stat().st_size < MOST_BYTES
    assert made.seconds < MOST_SECONDS
    assert made.memory < MOST_MEMORY


@pytest.mark.browser
def test_the_page_of_a_large_run_opens_at_once(made, chromium):
    page = chromium.new_page()
    measured = page.context.new_cdp_session(page)
    measured.send("Performance.enable", {"timeDomain": "threadTicks"})
    page.goto(made.page.as_uri())
    page.locator(".plot").first.scroll_into_view_if_needed()
    page.wait_for_selector(".plot[data-drawn] svg")
    found = {of["name"]: of["value"] for of in measured.send("Performance.getMetrics")["metrics"]}
    assert found["TaskDuration"] < MOST_OPENING
