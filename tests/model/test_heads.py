"""Pooling over real tokens, and the classifier with its metadata."""

from pathlib import Path

import pytest
import torch

from hyenadna.errors import InputError
from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.config import ModelConfig, Pooling
from hyenadna.model.heads import SequenceClassifier, pool

CONFIG = ModelConfig(d_model=16, n_layer=2, d_inner=32, max_seq_len=66, filter_order=16)
LENGTHS = [1, 40, 66, 17]


def classifier(
    pooling: Pooling = "mean", mixer: str = "hyena", **metadata: object
) -> SequenceClassifier:
    torch.manual_seed(0)
    network = HyenaDNA(CONFIG.replace(mixer=mixer))
    model = SequenceClassifier(network, 3, pooling=pooling, **metadata).eval()
    torch.nn.init.normal_(model.head.output_transform.weight)
    return model


def padded_batch() -> tuple[torch.Tensor, torch.Tensor]:
    ids = torch.full((4, 66), 4)
    for row, length in enumerate(LENGTHS):
        ids[row, :length] = torch.randint(7, 11, (length,))
    return ids, torch.tensor(LENGTHS)


def test_mean_is_over_real_tokens_alone() -> None:
    """The original averaged padding where a mask was given: 100 rather than 2."""
    hidden = torch.tensor([[[1.0], [3.0], [100.0], [100.0]]])
    assert pool(hidden, torch.tensor([2]), "mean").tolist() == [[2.0]]


def test_last_token_is_the_last_real_one() -> None:
    hidden = torch.tensor([[[1.0], [3.0], [100.0]], [[1.0], [3.0], [5.0]]])
    assert pool(hidden, torch.tensor([2, 3]), "last").tolist() == [[3.0], [5.0]]


def test_middle_is_the_32_tokens_about_the_middle_of_each_item() -> None:
    hidden = torch.arange(100.0).expand(3, 100)[..., None].clone()
    for row, (first, last) in enumerate([(34, 66), (3, 35), (0, 20)]):
        hidden[row, :first] = hidden[row, last:] = 1000.0
    pooled = pool(hidden, torch.tensor([100, 39, 20]), "middle")
    assert pooled[:, 0].tolist() == [49.5, 18.5, 9.5]


def test_mean_over_half_precision_accumulates_in_fp32() -> None:
    """A running sum in fp16 overflowed to NaN at 200,000 tokens."""
    hidden = torch.full((1, 200_000, 1), 3.0, dtype=torch.float16)
    pooled = pool(hidden, torch.tensor([200_000]), "mean")
    assert pooled.dtype is torch.float32
    assert pooled.item() == pytest.approx(3.0)


@pytest.mark.parametrize("mixer", ["hyena", "attention"])
@pytest.mark.parametrize("pooling", ["mean", "last", "middle"])
def test_batch_of_mixed_lengths_equals_each_alone(pooling: Pooling, mixer: str) -> None:
    """Causal mixers need no mask: padding on the right is behind all that is pooled."""
    model = classifier(pooling, mixer=mixer)
    ids, lengths = padded_batch()
    alone = [model(ids[i : i + 1, :n], torch.tensor([n])) for i, n in enumerate(LENGTHS)]
    torch.testing.assert_close(model(ids, lengths), torch.cat(alone), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("mixer", ["hyena", "attention"])
@pytest.mark.parametrize("pooling", ["mean", "last", "middle"])
def test_what_stands_in_the_padding_does_not_matter(pooling: Pooling, mixer: str) -> None:
    model = classifier(pooling, mixer=mixer)
    ids, lengths = padded_batch()
    other = torch.where(ids == 4, 11, ids)
    torch.testing.assert_close(model(other, lengths), model(ids, lengths), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("lengths", [[0, 1], [1, 5], [3]], ids=str)
def test_lengths_that_do_not_fit_are_refused(lengths: list[int]) -> None:
    with pytest.raises(InputError, match="do not fit 2 sequences of up to 4 tokens"):
        pool(torch.zeros(2, 4, 3), torch.tensor(lengths), "mean")


def test_head_starts_narrow() -> None:
    head = SequenceClassifier(HyenaDNA(CONFIG), 500).head.output_transform
    assert head.weight.std().item() == pytest.approx(0.02, rel=0.05)
    assert head.bias.abs().max() == 0


def test_classifier_comes_back_with_its_head_and_metadata(tmp_path: Path) -> None:
    model = classifier("last", classes=("promoter", "enhancer", "neither"), kind="multi")
    model.save_pretrained(tmp_path)
    loaded = SequenceClassifier.from_pretrained(tmp_path).eval()
    assert (loaded.pooling, loaded.kind) == ("last", "multi")
    assert loaded.classes == ("promoter", "enhancer", "neither")
    ids, lengths = padded_batch()
    torch.testing.assert_close(loaded(ids, lengths), model(ids, lengths), rtol=0, atol=0)


def test_regression_gives_the_units_that_it_was_told(tmp_path: Path) -> None:
    """The layer itself gives standard scores, before and after it was saved."""
    model = classifier(kind="regression")
    ids, lengths = padded_batch()
    scores = model(ids, lengths)
    mean, scale = torch.tensor([100.0, 0.0, -3.0]), torch.tensor([10.0, 1.0, 0.1])
    model.head.standardise(mean, scale)
    torch.testing.assert_close(model(ids, lengths), mean + scale * scores)
    model.save_pretrained(tmp_path)
    loaded = SequenceClassifier.from_pretrained(tmp_path).eval()
    torch.testing.assert_close(loaded(ids, lengths), model(ids, lengths), rtol=0, atol=0)


def test_numbers_keep_their_precision_under_autocast() -> None:
    model = classifier(kind="regression")
    model.head.standardise(torch.full((3,), 1e4), torch.ones(3))
    ids, lengths = padded_batch()
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = model(ids, lengths)
    assert rounded.dtype is torch.float32
    assert (rounded - model(ids, lengths)).abs().max() < 0.1


@pytest.mark.parametrize("scale", [0.0, float("nan"), float("inf")])
def test_target_without_spread_is_refused(scale: float) -> None:
    head = classifier(kind="regression").head
    with pytest.raises(InputError, match="target 1 of 3 has mean 5 and standard deviation"):
        head.standardise(torch.full((3,), 5.0), torch.tensor([1.0, scale, 1.0]))


def test_only_regression_has_units() -> None:
    assert list(classifier().head.state_dict()) == [
        "output_transform.weight",
        "output_transform.bias",
    ]


def test_classes_are_as_many_as_outputs() -> None:
    with pytest.raises(InputError, match="2 classes named for 3 outputs"):
        classifier(classes=("a", "b"))


def test_backbone_of_a_classifier_loads_alone_with_a_notice(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    model = classifier()
    model.save_pretrained(tmp_path)
    ids, _ = padded_batch()
    loaded = HyenaDNA.from_pretrained(tmp_path).eval()
    torch.testing.assert_close(loaded(ids), model.model(ids), rtol=0, atol=0)
    assert "classification head is left out" in caplog.text


def test_a_model_without_head_is_no_classifier(tmp_path: Path) -> None:
    HyenaDNA(CONFIG).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="has no classification head"):
        SequenceClassifier.from_pretrained(tmp_path)
