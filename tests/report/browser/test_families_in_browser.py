"""The section of a family in a real browser: a protocol and a table of it at a time."""

from typing import Any

import pytest

pytestmark = [pytest.mark.browser, pytest.mark.slow]


@pytest.fixture
def family(complete, visit) -> Any:
    """The section of the only family of a page."""
    return visit(complete).locator("section[aria-labelledby=other]")


def shown(section: Any) -> list[str]:
    return [of.get_attribute("data-name") for of in section.locator(".switch table:visible").all()]


def test_a_family_opens_with_our_protocol_compared(family):
    assert shown(family) == ["scores-other"]


def test_another_table_of_the_same_protocol_is_a_choice_away(family):
    family.get_by_role("radio", name="Baselines and data").check()
    assert shown(family) == ["baselines-scores-other"]
    family.get_by_role("radio", name="Leak-free").check()
    assert shown(family) == ["baselines-scores-leak-free-other"]


def test_a_protocol_without_the_table_that_is_open_shows_one_that_it_has(family):
    family.get_by_role("radio", name="Baselines and data").check()
    family.get_by_role("radio", name="Paper's").check()
    assert shown(family) == ["scores-selected-on-test-other"]
    assert family.get_by_role("radio", name="Baselines and data").is_disabled()


def test_the_choice_of_one_family_leaves_the_answer_as_it_is(family):
    family.get_by_role("radio", name="Leak-free").check()
    answer = family.page.locator(".switch").first.locator("table:visible")
    assert answer.get_attribute("data-name") == "scores"


def test_a_gain_downloads_with_its_interval(family):
    with family.page.expect_download() as waiting:
        family.get_by_role("button", name="Download TSV: Other benchmarks: test scores").click()
    header, *rows = [line.split("\t") for line in waiting.value.path().read_text().splitlines()]
    row = next(dict(zip(header, row, strict=True)) for row in rows if row[0] == "demo_promoters")
    low, gain, high = (float(row[f"Gain over baseline{part}"]) for part in (" low", "", " high"))
    assert low < gain < high
