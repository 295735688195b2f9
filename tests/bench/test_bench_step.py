"""One model beside the plain formula: the same network, its times, its parts."""

from dataclasses import replace

import pytest
import torch
from torch.nn.functional import cross_entropy

from hyenadna.bench import step
from hyenadna.bench.networks import disagreement, draw_tokens, with_gain
from hyenadna.bench.plain import PlainHyenaDNA
from hyenadna.bench.session import Case
from hyenadna.bench.step import PLAIN, Subject
from hyenadna.errors import InputError
from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.config import ModelConfig
from hyenadna.training.recipe import PretrainRecipe

CONFIG = ModelConfig(d_model=16, n_layer=2, d_inner=32, max_seq_len=40)
CASE = Case(torch.device("cpu"), "fp32", 2, 16, 33)


def both(config=CONFIG):
    torch.manual_seed(0)
    ours = HyenaDNA(config)
    with_gain(ours)
    return ours, PlainHyenaDNA.like(ours)


@pytest.mark.parametrize(
    "change",
    [{}, {"filter_shift": 0.05}, {"tie_word_embeddings": False}, {"checkpoint_blocks": True}],
    ids=str,
)
def test_the_plain_formula_gives_our_loss_and_gradients(change):
    ids = draw_tokens(CASE)
    found = []
    for network in both(CONFIG.replace(embed_dropout=0.0, **change)):
        loss = cross_entropy(network(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
        names, weights = zip(*network.named_parameters(), strict=True)
        gradients = torch.autograd.grad(loss, weights)
        found.append((loss, dict(zip(names, gradients, strict=True))))
    torch.testing.assert_close(found[0], found[1], rtol=1e-3, atol=1e-5)


def test_networks_that_agree_do_not_disagree():
    assert disagreement(*both(), CASE) == ""


@pytest.mark.parametrize("part", ["mixer.in_proj", "mixer.filter_fn.implicit_filter.6", "mlp.fc2"])
def test_another_weight_in_any_part_is_seen(part):
    ours, plain = both()
    plain.get_submodule(f"backbone.layers.1.{part}").weight.data *= 1.01
    assert "wrong logits" in disagreement(ours, plain, CASE)


def test_a_transformer_has_no_plain_formula():
    config = CONFIG.replace(mixer="attention")
    with pytest.raises(InputError, match="mixer hyena"):
        PlainHyenaDNA(config)


def test_our_step_has_the_loss_and_the_gradients_of_a_plain_one():
    config = CONFIG.replace(embed_dropout=0.0)
    recipe = Subject(config).recipe_for(CASE).replace(gradient_clip=1e9)
    ours, plain = both(config)
    (loss,) = step.our_step(ours, CASE, recipe)()
    ids = draw_tokens(CASE)
    expected = cross_entropy(plain(ids[:, :-1]).flatten(0, 1), ids[:, 1:].flatten())
    expected.backward()
    torch.testing.assert_close(loss, expected)
    gradients = [{name: of.grad for name, of in x.named_parameters()} for x in (ours, plain)]
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-5)


@pytest.fixture
def shape(options):
    """A batch of two."""
    return replace(options, channels=(16,), batch=2, lengths=(33,))


def test_training_and_inference_are_timed_beside_the_plain_formula(
    monkeypatch, shape, said, recorded
):
    monkeypatch.setattr(step, "shares", lambda *given, calls: {})
    monkeypatch.setattr(step, "PARTS", ())
    rows = recorded(step.bench, Subject(CONFIG), shape, said.append)
    assert [(row.operation, row.implementation, row.status) for row in rows] == [
        (operation, name, "")
        for operation in ("training step", "inference")
        for name in (PLAIN, "hyenadna")
    ]
    assert all(row.peak_bytes for row in rows)
    assert any(line.startswith("training step by hyenadna: ") for line in said)


def test_shares_of_parts_add_up_and_name_what_a_network_does(shape, said, tmp_path):
    step.bench(Subject(CONFIG), replace(shape, out=tmp_path), said.append)
    header, *lines = (tmp_path / "parts.tsv").read_text().splitlines()
    assert header == step.PARTS_HEADER
    of: dict[tuple[str, str], dict[str, float]] = {}
    for line in lines:
        operation, name, *_, part, share = line.split("\t")
        of.setdefault((operation, name), {})[part] = float(share)
    assert len(of) == 4
    for parts in of.values():
        assert sum(parts.values()) == pytest.approx(1, abs=1e-4)
        assert parts["MLP"] > 0
        assert parts["long conv"] > 0
    training = of["training step", "hyenadna"]
    named = ("embedding", "norms", "projections", "short conv", "filters", "loss")
    assert all(training[part] > 0 for part in (*named, "clip and optimizer"))
    assert training["other"] < 0.5


def test_networks_that_disagree_are_not_timed(monkeypatch, shape, said, recorded):
    monkeypatch.setattr(step, "disagreement", lambda *given: "wrong")
    rows = recorded(step.bench, Subject(CONFIG), shape, said.append)
    assert [row.status for row in rows] == ["wrong"] * 4


def test_a_length_beyond_the_model_is_an_input_error(shape, said):
    with pytest.raises(InputError, match="41 is longer than max_seq_len, 40"):
        step.bench(Subject(CONFIG), replace(shape, lengths=(8, 41)), said.append)


def test_hours_follow_from_tokens_and_speed():
    recipe = PretrainRecipe(
        batch_size=10, steps=360, length=100, validate_every=1, validation_tokens=100,
        checkpoint_every=1,
    )  # fmt: skip
    row = step.blank_rows(replace(CASE, batch=5, length=100), step.TRAINING)["hyenadna"]
    said = step.hours(recipe, replace(row, median_seconds=5.0), CASE.device)
    assert "360 steps x 10 windows x 100 tokens = 3.6e+05 tokens, / 100 tokens/s" in said
    assert "= 1.0 hours on one " in said


def test_a_recipe_that_is_too_long_for_its_model_is_an_input_error(tmp_path):
    model, recipe = tmp_path / "m.yaml", tmp_path / "r.yaml"
    model.write_text("{d_model: 8, n_layer: 1, d_inner: 16, max_seq_len: 20}")
    recipe.write_text(
        "{length: 32, steps: 1, batch_size: 1, validate_every: 1, validation_tokens: 32, "
        "checkpoint_every: 1}"
    )
    with pytest.raises(InputError, match="length 32 is longer than max_seq_len, 20"):
        step.read_subject(model, recipe)
