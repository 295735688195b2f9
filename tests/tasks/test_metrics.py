"""Metrics over a whole split, against scikit-learn called directly."""

import numpy as np
import pytest
import sklearn.metrics as sk
from scipy.stats import pearsonr, spearmanr

from hyenadna.tasks.metrics import METRICS, score


def example(classes: int, count: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Labels and probabilities that know something of them."""
    rng = np.random.default_rng(classes)
    labels = rng.choice(classes, count, p=np.arange(1, classes + 1) / sum(range(classes + 1)))
    logits = rng.normal(size=(count, classes)) + np.eye(classes)[labels]
    return labels, np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 3, 5])
def test_single_label_metrics_are_those_of_scikit_learn(classes):
    labels, scores = example(classes)
    predicted = scores.argmax(axis=1)
    positive = scores[:, 1] if classes == 2 else scores
    truth = labels if classes == 2 else np.eye(classes)[labels]
    assert score(labels, scores, "single") == pytest.approx(
        {
            "accuracy": sk.accuracy_score(labels, predicted),
            "mcc": sk.matthews_corrcoef(labels, predicted),
            "f1_macro": sk.f1_score(labels, predicted, average="macro"),
            "f1_weighted": sk.f1_score(labels, predicted, average="weighted"),
            "auroc": sk.roc_auc_score(labels, positive, multi_class="ovr", average="macro"),
            "auprc": sk.average_precision_score(truth, positive, average="macro"),
        }
    )


def test_multi_label_metrics_are_means_and_median_over_targets():
    rng = np.random.default_rng(0)
    labels = (rng.random((100, 4)) < 0.3).astype(np.uint8)
    scores = rng.random((100, 4)) + 0.3 * labels
    aurocs = sk.roc_auc_score(labels, scores, average=None)
    assert score(labels, scores, "multi") == pytest.approx(
        {
            "auroc": np.mean(aurocs),
            "auroc_median": np.median(aurocs),
            "auprc": sk.average_precision_score(labels, scores, average="macro"),
            "auprc_median": np.median(sk.average_precision_score(labels, scores, average=None)),
        }
    )


def test_medians_are_given_by_group_too():
    rng = np.random.default_rng(0)
    labels = (rng.random((100, 5)) < 0.3).astype(np.uint8)
    labels[:, 4] = 0
    scores = rng.random((100, 5)) + 0.3 * labels
    values = score(labels, scores, "multi", groups=["TF", "HM", "TF", "TF", "HM"])
    aurocs = sk.roc_auc_score(labels[:, :4], scores[:, :4], average=None)
    assert values["auroc_median.TF"] == np.median(aurocs[[0, 2, 3]])
    assert values["auroc_median.HM"] == aurocs[1]
    assert values["auprc_median.HM"] == sk.average_precision_score(labels[:, 1], scores[:, 1])


def test_regression_metrics_are_those_of_scipy_and_scikit_learn():
    rng = np.random.default_rng(0)
    truth = rng.normal(size=(80, 2))
    predicted = truth + rng.normal(size=(80, 2))
    columns = list(zip(truth.T, predicted.T, strict=True))
    assert score(truth, predicted, "regression") == pytest.approx(
        {
            "pearson": np.mean([pearsonr(*column).statistic for column in columns]),
            "spearman": np.mean([spearmanr(*column).statistic for column in columns]),
            "r2": sk.r2_score(truth, predicted),
            "mse": sk.mean_squared_error(truth, predicted),
        }
    )


def test_a_constant_prediction_correlates_with_nothing():
    truth = np.arange(5.0)[:, None]
    values = score(truth, np.ones((5, 1)), "regression")
    assert values["pearson"] == values["spearman"] == 0


def test_targets_with_one_outcome_are_left_out_of_the_means():
    labels = np.array([[0, 1, 0], [1, 1, 0], [0, 1, 0]])
    scores = np.array([[0.1, 0.5, 0.9], [0.9, 0.1, 0.2], [0.2, 0.2, 0.1]])
    assert score(labels, scores, "multi") == dict.fromkeys(METRICS["multi"], 1.0)


def test_without_both_outcomes_areas_are_undefined():
    values = score(np.zeros(5, dtype=int), np.eye(2)[[0, 0, 1, 0, 0]], "single")
    assert np.isnan([values["auroc"], values["auprc"]]).all()
    assert values["accuracy"] == 0.8


def test_metrics_are_not_means_over_batches():
    labels, scores = example(2)
    whole = score(labels, scores, "single")["mcc"]
    parts = [score(labels[i::8], scores[i::8], "single")["mcc"] for i in range(8)]
    assert abs(whole - np.mean(parts)) > 1e-3


@pytest.mark.parametrize("kind", ["single", "multi"])
def test_the_metrics_have_the_names_that_a_benchmark_may_ask_for(kind):
    labels = np.array([0, 1]) if kind == "single" else np.array([[0, 1], [1, 0]])
    assert set(score(labels, np.eye(2), kind)) == set(METRICS[kind])
