"""The bidirectional network: who sees whom, padding, symmetry, what it shares with the causal."""

from collections.abc import Callable
from contextlib import nullcontext

import pytest
import torch
from torch import Tensor

from hyenadna.errors import InputError
from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.bidirectional import BidirectionalOperator
from hyenadna.model.config import ModelConfig
from hyenadna.model.context import ContextGroup, shard_context
from hyenadna.model.filter import ImplicitFilter
from hyenadna.model.heads import SequenceClassifier
from hyenadna.settings import parse
from hyenadna.tokenizer import PAD

SHAPE = {"d_model": 8, "n_layer": 2, "d_inner": 16, "max_seq_len": 66, "filter_order": 8}
CONFIG = ModelConfig(**SHAPE, bidirectional=True)
LENGTHS = [1, 40, 66, 17]


def shaken(module: torch.nn.Module) -> torch.nn.Module:
    """Give weights the size that training leaves, so that every position matters."""
    with torch.no_grad():
        for parameter in module.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return module.eval()


@pytest.fixture
def operator() -> BidirectionalOperator:
    torch.manual_seed(0)
    return shaken(BidirectionalOperator(CONFIG)).double()


@pytest.fixture
def model() -> HyenaDNA:
    torch.manual_seed(0)
    return shaken(HyenaDNA(CONFIG))


def draw_ids(batch: int, length: int, seed: int = 0) -> Tensor:
    return torch.randint(7, 11, (batch, length), generator=torch.Generator().manual_seed(seed))


def padded_batch() -> tuple[Tensor, Tensor]:
    ids = torch.full((4, 66), PAD)
    for row, length in enumerate(LENGTHS):
        ids[row, :length] = draw_ids(1, length, row)
    return ids, torch.tensor(LENGTHS)


def reach(function: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """How much each position of the output depends on each of x (1, L, D): (L, L)."""
    (jacobian,) = torch.autograd.functional.jacobian(lambda x: (function(x)[0],), x)
    return jacobian[:, :, 0].abs().amax((1, 3))  # of (L, D, L, D)


def by_the_formula(operator: BidirectionalOperator, x: Tensor) -> Tensor:
    """The operator as its sums, one position at a time, for three short taps."""
    length = x.shape[1]
    projected = operator.in_proj(x)[0]  # (L, 3 D)
    taps, bias = operator.short_filter.weight[:, 0], operator.short_filter.bias
    near = torch.zeros_like(projected) + bias
    for at in range(length):
        for tap in range(3):
            if 0 <= at + tap - 1 < length:
                near[at] = near[at] + taps[:, tap] * projected[at + tap - 1]
    gate, x1, v = near.chunk(3, dim=-1)
    u = x1 * v
    k, reverse = operator.filter_fn(length), operator.reverse_filter_fn(length)
    y = u * operator.filter_fn.bias
    for at in range(length):
        for other in range(length):
            if other <= at:
                y[at] = y[at] + k[:, at - other] * u[other]
            if other >= at:
                y[at] = y[at] + reverse[:, other - at] * u[other]
    return operator.out_proj(gate * y)[None]


def test_operator_is_its_sums(operator: BidirectionalOperator) -> None:
    x = torch.randn(1, 20, 8, dtype=torch.float64)
    torch.testing.assert_close(operator(x), by_the_formula(operator, x), rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("length", [1, 2, 3, 31, 66])
def test_every_position_sees_every_other(operator: BidirectionalOperator, length: int) -> None:
    """Of the original's, a position saw those at least half the length away alone."""
    seen = reach(operator, torch.randn(1, length, 8, dtype=torch.float64))
    assert seen.shape == (length, length)
    assert seen.min() > 1e-6


@pytest.mark.parametrize("changed", [0, 1, 33, 64, 65])
def test_a_change_of_one_token_is_seen_everywhere(model: HyenaDNA, changed: int) -> None:
    ids = draw_ids(1, 66)
    other = ids.clone()
    other[0, changed] = 7 + (ids[0, changed] - 6) % 4
    change = model.hidden_states(other) - model.hidden_states(ids)
    assert change.abs()[0].amax(-1).min() > 1e-4


def test_padding_is_seen_by_none(operator: BidirectionalOperator) -> None:
    padding = torch.arange(30)[None] >= 20
    x = torch.randn(1, 30, 8, dtype=torch.float64)
    seen = reach(lambda x: operator(x, padding), x)
    assert seen[:20, 20:].max() == 0
    assert seen[:20, :20].min() > 1e-6


def test_batch_of_mixed_lengths_equals_each_alone(model: HyenaDNA) -> None:
    ids, _ = padded_batch()
    together = model.hidden_states(ids)
    for row, length in enumerate(LENGTHS):
        alone = model.hidden_states(ids[row : row + 1, :length])[0]
        torch.testing.assert_close(together[row, :length], alone, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("pooling", ["mean", "last", "middle"])
def test_classifier_reads_nothing_behind_the_lengths(model: HyenaDNA, pooling: str) -> None:
    classifier = shaken(SequenceClassifier(model, 3, pooling=pooling))
    ids, lengths = padded_batch()
    expected = classifier(ids, lengths)
    alone = [classifier(ids[i : i + 1, :n], torch.tensor([n])) for i, n in enumerate(LENGTHS)]
    torch.testing.assert_close(expected, torch.cat(alone), rtol=1e-4, atol=1e-5)
    with_bases = torch.where(ids == PAD, 11, ids)
    torch.testing.assert_close(classifier(with_bases, lengths), expected, rtol=0, atol=0)


def test_prompt_is_seen_and_is_no_padding(model: HyenaDNA) -> None:
    ids, prompt = draw_ids(1, 20), torch.randn(5, 8)
    padded = torch.cat([ids, torch.full((1, 9), PAD)], dim=1)
    hidden = model.hidden_states(ids, prompt)
    assert hidden.shape == (1, 25, 8)
    torch.testing.assert_close(
        model.hidden_states(padded, prompt)[:, :25], hidden, rtol=1e-4, atol=1e-5
    )
    assert (hidden[:, 5:] - model.hidden_states(ids)).abs().max() > 1e-3


def test_reversed_reading_swaps_the_directions(operator: BidirectionalOperator) -> None:
    x = torch.randn(2, 50, 8, dtype=torch.float64)
    swapped = BidirectionalOperator(CONFIG).double()
    weights = operator.state_dict()
    one, other = "reverse_filter_fn.implicit_filter", "filter_fn.implicit_filter"
    turned = {
        (one + name.removeprefix(other) if name.startswith(other) else name): weight
        for name, weight in weights.items()
        if not name.startswith(one)
    }
    turned |= {
        other + name.removeprefix(one): weight
        for name, weight in weights.items()
        if name.startswith(one)
    }
    turned["short_filter.weight"] = weights["short_filter.weight"].flip(-1)
    swapped.load_state_dict(turned)
    torch.testing.assert_close(swapped(x.flip(1)).flip(1), operator(x), rtol=1e-9, atol=1e-12)
    assert (operator(x.flip(1)).flip(1) - operator(x)).abs().max() > 1e-3


def test_own_position_is_weighed_once(model: HyenaDNA) -> None:
    names = [name for name, _ in model.named_parameters() if name.endswith("filter_fn.bias")]
    assert names == [f"backbone.layers.{i}.mixer.filter_fn.bias" for i in range(2)]


def test_inference_equals_training_and_sees_changed_weights(model: HyenaDNA) -> None:
    ids = draw_ids(2, 50)
    with torch.no_grad():
        before = model.hidden_states(ids)
        assert model.backbone.layers[0].mixer._spectrum is not None
        model.backbone.layers[0].mixer.reverse_filter_fn.implicit_filter["6"].weight.mul_(3)
        after = model.hidden_states(ids)
    torch.testing.assert_close(after, model.hidden_states(ids).detach())
    assert (before - after).abs().max() > 1e-3


def gradients(network: HyenaDNA, *, share: bool = False) -> dict[str, Tensor | None]:
    """Gradients after two micro-batches with padding."""
    network.zero_grad()
    with network.shared_filters(66) if share else nullcontext():
        for ids in (padded_batch()[0], draw_ids(2, 30)):
            network.hidden_states(ids).logsumexp(-1).sum().backward()
    return {name: p.grad for name, p in network.named_parameters()}


@pytest.mark.parametrize("keep", [False, True])
def test_recomputing_blocks_gives_the_same_gradients(model: HyenaDNA, keep: bool) -> None:
    recomputing = HyenaDNA(CONFIG.replace(checkpoint_blocks=True, keep_convolutions=keep)).eval()
    recomputing.load_state_dict(model.state_dict())
    torch.testing.assert_close(gradients(recomputing), gradients(model), rtol=0, atol=0)


def test_shared_filters_give_the_same_gradients(model: HyenaDNA) -> None:
    exact = model.double()
    torch.testing.assert_close(gradients(exact, share=True), gradients(exact))


def test_filters_of_both_directions_are_shared(model: HyenaDNA) -> None:
    filters = [module for module in model.modules() if isinstance(module, ImplicitFilter)]
    with model.shared_filters(66):
        assert [of._shared is not None for of in filters] == [True] * 4
    assert [of._shared is None for of in filters] == [True] * 4


def test_all_weights_have_gradients(model: HyenaDNA) -> None:
    found = gradients(model)
    assert all(gradient is not None and gradient.abs().max() > 0 for gradient in found.values())


def test_bfloat16_is_near_fp32(model: HyenaDNA) -> None:
    ids, lengths = padded_batch()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = model.hidden_states(ids)
    exact = model.hidden_states(ids)
    real = torch.arange(66) < lengths[:, None]
    assert (rounded - exact)[real].abs().max() < 0.05 * exact[real].abs().max()


def test_operator_can_be_compiled_whole(operator: BidirectionalOperator) -> None:
    x = torch.randn(1, 40, 8, dtype=torch.float64)
    compiled = torch.compile(operator, fullgraph=True, backend="aot_eager")
    with torch.no_grad():
        torch.testing.assert_close(compiled(x), operator(x))


def test_network_comes_back_from_its_directory(
    model: HyenaDNA, tmp_path_factory: pytest.TempPathFactory
) -> None:
    directory = tmp_path_factory.mktemp("saved")
    model.save_pretrained(directory)
    loaded = HyenaDNA.from_pretrained(directory).eval()
    assert loaded.config == CONFIG
    ids = draw_ids(2, 66)
    torch.testing.assert_close(loaded.hidden_states(ids), model.hidden_states(ids), rtol=0, atol=0)


def test_it_is_no_language_model(model: HyenaDNA) -> None:
    with pytest.raises(InputError, match="no language model: train it from scratch on labels"):
        model(draw_ids(1, 20))


def test_it_cannot_share_a_sequence_between_processes(model: HyenaDNA) -> None:
    with pytest.raises(InputError, match=r"bidirectional network cannot share .* 2 processes"):
        shard_context(model, ContextGroup(0, 2, None))


def test_attention_in_both_directions_is_refused() -> None:
    with pytest.raises(InputError, match="bidirectional is for mixer hyena; leave it out"):
        parse(ModelConfig, {**SHAPE, "bidirectional": True, "mixer": "attention"}, source="m.yaml")


@pytest.mark.parametrize("bidirectional", [True, False])
def test_only_both_directions_learn_from_what_follows_the_pooled_tokens(
    bidirectional: bool,
) -> None:
    torch.manual_seed(0)
    network = HyenaDNA(CONFIG.replace(bidirectional=bidirectional, embed_dropout=0.0))
    classifier = SequenceClassifier(network, 2, pooling="middle")
    optimizer = torch.optim.AdamW(classifier.parameters(), lr=1e-2)
    labels, lengths = torch.arange(32) % 2, torch.full((32,), 66)
    losses = []
    for step in range(60):
        ids = draw_ids(32, 66, step)
        ids[1::2, 52:] = 7  # the tokens that are pooled end at 49
        loss = torch.nn.functional.cross_entropy(classifier(ids, lengths), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    last = sum(losses[-5:]) / 5
    assert last < 0.2 if bidirectional else last > 0.65
