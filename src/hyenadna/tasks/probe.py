"""A head that starts from a linear model of what it is given (N items, D width, C outputs)."""

import copy
import logging

import numpy as np
import torch
from torch import Tensor, nn

from hyenadna.data.labelled import LabelledSet
from hyenadna.model.heads import Head
from hyenadna.model.networks import Classifier
from hyenadna.tasks.batches import Examples, Features
from hyenadna.tasks.objective import Objective
from hyenadna.training.precision import Precision
from hyenadna.training.recipe import FinetuneRecipe

MOST_ITEMS = 10_000
"""Train items that the linear model is fitted to; the network sees all of them afterwards."""
STEPS = 500
"""Of the minimiser, at most."""
FLAT = 1e-6
"""Standard deviation below which a state is left out: rounding alone moves it."""

_log = logging.getLogger(__name__)


def states_of(
    classifier: Classifier, train: LabelledSet, recipe: FinetuneRecipe, *, longest: int, seed: int
) -> Features:
    """Return what a network gives its head for train items, `MOST_ITEMS` drawn from more.

    Args:
        classifier: the network as it is, on its device.
        train: items, of which the middle `longest` tokens are used.
        recipe: precision, and whether training reads both strands.
        longest: as for `Examples`.
        seed: fixes the draw.
    """
    rows = np.random.default_rng(seed).permutation(len(train))[:MOST_ITEMS]
    _log.info("states of %d of %d train items, for the head to start from", len(rows), len(train))
    return Features(
        Examples(train.take(rows), longest=longest),
        classifier,
        Precision(recipe, next(classifier.parameters()).device),
        forward_size=recipe.forward_size,
        both_strands=recipe.flip_strand > 0 or recipe.strand_consistency > 0,
    )


def fit_head(head: Head, features: Features, objective: Objective, *, penalty: float) -> None:
    """Set the head to the linear model that fits the features, for fine-tuning to start from.

    The pooled states of a network vary little about a large mean, so that a head of random weights
    learns slowly on top of them, and the gradients that it sends back meanwhile distort what the
    network knows (Kumar et al., arXiv:2202.10054). The model minimises the objective summed over
    items, and half its squared weights times the penalty, on standardised states: for classes that
    is logistic regression with C = 1 / penalty. Mean and scale are then folded into the head.

    Args:
        head: which is changed.
        features: what it is given for items of the train split.
        objective: what fine-tuning minimises.
        penalty: above 0; the larger it is, the less a step of training moves the outputs.
    """
    states = features.states.flatten(0, 1).double()
    labels = torch.cat([torch.from_numpy(features.labels)] * len(features.states))
    mean, deviation = states.mean(dim=0), states.std(dim=0, correction=0)
    scale = torch.where(deviation > FLAT, 1 / deviation, 0.0)
    probe = copy.deepcopy(head).cpu().double()
    layer = probe.output_transform
    nn.init.zeros_(layer.weight)
    nn.init.zeros_(layer.bias)
    loss = _minimise(probe, (states - mean) * scale, labels, objective, penalty)
    _log.info("head fitted to %d states: loss %.4f", len(states), loss)
    with torch.no_grad():
        weight = layer.weight * scale
        head.output_transform.weight.copy_(weight)
        head.output_transform.bias.copy_(layer.bias - weight @ mean)


def _minimise(
    probe: Head, states: Tensor, labels: Tensor, objective: Objective, penalty: float
) -> float:
    """Fit a head to states (N, D) and labels (N,) or (N, C), and return the mean loss."""
    layer = probe.output_transform
    minimiser = torch.optim.LBFGS(layer.parameters(), max_iter=STEPS, line_search_fn="strong_wolfe")

    def loss(penalty: float) -> Tensor:
        total, weight = objective(probe(states), labels)
        return (total + penalty * layer.weight.square().sum() / 2) / weight

    def penalised() -> float:
        minimiser.zero_grad()
        value = loss(penalty)
        value.backward()  # type: ignore[no-untyped-call]
        return value.item()

    minimiser.step(penalised)  # type: ignore[no-untyped-call]
    with torch.no_grad():
        return loss(0).item()
