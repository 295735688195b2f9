"""Perplexity against context: the same bases, predicted from windows of several lengths.

c context, the length of a window in nucleotides; B windows at once; V vocabulary.
"""

import logging
import math
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from hyenadna.data.corpus import GenomeSource, SplitSource
from hyenadna.data.token_cache import TokenCache
from hyenadna.data.windows import EvaluationWindows, in_batches
from hyenadna.errors import InputError
from hyenadna.files import sha256
from hyenadna.genome import Interval, check_intervals, merge_intervals, read_intervals
from hyenadna.model import checkpoint
from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.device import resolve_device
from hyenadna.model.markov import MarkovChain
from hyenadna.training.perplexity import Score, score_targets, shifted
from hyenadna.training.run import Identity, Run

FORWARD_TOKENS = 65_536
"""Nucleotides per forward pass, where one window is not longer than that."""
POSITIONS_HEADER = ("context", "first", "last", "bases", "bits")

_log = logging.getLogger(__name__)


def evaluate_contexts(
    weights: Path,
    *,
    genome: GenomeSource,
    split: str,
    contexts: Sequence[int],
    out: Path,
    max_bases: int,
    device: str = "auto",
) -> Path:
    """Score a trained model at each context on the same bases, and return `out`.

    Regions as long as the longest context are spread evenly over a split. For each context c they
    are cut into windows of c nucleotides, so that every base but the first of a stretch is a
    target once, and the base at position p of a window, p = 0, ..., c - 1, is predicted from the
    p + 1 before it. Only A, C, G, T count. Arithmetic is fp32.

    `metrics.tsv` has at step 0 `context<c>.perplexity`, `.bits_per_base` and `.accuracy`, and
    `markov<k>.perplexity` of Markov chains fitted on the train intervals, if there are any;
    `positions.tsv` has sums over positions first, ..., last of a window: of A, C, G, T targets and
    of their bits.

    Args:
        weights: directory or file of the model.
        genome: token cache, and BED with the split in its fourth column.
        split: whose intervals are read, e.g. test.
        contexts: in nucleotides, none above the model's max_seq_len.
        out: directory to write.
        max_bases: most targets; one region is read at least.
        device: auto, cpu, cuda or cuda:N.

    Raises:
        InputError: a context is too long for the model or for the split, or there is no such split.
    """
    loaded = checkpoint.load(weights)
    loaded.config.require_causal()
    network = HyenaDNA.from_checkpoint(loaded)
    _check_contexts(contexts, longest=loaded.config.max_seq_len, source=loaded.source)
    cache = TokenCache.open(genome.tokens)
    splits = _read_splits(genome.intervals, cache, needed=split)
    regions = _regions(splits[split], size=max(contexts), max_bases=max_bases)
    identity = Identity(
        stage="context",
        seed=0,  # nothing is drawn
        settings={
            "model": loaded.config.model_dump(mode="json"),
            "split": split,
            "contexts": sorted(contexts),
            "max_bases": max_bases,
        },
        data={
            loaded.source: sha256(loaded.source),
            genome.tokens / "tokens.u8": cache.sha256,
            genome.intervals: sha256(genome.intervals),
        },
    )
    with Run(out, identity, device=resolve_device(device)) as run:
        if not run.finished:
            _evaluate(network.to(run.device), SplitSource(cache, regions), run)
            _log_markov_chains(SplitSource(cache, regions), splits.get("train", []), run)
            run.publish(
                metric="perplexity",
                mixer=loaded.config.mixer,
                parameters=sum(parameter.numel() for parameter in network.parameters()),
            )
    return out


def _check_contexts(contexts: Sequence[int], *, longest: int, source: Path) -> None:
    if not contexts or min(contexts) < 1 or len(set(contexts)) < len(contexts):
        raise InputError(
            f"contexts must be one or more different lengths from 1 on, got {list(contexts)}"
        )
    if max(contexts) > longest:
        raise InputError(
            f"context {max(contexts)} is longer than max_seq_len, {longest}, of {source}; "
            "leave it out or take a model with longer context"
        )


def _read_splits(bed: Path, cache: TokenCache, *, needed: str) -> dict[str, list[Interval]]:
    """Return the stretches of each split, none of which share a base."""
    intervals = read_intervals(bed)
    check_intervals(intervals, cache.contigs, source=bed)
    splits: dict[str, list[Interval]] = {}
    for stretch in merge_intervals(intervals):
        splits.setdefault(stretch.split, []).append(stretch)
    if needed not in splits:
        there = ", ".join(map(repr, splits))
        raise InputError(
            f"{bed}: no interval is marked {needed!r} in the fourth column; it has {there}"
        )
    return splits


def _regions(stretches: Sequence[Interval], *, size: int, max_bases: int) -> list[Interval]:
    """Return regions of `size` targets, each in the middle of an equal share of a split."""
    # A region starts at the last target of the one before it: no base is lost between the two.
    places = [(stretch.end - stretch.start - 1) // size for stretch in stretches]
    if not sum(places):
        longest = max(stretch.end - stretch.start for stretch in stretches)
        raise InputError(
            f"context {size} needs {size + 1} nucleotides in a row, and the longest of "
            f"{len(stretches)} stretches of split {stretches[0].split!r} has {longest}; "
            f"leave out contexts above {longest - 1} or choose longer intervals"
        )
    number = min(sum(places), max(1, max_bases // size))
    chosen = ((np.arange(number) + 0.5) * sum(places) / number).astype(int)
    ends = np.cumsum(places)
    regions = []
    for place in chosen.tolist():
        index = int(np.searchsorted(ends, place, side="right"))
        stretch = stretches[index]
        start = stretch.start + (place - int(ends[index]) + places[index]) * size
        regions.append(Interval(stretch.contig, start, start + size + 1, stretch.split))
    return merge_intervals(regions)


def _evaluate(network: HyenaDNA, regions: SplitSource, run: Run) -> None:
    """Log the score at each context, and write sums by position."""
    split, contexts = run.identity.settings["split"], run.identity.settings["contexts"]
    table = ["\t".join(POSITIONS_HEADER)]
    for context in contexts:
        bits, right, counted = _sums(network, EvaluationWindows([regions], length=context)).cpu()
        bases = int(counted.sum())
        if not bases:
            raise InputError(
                f"{regions.cache.directory}: no A, C, G or T in the regions of {split} that were "
                "chosen; allow more bases"
            )
        score = Score(float(bits.sum()) / bases, float(right.sum()) / bases, bases)
        run.log(0, split, {f"context{context}.{name}": of for name, of in score.rows().items()})
        _log.info("context %d: %.4f bits/base over %d bases", context, score.bits, bases)
        table += _binned(context, bits, counted)
    (run.staging / "positions.tsv").write_text("\n".join(table) + "\n", encoding="utf-8")


def _log_markov_chains(regions: SplitSource, train: Sequence[Interval], run: Run) -> None:
    """Score Markov chains of the train intervals, if there are any, on the same bases."""
    if not train:
        return
    chain = MarkovChain.fit(regions.cache.window(i.contig, i.start, i.end) for i in train)
    windows = EvaluationWindows([regions], length=run.identity.settings["contexts"][-1])
    pairs = ((ids[:, :-1].numpy(), ids[:, 1:].numpy()) for ids in _batches(windows))
    bits = chain.bits_per_base(pairs)
    values = {f"markov{order}.perplexity": 2.0**of for order, of in enumerate(bits)}
    run.log(0, run.identity.settings["split"], values)


@torch.inference_mode()
def _sums(network: HyenaDNA, windows: EvaluationWindows) -> Tensor:
    """Sum bits, right predictions and A, C, G, T targets by position, (3, c) float64."""
    network.eval()
    device = network.lm_head.weight.device
    sums = torch.zeros(3, windows.length, dtype=torch.float64, device=device)
    for ids in _batches(windows):
        inputs, targets = shifted(ids.to(device))
        logits = network(inputs).float()  # (B, c, V)
        sums += score_targets(logits, targets).sum(1)
    sums[0] /= math.log(2)
    return sums


def _batches(windows: EvaluationWindows) -> Iterator[Tensor]:
    """Yield all windows, (B, c + 1) uint8."""
    size = max(1, FORWARD_TOKENS // windows.length)
    for batch in in_batches(windows, range(len(windows)), size):
        yield batch.ids


def _binned(context: int, bits: Tensor, counted: Tensor) -> Iterable[str]:
    """Yield rows of `positions.tsv` over positions 0, 1, 2-3, 4-7, ...; both tensors (c,)."""
    first = 0
    while first < context:
        end = min(max(1, 2 * first), context)
        chosen = slice(first, end)
        bases, cost = int(counted[chosen].sum()), float(bits[chosen].sum())
        yield f"{context}\t{first}\t{end - 1}\t{bases}\t{cost:.8g}"
        first = end
