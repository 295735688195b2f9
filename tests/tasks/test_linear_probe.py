"""The head that starts from a linear model: the same as scikit-learn's, folded into its weights."""

from pathlib import Path

import numpy as np
import pytest
import torch
from labelled_sets import labelled
from safetensors.torch import load_file
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import StandardScaler

from hyenadna.errors import Interrupted
from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.config import ConvConfig
from hyenadna.model.heads import SequenceClassifier
from hyenadna.model.networks import build_classifier
from hyenadna.tasks import finetune
from hyenadna.tasks import probe as probe_module
from hyenadna.tasks.objective import Objective, spread
from hyenadna.tasks.probe import fit_head, states_of
from hyenadna.tokenizer import encode
from hyenadna.training import loop

RNG = np.random.default_rng(0)
SEQUENCES = ["".join(RNG.choice(list("ACGT"), 60, p=p)) for p in RNG.dirichlet([9] * 4, size=90)]
SHARES = np.array([[sequence.count(base) / 60 for base in "ACG"] for sequence in SEQUENCES])
NOISY = SHARES + RNG.normal(0, 0.05, SHARES.shape)

LABELS = {
    "single": NOISY.argmax(axis=1),
    "multi": NOISY > 0.25,
    "regression": 1_000 * NOISY[:, :2] + 5_000,
}


def classifier_of(tiny_model, items) -> SequenceClassifier:
    torch.manual_seed(2)
    network = SequenceClassifier(HyenaDNA(tiny_model), len(items.classes), kind=items.kind)
    if items.kind == "regression":
        mean = torch.from_numpy(items.labels.mean(axis=0))
        network.head.standardise(mean, torch.from_numpy(spread(items)))
    return network.eval()


def inputs(sequences: list[str]) -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.from_numpy(np.stack([encode(sequence) for sequence in sequences]))
    return ids, torch.full((len(ids),), ids.shape[1])


def probed(network, items, recipe, seed=0, penalty=1.0) -> torch.Tensor:
    """Fit the head of a network, and return what the network then gives for the items."""
    features = states_of(network, items, recipe, longest=60, seed=seed)
    fit_head(network.head, features, Objective.of(items, recipe), penalty=penalty)
    with torch.no_grad():
        return network(*inputs(items.sequences)).double()


def expected(kind: str, states: np.ndarray, labels: np.ndarray) -> np.ndarray:
    if kind == "single":
        return (
            LogisticRegression(max_iter=10_000, tol=1e-10)
            .fit(states, labels)
            .decision_function(states)
        )
    if kind == "multi":
        return np.stack([expected("single", states, column) for column in labels.T], axis=1)
    return Ridge(alpha=0.5).fit(states, labels).predict(states)


@pytest.mark.parametrize("kind", ["single", "multi", "regression"])
def test_it_is_the_model_of_scikit_learn_on_standardised_states(kind, tiny_model, tiny_recipe):
    items = labelled(SEQUENCES, LABELS[kind], kind)
    network = classifier_of(tiny_model, items)
    with torch.no_grad():
        states = network.represent(*inputs(SEQUENCES)).double().numpy()
    states = StandardScaler().fit_transform(states)
    labels = items.labels
    if kind == "regression":
        scaler = StandardScaler().fit(labels)
        ours = scaler.transform(probed(network, items, tiny_recipe).numpy())
        labels = scaler.transform(labels)
    else:
        ours = probed(network, items, tiny_recipe).numpy()
    theirs = expected(kind, states, labels)
    if kind == "single":
        ours, theirs = (of - of.mean(axis=1, keepdims=True) for of in (ours, theirs))
    np.testing.assert_allclose(ours, theirs, atol=2e-3)


def test_nothing_but_the_head_changes(tiny_model, tiny_recipe):
    items = labelled(SEQUENCES, LABELS["single"])
    network = classifier_of(tiny_model, items)
    before = {name: of.clone() for name, of in network.model.state_dict().items()}
    probed(network, items, tiny_recipe)
    after = network.model.state_dict()
    assert all(torch.equal(after[name], before[name]) for name in before)


def test_a_state_that_never_varies_is_left_out(tiny_model, tiny_recipe):
    items = labelled(SEQUENCES, LABELS["single"])
    network = classifier_of(tiny_model, items)
    with torch.no_grad():
        network.model.backbone.ln_f.weight[3] = 0
        network.model.backbone.ln_f.bias[3] = 7
    assert probed(network, items, tiny_recipe).isfinite().all()
    assert (network.head.output_transform.weight[:, 3] == 0).all()


def test_both_strands_count_where_both_are_trained_on(tiny_model, tiny_recipe):
    items = labelled(SEQUENCES, LABELS["single"])
    one, both = (
        probed(classifier_of(tiny_model, items), items, tiny_recipe.replace(flip_strand=flip))
        for flip in (0.0, 0.5)
    )
    assert not torch.allclose(one, both, atol=1e-2)


def test_classes_count_as_the_recipe_weighs_them(tiny_model, tiny_recipe):
    labels = (np.arange(90) < 9).astype(int)
    items = labelled(SEQUENCES, labels)
    rare = [
        probed(classifier_of(tiny_model, items), items, tiny_recipe.replace(class_weights=of))
        .softmax(dim=1)[:, 1]
        .mean()
        for of in ("none", "balanced")
    ]
    assert rare[0] == pytest.approx(0.1, abs=0.01)
    assert rare[1] > 0.2


def test_of_many_items_some_are_drawn(tiny_model, tiny_recipe, monkeypatch):
    monkeypatch.setattr(probe_module, "MOST_ITEMS", 60)
    items = labelled(SEQUENCES, LABELS["single"])
    outputs = [
        probed(classifier_of(tiny_model, items), items, tiny_recipe, seed=seed)
        for seed in (0, 0, 1)
    ]
    assert torch.equal(outputs[0], outputs[1])
    assert not torch.allclose(outputs[0], outputs[2], atol=1e-3)


def test_a_cnn_has_such_a_head_too(tiny_recipe):
    items = labelled(SEQUENCES, LABELS["single"])
    torch.manual_seed(0)
    network = build_classifier(
        ConvConfig(architecture="cnn"),
        3,
        pooling="mean",
        classes=items.classes,
        kind="single",
        longest=60,
    ).eval()
    right = probed(network, items, tiny_recipe).argmax(dim=1).numpy() == items.labels
    assert right.mean() > np.bincount(items.labels).max() / len(items)


@pytest.fixture(scope="module")
def tuned(intervals_benchmark, tiny_recipe, pretrained, tmp_path_factory) -> Path:
    recipe = tiny_recipe.replace(probe_penalty=1.0)
    out = tmp_path_factory.mktemp("probed")
    return finetune(intervals_benchmark, recipe, weights=pretrained, model=None, out=out, seed=0)


def test_fine_tuning_starts_where_the_linear_model_is(
    intervals_benchmark, tiny_recipe, pretrained, tmp_path, read_metrics
):
    still = tiny_recipe.replace(epochs=1, learning_rate=1e-9)
    losses = []
    for penalty in (None, 1.0):
        recipe, out = still.replace(probe_penalty=penalty), tmp_path / str(penalty)
        finetune(intervals_benchmark, recipe, weights=pretrained, model=None, out=out, seed=0)
        losses.append(read_metrics(out, "valid")["loss"])
    assert losses[0] > 0.5
    assert losses[1] < 0.25


def test_a_run_that_goes_on_ends_as_if_it_had_not_stopped(
    tuned, intervals_benchmark, tiny_recipe, pretrained, tmp_path, monkeypatch
):
    train, steps = loop._Trainer.step, iter(range(99))

    def interrupted(trainer, *given):
        if next(steps) == 9:
            raise Interrupted(15)
        return train(trainer, *given)

    def never(*_given, **_named):
        raise AssertionError("the head of a run that goes on is in its checkpoint")

    recipe = tiny_recipe.replace(probe_penalty=1.0)
    given = {"weights": pretrained, "model": None, "out": tmp_path, "seed": 0}
    with monkeypatch.context() as patch:
        patch.setattr(loop._Trainer, "step", interrupted)
        with pytest.raises(Interrupted):
            finetune(intervals_benchmark, recipe, **given)
    monkeypatch.setattr(probe_module, "_minimise", never)
    finetune(intervals_benchmark, recipe, **given)
    one, other = (load_file(out / "model.safetensors") for out in (tmp_path, tuned))
    assert all(torch.equal(one[name], other[name]) for name in other)


def test_a_frozen_network_has_a_probe_at_its_best_from_the_start(
    intervals_benchmark, tiny_recipe, pretrained, tmp_path, read_metrics
):
    recipe = tiny_recipe.replace(
        epochs=1, learning_rate=1e-9, probe_penalty=1.0, train_backbone=False
    )
    finetune(intervals_benchmark, recipe, weights=pretrained, model=None, out=tmp_path, seed=0)
    assert read_metrics(tmp_path, "valid")["loss"] < 0.25
