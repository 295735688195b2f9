"""Fixtures of the task tests: two small genomes, and benchmarks of each family cut from them."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from small_files import Genomes, random_sequence, write_genome, write_table

from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.config import ModelConfig
from hyenadna.tasks.base import Benchmark
from hyenadna.training.recipe import FinetuneRecipe


@pytest.fixture(scope="session")
def genomes(tmp_path_factory: pytest.TempPathFactory) -> Genomes:
    directory = tmp_path_factory.mktemp("genomes")
    sequences = {}
    for seed, (name, gc) in enumerate({"rich": 0.65, "poor": 0.35}.items()):
        contigs = {
            "chr1": random_sequence(12_000, gc=gc, seed=2 * seed),
            "chr2": random_sequence(3_010, gc=gc, seed=2 * seed + 1),
        }
        contigs["chr1"] = contigs["chr1"][:500] + "N" * 300 + contigs["chr1"][800:]
        intervals = (
            "chr1\t0\t7010\ttrain\nchr1\t7010\t9000\tvalid\n"
            "chr1\t9000\t12000\ttest\nchr2\t0\t3010\ttrain\n"
        )
        write_genome(directory / name, contigs, intervals)
        sequences[name] = contigs
    return Genomes(directory, sequences)


@pytest.fixture(scope="session")
def intervals_benchmark(genomes: Genomes, tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    """Family genomic_benchmarks: 60 bp of either genome; 120 train and 40 test items a class."""
    data = tmp_path_factory.mktemp("intervals")
    for name in ("rich", "poor"):
        for split, first, count in (("train", 1_000, 120), ("test", 9_000, 40)):
            rows = [
                f"{first}-{i},chr1,{first + 60 * i},{first + 60 * i + 60},{'+-'[i % 2]}"
                for i in range(count)
            ]
            write_table(data / split / f"{name}.csv.gz", "id,region,start,end,strand", *rows)
    return Benchmark(
        name="easy",
        family="genomic_benchmarks",
        data=data,
        genomes={name: genomes.fasta(name) for name in ("rich", "poor")},
        metric="accuracy",
    )


@pytest.fixture(scope="session")
def chromatin_benchmark(genomes: Genomes, tmp_path_factory: pytest.TempPathFactory) -> Benchmark:
    """Family chromatin_profile: 50 bp of chr1; target `many_c` holds where C is frequent."""
    data = tmp_path_factory.mktemp("chromatin")
    sequence = genomes.sequences["rich"]["chr1"]
    for split, first, last in (
        ("train", 1_000, 7_000),
        ("val", 7_000, 9_000),
        ("test", 9_000, 11_900),
    ):
        rows = [
            f"0,{start},{start + 50},{int(sequence.count('C', start, start + 50) > 16)},{start % 2}"
            for start in range(first, last, 45)
        ]
        header = "Chr_No,Start,End,y_many_c,y_noise"
        write_table(data / f"{split}_hg38_coords_targets.csv.gz", header, *rows)
    return Benchmark(
        name="profile",
        family="chromatin_profile",
        data=data,
        genomes={"": genomes.fasta("rich")},
        metric="auroc_median",
    )


@pytest.fixture(scope="session")
def tiny_model() -> ModelConfig:
    """A network of a few thousand weights."""
    return ModelConfig(d_model=16, n_layer=1, d_inner=32, max_seq_len=64, filter_order=8)


@pytest.fixture(scope="session")
def pretrained(tiny_model, tmp_path_factory) -> Path:
    """A network of random weights, saved as a pretrained one would be."""
    torch.manual_seed(1)
    directory = tmp_path_factory.mktemp("pretrained")
    HyenaDNA(tiny_model).save_pretrained(directory)
    return directory


@pytest.fixture(scope="session")
def tiny_recipe() -> FinetuneRecipe:
    """Three epochs; seven steps of two micro-batches each."""
    return FinetuneRecipe(
        epochs=3,
        batch_size=32,
        micro_batch_size=20,
        learning_rate=1e-2,
        checkpoint_every=4,
        weight_decay=0.0,
    )


@pytest.fixture(scope="session")
def read_metrics() -> Callable[[Path, str], dict[str, float]]:
    """A function that returns the values of a split by name, the last step's if several."""

    def read(out: Path, split: str) -> dict[str, float]:
        rows = [line.split("\t") for line in (out / "metrics.tsv").read_text().splitlines()[1:]]
        return {name: float(value) for _, of, name, value in rows if of == split}

    return read
