"""What a mark says to a reader who points at it."""

import pytest
from drawn_figures import figures_of, said
from task_results import PROMPTS, write_confusion, write_curves, write_prompted, write_targets

from hyenadna.report.comparison.comparison_figures import forest
from hyenadna.report.comparison.differences import differences
from hyenadna.report.figures.drawing import style
from hyenadna.report.inputs.reading import read

SHARED = {"benchmark": "b", "metric": "accuracy", "kind": "single", "counts": {"test": 9}}


@pytest.fixture(scope="module")
def drawn(tmp_path_factory, tree):
    """One of each figure that needs no more than a finished run."""
    root = tmp_path_factory.mktemp("results")
    tree.pretraining(root)
    tree.contexts(root)
    tree.benchmark(root, "demo_promoters", tree.benchmarks["demo_promoters"])
    tree.biotypes(root)
    tree.bench(root / "bench/long_conv", tree.timed("long_conv"))
    tree.bench(root / "bench/model", tree.timed("model"))
    return figures_of(root)


def test_every_figure_says_something_about_its_marks(drawn):
    assert [name for name, figure in drawn.items() if not said(figure)] == []


def test_a_mean_names_benchmark_method_score_and_seeds(drawn):
    texts = said(drawn["scores"])
    assert "demo_promoters · tiny-demo / Fine-tuned: accuracy 0.844 ± 0.007 / n = 3" in texts
    assert "demo_promoters / k-mer counts: accuracy 0.812" in texts


def test_a_score_names_its_seed_and_a_line_its_baseline(drawn):
    texts = said(drawn["benchmark.demo_promoters.tiny-demo"])
    assert "demo_promoters · tiny-demo / Fine-tuned, seed 1: accuracy 0.851" in texts
    assert "demo_promoters / k-mer counts: accuracy 0.812" in texts


def test_a_seed_without_a_score_takes_no_others_place(tmp_path, tree):
    for seed, value in enumerate((0.8, float("nan"), 0.9)):
        rows = [(1, "test", "accuracy", value)]
        tree.run(tmp_path / f"finetune/m/b/seed{seed}", rows, **SHARED)
    texts = said(figures_of(tmp_path)["benchmark.b.m"])
    assert "b · m / Fine-tuned, seed 2: accuracy 0.900" in texts
    assert not any("seed 1" in text for text in texts)


def test_a_point_of_pretraining_names_step_tokens_and_bits(drawn):
    texts = said(drawn["pretraining.tiny-demo.demo_human.seed0"])
    assert any(of.startswith("step 50, 819,200 tokens / validation ") for of in texts)
    assert any(of.startswith("step 600, 9,830,400 tokens / learning rate 6e-05") for of in texts)
    assert "Markov chain of order 5 / 1.926 bits per base" in texts


def test_a_point_of_a_context_names_model_and_perplexity(drawn):
    assert "tiny-demo / context 1,024: perplexity 3.758" in said(drawn["context.demo_human"])
    texts = said(drawn["positions.demo_human"])
    assert any(of.startswith("tiny-demo / after about 1 bases: ") for of in texts)


def test_a_time_names_implementation_length_quartiles_and_ratio(drawn):
    texts = said(drawn["cost-by-length"])
    assert (
        "hyenadna, forward / 1,024 nucleotides: 1.45 ms (quartiles 1.30–1.74 ms) / "
        "torch.fft takes 2.83× as long"
    ) in texts


def test_a_training_step_names_memory_and_the_transformers_time(drawn):
    (text,) = (
        of
        for of in said(drawn["training-step-by-length"])
        if of.startswith("hyenadna, forward and backward / 1,024")
    )
    assert text.endswith("/ memory 10 MB / the Transformer takes 1.11× as long")


def test_a_gene_names_itself_with_number_and_biotype(drawn):
    texts = said(drawn["embedding.tiny-demo.demo_biotypes.seed0"])
    assert "GENE10 / ENSG00100000000.1 / lncRNA" in texts


def test_names_of_genes_are_in_the_table_too(drawn):
    figure = drawn["embedding.tiny-demo.demo_biotypes.seed0"]
    assert figure.data.splitlines()[1].startswith("UMAP\tENSG00000000000.1\tGENE00\tprotein_coding")


def test_many_genes_are_points_in_the_page_and_an_image_in_the_file(tmp_path, tree):
    tree.biotypes(tmp_path, {"lncRNA": 4100})
    figure = figures_of(tmp_path)["embedding.tiny-demo.demo_biotypes.seed0"]
    assert "data:image/png;base64," in figure.svg
    assert [len(trace["x"]) for trace in figure.drawing.plot["data"]][:2] == [4100, 4100]


def test_what_lies_behind_a_score_names_classes_rates_and_targets(tmp_path, tree):
    run = tree.run(tmp_path / "finetune/m/b/seed0", [(1, "test", "accuracy", 0.8)], **SHARED)
    write_confusion(run, ["worm", "human"], right=0.8)
    write_curves(run, ["worm"], area=0.75, points=5)
    write_targets(run, {"TF": 3}, auroc=0.9)
    drawn = figures_of(tmp_path)
    confusion = said(drawn["confusion.b.m"])
    assert "worm, taken for human / 20 items, 20.0 % of its 100" in confusion
    assert len(confusion) == 4
    curves = said(drawn["curves.b.m"])
    assert "worm / false positives 0.250, true positives 0.630" in curves
    assert any(of.startswith("worm / recall 0.250, precision ") for of in curves)
    targets = said(drawn["targets.b.m"])
    assert sum(of.startswith(("TF0 / TF / auroc", "TF1 / TF / auroc")) for of in targets) == 2
    assert any(of.startswith("TF / median auroc 0.") for of in targets)


def test_leaks_name_both_scores(tmp_path, tree):
    rows = [(1, "test", "accuracy", 0.9), (1, "test_clean", "accuracy", 0.7)]
    tree.run(tmp_path / "finetune/m/b/seed0", rows, **SHARED)
    texts = said(figures_of(tmp_path)["leaks"])
    assert texts == ["b · m / Fine-tuned: accuracy 0.900 on all items, 0.700 on clean ones"]


def test_a_prompt_names_what_was_varied(tmp_path, tree):
    for at, (setting, score) in enumerate(PROMPTS.items()):
        run = tree.run(tmp_path / f"in_context/m/b/s{at}/seed0", [(0, "test", "x", 1)], **SHARED)
        write_prompted(run, setting, {"accuracy": score})
    texts = said(figures_of(tmp_path)["prompting.soft_prompt.b.m.accuracy"])
    assert "32 prompt tokens, 2 shots / accuracy 0.590, n = 1" in texts


def test_what_a_mark_says_is_text_and_no_html(tmp_path, tree):
    hostile = "<img src=x onerror=alert(1)>"
    run = tree.run(tmp_path / "finetune/m/b/seed0", [(1, "test", "accuracy", 0.8)], **SHARED)
    write_confusion(run, [hostile, "other"], right=0.8)
    texts = said(figures_of(tmp_path)["confusion.b.m"])
    assert all("<" not in text for text in texts)
    assert any("&lt;img" in text for text in texts)


def test_a_difference_names_its_interval(tmp_path, tree):
    for name, scores in {"a": (0.80, 0.81, 0.82), "b": (0.85, 0.86, 0.87)}.items():
        for seed, score in enumerate(scores):
            rows = [(1, "test", "accuracy", score)]
            tree.run(tmp_path / name / f"finetune/m/b/seed{seed}", rows, **SHARED)
    with style():
        found = differences(read(tmp_path / "a"), read(tmp_path / "b"))
        (text,) = said(forest(found))
    assert text.startswith("b · m · fine-tuned / accuracy: +0.050, from +0.0")
