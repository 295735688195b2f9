"""The report of a tree as large as the full configuration makes it, and of many benchmarks."""

import resource
import subprocess
import sys
from pathlib import Path

import full_tree
import pytest

from hyenadna.report.inputs.reading import read
from hyenadna.report.page import crate
from hyenadna.report.tables import provenance

MOST_BYTES = 10_000_000
MOST_SECONDS = 180
"""Of one core."""
MOST_MEMORY = 2_000_000_000
PUBLISHED = full_tree.ROOT / "resources/published"


@pytest.fixture(scope="module")
def small(tmp_path_factory) -> Path:
    shape = full_tree.full(steps=2, points=3, epochs=1, resamples=2)
    return full_tree.write(tmp_path_factory.mktemp("scale") / "results", shape)


@pytest.mark.slow
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


@pytest.mark.slow
@pytest.mark.parametrize(
    "shape",
    [full_tree.full(), full_tree.many()],
    ids=["full configuration", "200 benchmarks"],
)
def test_the_page_of_a_full_run_is_small_and_made_in_minutes(shape, tmp_path):
    root = full_tree.write(tmp_path / "results", shape)
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    command = [
        sys.executable,
        "-m",
        "hyenadna",
        "report",
        "--results",
        str(root),
        "--published",
        str(PUBLISHED),
    ]
    subprocess.run([*command, "--out", str(tmp_path / "report.html")], check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert (tmp_path / "report.html").stat().st_size < MOST_BYTES
    assert after.ru_utime - before.ru_utime < MOST_SECONDS
    assert after.ru_maxrss * 1024 < MOST_MEMORY
