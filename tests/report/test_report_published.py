"""Published scores: the tables that ship, and how they stand beside ours."""

import csv
from pathlib import Path

import pytest
from task_results import PUBLISHED, write_published
from test_report_page import Page

from hyenadna import report
from hyenadna.errors import InputError
from hyenadna.report.inputs.reading import read
from hyenadna.report.page import contents as pages
from hyenadna.report.tables import published as literature

ROOT = Path(__file__).parents[2]
SHIPPED = ROOT / "resources/published"
FAMILIES = ("genomic_benchmarks", "nucleotide_transformer", "chromatin_profile", "species")


@pytest.fixture(scope="module")
def shipped():
    found = read(ROOT / "resources", SHIPPED)
    assert found.problems == []
    return found.published


def test_every_shipped_number_is_a_share_with_source_and_protocol(shipped):
    assert len(shipped.scores) > 300
    for row in shipped.scores:
        assert 0 < row.value < 1
        assert row.source.startswith("arXiv ")
        assert (row.family, row.protocol) in shipped.meanings
        assert (row.spread == row.spread) == bool(row.spread_is)  # NaN is no spread


def test_no_model_has_two_numbers_by_one_protocol(shipped):
    keys = [(row.benchmark, row.model, row.metric, row.protocol) for row in shipped.scores]
    assert len(set(keys)) == len(keys)


def test_shipped_names_of_benchmarks_are_those_of_the_table(shipped):
    with (ROOT / "config/benchmarks.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    for family in (*FAMILIES, "biotypes"):
        known = {row["benchmark"] for row in rows if row["family"] == family}
        assert {row.benchmark for row in shipped.scores if row.family == family} <= known


def test_the_best_known_is_the_highest_of_its_protocol_under_10_million_parameters(shipped):
    for best in (row for row in shipped.scores if row.is_summary):
        rivals = [
            row.value
            for row in shipped.scores
            if (row.benchmark, row.protocol) == (best.benchmark, best.protocol)
            and row.parameters
            and parameters(row.parameters) < 10e6
        ]
        assert best.value == max(rivals)


def parameters(text: str) -> float:
    return float(text[:-1]) * {"K": 1e3, "M": 1e6, "B": 1e9}[text[-1]]


@pytest.mark.parametrize(
    ("benchmark", "model", "protocol", "value"),
    [
        ("human_enhancers_cohn", "HyenaDNA", "paper", 0.742),
        ("human_enhancers_cohn", "HyenaDNA", "5-fold", 0.729),
        ("mouse_enhancers_ensembl", "CNN", "paper", 0.690),
        ("H3K4me3", "HyenaDNA", "paper", 0.612),
        ("species_1m", "HyenaDNA", "paper", 0.995),
        ("gencode_biotypes", "HyenaDNA", "paper", 0.720),
    ],
)
def test_shipped_numbers_are_those_of_the_papers(shipped, benchmark, model, protocol, value):
    key = (benchmark, model, protocol)
    (found,) = [
        row.value
        for row in shipped.scores
        if (row.benchmark, row.model, row.protocol) == key and row.metric != "f1"
    ]
    assert found == value


def test_every_family_ships_its_grid(shipped):
    assert {*FAMILIES, "biotypes", "in_context"} == {row.family for row in shipped.grid}


def page_beside(tmp_path: Path, published: Path) -> Page:
    root = tmp_path / "results"
    out = root / "report.html"
    out.write_text(pages.render(read(root, published), {}, out=out), encoding="utf-8")
    return Page(out)


def test_each_protocol_has_a_table_with_our_scores_in_columns_of_their_own(tmp_path, tree):
    for seed, score in enumerate((0.6, 0.8)):
        directory = tmp_path / f"results/finetune/m/b/seed{seed}"
        tree.run(directory, [(1, "test", "accuracy", score)], metric="accuracy")
    directory = tmp_path / "results/paper/m/b/point0"
    tree.run(directory, [(1, "test", "accuracy", 0.85)], metric="accuracy")
    page = page_beside(tmp_path, write_published(tmp_path / "published"))
    fold, paper = [row for row in page.rows if row[:2] == ["b", "accuracy"]][-2:]
    assert fold == ["b", "accuracy", "0.700 ± 0.141n = 2", "0.700max-min 0.020", "0.700CNN"]
    assert paper == ["b", "accuracy", "0.700 ± 0.141n = 2", "0.850n = 1", "0.900?"]
    heads = [row for row in page.rows if "CNN (264K)" in "".join(row).replace("‑", "-")]
    assert heads == [["Benchmark", "Metric", "Ours: m, fine‑tuned", "CNN (264K)",
                      "best known under 10 M"]]  # fmt: skip
    assert "protocol 5-fold. Nothing sees test. Numbers as published (paper A: CNN)" in page.text
    assert "A question mark: not read in the source itself." in page.text
    assert "1e-4 to 6e-4" in page.text
    assert "../published/genomic_benchmarks.tsv" in page.source


def test_embeddings_of_genes_stand_beside_published_ones(tmp_path, tree):
    directory = tmp_path / "results/biotypes/m/gencode_biotypes/seed0"
    tree.run(directory, [(0, "test", "embedding.f1_weighted", 0.5)], metric="f1_weighted")
    page = page_beside(tmp_path, SHIPPED)
    (row,) = [row for row in page.rows if row[:2] == ["gencode_biotypes", "f1_weighted"]]
    assert row[2].startswith("0.500")
    assert "0.720" in row


def beside(tmp_path: Path, tree, selected_on: str) -> list[str]:
    """Run two seeds beside a published model, and return our row by our own protocol."""
    folder = write_published(tmp_path / "published")
    text = PUBLISHED["genomic_benchmarks"].replace("\tCNN\t264K", "\tHyenaDNA\t264K")
    (folder / "genomic_benchmarks.tsv").write_text(text)
    (folder / "protocols.tsv").write_text(
        "family\tprotocol\tmeaning\tselected_on\n"
        f"genomic_benchmarks\t5-fold\tNothing sees test.\t{selected_on}\n"
    )
    for seed, score in enumerate((0.80, 0.81)):
        directory = tmp_path / f"results/finetune/m/b/seed{seed}"
        tree.run(directory, [(1, "test", "accuracy", score)], metric="accuracy")
    tree.run(tmp_path / "results/baselines/b", [(0, "test", "kmer.accuracy", 0.9)])
    page = page_beside(tmp_path, folder)
    return [*next(row for row in page.rows if row[:2] == ["b", "accuracy"]), page.text]


def test_the_answer_stands_beside_the_published_model(tmp_path, tree):
    *row, text = beside(tmp_path, tree, "valid")
    assert row[2:6] == [
        "0.805 ± 0.007n = 2",
        "0.900k-mer counts",
        "−0.095−0.159 to −0.031",
        "0.700264K · 5-fold",
    ]
    assert row[6] == "+0.105+0.041 to +0.169"
    assert "The published HyenaDNA reached accuracy 0.700 on b (ours: 0.805)." in text
    assert "selected on the test split, which ours" not in text


def test_a_published_score_of_another_protocol_is_said_to_be_one(tmp_path, tree):
    *_, text = beside(tmp_path, tree, "test")
    assert "(ours: 0.805). That was selected on the test split, which ours was not." in text
    assert "Published scores marked “5-fold” were selected on the test split" in text


def test_protocols_of_which_nothing_is_known_stand_beside_none_of_ours(tmp_path, tree):
    *row, text = beside(tmp_path, tree, "")
    assert len(row) == 5
    assert "HyenaDNA, published" not in text
    assert "Published scores and their protocols" in text


def test_published_scores_move_to_the_family_whose_protocol_they_fit():
    published = read(ROOT / "resources", SHIPPED).published
    assert literature.beside(published, "genomic_benchmarks", "valid") == ["5-fold"]
    assert literature.beside(published, "genomic_benchmarks", "test") == ["paper"]
    assert literature.beside(published, "species", "valid") == ["paper"]
    assert literature.beside(published, "species", "") == []


def test_families_that_were_not_run_are_left_out(tmp_path, tree):
    directory = tmp_path / "results/finetune/m/other/seed0"
    tree.run(directory, [(1, "test", "accuracy", 0.8)], metric="accuracy")
    page = page_beside(tmp_path, write_published(tmp_path / "published"))
    assert "Published" not in [of.get("id") for of in page.all("h2")]
    assert "Published scores" not in page.text


def test_a_published_number_that_is_none_is_named(tmp_path, tree):
    folder = write_published(tmp_path / "published")
    text = PUBLISHED["genomic_benchmarks"].replace("0.7\t0.02", "about 0.7\t0.02")
    (folder / "genomic_benchmarks.tsv").write_text(text)
    (tmp_path / "results").mkdir()
    (problem,) = read(tmp_path / "results", folder).problems
    assert problem.path == "../published/genomic_benchmarks.tsv"
    assert "'about 0.7' is no number" in problem.what


def test_a_folder_of_published_scores_that_is_not_there_is_an_error(tmp_path):
    (tmp_path / "results").mkdir()
    with pytest.raises(InputError, match="published: no such directory"):
        report.write(tmp_path / "results", tmp_path / "page.html", published=tmp_path / "published")
