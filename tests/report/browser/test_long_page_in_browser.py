"""A page of many benchmarks in Chromium: what is folded away is packed until it is needed."""

from pathlib import Path

import pytest
from chromium import until

from hyenadna.report.inputs import reading
from hyenadna.report.page import contents, layout

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PROMOTERS = "#task-demo_promoters"


@pytest.fixture(scope="module")
def long(complete, tmp_path_factory) -> Path:
    """The page with every section, laid out as if it had more benchmarks than it has."""
    found = reading.read(complete.parent, complete.parents[1] / "published")
    out = tmp_path_factory.mktemp("long") / "report.html"
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(layout, "MANY", 1)
        out.write_text(contents.render(found, contents.drawn(found), out=out), encoding="utf-8")
    return out


def test_what_is_folded_away_comes_to_light_when_it_is_opened(visit, long):
    page = visit(long)
    assert page.locator(f"{PROMOTERS} table").count() == 0
    page.click(f"{PROMOTERS} summary")
    page.wait_for_selector(f"{PROMOTERS} table")
    assert page.locator(f"{PROMOTERS} .folded").count() == 0
    page.wait_for_selector(f"{PROMOTERS} .plot[data-drawn] svg")
    # With all that other tables and figures have.
    assert page.locator(f"{PROMOTERS} .table .actions button").count() > 0
    with page.expect_download() as download:
        page.click(f"{PROMOTERS} figure >> nth=0 >> [data-do=tsv]")
    assert download.value.path().read_text().startswith("benchmark\t")


def test_a_link_leads_into_what_is_folded_away(visit, long):
    page = visit(long)
    anchor = page.evaluate(
        "[...document.querySelectorAll('a[href^=\"#run-\"]')].map((of) => of.hash)"
        ".find((hash) => !document.querySelector(hash))"
    )
    page.evaluate("(hash) => { location.hash = hash }", anchor)
    page.wait_for_selector(f"{anchor} + dd pre")
    assert page.locator(anchor).is_visible()


def test_an_address_opens_what_is_folded_away(visit, long):
    page = visit(long, fragment="figure-confusion.demo_promoters.tiny-demo")
    page.wait_for_selector(f"{PROMOTERS}[open] .plot[data-drawn] svg")
    assert page.locator("#figure-confusion\\.demo_promoters\\.tiny-demo").is_visible()


def test_folded_tables_and_the_open_benchmark_are_unpacked_for_print(visit, long):
    page = visit(long)
    assert page.locator(".fold > .folded").count() > 0
    page.pdf()
    assert page.locator(".fold > .folded").count() == 0


def test_the_packed_page_says_what_the_plain_one_does(visit, long, complete):
    said = []
    for path in (long, complete):
        page = visit(path)
        page.evaluate("for (const of of document.querySelectorAll('details')) of.open = true")
        until(page, "!document.querySelector('.folded')")
        parts = page.locator("#tasks ~ details :is(caption, td, figcaption, .facts, pre, .sources)")
        said.append(parts.all_text_contents())
    assert len(said[0]) > 400
    assert said[0] == said[1]
