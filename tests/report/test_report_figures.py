"""Figures: what they show, and that they fit both a paper and a page."""

import base64
import gzip
import json
import math
import re
import struct
from typing import Any
from xml.etree import ElementTree

import matplotlib as mpl
import numpy as np
import pytest

from hyenadna import report
from hyenadna.report.anchors import identifier
from hyenadna.report.figures.drawing import PALETTE, TUNED, spread_out, to_tsv
from hyenadna.report.figures.embedding_figures import MAP_VECTOR_POINTS
from hyenadna.report.figures.pretraining_figures import smoothed
from hyenadna.report.page import packing


def svg_of(root, name: str) -> str:
    (path,) = (root / "figures").glob(f"*/{name}.svg")
    return path.read_text()


def plots_of(page: str) -> list[dict[str, Any]]:
    """Return what the figures of a page are drawn from."""
    packed = re.findall(r'<script type="text/plain" class="packed">(\S+)</script>', page)
    return [json.loads(gzip.decompress(base64.b64decode(of))) for of in packed]


def test_every_figure_is_a_file_in_the_folder_of_its_section(finished):
    drawn = {
        path.relative_to(finished / "figures").with_name(path.stem).as_posix()
        for path in (finished / "figures").rglob("*.svg")
    }
    assert drawn >= {
        "answer/scores",
        "benchmarks/benchmark.demo_chromatin.tiny-demo",
        "benchmarks/benchmark.demo_species.tiny-demo",
        "pretraining/context.demo_human",
        "pretraining/positions.demo_human",
        "pretraining/pretraining.tiny-demo.demo_human.seed0",
        "length/cost-by-length",
        "length/training-step-by-length",
        "biotypes/embedding.tiny-demo.demo_biotypes.seed0",
        "timings/timings",
    }


def test_every_figure_is_vectors_points_and_numbers(finished):
    for drawing in (finished / "figures").rglob("*.svg"):
        assert ElementTree.parse(drawing).getroot().tag.endswith("svg")
        assert drawing.with_name(f"{drawing.stem}.png").read_bytes().startswith(b"\x89PNG")
        header, *rows = drawing.with_name(f"{drawing.stem}.tsv").read_text().splitlines()
        assert rows, drawing.name
        assert {row.count("\t") for row in rows} == {header.count("\t")}


def test_points_are_as_many_as_journals_ask_for(finished):
    drawing, image = (
        finished / "figures/answer/scores.svg",
        finished / "figures/answer/scores.png",
    )
    width = float(re.search(r'<svg[^>]* width="([\d.]+)pt"', drawing.read_text())[1])
    assert struct.unpack(">I", image.read_bytes()[16:20])[0] == pytest.approx(
        width / 72 * 300, abs=1
    )


def test_the_numbers_of_a_figure_are_those_that_it_shows(finished):
    scores = (finished / "figures/answer/scores.tsv").read_text().splitlines()
    assert "demo_promoters\ttiny-demo\taccuracy\tkmer\t0.812\t\t" in scores
    assert "demo_promoters\ttiny-demo\taccuracy\tfinetune\t0.84366667\t0.0066583281\t3" in scores
    seeds = (
        (finished / "figures/benchmarks/benchmark.demo_promoters.tiny-demo.tsv")
        .read_text()
        .splitlines()
    )
    assert "demo_promoters\ttiny-demo\taccuracy\tfinetune\t0.851" in seeds


def test_names_cannot_break_a_table():
    assert to_tsv("name value", [("a\tb\nc", math.nan)]) == "name\tvalue\na b c\t\n"


def test_more_numbers_than_a_page_should_hold_are_a_file_beside_it(tmp_path, tree, monkeypatch):
    monkeypatch.setattr(packing, "MOST_DATA", 500)
    tree.biotypes(tmp_path, {"lncRNA": 20})
    page = report.write(tmp_path, tmp_path / "report.html").read_text()
    assert 'href="figures/biotypes/embedding.tiny-demo.demo_biotypes.seed0.tsv"' in page
    assert "tsv" not in plots_of(page)[0]


def test_the_page_holds_the_numbers_of_its_figures(finished):
    page = (finished / "report.html").read_text()
    held = {of["tsv"] for of in plots_of(page)}
    assert held == {
        path.read_text()
        for path in (finished / "figures").rglob("*.tsv")
        if path.parent != finished / "figures"
    }


def test_figures_of_an_earlier_report_go(tmp_path):
    (tmp_path / "figures").mkdir()
    (tmp_path / "figures/old.svg").touch()
    report.write(tmp_path, tmp_path / "report.html")
    assert list((tmp_path / "figures").rglob("*.svg")) == []


def test_files_have_plain_colours_and_the_page_has_those_of_its_theme(finished):
    assert f"stroke: {TUNED}" in svg_of(finished, "scores")
    drawn = json.dumps([of["plot"] for of in plots_of((finished / "report.html").read_text())])
    assert re.findall(r'"\w*color": "#', drawn) == []
    used = set(re.findall(r'color": "@(\w+)"', drawn))
    assert {"ink", "soft", "grid", "tuned", "scratch", "probe", "hue0"} <= used <= set(PALETTE)


def test_the_same_results_give_the_same_page(tmp_path, tree):
    tree.benchmark(tmp_path, "demo_species", tree.benchmarks["demo_species"])
    pages = [report.write(tmp_path, tmp_path / "report.html").read_bytes() for _ in range(2)]
    assert pages[0] == pages[1]


def test_each_colour_has_a_value_for_light_and_for_dark(finished):
    page = (finished / "report.html").read_text()
    for name, (light, dark) in PALETTE.items():
        assert page.count(f"--{name}:{light};") == page.count(f"--{name}:{dark};") == 1


def test_text_stays_text(finished):
    assert ">Markov order 5 1.926</text>" in svg_of(
        finished, "pretraining.tiny-demo.demo_human.seed0"
    )
    assert ">protein_coding (61)</text>" in svg_of(
        finished, "embedding.tiny-demo.demo_biotypes.seed0"
    )
    assert ">k-mer counts 0.812</text>" in svg_of(finished, "benchmark.demo_promoters.tiny-demo")


def test_rare_biotypes_share_one_entry(tmp_path, tree):
    tree.biotypes(tmp_path, {f"type{i:02d}": 40 - i for i in range(15)})
    report.write(tmp_path, tmp_path / "report.html")
    svg = svg_of(tmp_path, "embedding.tiny-demo.demo_biotypes.seed0")
    assert ">type11 (29)</text>" in svg
    assert ">3 others (81)</text>" in svg


def test_many_genes_become_one_image(tmp_path, tree):
    tree.biotypes(tmp_path, {"lncRNA": MAP_VECTOR_POINTS + 1})
    report.write(tmp_path, tmp_path / "report.html")
    svg = svg_of(tmp_path, "embedding.tiny-demo.demo_biotypes.seed0")
    assert svg.count("data:image/png;base64,") == 2  # UMAP and t-SNE
    assert len(svg) < 400_000


def test_drawing_leaves_the_settings_of_matplotlib_alone(tmp_path, tree):
    tree.benchmark(tmp_path, "demo_species", tree.benchmarks["demo_species"])
    before = dict(mpl.rcParams)
    report.write(tmp_path, tmp_path / "report.html")
    assert dict(mpl.rcParams) == before


def test_labels_that_are_far_apart_stay():
    assert spread_out([1.0, 2.0, 3.0], 0.5) == [1.0, 2.0, 3.0]


def test_labels_that_are_close_move_apart_around_their_middle():
    assert spread_out([1.0, 1.0, 1.0], 0.5) == pytest.approx([0.5, 1.0, 1.5])


def test_labels_moved_apart_do_not_meet_their_neighbours():
    positions = sorted(np.random.default_rng(0).uniform(0, 1, 12))
    assert np.diff(spread_out(positions, 0.1)).min() >= 0.1 - 1e-12


def test_a_running_mean_keeps_a_constant_up_to_its_ends():
    assert smoothed(np.full(400, 1.9)) == pytest.approx(np.full(400, 1.9))


def test_a_running_mean_passes_over_what_is_no_number():
    values = np.full(400, 1.9)
    values[100] = np.nan
    assert smoothed(values)[100] == pytest.approx(1.9)


def test_a_running_mean_is_centred():
    line = np.arange(400.0)
    assert smoothed(line)[50:-50] == pytest.approx(line[50:-50])


def test_identifiers_are_plain_and_differ_where_names_do():
    names = [("a b", "c"), ("a-b", "c"), ("a.b", "c"), ("a", "b.c"), ("ä", "c"), ("a", "b", "c")]
    identifiers = [identifier(*parts) for parts in names]
    assert len(set(identifiers)) == len(names)
    assert all(re.fullmatch(r"[A-Za-z0-9_.-]+", name) for name in identifiers)
