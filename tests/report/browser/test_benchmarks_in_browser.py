"""The pages of benchmarks and the ways to them, and what a reader does with tables."""

from pathlib import Path

import pytest
import task_results as tasks
from chromium import until

from hyenadna import report

pytestmark = [pytest.mark.browser, pytest.mark.slow]

PHONE = {"width": 375, "height": 800}


@pytest.fixture(scope="module")
def many(tree, tmp_path_factory) -> Path:
    """The report of more benchmarks than are all printed."""
    root = tmp_path_factory.mktemp("many") / "results"
    for number in range(26):
        directory = root / f"finetune/tiny/set{number}/seed0"
        tree.run(directory, [(1, "test", "accuracy", 0.5 + number / 100)], metric="accuracy")
        tree.run(root / f"baselines/set{number}", [(0, "test", "kmer.accuracy", 0.6)])
    return report.write(root, root / "report.html")


def opened(page) -> list[str]:
    """Return the benchmarks whose pages are open."""
    return page.evaluate(
        "[...document.querySelectorAll('.task[open]')].map(of => of.dataset.benchmark)"
    )


def is_in_view(page, selector: str) -> bool:
    return page.evaluate(
        """selector => {
          const {top, bottom} = document.querySelector(selector).getBoundingClientRect();
          return bottom > 0 && top < innerHeight;
        }""",
        selector,
    )


def test_a_name_in_a_table_opens_the_page_of_that_benchmark_alone(complete, visit):
    page = visit(complete)
    assert opened(page) == []
    page.locator("table[data-name=scores] a[href='#task-demo_promoters']").click()
    assert opened(page) == ["demo_promoters"]
    assert is_in_view(page, "#task-demo_promoters > summary")
    page.locator("#task-demo_species > summary").click()
    assert opened(page) == ["demo_species"]
    assert is_in_view(page, "#task-demo_species > summary")
    page.go_back()
    until(page, "document.querySelector('#task-demo_promoters').open")
    assert opened(page) == ["demo_promoters"]


def test_a_link_to_a_benchmark_opens_it_when_the_page_loads(complete, visit):
    page = visit(complete, fragment="task-demo_species")
    assert opened(page) == ["demo_species"]
    assert is_in_view(page, "#task-demo_species > summary")


def test_a_second_click_closes_a_benchmark_and_a_third_opens_it_again(complete, visit):
    page = visit(complete)
    summary = page.locator("#task-demo_species > summary")
    for expected in (["demo_species"], [], ["demo_species"]):
        summary.click()
        assert opened(page) == expected


def test_the_keyboard_opens_a_benchmark_and_turns_to_the_next(complete, visit):
    page = visit(complete)
    page.locator("#task-demo_chromatin > summary").focus()
    page.keyboard.press("Enter")
    page.locator("#task-demo_chromatin[open]").wait_for()
    assert opened(page) == ["demo_chromatin"]
    page.locator("#task-demo_chromatin .turn").get_by_role("link", name="coding").focus()
    page.keyboard.press("Enter")
    until(page, "document.querySelector('#task-demo_coding_vs_intergenic').open")
    assert opened(page) == ["demo_coding_vs_intergenic"]
    focused = "document.activeElement.closest('.task')?.dataset.benchmark"
    assert page.evaluate(focused) == "demo_coding_vs_intergenic"


def test_a_page_has_scores_figures_errors_and_commands_of_its_benchmark(complete, visit):
    page = visit(complete, fragment="task-demo_promoters")
    own = page.locator("#task-demo_promoters")
    methods = own.locator("table[data-name='methods.demo_promoters'] tbody tr")
    assert "Fine-tuned" in methods.last.inner_text()
    errors = own.locator("table[data-name^='errors.'] tbody tr")
    assert errors.first.locator("> *").all_inner_texts()[:3] == [
        "item0",
        "non-promoter",
        "promoter",
    ]
    assert own.locator("figure").count() >= 4
    own.locator("summary", has_text="Commands").click()
    assert own.locator("pre", has_text="hyenadna finetune").first.is_visible()


def test_a_link_into_what_is_folded_away_opens_it(complete, visit):
    page = visit(complete, fragment="task-demo_promoters")
    link = page.locator("#task-demo_promoters a[href^='#run-']").first
    target = link.get_attribute("href")
    link.evaluate("of => of.click()")
    until(page, "hash => location.hash === hash", target)
    assert page.locator(target).is_visible()
    assert is_in_view(page, target)


def test_a_link_into_a_table_of_another_protocol_switches_to_it(complete, visit):
    page = visit(complete)
    hidden = page.locator(".choice[hidden] [id^=from-]").first
    target = f"#{hidden.get_attribute('id')}"
    page.evaluate("hash => location.hash = hash", target)
    until(page, "hash => document.querySelector(hash).checkVisibility()", target)


def test_the_list_of_benchmarks_filters(many, visit):
    page = visit(many)
    page.get_by_role("searchbox", name="Filter benchmarks").fill("set2")
    assert page.locator(".task:visible").count() == 7
    assert "7 of 26 benchmarks" in page.get_by_role("status").all_inner_texts()
    page.evaluate("location.hash = 'task-set11'")
    page.locator("#task-set11[open]").wait_for()


def test_the_search_box_goes_to_the_benchmark_that_was_meant(many, visit):
    page = visit(many)
    page.keyboard.press("/")
    box = page.get_by_role("combobox", name="Find a benchmark")
    box.press_sequentially("SET1")
    assert opened(page) == []
    box.press("Enter")
    page.locator("#task-set1[open]").wait_for()
    box.fill("nothing like it")
    box.press("Enter")
    assert "No such benchmark" in page.get_by_role("status").all_inner_texts()
    assert opened(page) == ["set1"]


@pytest.mark.parametrize(("fragment", "printed"), [("", []), ("task-set7", ["set7"])])
def test_of_many_benchmarks_only_the_open_one_is_printed(many, visit, fragment, printed):
    page = visit(many, fragment=fragment)
    page.evaluate("""addEventListener('beforeprint', () => {
      window.seen = [...document.querySelectorAll('.task[open]')].map(of => of.dataset.benchmark);
    })""")
    page.pdf(format="A4")
    assert page.evaluate("window.seen") == printed
    page.emulate_media(media="print")
    assert page.locator(".task:visible").count() == len(printed)


def test_a_column_that_is_not_wanted_is_neither_shown_nor_downloaded(complete, visit):
    page = visit(complete)
    button = page.get_by_role("button", name="Columns: Test scores", exact=True)
    button.click()
    assert button.get_attribute("aria-expanded") == "true"
    page.get_by_role("group", name="Columns shown").get_by_label("Metric").uncheck()
    table = page.locator("table[data-name=scores]")
    assert not table.locator("th", has_text="Metric").is_visible()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.get_by_role("button", name="Copy: Test scores", exact=True).click()
    page.get_by_text("Copied").wait_for()
    header, *rows = page.evaluate("navigator.clipboard.readText()").splitlines()
    assert header.split("\t")[0] == "Benchmark"
    assert "Metric" not in header.split("\t")
    assert {len(row.split("\t")) for row in rows} == {len(header.split("\t"))}
    page.get_by_role("group", name="Columns shown").get_by_label("Metric").check()
    assert table.locator("th", has_text="Metric").is_visible()


def test_a_table_that_goes_on_to_the_right_says_so_on_a_phone_until_its_end(complete, visit):
    page = visit(complete, viewport=PHONE)
    scroll = page.locator(".scroll:has(table[data-name=scores])")
    hint = page.locator(".tools:has(+ .scroll table[data-name=scores]) .sideways")
    assert hint.is_visible()
    scroll.evaluate("of => of.scrollTo(of.scrollWidth, 0)")
    hint.wait_for(state="hidden")
    page.set_viewport_size({"width": 1920, "height": 900})
    assert not hint.is_visible()


def test_the_way_back_to_the_top_is_there_once_the_top_is_not(complete, visit):
    page = visit(complete)
    back = page.get_by_role("link", name="Back to top")
    assert not back.is_visible()
    page.evaluate("location.hash = 'reading'")
    back.click()
    until(page, "scrollY < 300")
    back.wait_for(state="hidden")


def test_the_contents_say_where_a_reader_is(complete, visit):
    page = visit(complete, fragment="reading")
    page.locator("nav [aria-current]", has_text="How to read this").wait_for()


def test_a_benchmark_of_a_hostile_name_opens_and_runs_nothing(tree, tmp_path, visit):
    evil = "<img src=x onerror=window.ran=1>\"'`&"
    tree.benchmark(tmp_path, evil, tree.benchmarks["demo_promoters"])
    for run in (tmp_path / "finetune/tiny-demo").glob("*/*"):
        tasks.write_predictions(run, [f"</script>{evil}", evil], wrong=5)
    page = visit(report.write(tmp_path, tmp_path / "report.html"), bypass_csp=True)
    page.locator(".task > summary").click()
    assert opened(page) == [evil]
    assert evil in page.locator("table[data-name^='errors.']").inner_text()
    assert page.locator("img").count() == 0
    assert page.evaluate("window.ran") is None
