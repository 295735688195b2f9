"""The page in a real browser: drawn, used by mouse and keyboard, printed, and read out."""

from pathlib import Path

import pytest

from hyenadna import report

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SCREENSHOTS = Path(__file__).parents[3] / "results/screenshots"
WIDTHS = {"phone": 375, "tablet": 1024, "screen": 1920}
SHEET = {"width": 718, "height": 1000}
"""A4 between its margins, in CSS pixels."""

EVIL_FOLDER = "<img src=x onerror=window.ran=1>\"'`&"
EVIL = f"</script></style></title><script>window.ran=2</script>{EVIL_FOLDER}"

UNFOLD = "document.querySelectorAll('details').forEach(of => of.open = true)"

OVERFLOWING = """[...document.querySelectorAll('body, body *')].filter(element =>
  !element.parentElement.closest('.scroll, .canvas, pre, svg') && !element.matches('.skip')
  && element.getBoundingClientRect().right > document.documentElement.clientWidth + 1
).map(element => element.outerHTML.slice(0, 80))"""

BEYOND_THE_SHEET = """width => [...document.querySelectorAll('table, figure svg')].filter(
  of => of.getBoundingClientRect().right > width + 1
).map(of => of.dataset.name ?? of.closest('figure').id)"""


@pytest.fixture(params=["complete", "demo"])
def path(request) -> Path:
    return request.getfixturevalue(request.param)


def column(page, table: str, index: int) -> list[str]:
    """Return what stands in large print in a column of the rows that are shown."""
    cells = page.locator(f"table[data-name='{table}'] tbody tr:visible > :nth-child({index})")
    return [text.split("\n")[0] for text in cells.all_inner_texts()]


def downloaded(page, button) -> tuple[str, str]:
    """Return name and text of the file that a button gives."""
    with page.expect_download() as waiting:
        button.click()
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_text()


def see_all(page) -> None:
    """Scroll through a page, since figures are drawn as they come near."""
    page.evaluate("""async () => {
      for (let y = 0; y < document.body.scrollHeight; y += innerHeight) {
        scrollTo(0, y);
        await new Promise(done => setTimeout(done, 100));
      }
      scrollTo(0, 0);
    }""")


@pytest.mark.parametrize("fragment", ["", "task-demo_species"])
def test_nothing_overflows_on_a_phone_or_a_screen(path, visit, fragment):
    page = visit(path, fragment=fragment)
    for width in WIDTHS.values():
        page.set_viewport_size({"width": width, "height": 900})
        assert page.evaluate("document.documentElement.scrollWidth") == width
        assert page.evaluate(OVERFLOWING) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_demo_can_be_looked_at(demo, visit, scheme):
    page = visit(demo, color_scheme=scheme)
    for name, width in WIDTHS.items():
        page.set_viewport_size({"width": width, "height": 900})
        see_all(page)
        page.screenshot(path=SCREENSHOTS / f"{name}-{scheme}.jpeg", full_page=True)
    page.evaluate("location.hash = 'task-demo_species'")
    see_all(page)
    own = page.locator("#task-demo_species")
    own.screenshot(path=SCREENSHOTS / f"benchmark-{scheme}.jpeg")


def test_what_is_folded_away_overflows_no_phone_either(path, visit):
    page = visit(path, viewport={"width": WIDTHS["phone"], "height": 900})
    page.evaluate(UNFOLD)
    assert page.evaluate(OVERFLOWING) == []


@pytest.mark.parametrize(("scheme", "width"), [("dark", "phone"), ("light", "screen")])
def test_axe_finds_no_serious_fault(complete, visit, axe, scheme, width):
    page = visit(complete, color_scheme=scheme, viewport={"width": WIDTHS[width], "height": 900})
    page.evaluate(UNFOLD)
    # What stands in a drawing is one image to it, and rows of a table are alike: time matters.
    page.evaluate("""document.querySelectorAll(
      '.canvas svg > *, tbody tr:nth-child(n + 4), .origins > :nth-child(n + 4)'
    ).forEach(of => of.remove())""")
    found = axe.run(page, options={"resultTypes": ["violations"]}).response["violations"]
    assert [of["help"] for of in found if of["impact"] in {"serious", "critical"}] == []


def test_a_click_on_a_head_sorts_and_a_second_one_turns_it_round(complete, visit):
    page = visit(complete)
    head = page.locator("table[data-name=scores] th", has_text="Fine‑tuned")
    head.get_by_role("button").click()
    rising = column(page, "scores", 3)
    assert rising == sorted(rising)
    assert head.get_attribute("aria-sort") == "ascending"
    head.get_by_role("button").click()
    assert column(page, "scores", 3) == rising[::-1]
    assert head.get_attribute("aria-sort") == "descending"


def test_what_has_no_number_is_last_in_both_directions(complete, visit):
    page = visit(complete)
    head = page.locator("table[data-name=scores] th", has_text="Frozen probe")
    for _ in range(2):
        head.get_by_role("button").click()
        assert [cell == "–" for cell in column(page, "scores", 7)] == [False] * 4 + [True]


def test_the_keyboard_sorts_too(complete, visit):
    page = visit(complete)
    page.get_by_role("button", name="Gain over baseline").first.focus()
    page.keyboard.press("Enter")
    gains = [float(gain.replace("−", "-")) for gain in column(page, "scores", 5)]
    assert gains == sorted(gains)


def test_a_filter_leaves_the_rows_with_all_its_words_and_downloads_them(complete, visit):
    page = visit(complete)
    page.evaluate(UNFOLD)
    page.get_by_role("searchbox", name="Filter rows: Every measure of every method").fill(
        "PROMOTERS tiny"
    )
    assert column(page, "all-metrics-other", 1) == ["demo_promoters"] * 3
    assert column(page, "all-metrics-other", 3) == ["From scratch", "Frozen probe", "Fine-tuned"]
    assert "3 of 29 rows" in page.get_by_role("status").all_inner_texts()
    button = page.get_by_role("button", name="Download TSV: Every measure of every method")
    name, text = downloaded(page, button)
    assert name == "all-metrics-other.tsv"
    assert [line.split("\t")[0] for line in text.splitlines()[1:]] == ["demo_promoters"] * 3


def test_a_table_downloads_as_it_is_with_spread_and_seeds(complete, visit):
    page = visit(complete)
    button = page.get_by_role("button", name="Download TSV: Test scores").first
    name, text = downloaded(page, button)
    header, *rows = [line.split("\t") for line in text.splitlines()]
    row = next(row for row in rows if row[0] == "demo_promoters")
    promoters = dict(zip(header, row, strict=True))
    assert name == "scores.tsv"
    assert float(promoters["Fine-tuned"]) == pytest.approx(0.843667, abs=1e-6)
    assert float(promoters["Fine-tuned sd"]) == pytest.approx(0.006658, abs=1e-6)
    assert promoters["Fine-tuned n"] == "3"


def test_the_switch_shows_one_protocol_at_a_time(complete, visit):
    page = visit(complete)
    tables = page.locator(".switch").first.locator("table:visible")
    assert [of.get_attribute("data-name") for of in tables.all()] == ["scores"]
    page.get_by_role("radio", name="Ours").first.press("ArrowDown")
    assert [of.get_attribute("data-name") for of in tables.all()] == ["scores-leak-free"]
    assert column(page, "scores-leak-free", 3) == ["0.794 ± 0.007"]
    page.get_by_role("radio", name="Paper's").first.check()
    assert [of.get_attribute("data-name") for of in tables.all()] == ["scores-selected-on-test"]
    assert column(page, "scores-selected-on-test", 3) == ["0.870"]


def test_without_scripts_every_protocol_is_there_and_nothing_that_needs_them(complete, visit):
    page = visit(complete, java_script_enabled=False)
    assert page.locator(".switch").first.locator("table:visible").count() == 3
    assert page.locator("fieldset:visible, button:visible, input:visible").count() == 0
    page.locator("#task-demo_promoters > summary").click()
    assert page.locator("table[data-name='methods.demo_promoters']").is_visible()


def test_the_keyboard_skips_to_the_results_and_shows_where_it_is(complete, visit):
    page = visit(complete)
    page.keyboard.press("Tab")
    assert page.locator(".skip:focus").bounding_box()["x"] >= 0
    page.keyboard.press("Enter")
    assert page.evaluate("location.hash") == "#content"
    for _ in range(20):
        page.keyboard.press("Tab")
        assert page.evaluate("getComputedStyle(document.activeElement).outlineStyle") != "none"
        assert page.evaluate("!!document.activeElement.closest('main')")


def test_print_has_all_that_is_folded_away_within_the_sheet(path, visit):
    page = visit(path, viewport=SHEET, color_scheme="dark")
    page.evaluate("""addEventListener('beforeprint', () => {
      window.folded = document.querySelectorAll('.fold:not([open]), .task:not([open])').length;
    })""")
    before = page.locator(".fold[open]").count()
    assert page.pdf(format="A4").count(b"/Type /Page\n") > 5
    assert page.evaluate("window.folded") == 0
    assert page.locator(".fold[open]").count() == before
    page.emulate_media(media="print")
    page.evaluate(UNFOLD)
    assert page.locator(".actions:visible, .files:visible, input:visible").count() == 0
    assert page.evaluate(BEYOND_THE_SHEET, SHEET["width"]) == []


def test_hostile_names_do_not_run_whatever_is_clicked(tree, tmp_path, visit):
    benchmark = {**tree.benchmarks["demo_promoters"], "classes": [EVIL, "b"], "metric": EVIL}
    for number in range(2):
        tree.benchmark(tmp_path, f"{EVIL_FOLDER}{number}", benchmark)
    tree.biotypes(tmp_path, {EVIL: 9, "lncRNA": 5}, model=EVIL_FOLDER)
    # The policy of the page would stop what its text lets through; so without it.
    page = visit(report.write(tmp_path, tmp_path / "report.html"), bypass_csp=True)
    page.evaluate(UNFOLD)
    for button in page.locator("button:visible").all():
        button.click()
    for box in page.get_by_role("searchbox").all():
        box.fill(EVIL)
    assert page.locator("img").count() == 0
    assert page.evaluate("window.ran") is None
    assert EVIL_FOLDER in page.inner_text("body")


def test_a_page_with_nothing_to_show_fits_a_phone_too(tmp_path, visit):
    page = visit(report.write(tmp_path, tmp_path / "report.html"))
    page.set_viewport_size({"width": WIDTHS["phone"], "height": 900})
    assert page.get_by_role("heading", name="no results yet").is_visible()
    assert page.evaluate(OVERFLOWING) == []
