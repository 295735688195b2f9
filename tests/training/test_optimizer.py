"""AdamW's groups: which parameters decay."""

import pytest

from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.config import ModelConfig
from hyenadna.training.optimizer import build_optimizer
from hyenadna.training.recipe import Recipe

RECIPE = Recipe(batch_size=1, checkpoint_every=1)


@pytest.fixture
def model():
    return HyenaDNA(ModelConfig(d_model=8, n_layer=2, d_inner=16, max_seq_len=32))


def names_by_group(model, optimizer):
    names = {id(parameter): name for name, parameter in model.named_parameters()}
    return [[names[id(p)] for p in group["params"]] for group in optimizer.param_groups]


def test_decayed_group_comes_first_and_filters_are_not_decayed(model):
    decays = [group["weight_decay"] for group in build_optimizer(model, RECIPE).param_groups]
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
