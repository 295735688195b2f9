"""The workflow as it ran, as a figure."""

import pytest
from drawn_figures import said, table_of

from hyenadna.report.figures.drawing import Figure, style
from hyenadna.report.figures.workflow_figure import drawn, graph
from hyenadna.report.inputs.reading import read
from hyenadna.report.tables.provenance import rules

PRETRAINED = "results/pretrain/m/g/seed0/model.safetensors"
TOKENS = "results/genomes/g/tokens/tokens.u8"
INTERVALS = "results/genomes/g/intervals.bed"
FASTA = "/elsewhere/results/genomes/g/genome.fa"


def data(*paths: str) -> list[dict[str, str]]:
    return [{"path": path, "sha256": "a0"} for path in paths]


def measure(root, name: str, seconds: float = 60.0) -> None:
    path = root / f"benchmarks/{name}.tsv"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"s\th:m:s\tmax_rss\n{seconds}\t0:01:00\t512\n")


def figure_of(root) -> Figure:
    with style():
        (figure,) = drawn(read(root))
    return figure


def reads(root) -> dict[str, set[str]]:
    return {name: rule.reads for name, rule in graph(read(root)).items()}


@pytest.fixture
def ran(tmp_path, tree):
    """A pretraining, a fine-tuning from it, and what they read."""
    rows = [(1, "test", "accuracy", 0.8)]
    tree.run(tmp_path / "pretrain/m/g/seed0", rows, data=data(TOKENS, INTERVALS))
    for stage, seeds in {"finetune": 2, "scratch": 1}.items():
        files = data(PRETRAINED, FASTA, "resources/b/test.csv")
        for seed in range(seeds):
            tree.run(tmp_path / f"{stage}/m/b/seed{seed}", rows, data=files)
            measure(tmp_path, f"{stage}/m.b.seed{seed}")
    measure(tmp_path, "copy_intervals/g")
    return tmp_path


def test_a_rule_reads_from_those_that_made_its_files(ran):
    found = reads(ran)
    assert found["finetune"] == {"pretrain", "prepare_genome"}
    assert found["pretrain"] == {"tokenize", "copy_intervals"}


def test_tokens_are_made_of_the_genome_though_no_run_records_it(ran):
    assert reads(ran)["tokenize"] == {"prepare_genome"}


def test_intervals_come_from_the_rule_that_was_measured_for_their_genome(ran):
    (ran / "benchmarks/copy_intervals").rename(ran / "benchmarks/split_by_contigs")
    assert reads(ran)["pretrain"] == {"tokenize", "split_by_contigs"}


def test_no_rule_stands_above_one_that_it_reads_from(ran):
    order = [*reads(ran)]
    assert all(
        order.index(source) < order.index(name)
        for name, sources in reads(ran).items()
        for source in sources
    )


def test_a_box_sums_up_the_jobs_of_every_stage_of_its_rule(ran):
    (text,) = (of for of in said(figure_of(ran)) if of.startswith("finetune /"))
    assert text == (
        "finetune / From scratch, Fine-tuned / 3 jobs, 3 min 00 s / 812 MB at most / "
        "reads prepare_genome and pretrain / click: its row in the table"
    )
    assert ">3 jobs, 3 min 00 s</text>" in figure_of(ran).svg


def test_lines_meet_once_for_every_rule_that_another_reads_from(ran):
    figure = figure_of(ran)
    dots = [of for of in figure.drawing.plot["data"] if of.get("mode") == "markers"]
    (meeting,) = (of for of in dots if of["marker"]["symbol"] == "circle")
    assert len(meeting["x"]) == sum(map(len, reads(ran).values())) == 5


def test_the_table_has_a_row_for_each_rule(ran):
    rows = {row[0]: row[1:] for row in table_of(figure_of(ran))}
    assert rows["finetune"] == ["prepare_genome,pretrain", "3", "180", "8.12e+08"]
    assert rows["prepare_genome"] == ["", "0", "", ""]


def test_a_box_leads_to_the_row_of_its_rule(ran):
    figure = figure_of(ran)
    led = [to for of in figure.drawing.plot["data"] for to in of.get("customdata", [])]
    rows = {row[0].text for row in rules(read(ran)).rows}
    assert {to.removeprefix("rules/") for to in led} == rows == {"finetune", "pretrain"}


def test_rules_that_are_not_connected_stand_below(ran, tree):
    tree.bench(ran / "bench/attention", tree.timed("attention"))
    assert [*reads(ran)][-1] == "bench_attention"


def test_without_records_there_is_no_figure(tmp_path, tree):
    tree.bench(tmp_path / "bench/attention", tree.timed("attention"))
    assert list(drawn(read(tmp_path))) == []


def test_rules_that_claim_to_read_each_other_are_drawn(tmp_path, tree):
    rows = [(1, "test", "accuracy", 0.8)]
    made = "results/finetune/m/b/seed0/model.safetensors"
    tree.run(tmp_path / "pretrain/m/g/seed0", rows, data=data(made))
    tree.run(tmp_path / "finetune/m/b/seed0", rows, data=data(PRETRAINED))
    assert figure_of(tmp_path).svg
