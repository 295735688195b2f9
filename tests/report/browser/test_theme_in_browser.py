"""The choice of a theme in Chromium: followed by the page and its figures, and kept."""

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PAPER = "getComputedStyle(document.body).backgroundColor"
LIGHT, DARK = "rgb(253, 253, 251)", "rgb(21, 24, 27)"

LINE = """getComputedStyle(
  document.querySelector('#figure-scores .scatterlayer path.point')
).fill"""
REFUSED = """Object.defineProperty(window, 'localStorage', {
  get() { throw new DOMException('not from a file', 'SecurityError'); },
});"""


def test_a_theme_that_is_chosen_is_that_of_page_and_figures_whatever_the_system_has(
    complete, visit
):
    page = visit(complete, color_scheme="light")
    page.locator("#figure-scores .plot[data-drawn]").wait_for()
    assert page.evaluate(PAPER) == LIGHT
    before = page.evaluate(LINE)
    theme = page.get_by_role("combobox", name="Theme")
    theme.select_option("Dark theme")
    assert page.evaluate(PAPER) == DARK
    assert page.evaluate(LINE) != before
    theme.select_option("Light theme")
    page.emulate_media(color_scheme="dark")
    assert page.evaluate(PAPER) == LIGHT
    theme.select_option("System theme")
    assert page.evaluate(PAPER) == DARK
    theme.select_option("Light theme")
    page.reload()
    assert page.evaluate(PAPER) == LIGHT
    assert theme.locator("option:checked").inner_text() == "Light theme"


def test_paper_is_light_whatever_is_chosen(complete, visit):
    page = visit(complete)
    page.get_by_role("combobox", name="Theme").select_option("Dark theme")
    page.emulate_media(media="print")
    assert page.evaluate("getComputedStyle(document.documentElement).colorScheme") == "light"
    assert page.evaluate("getComputedStyle(document.body).color") == "rgb(29, 35, 41)"


def test_where_nothing_may_be_kept_a_theme_is_for_this_visit(complete, visit):
    page = visit(complete, before=REFUSED)
    page.get_by_role("combobox", name="Theme").select_option("Dark theme")
    assert page.evaluate(PAPER) == DARK
    page.reload()
    assert page.evaluate(PAPER) == LIGHT
