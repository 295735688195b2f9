"""Figures in a real browser: drawn as they come near, pointed at, zoomed, saved and printed."""

import io
import struct
from itertools import pairwise
from pathlib import Path
from xml.etree import ElementTree

import pytest
from chromium import until

from hyenadna import report

pytestmark = [pytest.mark.browser, pytest.mark.slow]

EVIL = "<img src=x onerror=window.ran=1></script><script>window.ran=2</script>&lt;b&gt;"

UNFOLD = """document.querySelectorAll('details').forEach(of => of.open = true)
document.querySelectorAll('section.task').forEach(of => of.hidden = false)"""

OUT_OF_FRAME = """[...document.querySelectorAll('.plot[data-drawn]')].flatMap(plot => {
  const frame = plot.getBoundingClientRect();
  return [...plot.querySelectorAll('.main-svg text')].filter(text => {
    const at = text.getBoundingClientRect();
    return at.width && (at.left < frame.left - 3 || at.right > frame.right + 3
      || at.top < frame.top - 3 || at.bottom > frame.bottom + 3);
  }).map(text => `${plot.dataset.name}: ${text.textContent}`);
})"""

OVERLAPPING = """[...document.querySelectorAll('.plot[data-drawn]')].flatMap(plot => {
  const turned = text => text.getAttribute('transform')?.includes('rotate(-3');
  const texts = [...plot.querySelectorAll('.xtick text, .ytick text, .annotation text')]
    .filter(text => text.textContent.trim() && !turned(text))
    .map(text => [text.textContent, text.getBoundingClientRect()]).filter(([, at]) => at.width);
  return texts.flatMap(([one, a], index) => texts.slice(index + 1).filter(([, b]) =>
    Math.min(a.right, b.right) - Math.max(a.left, b.left) > 3
    && Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top) > 5
  ).map(([other]) => `${plot.dataset.name}: ${one} / ${other}`));
})"""

FITTED = """[...document.querySelectorAll('.plot[data-drawn]')].every(plot =>
  plot.querySelector('.main-svg').clientWidth <= plot.parentElement.clientWidth)"""

SCROLLING = """[...document.querySelectorAll('.canvas')].filter(
  of => of.scrollWidth > of.clientWidth
).map(of => of.closest('figure').id)"""

CUT = """text => {
  const svg = new DOMParser().parseFromString(text, 'image/svg+xml').documentElement;
  document.body.append(svg);
  const frame = svg.getBoundingClientRect();
  const cut = [...svg.querySelectorAll('text')].filter(of => {
    const at = of.getBoundingClientRect();
    return at.left < frame.left - 2 || at.right > frame.right + 2
      || at.top < frame.top - 2 || at.bottom > frame.bottom + 2;
  }).map(of => of.textContent);
  svg.remove();
  return cut;
}"""

FILL = "name => getComputedStyle(document.querySelector(`#${name} .barlayer path`)).fill"


def draw_all(page) -> None:
    """Bring every figure near once."""
    page.evaluate(UNFOLD)
    for plot in page.locator(".plot:visible").all():
        plot.scroll_into_view_if_needed()
        plot.and_(page.locator("[data-drawn]")).wait_for()


def shown(page, name: str):
    """Return a figure that is drawn, in view."""
    page.evaluate(UNFOLD)
    figure = page.locator(f"[id='figure-{name}']")
    figure.scroll_into_view_if_needed()
    figure.locator(".plot[data-drawn]").wait_for()
    return figure


def saved(page, button) -> tuple[str, bytes]:
    """Return name and content of the file that a button gives."""
    with page.expect_download() as waiting:
        button.click()
    return waiting.value.suggested_filename, Path(waiting.value.path()).read_bytes()


def test_every_figure_is_drawn_with_texts_that_neither_are_cut_nor_meet(complete, visit):
    page = visit(complete, viewport={"width": 1200, "height": 900})
    draw_all(page)
    assert page.locator(".plot[data-drawn] .main-svg").count() > 12
    for width in (1200, 375, 320):
        page.set_viewport_size({"width": width, "height": 900})
        until(page, FITTED)
        assert page.evaluate(OUT_OF_FRAME) == []
        assert page.evaluate(OVERLAPPING) == []
        assert page.evaluate(SCROLLING) == []


def test_rows_with_names_stand_apart(complete, visit):
    ticks = shown(visit(complete), "scores").locator(".ytick text")
    tops = [tick.bounding_box()["y"] for tick in ticks.all()]
    gaps = [abs(below - above) for above, below in pairwise(tops)]
    assert min(gaps) >= 35


def test_nothing_is_unpacked_before_it_is_near(complete, visit):
    page = visit(complete)
    page.locator(".plot[data-drawn]").first.wait_for()
    assert page.locator(".plot[data-drawn]").count() < page.locator(".plot").count() / 2


def test_pointing_at_a_mark_says_what_it_is(complete, visit):
    page = visit(complete)
    figure = shown(page, "scores")
    figure.locator(".scatterlayer .point").last.hover(force=True)
    assert "demo_species" in figure.locator(".hoverlayer").text_content()


def test_a_zoom_shows_less_and_can_be_reset(complete, visit):
    page = visit(complete)
    figure = shown(page, "context.demo_human")
    reset = figure.get_by_role("button", name="Reset zoom")
    before = figure.locator(".ytick text").all_text_contents()
    assert not reset.is_visible()
    box = figure.locator(".nsewdrag").bounding_box()
    page.mouse.move(box["x"] + 60, box["y"] + 60)
    page.mouse.down()
    page.mouse.move(box["x"] + 200, box["y"] + 120, steps=4)
    page.mouse.up()
    reset.wait_for()
    assert figure.locator(".ytick text").all_text_contents() != before
    reset.focus()
    page.keyboard.press("Enter")
    reset.wait_for(state="hidden")
    assert figure.locator(".ytick text").all_text_contents() == before


def test_the_wheel_scrolls_the_page_and_not_the_figure(complete, visit):
    page = visit(complete)
    shown(page, "context.demo_human").locator(".nsewdrag").hover()
    before = page.evaluate("scrollY")
    page.mouse.wheel(0, 200)
    until(page, "before => scrollY > before", before)


def test_an_entry_of_a_legend_hides_its_marks(complete, visit):
    page = visit(complete)
    figure = shown(page, "scores")
    entry = figure.get_by_role("button", name="frozen probe", exact=True)
    before = figure.locator(".scatterlayer .point").count()
    entry.focus()
    page.keyboard.press("Enter")
    assert entry.get_attribute("aria-pressed") == "false"
    assert entry.evaluate("of => of === document.activeElement")
    assert figure.locator(".scatterlayer .point").count() < before
    page.keyboard.press("Enter")
    assert figure.locator(".scatterlayer .point").count() == before


def test_a_figure_is_saved_from_the_page_alone(complete, visit):
    page = visit(complete, color_scheme="dark")
    figure = shown(page, "scores")
    name, numbers = saved(page, figure.get_by_role("button", name="TSV: Test scores at a glance"))
    assert name == "scores.tsv"
    assert numbers == (complete.parent / "figures/answer/scores.tsv").read_bytes()
    name, drawing = saved(page, figure.get_by_role("button", name="SVG: Test scores at a glance"))
    assert name == "scores.svg"
    texts = [of.text for of in ElementTree.parse(io.BytesIO(drawing)).iter() if of.text]
    entries = figure.locator(".legend button").all_inner_texts()
    assert [text for text in texts if text in entries] == entries
    assert page.evaluate(CUT, drawing.decode()) == []
    assert b"#0a6285" in drawing or b"rgb(10, 98, 133)" in drawing  # on paper, not on the screen
    name, image = saved(page, figure.get_by_role("button", name="PNG: Test scores at a glance"))
    assert name == "scores.png"
    width, _ = struct.unpack(">II", image[16:24])
    assert width > 1200


def test_a_picture_is_without_what_is_hidden_and_as_far_zoomed_as_the_screen(complete, visit):
    page = visit(complete)
    figure = shown(page, "scores")
    svg = figure.get_by_role("button", name="SVG:")
    _, before = saved(page, svg)
    figure.get_by_role("button", name="frozen probe", exact=True).click()
    _, after = saved(page, svg)
    assert b"frozen probe" in before
    assert b"frozen probe" not in after
    assert after.count(b'class="point"') < before.count(b'class="point"')


def test_the_keyboard_goes_from_a_box_to_its_row(tree, tmp_path, visit):
    for stage in ("finetune", "scratch"):
        files = [{"path": "results/pretrain/m/g/seed0/model.safetensors", "sha256": "a0"}]
        run = tmp_path / f"{stage}/m/b/seed0"
        tree.run(run, [(1, "test", "accuracy", 0.8)], data=files)
    tree.run(tmp_path / "pretrain/m/g/seed0", [(1, "test", "accuracy", 0.8)])
    page = visit(report.write(tmp_path, tmp_path / "report.html"))
    page.locator("[id='figure-workflow']").scroll_into_view_if_needed()
    button = page.locator(".rows").get_by_role("button", name="finetune")
    button.focus()
    page.keyboard.press("Enter")
    focused = "document.activeElement.closest('table')?.dataset.name"
    assert page.evaluate(focused) == "rules"
    assert page.evaluate("document.activeElement.innerText.trim()") == "finetune"


def test_a_figure_follows_the_theme_and_the_width(complete, visit):
    page = visit(complete, viewport={"width": 1200, "height": 900})
    figure = shown(page, "timings")
    bar = figure.locator(".barlayer path").first
    assert bar.evaluate("of => getComputedStyle(of).fill") == "rgb(10, 98, 133)"
    page.emulate_media(color_scheme="dark")
    until(page, f"() => ({FILL})('figure-timings') === 'rgb(98, 191, 224)'")
    page.set_viewport_size({"width": 375, "height": 900})
    until(page, "document.querySelector('#figure-timings .main-svg').clientWidth < 376")


def test_a_sheet_has_every_figure_on_white_and_the_screen_is_as_before(complete, visit):
    page = visit(complete, color_scheme="dark")
    page.evaluate(f"""addEventListener('beforeprint', () => {{ window.seen = [
      document.querySelectorAll('.plot:not([data-drawn])').length,
      ({FILL})('figure-timings'),
    ]; }})""")
    page.pdf(format="A4")  # at once, with most figures never near the view
    assert page.evaluate("window.seen") == [0, "rgb(10, 98, 133)"]
    shown(page, "timings")
    assert page.evaluate(FILL, "figure-timings") == "rgb(98, 191, 224)"


def test_without_scripts_the_page_says_where_each_figure_lies(complete, visit):
    page = visit(complete, java_script_enabled=False)
    figure = page.locator("#figure-scores")
    for ending in ("svg", "png", "tsv"):
        assert figure.locator(f"noscript a[href='figures/answer/scores.{ending}']").count() == 1
    assert figure.get_by_role("button").count() == 0


def test_a_finger_scrolls_the_page(complete, visit):
    page = visit(complete, viewport={"width": 375, "height": 700}, has_touch=True, is_mobile=True)
    figure = shown(page, "context.demo_human")
    style = "of => getComputedStyle(of).touchAction"
    assert figure.locator(".plot").evaluate(style) != "none"
    assert figure.locator(".nsewdrag").evaluate("of => of.style.cursor") != "crosshair"


def test_hostile_names_in_a_figure_are_text(tree, tmp_path, visit):
    benchmark = {**tree.benchmarks["demo_promoters"], "metric": EVIL}
    tree.benchmark(tmp_path, "evil", benchmark)
    tree.biotypes(tmp_path, {EVIL: 9, "lncRNA": 5})
    page = visit(report.write(tmp_path, tmp_path / "report.html"), bypass_csp=True)
    draw_all(page)
    for button in page.locator("figure button:visible").all():
        button.hover()
    for point in page.locator(".scatterlayer .point").all()[:40]:
        point.hover(force=True)
    assert page.locator("figure img, figure .plot a").count() == 0
    assert page.evaluate("window.ran") is None
    assert "<img src=x onerror" in "".join(page.locator("figure .legend").all_text_contents())
