"""The command line: exit codes, one-line errors, and a help that does not wait for torch."""

import subprocess
import sys

import numpy as np
import pytest

from hyenadna.files import read_json


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "hyenadna", *arguments], capture_output=True, text=True, check=False
    )


def test_an_input_error_is_one_line_and_exit_code_1(tmp_path):
    done = run("genome", str(tmp_path / "absent.fa"), str(tmp_path / "out.fa"))
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "absent.fa" in done.stderr
    assert not (tmp_path / "out.fa").exists()


def test_wrong_usage_is_exit_code_2():
    assert run("pretrain").returncode == 2


@pytest.mark.parametrize("source", [[], ["--fasta", "a.fa", "--genome", "b.fa"], ["--bed", "c"]])
def test_embed_takes_either_sequences_or_intervals(tmp_path, source):
    done = run("embed", "--weights", "w", "--out", str(tmp_path / "x.parquet"), *source)
    assert done.returncode == 2
    assert "either --fasta, or --genome together with --bed" in " ".join(done.stderr.split())


def test_a_setting_without_a_value_is_wrong_usage(tmp_path):
    paths = [
        word for key in ("model", "recipe", "tokens", "intervals") for word in (f"--{key}", "x")
    ]
    done = run("pretrain", *paths, "--out", str(tmp_path), "--set", "steps")
    assert done.returncode == 2
    assert "KEY=VALUE" in done.stderr


def test_help_imports_nothing_heavy():
    code = (
        "import sys; from hyenadna import cli\n"
        "assert not {'torch', 'numpy', 'pandas', 'pyfaidx', 'pysam'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_model_needs_neither_genome_files_nor_the_workflow():
    code = (
        "import sys\n"
        "for name in ('pyfaidx', 'pysam', 'snakemake', 'sklearn', 'pandas', 'typer', 'umap'):\n"
        "    sys.modules[name] = None\n"
        "import hyenadna; from hyenadna.model import checkpoint; from hyenadna import training\n"
        "hyenadna.HyenaDNA; hyenadna.SequenceClassifier; hyenadna.encode('ACGT')"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_every_public_name_can_be_imported():
    code = "import hyenadna; [getattr(hyenadna, name) for name in hyenadna.__all__]"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize(
    "genomes",
    [
        ["--tokens", "a", "--tokens", "b", "--intervals", "a.bed"],
        ["--tokens", "a", "--intervals", "a.bed", "--weight", "1", "--weight", "2"],
    ],
)
def test_every_genome_of_a_pretraining_has_its_intervals_and_weight(tmp_path, genomes):
    done = run("pretrain", "--model", "m", "--recipe", "r", "--out", str(tmp_path), *genomes)
    assert done.returncode == 2
    assert "go together, one a genome" in " ".join(done.stderr.split())


def test_contexts_are_numbers(tmp_path):
    paths = [word for key in ("weights", "tokens", "intervals") for word in (f"--{key}", "x")]
    done = run("perplexity", *paths, "--out", str(tmp_path), "--contexts", "1k,2k")
    assert done.returncode == 2
    assert "--contexts takes numbers and commas, got '1k,2k'" in " ".join(done.stderr.split())


def test_a_genome_is_split_by_contigs_then_read_as_intervals(tmp_path):
    fasta, tokens, bed = tmp_path / "g.fa", tmp_path / "tokens", tmp_path / "g.bed"
    (tmp_path / "source.fa").write_text(">c1\nACGTacgt\n>c2\nACG\n>c3\nAC\n>c4\nA\n")
    assert run("genome", str(tmp_path / "source.fa"), str(fasta)).returncode == 0
    assert run("tokenize", str(fasta), str(tokens)).returncode == 0
    splits = ["--valid", "c2", "--test", "c3", "--skip", "c4"]
    assert run("intervals", str(tokens), str(bed), *splits).returncode == 0
    assert bed.read_text() == "c1\t0\t8\ttrain\nc2\t0\t3\tvalid\nc3\t0\t2\ttest\n"
    done = run("intervals", str(tokens), str(bed), "--valid", "chr2")
    assert done.returncode == 1
    assert "no contig 'chr2'" in done.stderr


@pytest.fixture
def sequences(tmp_path):
    """A CSV of two classes that differ in composition, and a recipe for a few steps."""
    rng = np.random.default_rng(0)
    rows = [
        ("".join(rng.choice(list(letters), 40)), name)
        for name, letters in {"rich": "CCGGAT", "poor": "AATTCG"}.items()
        for _ in range(40)
    ]
    data = tmp_path / "mine.csv"
    data.write_text("".join(f"{row},{label}\n" for row, label in [("sequence", "label"), *rows]))
    recipe = tmp_path / "recipe.yaml"
    recipe.write_text("epochs: 1\nbatch_size: 16\ncheckpoint_every: 100\n")
    model = tmp_path / "model.yaml"
    model.write_text("d_model: 8\nn_layer: 1\nd_inner: 16\nmax_seq_len: 64\nfilter_order: 8\n")
    return data


def test_a_file_of_ones_own_is_fitted_and_what_was_inferred_is_said(sequences, tmp_path):
    out = tmp_path / "run"
    shape = ("--model", str(tmp_path / "model.yaml"), "--recipe", str(tmp_path / "recipe.yaml"))
    done = run("finetune", "--train", str(sequences), *shape, "--out", str(out))
    assert done.returncode == 0, done.stderr
    said = "mine.csv: 80 sequences of 40 bp, single-label with 2 classes (poor 40, rich 40)"
    assert said in done.stderr
    assert read_json(out / "run.json")["counts"] == {"train": 64, "valid": 8, "test": 8}
    again = run("baselines", "--train", str(sequences), "--out", str(tmp_path / "baselines"))
    assert again.returncode == 0, again.stderr
    assert (tmp_path / "baselines" / "leaks.tsv").exists()


@pytest.mark.parametrize(
    ("given", "complaint"),
    [
        ([], "either --task (a row of the table) or --train (your data)"),
        (["--task", "a", "--train", "b.csv"], "either --task"),
        (["--task", "a", "--kind", "single"], "go with --train"),
    ],
)
def test_a_row_or_a_file_is_fitted_not_both(tmp_path, given, complaint):
    done = run("finetune", *given, "--recipe", "r", "--model", "m", "--out", str(tmp_path / "out"))
    assert done.returncode == 2
    assert complaint in " ".join(done.stderr.replace("│", " ").split())


def test_windows_are_lifted_to_another_assembly(tmp_path):
    (tmp_path / "a.chain").write_text("chain 9 chr1 900 + 0 500 chr1 800 + 100 600 1\n500\n\n")
    table = tmp_path / "train_hg19_coords_targets.csv"
    table.write_text("Chr_No,Start,End,y_a\n0,10,20,1\n0,490,510,0\n")
    out = tmp_path / "train_hg38_coords_targets.csv"
    done = run("lift", str(table), str(out), "--chain", str(tmp_path / "a.chain"))
    assert done.returncode == 0, done.stderr
    assert out.read_text() == "Chr_No,Start,End,y_a\n0,110,120,1\n"
