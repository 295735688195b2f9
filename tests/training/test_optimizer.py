"""AdamW's groups, what Muon takes, and that a resumed optimizer goes on to the bit."""

import pytest
import torch
from safetensors.torch import load_file, save_file

from hyenadna.errors import InputError
from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.config import ModelConfig
from hyenadna.training import checkpoint
from hyenadna.training.optimizer import build_optimizer
from hyenadna.training.recipe import Recipe

RECIPE = Recipe(batch_size=1, checkpoint_every=1)
MUON = RECIPE.replace(optimizer="muon")

needs_muon = pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch 2.9 brings Muon")


@pytest.fixture
def model():
    return HyenaDNA(ModelConfig(d_model=8, n_layer=2, d_inner=16, max_seq_len=32))


def groups(optimizers):
    return [group for each in optimizers.optimizers for group in each.param_groups]


def names_by_group(model, optimizers):
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return [[names[id(p)] for p in group["params"]] for group in groups(optimizers)]


def set_gradients(model, seed):
    generator = torch.Generator().manual_seed(seed)
    for parameter in model.parameters():
        parameter.grad = torch.randn(parameter.shape, generator=generator)


def test_decayed_group_comes_first_and_filters_are_not_decayed(model):
    decays = [group["weight_decay"] for group in groups(build_optimizer(model, RECIPE))]
    assert decays == [0.1, 0.0]


def test_the_undecayed_group_is_the_filter_mlp_and_its_frequency(model):
    _, undecayed = names_by_group(model, build_optimizer(model, RECIPE))
    linear = ["0.weight", "0.bias", "2.weight", "2.bias", "4.weight", "4.bias", "6.weight"]
    expected = {
        f"backbone.layers.{layer}.mixer.filter_fn.implicit_filter.{name}"
        for layer in range(2)
        for name in ("1.freq", *linear)
    }
    assert set(undecayed) == expected


def test_filter_biases_are_not_moved_to_a_decayed_group(model):
    """The original's grouping, once switched on, overwrote the group of the filter's biases."""
    decayed, undecayed = names_by_group(model, build_optimizer(model, RECIPE))
    biases = {name for name in decayed + undecayed if "implicit_filter" in name and "bias" in name}
    assert biases
    assert biases <= set(undecayed)


def test_norms_biases_embedding_and_skip_decay_as_published(model):
    decayed, _ = names_by_group(model, build_optimizer(model, RECIPE))
    for name in (
        "backbone.embeddings.word_embeddings.weight",
        "backbone.layers.0.norm1.weight",
        "backbone.layers.0.mixer.in_proj.bias",
        "backbone.layers.1.mixer.filter_fn.bias",
        "backbone.ln_f.bias",
    ):
        assert name in decayed


def test_every_parameter_is_in_one_group_once(model):
    decayed, undecayed = names_by_group(model, build_optimizer(model, RECIPE))
    assert sorted(decayed + undecayed) == sorted(name for name, _ in model.named_parameters())


def test_positions_are_never_trained(model):
    """The Hugging Face port trains its positional features at the full learning rate."""
    assert not any("pos_emb" in name for name, _ in model.named_parameters())


def test_frozen_parameters_are_left_out(model):
    model.backbone.requires_grad_(False)
    model.backbone.ln_f.requires_grad_(True)
    optimizer = build_optimizer(model, RECIPE)
    assert names_by_group(model, optimizer) == [["backbone.ln_f.weight", "backbone.ln_f.bias"], []]
    optimizer.step()


@needs_muon
def test_muon_takes_the_matrices_of_the_blocks(model):
    matrices, *_ = names_by_group(model, build_optimizer(model, MUON))
    assert matrices == [
        f"backbone.layers.{layer}.{name}.weight"
        for layer in range(2)
        for name in ("mixer.in_proj", "mixer.out_proj", "mlp.fc1", "mlp.fc2")
    ]


@needs_muon
def test_adamw_takes_the_rest_in_its_published_groups(model):
    matrices, decayed, filters = names_by_group(model, build_optimizer(model, MUON))
    everything, published = names_by_group(model, build_optimizer(model, RECIPE))
    assert decayed == [name for name in everything if name not in matrices]
    assert filters == published


@needs_muon
def test_muon_takes_the_matrices_of_attention():
    transformer = HyenaDNA(
        ModelConfig(d_model=8, n_layer=1, d_inner=16, max_seq_len=32, mixer="attention", n_head=2)
    )
    matrices, *_ = names_by_group(transformer, build_optimizer(transformer, MUON))
    assert len(matrices) == 4


@needs_muon
def test_rates_are_shares_of_each_optimizers_own_peak(model):
    optimizers = build_optimizer(model, MUON.replace(learning_rate=1e-3, muon_learning_rate=0.5))
    optimizers.set_rate(0.5)
    optimizers.set_rate(0.1)
    assert [group["lr"] for group in groups(optimizers)] == pytest.approx([0.05, 1e-4, 1e-4])


@needs_muon
def test_a_step_is_that_of_torch(model):
    matrix, embedding = model.backbone.layers[0].mlp.fc1.weight, model.lm_head.weight
    copies = [parameter.detach().clone().requires_grad_() for parameter in (matrix, embedding)]
    theirs = [
        torch.optim.Muon(copies[:1], lr=0.02 * 0.5, weight_decay=0.1, momentum=0.95),
        torch.optim.AdamW(copies[1:], lr=6e-4 * 0.5, weight_decay=0.1),
    ]
    optimizers = build_optimizer(model, MUON)
    optimizers.set_rate(0.5)
    for seed in range(3):
        set_gradients(model, seed)
        for copy, parameter in zip(copies, (matrix, embedding), strict=True):
            copy.grad = parameter.grad.clone()
        for each in (optimizers, *theirs):
            each.step()
    assert torch.equal(copies[0], matrix)
    assert torch.equal(copies[1], embedding)


def test_a_frozen_backbone_leaves_nothing_to_muon(model):
    model.backbone.requires_grad_(False)
    model.backbone.ln_f.requires_grad_(True)
    assert len(build_optimizer(model, MUON).optimizers) == 1


def test_an_older_torch_has_no_muon(model, monkeypatch):
    monkeypatch.delattr(torch.optim, "Muon", raising=False)
    with pytest.raises(InputError, match=r"muon needs torch 2\.9 .* optimizer adamw"):
        build_optimizer(model, MUON)


def test_gradients_are_dropped(model):
    optimizers = build_optimizer(model, RECIPE)
    set_gradients(model, 0)
    optimizers.zero_grad()
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize(
    "recipe", [RECIPE, pytest.param(MUON, marks=needs_muon)], ids=["adamw", "muon"]
)
def test_state_that_went_through_a_file_goes_on_to_the_bit(model, recipe, tmp_path):
    optimizers = build_optimizer(model, recipe)
    set_gradients(model, 0)
    optimizers.step()
    save_file(checkpoint.optimizer_tensors(model, optimizers), tmp_path / "state.safetensors")
    other = HyenaDNA(model.config)
    checkpoint.restore_model(other, checkpoint.model_tensors(model))
    resumed = build_optimizer(other, recipe)
    checkpoint.restore_optimizer(other, resumed, load_file(tmp_path / "state.safetensors"))
    for network, each in ((model, optimizers), (other, resumed)):
        set_gradients(network, 1)
        each.step()
    for name, tensor in checkpoint.model_tensors(model).items():
        assert torch.equal(checkpoint.model_tensors(other)[name], tensor)


@needs_muon
def test_state_is_named_by_parameter_and_quantity(model):
    optimizers = build_optimizer(model, MUON)
    set_gradients(model, 0)
    optimizers.step()
    tensors = checkpoint.optimizer_tensors(model, optimizers)
    norm, matrix = "backbone.ln_f.weight", "backbone.layers.0.mlp.fc1.weight"
    assert {key for key in tensors if key.startswith((norm, matrix))} == {
        f"{norm}/step",
        f"{norm}/exp_avg",
        f"{norm}/exp_avg_sq",
        f"{matrix}/momentum_buffer",
    }


def test_state_of_before_the_first_step_is_nothing(model):
    optimizers = build_optimizer(model, RECIPE)
    assert checkpoint.optimizer_tensors(model, optimizers) == {}
    checkpoint.restore_optimizer(model, optimizers, {})
    set_gradients(model, 0)
    optimizers.step()
