"""HyenaDNA as a network: causality, invariances, precision, initial weights, sizes."""

import copy
import math
from contextlib import nullcontext
from pathlib import Path

import pytest
import torch
from torch import Tensor

from hyenadna.errors import InputError
from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.config import ModelConfig
from hyenadna.model.networks import read_network
from hyenadna.ops import long_conv_cpu
from hyenadna.settings import read_yaml

MODELS = Path(__file__).parents[2] / "config" / "models"
# Measured by making the original's classes.
PARAMETERS = {
    "tiny-1k": 436_096,
    "tiny-1k-d256": 1_641_088,
    "tiny-16k-d128": 436_096,
    "small-32k": 3_277_568,
    "medium-160k": 6_550_528,
    "medium-450k": 6_550_528,
    "large-1m": 6_550_528,
}
LONGEST = {
    "tiny-1k": 1026,
    "tiny-1k-d256": 1026,
    "tiny-16k-d128": 16_386,
    "small-32k": 32_770,
    "medium-160k": 160_002,
    "medium-450k": 450_002,
    "large-1m": 1_000_002,
}
CONFIG = ModelConfig(d_model=16, n_layer=3, d_inner=32, max_seq_len=130, filter_order=16)


@pytest.fixture
def model() -> HyenaDNA:
    """A small model with weights of the size that training leaves."""
    torch.manual_seed(0)
    model = HyenaDNA(CONFIG)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(0.2 * torch.randn_like(parameter))
    return model.eval()


def residual_dtypes(model: HyenaDNA) -> list[torch.dtype]:
    """A list that fills with the dtype of the residual stream at each block."""
    seen: list[torch.dtype] = []
    for block in model.backbone.layers:
        block.register_forward_pre_hook(lambda _, args: seen.append(args[0].dtype))
    return seen


def draw_ids(batch: int, length: int, seed: int = 0) -> Tensor:
    return torch.randint(7, 12, (batch, length), generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_as_many_as_measured(name: str) -> None:
    config = read_yaml(ModelConfig, MODELS / f"{name}.yaml")
    with torch.device("meta"):
        model = HyenaDNA(config)
    assert sum(p.numel() for p in model.parameters()) == PARAMETERS[name]
    assert list(model.buffers()) == []
    assert config.max_seq_len == LONGEST[name]


def test_every_model_size_has_its_measured_count() -> None:
    shapes = {path.stem: read_network(path) for path in MODELS.glob("*.yaml")}
    causal = {
        name
        for name, shape in shapes.items()
        if isinstance(shape, ModelConfig) and shape.mixer == "hyena" and not shape.bidirectional
    }
    assert causal == {*PARAMETERS, "demo"}


def test_names_are_those_of_the_released_checkpoints() -> None:
    model = HyenaDNA(CONFIG.replace(n_layer=1))
    block = "backbone.layers.0"
    expected = ["backbone.embeddings.word_embeddings.weight"]
    expected += [f"{block}.{norm}.{x}" for norm in ("norm1", "norm2") for x in ("weight", "bias")]
    for layer in ("mixer.in_proj", "mixer.out_proj", "mixer.short_filter", "mlp.fc1", "mlp.fc2"):
        expected += [f"{block}.{layer}.{x}" for x in ("weight", "bias")]
    filter_fn = f"{block}.mixer.filter_fn"
    expected += [f"{filter_fn}.bias", f"{filter_fn}.implicit_filter.1.freq"]
    for slot in (0, 2, 4):
        expected += [f"{filter_fn}.implicit_filter.{slot}.{x}" for x in ("weight", "bias")]
    expected += [f"{filter_fn}.implicit_filter.6.weight"]
    expected += ["backbone.ln_f.weight", "backbone.ln_f.bias", "lm_head.weight"]
    assert sorted(model.state_dict()) == sorted(expected)


@pytest.mark.parametrize("changed", [0, 1, 64, 129])
def test_model_is_causal(model: HyenaDNA, changed: int) -> None:
    ids = draw_ids(1, 130)
    other = ids.clone()
    other[0, changed] = 7 + (ids[0, changed] - 6) % 4
    difference = (model(other) - model(ids)).abs()[0].amax(-1)
    assert difference[changed] > 1e-3
    assert difference[:changed].sum() <= 1e-5 * max(changed, 1)


def test_causality_is_exact_in_the_gradient(model: HyenaDNA) -> None:
    embeddings = model.double().backbone.embeddings(draw_ids(1, 130)).detach().requires_grad_()
    residual = embeddings
    for block in model.backbone.layers:
        residual = block(residual)
    (gradient,) = torch.autograd.grad(residual[0, 60].sum(), embeddings)
    reach = gradient[0].abs().amax(-1)
    assert reach[:61].min() > 1e-6
    assert reach[61:].max() < 1e-12


def test_right_padding_does_not_change_real_tokens(model: HyenaDNA) -> None:
    """Left padding, the original's default, does."""
    ids = draw_ids(1, 90)
    padded = torch.cat([ids, torch.full((1, 40), 4)], dim=1)
    torch.testing.assert_close(model(padded)[:, :90], model(ids), rtol=1e-4, atol=1e-5)


def test_alone_equals_in_a_batch(model: HyenaDNA) -> None:
    ids = draw_ids(5, 130)
    alone = torch.cat([model(row[None]) for row in ids])
    torch.testing.assert_close(model(ids), alone, rtol=1e-4, atol=1e-5)


def test_input_of_one_token(model: HyenaDNA) -> None:
    assert model(torch.tensor([[7]])).shape == (1, 1, 16)


def test_input_longer_than_the_filter_is_refused_with_both_numbers(model: HyenaDNA) -> None:
    """The original truncated inside the operator and failed on a shape in the next addition."""
    with pytest.raises(InputError, match=r"131 tokens .* max_seq_len, 130.*; cut it"):
        model(draw_ids(1, 131))


@pytest.mark.parametrize(
    ("ids", "complaint"),
    [
        (torch.zeros(1, 0, dtype=torch.long), "hold no token"),
        (torch.zeros(0, 4, dtype=torch.long), "hold no token"),
        (torch.zeros(1, 4), r"must be integers of shape \(batch, length\), got torch.float32"),
        (torch.zeros(1, 4, dtype=torch.bool), "must be integers"),
        (torch.zeros(4, dtype=torch.long), r"got torch.int64 of shape \(4,\)"),
    ],
    ids=["no length", "no batch", "float", "bool", "one dimension"],
)
def test_ids_that_are_none_are_refused(model: HyenaDNA, ids: Tensor, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        model(ids)


def test_ids_may_be_bytes(model: HyenaDNA) -> None:
    ids = draw_ids(2, 20)
    torch.testing.assert_close(model(ids.to(torch.uint8)), model(ids))


def test_recomputing_blocks_gives_the_same_gradients_and_names(model: HyenaDNA) -> None:
    """The original's gradient checkpointing renamed the weights."""
    recomputing = HyenaDNA(CONFIG.replace(checkpoint_blocks=True))
    recomputing.load_state_dict(model.state_dict())
    ids = draw_ids(2, 65)
    gradients = []
    for network in (model.train(), recomputing.train()):
        torch.manual_seed(1)  # for dropout
        network(ids).logsumexp(-1).sum().backward()
        gradients.append({name: p.grad for name, p in network.named_parameters()})
    torch.testing.assert_close(gradients[0], gradients[1], rtol=0, atol=0)


def test_recomputing_blocks_keeps_less_for_the_backward_pass(model: HyenaDNA) -> None:
    recomputing = HyenaDNA(CONFIG.replace(checkpoint_blocks=True))
    kept = []
    for network in (model, recomputing):
        saved: list[int] = []
        with torch.autograd.graph.saved_tensors_hooks(
            lambda x, saved=saved: (saved.append(x.numel()), x)[1], lambda x: x
        ):
            network(draw_ids(2, 65))
        kept.append(sum(saved))
    assert kept[1] < kept[0] / 4


def gradients_of_steps(network: HyenaDNA, *, length: int | None) -> dict[str, Tensor | None]:
    """Gradients after two micro-batches, within `shared_filters(length)` if one is given."""
    network.zero_grad()
    torch.manual_seed(1)  # for dropout
    with nullcontext() if length is None else network.shared_filters(length):
        for seed in range(2):
            network(draw_ids(2, 65, seed)).logsumexp(-1).sum().backward()
    return {name: p.grad for name, p in network.named_parameters()}


@pytest.mark.parametrize("length", [65, 130])
@pytest.mark.parametrize("recompute", [False, True])
def test_shared_filters_give_the_same_gradients(
    model: HyenaDNA, recompute: bool, length: int
) -> None:
    network = HyenaDNA(CONFIG.replace(checkpoint_blocks=recompute)).double().train()
    network.load_state_dict(model.state_dict())
    expected = gradients_of_steps(network, length=None)
    torch.testing.assert_close(gradients_of_steps(network, length=length), expected)


def test_shared_filters_are_evaluated_once(
    model: HyenaDNA, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = HyenaDNA(CONFIG.replace(checkpoint_blocks=True)).train()
    calls: list[None] = []
    for block in network.backbone.layers:
        weights = block.mixer.filter_fn._weights
        monkeypatch.setattr(
            block.mixer.filter_fn,
            "_weights",
            lambda weights=weights: (calls.append(None), weights())[1],
        )
    gradients_of_steps(network, length=65)
    assert len(calls) == CONFIG.n_layer
    network(draw_ids(1, 20))
    assert len(calls) == 2 * CONFIG.n_layer


def test_shared_filters_cannot_be_shared_again(model: HyenaDNA) -> None:
    with model.shared_filters(65):
        with pytest.raises(RuntimeError, match="shared already"), model.shared_filters(65):
            pass
        model(draw_ids(1, 65))
    with model.shared_filters(65):
        model(draw_ids(1, 65))


def test_inputs_longer_than_shared_filters_are_refused(model: HyenaDNA) -> None:
    with (
        pytest.raises(ValueError, match="shared at positions 0 to 65, got 0 to 66"),
        model.shared_filters(65),
    ):
        model(draw_ids(1, 66))
    model(draw_ids(1, 66))


@pytest.fixture
def convolutions(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """A list that grows by the length of each long convolution that an operator computes."""
    monkeypatch.setattr(long_conv_cpu, "COMPOSED_ELEMENTS", 0)
    lengths: list[int] = []
    forward = long_conv_cpu.forward

    def counted(u: Tensor, *others: Tensor | None) -> Tensor:
        lengths.append(u.shape[-1])
        return forward(u, *others)

    monkeypatch.setattr(long_conv_cpu, "forward", counted)
    return lengths


@pytest.mark.parametrize("keep", [False, True])
def test_kept_convolutions_are_not_computed_again(
    model: HyenaDNA, convolutions: list[int], keep: bool
) -> None:
    network = HyenaDNA(CONFIG.replace(checkpoint_blocks=True, keep_convolutions=keep))
    network.load_state_dict(model.state_dict())
    ids = draw_ids(2, 65)
    network.eval()(ids).logsumexp(-1).sum().backward()
    assert len(convolutions) == (1 if keep else 2) * CONFIG.n_layer
    model(ids).logsumexp(-1).sum().backward()
    for mine, plain in zip(network.parameters(), model.parameters(), strict=True):
        torch.testing.assert_close(mine.grad, plain.grad, rtol=0, atol=0)


def test_residual_stream_is_fp32_under_autocast(model: HyenaDNA) -> None:
    seen = residual_dtypes(model)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        logits = model(draw_ids(2, 130))
    assert seen == [torch.float32] * CONFIG.n_layer
    exact = model(draw_ids(2, 130))
    assert (logits - exact).abs().max() < 0.05 * exact.abs().max()


def test_autocast_gives_usable_gradients(model: HyenaDNA) -> None:
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = model(draw_ids(2, 130)).float().logsumexp(-1).mean()
    loss.backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in model.parameters())


def test_weights_in_bfloat16_leave_the_residual_stream_in_fp32(model: HyenaDNA) -> None:
    rounded = copy.deepcopy(model).bfloat16()
    seen = residual_dtypes(rounded)
    exact = model.double()
    exact.load_state_dict(rounded.state_dict())
    expected = exact(draw_ids(2, 130))
    assert (rounded(draw_ids(2, 130)) - expected).abs().max() < 0.05 * expected.abs().max()
    assert seen == [torch.float32] * CONFIG.n_layer


def test_initial_weights_are_drawn_as_in_the_original() -> None:
    torch.manual_seed(0)
    model = HyenaDNA(read_yaml(ModelConfig, MODELS / "tiny-1k-d256.yaml"))
    block = model.backbone.layers[0]
    for narrow in (block.mixer.out_proj.weight, block.mlp.fc2.weight):
        assert narrow.std().item() == pytest.approx(0.02 / math.sqrt(2 * 2), rel=0.05)
    for layer in (block.mixer.in_proj, block.mlp.fc1, block.mixer.filter_fn.implicit_filter["2"]):
        assert layer.weight.std().item() == pytest.approx(0.02, rel=0.05)
        assert layer.bias.abs().max() == 0
    assert model.backbone.embeddings.word_embeddings.weight.std().item() == pytest.approx(
        0.02, rel=0.05
    )
    assert block.mixer.filter_fn.bias.std().item() == pytest.approx(1, rel=0.2)
    assert block.mixer.short_filter.weight.std().item() == pytest.approx(1 / 3, rel=0.1)
    assert (block.mixer.filter_fn.implicit_filter["1"].freq == 10).all()


def test_embedding_dropout_acts_while_training_alone() -> None:
    """The `-hf` port has the setting and never applies it."""
    model = HyenaDNA(CONFIG.replace(embed_dropout=0.5))
    ids = draw_ids(1, 65)
    assert not torch.equal(model.train()(ids), model(ids))
    assert torch.equal(model.eval()(ids), model(ids))


def test_output_layer_is_the_embedding_unless_untied() -> None:
    tied, untied = HyenaDNA(CONFIG), HyenaDNA(CONFIG.replace(tie_word_embeddings=False))
    assert tied.lm_head.weight is tied.backbone.embeddings.word_embeddings.weight
    extra = sum(p.numel() for p in untied.parameters()) - sum(p.numel() for p in tied.parameters())
    assert extra == 16 * CONFIG.d_model


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        ({"hyena_order": 3}, "hyena_order: must be 2"),
        ({"emb_dim": 4}, "emb_dim: must be odd"),
        ({"keep_convolutions": True}, "keep_convolutions says what checkpoint_blocks"),
        ({"max_seq_len": 1}, "max_seq_len: .*greater than or equal to 2"),
        ({"embed_dropout": 1.0}, "embed_dropout: .*less than 1"),
        ({"l_max": 1026}, "unknown key 'l_max'"),
    ],
    ids=lambda value: str(value)[:20],
)
def test_configuration_that_cannot_be_is_refused(
    tmp_path: Path, change: dict[str, object], complaint: str
) -> None:
    path = tmp_path / "model.yaml"
    content = {"d_model": 8, "n_layer": 1, "d_inner": 8, "max_seq_len": 66} | change
    path.write_text("\n".join(f"{key}: {value}" for key, value in content.items()))
    with pytest.raises(InputError, match=complaint):
        read_yaml(ModelConfig, path)
