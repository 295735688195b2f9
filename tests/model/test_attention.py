"""The Transformer baseline: attention in the place of the Hyena operator."""

import math
from pathlib import Path

import pytest
import torch
from torch import Tensor

from hyenadna.errors import InputError
from hyenadna.model.attention import CausalAttention, rotated
from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.config import ModelConfig
from hyenadna.settings import parse, read_yaml

MODELS = Path(__file__).parents[2] / "config" / "models"
SHAPE = {"d_model": 16, "n_layer": 2, "d_inner": 32, "max_seq_len": 66}
CONFIG = ModelConfig(**SHAPE, mixer="attention", n_head=2)
# The Transformer of a Hyena model's width and depth, with the parameters of both.
PAIRS = {
    "transformer-1k": ("tiny-1k", 398_848, 436_096),
    "transformer-16k": ("tiny-16k-d128", 398_848, 436_096),
    "transformer-32k": ("small-32k", 3_163_648, 3_277_568),
    "demo_transformer": ("demo", 101_120, 128_512),
}


@pytest.fixture
def attention() -> CausalAttention:
    torch.manual_seed(0)
    return CausalAttention(CONFIG).double()


@pytest.fixture
def model() -> HyenaDNA:
    """Weights far from their start, so that every position matters."""
    torch.manual_seed(0)
    model = HyenaDNA(CONFIG)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model.eval()


def draw_ids(batch: int, length: int) -> Tensor:
    return torch.randint(7, 11, (batch, length), generator=torch.Generator().manual_seed(0))


def by_the_formula(attention: CausalAttention, x: Tensor) -> Tensor:
    """One head and one query at a time, turned in the complex plane, in fp64."""
    q, k, v = (part.unflatten(-1, (2, 8)) for part in attention.in_proj(x).chunk(3, dim=-1))
    frequencies = 10_000.0 ** (-torch.arange(4, dtype=torch.float64) / 4)

    def turned(row: Tensor, position: int) -> Tensor:
        return torch.complex(row[:4], row[4:]) * torch.polar(
            torch.ones(4, dtype=torch.float64), position * frequencies
        )

    y = torch.zeros_like(q)
    for head in range(2):
        for at in range(x.shape[1]):
            query = turned(q[0, at, head], at)
            scores = torch.stack(
                [(query * turned(k[0, m, head], m).conj()).sum().real for m in range(at + 1)]
            )
            weights = (scores / math.sqrt(8)).softmax(0)
            y[0, at, head] = weights @ v[0, : at + 1, head]
    return attention.out_proj(y.flatten(2))


def test_attention_is_the_formula(attention: CausalAttention) -> None:
    x = torch.randn(1, 12, 16, dtype=torch.float64)
    torch.testing.assert_close(attention(x), by_the_formula(attention, x), rtol=1e-12, atol=1e-12)


def test_gradients_are_those_of_the_formula(attention: CausalAttention) -> None:
    x = torch.randn(1, 9, 16, dtype=torch.float64, requires_grad=True)
    toward = torch.randn(1, 9, 16, dtype=torch.float64)
    found = [
        torch.autograd.grad((y * toward).sum(), [x, *attention.parameters()])
        for y in (attention(x), by_the_formula(attention, x))
    ]
    torch.testing.assert_close(found[0], found[1], rtol=1e-10, atol=1e-12)


def test_transformer_is_causal(attention: CausalAttention) -> None:
    x = torch.randn(1, 40, 16, dtype=torch.float64, requires_grad=True)
    (gradient,) = torch.autograd.grad(attention(x)[0, 25].abs().sum(), x)
    reach = gradient[0].abs().amax(-1)
    assert reach[:26].min() > 0
    assert reach[26:].max() == 0


@pytest.mark.parametrize("shift", [1, 1000])
def test_only_the_distance_between_positions_matters(shift: int) -> None:
    q, k = torch.randn(2, 3, 20, 8, dtype=torch.float64)
    positions = torch.arange(20)
    here = rotated(q, positions) @ rotated(k, positions).mT
    there = rotated(q, positions + shift) @ rotated(k, positions + shift).mT
    torch.testing.assert_close(there, here, rtol=1e-9, atol=1e-9)
    still = rotated(q, positions) @ rotated(k, 0 * positions).mT
    assert (still - here).abs().max() > 0.1


def test_angles_are_not_rounded_to_16_bits() -> None:
    x = torch.randn(1, 3000, 8).bfloat16()
    positions = torch.arange(3000)
    error = (rotated(x, positions) - rotated(x.double(), positions)).abs()
    assert (error / x.double().abs().amax(-1, keepdim=True)).max() < 2**-7


def test_order_of_the_past_matters(model: HyenaDNA) -> None:
    """Without positions attention sees a set."""
    ids = draw_ids(1, 66)
    other = torch.cat([ids[:, :65].flip(1), ids[:, 65:]], dim=1)
    assert (model(ids) - model(other))[0, -1].abs().max() > 1e-3


def test_rows_of_a_batch_do_not_meet(model: HyenaDNA) -> None:
    ids = draw_ids(3, 50)
    alone = torch.cat([model(row[None]) for row in ids])
    torch.testing.assert_close(model(ids), alone, rtol=1e-4, atol=1e-5)


def test_bfloat16_is_near_fp32_and_leaves_the_residual_stream_as_it_is(model: HyenaDNA) -> None:
    seen: list[torch.dtype] = []
    for block in model.backbone.layers:
        block.register_forward_pre_hook(lambda _, args: seen.append(args[0].dtype))
    ids = draw_ids(2, 66)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(ids)
    exact = model(ids)
    assert seen == [torch.float32] * 2 * CONFIG.n_layer
    assert (logits - exact).abs().max() < 0.05 * exact.abs().max()


def test_input_longer_than_max_seq_len_is_refused(model: HyenaDNA) -> None:
    with pytest.raises(InputError, match=r"67 tokens .* max_seq_len, 66"):
        model(draw_ids(1, 67))


def test_transformer_comes_back_from_its_directory(model: HyenaDNA, tmp_path: Path) -> None:
    model.save_pretrained(tmp_path)
    loaded = HyenaDNA.from_pretrained(tmp_path).eval()
    assert loaded.config == CONFIG
    ids = draw_ids(2, 66)
    torch.testing.assert_close(loaded(ids), model(ids), rtol=0, atol=0)


def test_transformer_learns() -> None:
    torch.manual_seed(0)
    model = HyenaDNA(CONFIG.replace(embed_dropout=0.0))
    ids = draw_ids(1, 24).repeat(1, 2)[:, :48]
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    losses = []
    for _ in range(120):
        loss = torch.nn.functional.cross_entropy(model(ids[:, :-1]).mT, ids[:, 1:])
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 2.5
    assert losses[-1] < 0.5


def test_weights_start_as_those_of_the_hyena_model() -> None:
    torch.manual_seed(0)
    model = HyenaDNA(
        ModelConfig(d_model=256, n_layer=2, d_inner=8, max_seq_len=8, mixer="attention")
    )
    mixer = model.backbone.layers[0].mixer
    assert mixer.in_proj.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert mixer.out_proj.weight.std().item() == pytest.approx(0.01, rel=0.05)


@pytest.mark.parametrize("name", PAIRS)
def test_parameters_are_near_those_of_the_hyena_model(name: str) -> None:
    partner, ours, theirs = PAIRS[name]
    transformer, hyena = (read_yaml(ModelConfig, MODELS / f"{n}.yaml") for n in (name, partner))
    assert transformer.replace(mixer="hyena", n_head=None) == hyena
    with torch.device("meta"):
        counts = [sum(p.numel() for p in HyenaDNA(of).parameters()) for of in (transformer, hyena)]
    assert counts == [ours, theirs]


@pytest.mark.parametrize(("d_model", "heads"), [(8, 1), (128, 2), (256, 4)])
def test_heads_are_64_channels_wide_by_default(d_model: int, heads: int) -> None:
    config = ModelConfig(**SHAPE | {"d_model": d_model}, mixer="attention")
    assert CausalAttention(config).heads == heads


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"mixer": "attention", "n_head": 3}, r"d_model 16 must be n_head \(3\) times an even"),
        ({"mixer": "attention", "n_head": 16}, r"d_model 16 must be n_head \(16\) times an even"),
        ({"mixer": "atention"}, "mixer: .*'hyena' or 'attention'"),
        ({"n_head": 2}, "n_head 2 is for mixer attention"),
    ],
)
def test_heads_that_cannot_be_are_refused(change: dict[str, object], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        parse(ModelConfig, SHAPE | change, source="model.yaml")
