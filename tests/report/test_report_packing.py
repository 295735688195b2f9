"""A page of many benchmarks packs what it has folded away; nothing is lost by that."""

import re

import numpy as np
import pytest
from packed_pages import HELD, held, unpacked
from task_results import write_confusion

from hyenadna.report.figures.drawing import bends
from hyenadna.report.inputs.reading import read
from hyenadna.report.page import contents, layout


@pytest.fixture(scope="module")
def pages(tree, tmp_path_factory) -> dict[str, str]:
    """A page with two benchmarks, plain and packed."""
    root = tmp_path_factory.mktemp("packing")
    for name in ("demo_promoters", "demo_human_or_worm"):
        tree.benchmark(root, name, tree.benchmarks[name])
    results = read(root)
    drawn = contents.drawn(results)
    made = {}
    with pytest.MonkeyPatch.context() as patched:
        for kind, many in {"plain": 2, "packed": 1}.items():
            patched.setattr(layout, "MANY", many)
            made[kind] = contents.render(results, drawn, out=root / "report.html")
    return made


def words(page: str) -> list[str]:
    without_data = re.sub(r"<(script|noscript).*?</\1>", " ", page, flags=re.S)
    return re.sub(r"<[^>]*>", " ", without_data).split()


def test_few_benchmarks_are_there_for_search_and_for_readers_without_scripts(pages):
    assert 'class="folded"' not in pages["plain"]


def test_a_packed_page_says_what_the_plain_one_does(pages):
    assert len(held(pages["packed"])) > 4
    assert words(unpacked(pages["packed"])) == words(pages["plain"])
    assert len(words(pages["packed"])) < 0.7 * len(words(pages["plain"]))


def test_nothing_is_packed_twice(pages):
    for text in held(pages["packed"]):
        assert 'class="folded"' not in text
        assert '<script type="text/plain"' not in text


def test_benchmarks_keep_their_names_in_the_open(pages):
    open_part = HELD.sub("", pages["packed"])
    for name in ("demo_promoters", "demo_human_or_worm"):
        assert f'<details class="task" id="task-{name}"' in open_part
        assert f'data-benchmark="{name}"' in open_part


def test_every_link_within_a_packed_page_leads_somewhere(pages):
    page = unpacked(pages["packed"])
    links = set(re.findall(r'href="#([^"]+)"', page))
    assert links <= set(re.findall(r' id="([^"]+)"', page))
    assert any(link.startswith("run-") for link in links)


def test_text_of_figures_cannot_end_the_script_that_holds_it(tree, tmp_path, monkeypatch):
    monkeypatch.setattr(layout, "MANY", 0)
    tree.benchmark(tmp_path, "demo_promoters", tree.benchmarks["demo_promoters"])
    run = tmp_path / "finetune/tiny-demo/demo_promoters/seed0"
    write_confusion(run, ["</script><b>", "other"], right=0.8)
    results = read(tmp_path)
    page = contents.render(results, contents.drawn(results), out=tmp_path / "report.html")
    assert r"\u003c/script>\u003cb>" in unpacked(page)
    assert "<b>" not in unpacked(page)


def test_a_curve_keeps_the_points_that_it_bends_at():
    x = np.linspace(0, 1, 1001)
    y = np.minimum(2 * x, 1)
    assert bends(x, y, 0.002) == [0, 500, 1000]


@pytest.mark.parametrize("power", [0.05, 0.3, 1.0])
def test_a_simplified_curve_stays_beside_the_whole(power):
    x = np.linspace(0, 1, 300)
    y = x**power
    kept = bends(x, y, 0.002)
    assert len(kept) < 40
    slope = np.abs(np.gradient(y, x)) + 1  # the distance is measured across the line
    assert (np.abs(np.interp(x, x[kept], y[kept]) - y) <= 0.002 * slope + 1e-9).all()


def test_a_curve_of_steps_keeps_them_all():
    x, y = np.array([0, 0, 0.5, 0.5, 1]), np.array([0, 0.5, 0.5, 1, 1])
    assert bends(x, y, 0.002) == [0, 1, 2, 3, 4]
