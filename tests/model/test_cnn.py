"""The CNN of GenomicBenchmarks: its layers, its length, and that it learns."""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch import Tensor
from torch.nn.functional import conv1d, cross_entropy

from hyenadna.errors import InputError
from hyenadna.model.cnn import ConvClassifier
from hyenadna.model.config import ConvConfig
from hyenadna.tokenizer import PAD


def cnn(length: int = 90, n_outputs: int = 3, **options: object) -> ConvClassifier:
    """A CNN whose norms have seen something."""
    torch.manual_seed(0)
    model = ConvClassifier(ConvConfig(architecture="cnn", length=length), n_outputs, **options)
    model.train()(draw_ids(16, length), torch.full((16,), length))
    return model.eval()


def draw_ids(batch: int, length: int) -> Tensor:
    return torch.randint(7, 11, (batch, length), generator=torch.Generator().manual_seed(0))


def test_outputs_are_those_of_the_published_layers() -> None:
    """Written out again from the paper's package, on the weights of ours."""
    model = cnn(200)
    ids = draw_ids(5, 200)
    x = model.embedding(ids).mT
    for first in (0, 4, 8):
        convolution, norm = model.convolutions[first], model.convolutions[first + 1]
        x = conv1d(x, convolution.weight, convolution.bias)
        x = (x - norm.running_mean[:, None]) / (norm.running_var[:, None] + 1e-5).sqrt()
        x = (x * norm.weight[:, None] + norm.bias[:, None]).relu()
        x = torch.stack([x[..., 0:-1:2], x[..., 1::2]]).amax(0)[..., : x.shape[-1] // 2]
    assert x.shape == (5, 4, 18)
    y = model.head.output_transform(model.dense(x.flatten(1)))
    torch.testing.assert_close(model(ids, torch.full((5,), 200)), y)


@pytest.mark.parametrize(("length", "parameters"), [(200, 53_766), (500, 131_590), (1024, 264_710)])
def test_size_follows_the_length(length: int, parameters: int) -> None:
    model = ConvClassifier(ConvConfig(architecture="cnn", length=length), 2)
    assert sum(p.numel() for p in model.parameters()) == parameters


def test_batch_of_mixed_lengths_equals_each_alone() -> None:
    model, lengths = cnn(), [1, 90, 33]
    ids = torch.full((3, 90), PAD)
    for row, length in enumerate(lengths):
        ids[row, :length] = draw_ids(1, length)
    together = model(ids, torch.tensor(lengths))
    alone = [model(ids[i : i + 1, :n], torch.tensor([n])) for i, n in enumerate(lengths)]
    torch.testing.assert_close(together, torch.cat(alone))
    with_bases = torch.where(ids == PAD, 11, ids)
    torch.testing.assert_close(model(with_bases, torch.tensor(lengths)), together, rtol=0, atol=0)


@pytest.mark.parametrize("length", [1, 56, 57])
def test_short_items_are_padded_to_what_the_layers_need(length: int) -> None:
    model = cnn(length)
    assert model.length == 57
    assert model(draw_ids(2, length), torch.tensor([length, 1])).shape == (2, 3)


def test_bytes_are_taken_for_ids() -> None:
    model, ids, lengths = cnn(), draw_ids(2, 90), torch.tensor([90, 90])
    torch.testing.assert_close(model(ids.to(torch.uint8), lengths), model(ids, lengths))


def test_input_longer_than_it_was_made_for_is_refused() -> None:
    with pytest.raises(InputError, match="91 tokens is longer than the 90 that this CNN takes"):
        cnn()(draw_ids(1, 91), torch.tensor([91]))


def test_length_must_be_given() -> None:
    with pytest.raises(InputError, match="depends on length"):
        ConvClassifier(ConvConfig(architecture="cnn"), 2)


def test_classes_are_as_many_as_outputs() -> None:
    with pytest.raises(InputError, match="2 classes named for 3 outputs"):
        cnn(classes=("a", "b"))


def test_it_comes_back_with_norms_head_and_metadata(tmp_path: Path) -> None:
    model = cnn(classes=("a", "b", "c"), kind="regression")
    model.head.standardise(torch.tensor([1.0, 2, 3]), torch.tensor([0.5, 1, 2]))
    model.save_pretrained(tmp_path)
    loaded = ConvClassifier.from_pretrained(tmp_path).eval()
    assert (loaded.config, loaded.classes, loaded.kind) == (model.config, model.classes, model.kind)
    ids, lengths = draw_ids(4, 90), torch.tensor([90, 1, 50, 70])
    torch.testing.assert_close(loaded(ids, lengths), model(ids, lengths), rtol=0, atol=0)


def test_file_that_is_not_whole_is_refused(tmp_path: Path) -> None:
    cnn().save_pretrained(tmp_path)
    weights = load_file(tmp_path / "model.safetensors")
    del weights["dense.weight"]
    save_file(weights, tmp_path / "model.safetensors")
    with pytest.raises(InputError, match=r"dense\.weight is missing"):
        ConvClassifier.from_pretrained(tmp_path)


def test_it_learns_a_motif_wherever_it_stands() -> None:
    torch.manual_seed(0)
    model = ConvClassifier(ConvConfig(architecture="cnn", length=80), 2)
    optimizer = torch.optim.Adam(model.parameters(), lr=3e-3)
    generator = torch.Generator().manual_seed(1)
    losses = []
    for _ in range(60):
        ids = torch.randint(7, 11, (64, 80), generator=generator)
        labels = torch.arange(64) % 2
        for row in range(1, 64, 2):
            start = int(torch.randint(0, 72, (1,), generator=generator))
            ids[row, start : start + 8] = 7
        loss = cross_entropy(model(ids, torch.full((64,), 80)), labels)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[0] > 0.6
    assert sum(losses[-5:]) / 5 < 0.2
