"""What fine-tuning minimises: plain, with weights of classes, and with both strands."""

import numpy as np
import pytest
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, cross_entropy

from hyenadna.data.labelled import LabelledSet
from hyenadna.errors import InputError
from hyenadna.tasks.objective import Objective


def labelled(labels: np.ndarray, kind: str) -> LabelledSet:
    count = len(labels)
    width = labels.max() + 1 if kind == "single" else labels.shape[1]
    classes = tuple(f"c{number}" for number in range(width))
    lengths = np.full(count, 4)
    return LabelledSet(
        list(map(str, range(count))), ["ACGT"] * count, lengths, labels, classes, kind
    )


@pytest.fixture
def outputs() -> torch.Tensor:
    return torch.randn(8, 3, generator=torch.Generator().manual_seed(0))


CLASSES = np.array([0, 0, 0, 0, 0, 1, 1, 2])
TARGETS = np.array([[0, 0, 1]] * 6 + [[1, 0, 1], [1, 1, 0]], dtype=np.uint8)
NUMBERS = np.linspace(0, 100, 24, dtype=np.float32).reshape(8, 3)


def test_classes_cost_their_cross_entropy(outputs, tiny_recipe):
    objective = Objective.of(labelled(CLASSES, "single"), tiny_recipe)
    total, weight = objective(outputs, torch.from_numpy(CLASSES))
    assert (total / weight).item() == pytest.approx(
        cross_entropy(outputs, torch.from_numpy(CLASSES)).item()
    )


def test_balanced_classes_weigh_the_same_in_sum(outputs, tiny_recipe):
    recipe = tiny_recipe.replace(class_weights="balanced")
    objective = Objective.of(labelled(CLASSES, "single"), recipe)
    labels = torch.from_numpy(CLASSES)
    sums = [objective.weights[labels][labels == of].sum().item() for of in range(3)]
    assert sums == pytest.approx([8 / 3] * 3)
    total, weight = objective(outputs, labels)
    expected = cross_entropy(outputs, labels, weight=objective.weights)
    assert (total / weight).item() == pytest.approx(expected.item())


def test_balanced_positives_weigh_as_much_as_negatives(outputs, tiny_recipe):
    recipe = tiny_recipe.replace(class_weights="balanced")
    objective = Objective.of(labelled(TARGETS, "multi"), recipe)
    assert objective.weights.tolist() == pytest.approx([6 / 2, 7 / 1, 1 / 7])
    targets = torch.from_numpy(TARGETS)
    total, weight = objective(outputs, targets)
    expected = binary_cross_entropy_with_logits(
        outputs, targets.float(), pos_weight=objective.weights
    )
    assert (total / weight).item() == pytest.approx(expected.item())


def test_numbers_cost_their_squared_error_in_units_of_the_variance(tiny_recipe):
    objective = Objective.of(labelled(NUMBERS, "regression"), tiny_recipe)
    labels = torch.from_numpy(NUMBERS)
    total, weight = objective(labels.mean(dim=0).expand(8, -1), labels)
    assert (total / weight).item() == pytest.approx(1.0)


def test_weights_of_classes_for_numbers_are_refused(tiny_recipe):
    recipe = tiny_recipe.replace(class_weights="balanced")
    with pytest.raises(InputError, match="these labels are numbers"):
        Objective.of(labelled(NUMBERS, "regression"), recipe)


@pytest.mark.parametrize(
    ("labels", "kind"), [(CLASSES, "single"), (TARGETS, "multi"), (NUMBERS, "regression")]
)
def test_strands_that_agree_cost_no_more_and_others_do(labels, kind, outputs, tiny_recipe):
    recipe = tiny_recipe.replace(strand_consistency=2.0)
    objective = Objective.of(labelled(labels, kind), recipe)
    truth = torch.from_numpy(labels)
    alone = objective(outputs, truth)[0]
    agreeing = objective.both_strands(torch.cat([outputs, outputs]), truth)[0]
    torch.testing.assert_close(agreeing, alone)
    other = outputs.flip(1)
    mean = (alone + objective(other, truth)[0]) / 2
    one_way, back = (
        objective.both_strands(torch.cat(pair), truth)[0]
        for pair in ((outputs, other), (other, outputs))
    )
    assert one_way > mean
    torch.testing.assert_close(one_way, back)


def test_the_divergence_of_classes_is_the_symmetric_one(outputs, tiny_recipe):
    objective = Objective.of(
        labelled(CLASSES, "single"), tiny_recipe.replace(strand_consistency=1.0)
    )
    truth, other = torch.from_numpy(CLASSES), outputs.flip(0)
    mean = (objective(outputs, truth)[0] + objective(other, truth)[0]) / 2
    p, q = outputs.softmax(1), other.softmax(1)
    divergence = ((p - q) * (p.log() - q.log())).sum() / 2
    total = objective.both_strands(torch.cat([outputs, other]), truth)[0]
    torch.testing.assert_close(total - mean, divergence, rtol=1e-4, atol=1e-5)
