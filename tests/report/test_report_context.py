"""Perplexity against context in the report."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
from drawn_figures import figures_of
from test_report_page import page_of

from hyenadna.report.inputs.reading import read
from hyenadna.report.tables.contexts import best_chain, by_genome

FOLDER = "context/tiny-demo/demo_human/seed0"


def figure(root: Path, name: str) -> str:
    return (root / f"figures/pretraining/{name}.svg").read_text()


def data_of(page: str) -> dict[str, object]:
    found = re.search(r'id="results">(.*?)</script>', page)
    assert found
    return json.loads(found[1])


def test_each_model_has_a_line_with_its_last_perplexity_and_the_best_chain_too(finished):
    svg = figure(finished, "context.demo_human")
    assert ">tiny-demo 3.758</text>" in svg
    assert ">tiny-transformer 3.811</text>" in svg
    assert ">Markov order 5 3.800</text>" in svg
    assert ">1,024</text>" in svg


def test_each_model_has_a_line_of_bits_by_position(finished):
    svg = figure(finished, "positions.demo_human")
    assert ">tiny-demo 1.900</text>" in svg
    assert ">tiny-transformer 1.920</text>" in svg


def test_table_has_a_row_for_each_context_with_the_best_of_each_model(finished):
    page = (finished / "report.html").read_text()
    table = page.partition('data-name="contexts-demo_human"')[2].partition("</table>")[0]
    assert re.findall(r'<th scope="row" data-value="(\d+)">', table) == ["64", "256", "1024"]
    assert "tiny‑transformer bits per base" in table
    best = re.findall(r'class="best">([\d.]+)<', table.partition("<tbody>")[2])
    assert best == ["3.758", "1.910", "3.811", "1.930"]


def test_what_the_paper_published_is_said_beside_it(finished):
    assert (
        "on an axis from 2.9 to 3.3; it gives no numbers" in (finished / "report.html").read_text()
    )


def test_without_results_there_is_no_figure_but_the_command_that_makes_them(tmp_path, tree):
    tree.pretraining(tmp_path)
    assert {*figures_of(tmp_path)} == {"pretraining.tiny-demo.demo_human.seed0", "workflow"}
    page = page_of(tmp_path).source
    assert "snakemake --cores all contexts" in page
    assert "2.9 to 3.3" not in page


def test_contexts_alone_make_a_page(tmp_path, tree):
    tree.contexts(tmp_path)
    assert {*figures_of(tmp_path)} == {"context.demo_human", "positions.demo_human", "workflow"}
    assert page_of(tmp_path).row("1,024")[1:3] == ["3.758", "1.910"]


def test_transformers_come_last_and_are_dashed(tmp_path, tree):
    tree.contexts(tmp_path)
    info = tmp_path / FOLDER / "run.json"
    info.write_text(info.read_text().replace('"hyena"', '"attention"'))
    other = tmp_path / "context/tiny-transformer/demo_human/seed0/run.json"
    other.write_text(other.read_text().replace('"attention"', '"hyena"'))
    (series,) = by_genome(read(tmp_path).of("context")).values()
    assert [(of.label, of.is_transformer) for of in series] == [
        ("tiny-transformer", False), ("tiny-demo", True),
    ]  # fmt: skip


def test_seeds_are_told_apart_where_there_are_several(tmp_path, tree):
    for seed in (0, 1):
        rows = [(0, "test", "context8.perplexity", 3.9 - seed / 10)]
        tree.run(tmp_path / f"context/m/g/seed{seed}", rows)
    (series,) = by_genome(read(tmp_path).of("context")).values()
    assert [of.label for of in series] == ["m, seed 0", "m, seed 1"]
    assert np.isnan(best_chain(series)[1])
    svg = figures_of(tmp_path)["context.g"].svg
    assert ">m, seed 1 3.800</text>" in svg
    assert "Markov" not in svg


def test_bits_by_position_are_those_of_the_longest_context(tmp_path, tree):
    tree.contexts(tmp_path)
    (tmp_path / FOLDER / "positions.tsv").write_text(
        "context\tfirst\tlast\tbases\tbits\n"
        "2\t0\t0\t4\t8\n2\t1\t1\t4\t4\n"
        "4\t0\t0\t2\t4\n4\t1\t1\t0\t0\n4\t2\t3\t4\t6\n"
    )
    costs = next(of for of in read(tmp_path).positions if of.run.model == "tiny-demo")
    before, bits = costs.at_longest_context()
    assert before == pytest.approx([1, 12**0.5])
    assert bits == pytest.approx([2, 1.5])


def test_positions_that_cannot_be_read_are_named(tmp_path, tree):
    tree.contexts(tmp_path)
    path = tmp_path / FOLDER / "positions.tsv"
    path.write_text("context\tfirst\tlast\tbases\tbits\n64\t0\t0\tmany\t9\n64\t1\t1\t0\t0\n")
    found = read(tmp_path)
    assert [of.run.model for of in found.positions] == ["tiny-transformer"]
    assert [(of.path, of.what) for of in found.problems] == [
        (f"{FOLDER}/positions.tsv", "line 2: 64 0 0 many 9 are not all numbers")
    ]
    path.unlink()
    assert "bits by position of this run cannot be drawn" in page_of(tmp_path).text


def test_the_answer_is_not_that_of_a_transformer(tmp_path, tree):
    tree.pretraining(tmp_path)
    rows = [(9, "test", "perplexity", 1.5)]
    tree.run(tmp_path / "pretrain/baseline/demo_human/seed0", rows, mixer="attention")
    answer = page_of(tmp_path).source.partition("<h2")[0]
    assert "HyenaDNA tiny-demo, pretrained on demo_human" in answer
    assert "1.500" not in answer


def test_numbers_are_there_for_programs(finished):
    found = data_of((finished / "report.html").read_text())["contexts"]
    assert [(of["model"], of["genome"], of["split"]) for of in found] == [
        ("tiny-demo", "demo_human", "test"), ("tiny-transformer", "demo_human", "test"),
    ]  # fmt: skip
    assert found[0]["perplexity"]["1024"] == pytest.approx(2**1.91)
    assert found[0]["source"] == f"{FOLDER}/metrics.tsv"
