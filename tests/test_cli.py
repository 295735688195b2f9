"""The command line: exit codes, one-line errors, and a help that does not wait for torch."""

import subprocess
import sys

import pytest


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
