"""What `snakemake --report` makes of a finished run, and that one rerun is one change to the page.

One run of a network that is too small to learn.
"""

import csv
import html
import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from micro import configure

pytestmark = pytest.mark.slow

Snakemake = Callable[..., subprocess.CompletedProcess[str]]
PROBE = "results/probe/micro/demo_promoters/seed0/metrics.tsv"
ANNOYANCE = "cdn.tailwindcss.com should not be used in production"
"""What Snakemake's own script warns of, which lies in the page and is fetched from nowhere."""


@pytest.fixture(scope="module")
def checkout(snakemake: Snakemake, new_checkout: Callable[[], Path]) -> Path:
    """A folder with a finished run and Snakemake's report of it."""
    checkout = new_checkout()
    configure(
        checkout,
        pretraining={"batch_size": 32, "steps": 2, "validate_every": 2, "checkpoint_every": 2},
        finetuning={"batch_size": 32, "epochs": 1, "checkpoint_every": 4},
        config={"contexts": [], "stages": ["probe"]},
    )
    run(snakemake, checkout, "--cores", "2")
    run(snakemake, checkout, "--report", "report.html")
    return checkout


def run(snakemake: Snakemake, checkout: Path, *arguments: str) -> str:
    done = snakemake(checkout, "--configfile", "micro.yaml", *arguments)
    assert done.returncode == 0, done.stdout
    return done.stdout


def index(checkout: Path, folder: str, ending: str) -> dict[str, dict[str, str]]:
    """Return what the report of the package says of its files."""
    lines = (checkout / "results" / folder / "index.tsv").read_text().splitlines()
    rows = csv.DictReader(lines, delimiter="\t", quoting=csv.QUOTE_NONE)
    return {f"results/{folder}/{row['file']}.{ending}": row for row in rows}


@pytest.fixture(scope="module")
def exported(checkout: Path) -> dict[str, dict[str, str]]:
    """Every figure and table, by the file that Snakemake's report shows."""
    return index(checkout, "figures", "svg") | index(checkout, "tables", "html")


@pytest.fixture(scope="module")
def variables(checkout: Path) -> dict[str, Any]:
    """What the script of Snakemake's report is told: results by file, files by category."""
    page = (checkout / "report.html").read_text()
    found = re.findall(r"^ *var (categories|results) = (\{.*\});$", page, re.MULTILINE)
    return {name: json.loads(text) for name, text in found}


def test_every_figure_and_table_is_in_the_category_of_its_section(
    variables: dict[str, Any], exported: dict[str, dict[str, str]]
) -> None:
    places = {
        path: (category, group)
        for category, groups in variables["categories"].items()
        for group, paths in groups.items()
        for path in paths
        if path.startswith(("results/figures/", "results/tables/"))
    }
    assert places == {path: (row["category"], row["group"]) for path, row in exported.items()}
    assert {group for _, group in places.values()} >= {"Figures", "Tables"}


def test_every_figure_and_table_has_its_title_and_caption(
    variables: dict[str, Any], exported: dict[str, dict[str, str]]
) -> None:
    for path, row in exported.items():
        result = variables["results"][path]
        assert result["labels"] == {"title": row["title"]}
        said = html.unescape(re.sub(r"<[^>]*>|\s+", " ", result["caption"]))
        assert " ".join(row["caption"].split()) in " ".join(said.split()), path


def test_results_of_a_group_can_be_told_apart(variables: dict[str, Any]) -> None:
    for groups in variables["categories"].values():
        for group, paths in groups.items():
            labels = [tuple(variables["results"][path]["labels"].values()) for path in paths]
            assert len(labels) == len(set(labels)), group


@pytest.mark.browser
def test_every_figure_and_table_can_be_seen_in_a_browser(
    chromium: Any,
    checkout: Path,
    exported: dict[str, dict[str, str]],
    variables: dict[str, Any],
) -> None:
    groups = variables["categories"]
    page = chromium.new_page()
    complaints: list[str] = []
    page.on("console", lambda message: complaints.append(message.text))
    page.on("pageerror", lambda error: complaints.append(str(error)))
    page.on("request", lambda request: complaints.append(request.url[:200]))
    page.goto((checkout / "report.html").as_uri())
    for path, row in exported.items():
        page.evaluate("app.setView({ navbarMode: 'menu' })")
        folders = page.get_by_role("listitem")
        folders.get_by_role("link", name=row["category"], exact=True).click()
        if len(groups[row["category"]]) > 1:
            folders.get_by_role("link", name=row["group"], exact=True).click()
        title = page.get_by_role("cell", name=row["title"], exact=True)
        page.get_by_role("row").filter(has=title).get_by_role("link").first.click()
        if path.endswith(".svg"):
            image = page.locator(f"img[src*='={Path(path).name};']")
            assert image.evaluate("image => image.decode().then(() => image.width)")
        else:
            frame = page.frame_locator(f"iframe[src*='={Path(path).name};']")
            frame.locator("caption").filter(has_text=row["title"].partition(" (")[0]).wait_for()
    page.close()
    said = [
        of for of in complaints if ANNOYANCE not in of and not of.startswith(("data:", "file:"))
    ]
    assert said == []


def test_hostile_title_and_group_do_not_run(snakemake: Snakemake, checkout: Path) -> None:
    script = "</script><script>alert(1)</script>"
    for file in (checkout / "results").glob("*/index.tsv"):
        lines = file.read_text().splitlines()
        rows = [line.split("\t") for line in lines[1:]]
        hostile = ["\t".join([row[0], row[1], script, f"{row[0]} {script}", ""]) for row in rows]
        file.write_text("\n".join([lines[0], *hostile, ""]))
    run(snakemake, checkout, "--report", "hostile.html")
    page = (checkout / "hostile.html").read_text()
    assert "alert(1)" in page
    assert "<script>alert" not in page


def test_result_that_is_made_again_changes_what_is_said_of_it_alone(
    snakemake: Snakemake, checkout: Path
) -> None:
    results = checkout / "results"
    others = [path for path in results.glob("*/**/metrics.tsv") if "probe" not in path.parts]
    before = {path: path.stat().st_mtime_ns for path in others}
    recipe = checkout / "config/finetuning/micro.yaml"
    recipe.write_text(recipe.read_text().replace("epochs: 1", "epochs: 2"))
    old = score(checkout)
    run(snakemake, checkout, "--cores", "2", "--", "results/report.html")
    tables = [path.read_text() for path in results.glob("tables/*/*.tsv")]
    assert not any(old in table for table in tables)
    assert any(score(checkout) in table for table in tables)
    assert {path: path.stat().st_mtime_ns for path in others} == before


def score(checkout: Path) -> str:
    """Return the area under the probe's curve, in full."""
    with (checkout / PROBE).open() as file:
        rows = csv.DictReader(file, delimiter="\t")
        (value,) = [of["value"] for of in rows if (of["split"], of["name"]) == ("test", "auroc")]
    return value
