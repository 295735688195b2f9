"""Perplexity against context: the same bases whatever the context, each scored once."""

import csv
import math
from pathlib import Path

import numpy as np
import pytest
import torch

from hyenadna.data.corpus import GenomeSource
from hyenadna.data.token_cache import TokenCache
from hyenadna.errors import InputError
from hyenadna.files import read_json
from hyenadna.genome import prepare_fasta
from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.config import ModelConfig
from hyenadna.model.markov import MarkovChain
from hyenadna.settings import read_yaml
from hyenadna.tokenizer import N, encode
from hyenadna.training import context as module
from hyenadna.training.context import evaluate_contexts
from hyenadna.training.recipe import PretrainRecipe

RECIPES = Path(__file__).parents[2] / "config" / "training"
SHAPE = {"d_model": 8, "n_layer": 1, "d_inner": 16, "max_seq_len": 66, "filter_order": 8}
CONTEXTS = [8, 24, 64]
REGIONS = [(300, 500), (600, 700), (840, 972)]
"""Test stretches; of one nucleotide and three, three and two regions of 64 targets in a row."""


@pytest.fixture(scope="module")
def sequence() -> str:
    letters = np.random.default_rng(0).choice(list("ACGT"), 1000)
    letters[400:420] = "N"
    return "".join(letters)


@pytest.fixture(scope="module")
def genome(sequence: str, tmp_path_factory: pytest.TempPathFactory) -> GenomeSource:
    folder = tmp_path_factory.mktemp("genome")
    (folder / "source.fa").write_text(f">chrS\n{sequence}\n")
    TokenCache.build(prepare_fasta(folder / "source.fa", folder / "genome.fa"), folder / "tokens")
    lines = [f"chrS\t{start}\t{end}\ttest\n" for start, end in REGIONS]
    (folder / "intervals.bed").write_text("chrS\t0\t300\ttrain\n" + "".join(lines))
    return GenomeSource(folder / "tokens", folder / "intervals.bed")


@pytest.fixture(scope="module", params=["hyena", "attention"])
def weights(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A network that has learned nothing and is sure of much."""
    torch.manual_seed(0)
    model = HyenaDNA(ModelConfig(**SHAPE, mixer=request.param))
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.5 * torch.randn_like(parameter))
    directory = tmp_path_factory.mktemp(request.param)
    model.save_pretrained(directory)
    return directory


def evaluate(weights: Path, genome: GenomeSource, out: Path, **changes: object) -> Path:
    settings = {"split": "test", "contexts": CONTEXTS, "max_bases": 10_000, "device": "cpu"}
    return evaluate_contexts(weights, genome=genome, out=out, **settings | changes)


@pytest.fixture(scope="module")
def out(weights: Path, genome: GenomeSource, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return evaluate(weights, genome, tmp_path_factory.mktemp("out") / "run")


def metrics(out: Path) -> dict[str, float]:
    with (out / "metrics.tsv").open() as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    assert {(row["step"], row["split"]) for row in rows} == {("0", "test")}
    return {row["name"]: float(row["value"]) for row in rows}


def positions(out: Path) -> list[tuple[int, int, int, int, float]]:
    with (out / "positions.tsv").open() as file:
        header, *rows = csv.reader(file, delimiter="\t")
    assert header == ["context", "first", "last", "bases", "bits"]
    return [(*map(int, row[:4]), float(row[4])) for row in rows]


def targets() -> list[int]:
    """Places of the bases that are to be scored: regions of 64, after the base before them."""
    return [
        start + 1 + place for start, end in REGIONS for place in range((end - start - 1) // 64 * 64)
    ]


def one_at_a_time(weights: Path, sequence: str, context: int) -> tuple[dict[int, float], float]:
    """Bits of each base, from a forward pass over the bases before it alone; and accuracy."""
    model = HyenaDNA.from_pretrained(weights).eval()
    bits, right = {}, 0
    for place in targets():
        start = next(s for s, e in REGIONS if s < place < e)
        window = start + (place - 1 - start) // context * context
        if sequence[place] == "N":
            continue
        ids = torch.from_numpy(encode(sequence[window:place])).long()[None]
        with torch.no_grad():
            logits = model(ids)[0, -1].double()
        target = int(encode(sequence[place])[0])
        bits[place] = -float(logits.log_softmax(-1)[target]) / math.log(2)
        right += int(logits.argmax()) == target
    return bits, right / len(bits)


@pytest.mark.parametrize("context", CONTEXTS)
def test_score_is_that_of_bases_predicted_one_at_a_time(
    out: Path, weights: Path, sequence: str, context: int
) -> None:
    bits, accuracy = one_at_a_time(weights, sequence, context)
    mean = sum(bits.values()) / len(bits)
    found = metrics(out)
    assert found[f"context{context}.bits_per_base"] == pytest.approx(mean, rel=1e-5)
    assert found[f"context{context}.perplexity"] == pytest.approx(2**mean, rel=1e-5)
    assert found[f"context{context}.accuracy"] == pytest.approx(accuracy)


def test_bits_by_position_are_those_of_the_bases_at_it(
    out: Path, weights: Path, sequence: str
) -> None:
    bits, _ = one_at_a_time(weights, sequence, 24)
    start_of = {at: start for start, end in REGIONS for at in range(start, end)}
    at_position: dict[int, list[float]] = {}
    for place, cost in bits.items():
        at_position.setdefault((place - 1 - start_of[place]) % 24, []).append(cost)
    rows = [row for row in positions(out) if row[0] == 24]
    assert [row[1:3] for row in rows] == [(0, 0), (1, 1), (2, 3), (4, 7), (8, 15), (16, 23)]
    for _, first, last, bases, cost in rows:
        expected = [x for position in range(first, last + 1) for x in at_position[position]]
        assert bases == len(expected)
        assert cost == pytest.approx(sum(expected), rel=1e-5)


def test_every_context_is_scored_on_the_same_bases(out: Path, sequence: str) -> None:
    known = sum(sequence[place] != "N" for place in targets())
    for context in CONTEXTS:
        assert sum(row[3] for row in positions(out) if row[0] == context) == known


def test_n_is_never_a_right_answer(weights: Path, genome: GenomeSource, tmp_path: Path) -> None:
    model = HyenaDNA.from_pretrained(weights)
    with torch.no_grad():
        favoured = model.lm_head.weight[N].mul_(10)
        model.backbone.ln_f.weight.zero_()
        model.backbone.ln_f.bias.copy_(favoured)
    model.save_pretrained(tmp_path / "of N")
    found = metrics(evaluate(tmp_path / "of N", genome, tmp_path / "out"))
    assert [found[f"context{context}.accuracy"] for context in CONTEXTS] == [0, 0, 0]


def test_markov_chains_are_scored_on_the_same_bases(out: Path, sequence: str) -> None:
    ids = encode(sequence)
    chain = MarkovChain.fit([ids[:300]])
    windows = [
        (ids[at : at + 64][None], ids[at + 1 : at + 65][None])
        for start, end in REGIONS
        for at in range(start, end - 64, 64)
    ]
    expected = chain.bits_per_base(windows)
    found = [metrics(out)[f"markov{order}.perplexity"] for order in range(len(expected))]
    assert found == pytest.approx(2**expected, rel=1e-6)


def test_fewer_bases_are_spread_over_the_split(
    weights: Path, genome: GenomeSource, tmp_path: Path
) -> None:
    found = evaluate(weights, genome, tmp_path / "few", max_bases=3 * 64, contexts=[64])
    assert sum(row[3] for row in positions(found)) == pytest.approx(3 * 64, abs=20)
    one = evaluate(weights, genome, tmp_path / "one", max_bases=1, contexts=[64])
    assert sum(row[3] for row in positions(one)) == 64


def test_regions_lie_in_the_middle_of_equal_shares() -> None:
    stretches = [module.Interval("a", 0, 31, "test"), module.Interval("b", 5, 66, "test")]
    regions = module._regions(stretches, size=10, max_bases=30)
    # Of nine places, three on a and six on b, the second of each three.
    assert [(r.contig, r.start, r.end) for r in regions] == [
        ("a", 10, 21), ("b", 15, 26), ("b", 45, 56),
    ]  # fmt: skip


def test_scores_do_not_depend_on_the_size_of_batches(
    out: Path, weights: Path, genome: GenomeSource, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "FORWARD_TOKENS", 20)
    found = metrics(evaluate(weights, genome, tmp_path / "other"))
    assert found == pytest.approx(metrics(out), rel=1e-6)


def test_the_run_says_what_it_read_and_is_not_done_twice(
    out: Path, weights: Path, genome: GenomeSource
) -> None:
    record = read_json(out / "run.json")
    assert record["stage"] == "context"
    assert record["parameters"] > 500
    read = {Path(file["path"]) for file in record["data"]}
    assert read == {
        weights / "model.safetensors", genome.tokens / "tokens.u8", genome.intervals
    }  # fmt: skip
    evaluate(weights, genome, out)
    assert read_json(out / "run.json") == record


def test_context_beyond_the_model_is_refused(
    weights: Path, genome: GenomeSource, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"context 67 is longer than max_seq_len, 66, of .*leave"):
        evaluate(weights, genome, tmp_path / "out", contexts=[8, 67])


@pytest.mark.parametrize("contexts", [[], [0, 8], [8, 8]])
def test_contexts_that_are_none_are_refused(
    weights: Path, genome: GenomeSource, tmp_path: Path, contexts: list[int]
) -> None:
    with pytest.raises(InputError, match="one or more different lengths"):
        evaluate(weights, genome, tmp_path / "out", contexts=contexts)


def test_context_beyond_the_split_is_refused_with_the_arithmetic() -> None:
    stretches = [module.Interval("a", 0, 31, "test"), module.Interval("b", 0, 21, "test")]
    message = (
        "context 31 needs 32 nucleotides in a row, and the longest of 2 .* has 31; .* above 30"
    )
    with pytest.raises(InputError, match=message):
        module._regions(stretches, size=31, max_bases=1000)
    assert len(module._regions(stretches, size=30, max_bases=1000)) == 1


def test_split_that_is_not_there_is_refused(
    weights: Path, genome: GenomeSource, tmp_path: Path
) -> None:
    with pytest.raises(InputError, match=r"marked 'valid' .*it has 'test', 'train'"):
        evaluate(weights, genome, tmp_path / "out", split="valid")


@pytest.mark.parametrize(
    ("transformer", "partner"),
    [
        ("transformer-1k", "tiny-1k"),
        ("transformer-16k", "tiny-16k-d128"),
        ("transformer-32k", "small-32k"),
    ],
)
def test_transformers_are_trained_as_their_partners(transformer: str, partner: str) -> None:
    recipes = (read_yaml(PretrainRecipe, RECIPES / f"{of}.yaml") for of in (transformer, partner))
    assert next(recipes) == next(recipes)
