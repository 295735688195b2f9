"""Every architecture by one call: read, built, saved, loaded."""

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

from hyenadna.errors import InputError
from hyenadna.model import checkpoint
from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.cnn import ConvClassifier
from hyenadna.model.config import ConvConfig, ModelConfig
from hyenadna.model.heads import SequenceClassifier
from hyenadna.model.networks import NetworkConfig, build_classifier, load_classifier, read_network

MODELS = Path(__file__).parents[2] / "config" / "models"
SHAPE = {"d_model": 16, "n_layer": 2, "d_inner": 32, "max_seq_len": 66, "filter_order": 16}
NETWORKS: dict[str, NetworkConfig] = {
    "hyena": ModelConfig(**SHAPE),
    "bidirectional": ModelConfig(**SHAPE, bidirectional=True),
    "transformer": ModelConfig(**SHAPE, mixer="attention"),
    "cnn": ConvConfig(architecture="cnn"),
}
# A network from the file, with the causal one of its width and depth, and the parameters of both.
BIDIRECTIONAL = {
    "tiny-1k-bidirectional": ("tiny-1k", 470_016, 436_096),
    "small-32k-bidirectional": ("small-32k", 3_378_176, 3_277_568),
    "demo_bidirectional": ("demo", 154_240, 128_512),
}


def classifier(network: NetworkConfig | HyenaDNA, **options: object) -> torch.nn.Module:
    torch.manual_seed(0)
    given = {"pooling": "mean", "classes": ("a", "b", "c"), "kind": "single", "longest": 60}
    return build_classifier(network, 3, **given | options).eval()


def batch() -> tuple[Tensor, Tensor]:
    ids = torch.randint(7, 11, (2, 60), generator=torch.Generator().manual_seed(0))
    return ids.to(torch.uint8), torch.tensor([60, 60])


def write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


@pytest.mark.parametrize("path", sorted(MODELS.glob("*.yaml")), ids=lambda path: path.stem)
def test_every_shipped_network_can_be_built(path: Path) -> None:
    with torch.device("meta"):
        model = classifier(read_network(path))
    assert (path.stem == "cnn") == isinstance(model, ConvClassifier)


@pytest.mark.parametrize("name", BIDIRECTIONAL)
def test_bidirectional_networks_are_as_wide_as_their_causal_twins(name: str) -> None:
    partner, ours, theirs = BIDIRECTIONAL[name]
    two_ways, causal = (read_network(MODELS / f"{of}.yaml") for of in (name, partner))
    assert two_ways.replace(bidirectional=False) == causal
    with torch.device("meta"):
        counts = [sum(p.numel() for p in HyenaDNA(of).parameters()) for of in (two_ways, causal)]
    assert counts == [ours, theirs]


@pytest.mark.parametrize("name", NETWORKS)
def test_classifiers_of_every_architecture_come_back(name: str, tmp_path: Path) -> None:
    model = classifier(NETWORKS[name], pooling="middle", kind="regression")
    model.head.standardise(torch.tensor([1.0, 2, 3]), torch.tensor([0.5, 1, 2]))
    model.save_pretrained(tmp_path)
    loaded = load_classifier(tmp_path).eval()
    assert type(loaded) is type(model)
    assert (loaded.config, loaded.kind, loaded.classes) == (
        model.config,
        "regression",
        tuple("abc"),
    )
    assert model(*batch()).shape == (2, 3)
    torch.testing.assert_close(loaded(*batch()), model(*batch()), rtol=0, atol=0)


def test_pretrained_model_is_taken_as_it_is() -> None:
    model = HyenaDNA(NETWORKS["hyena"])
    built = classifier(model, pooling="last", kind="multi")
    assert built.model is model
    assert (built.pooling, built.kind, built.classes) == ("last", "multi", ("a", "b", "c"))


def test_cnn_is_as_long_as_the_longest_item_unless_its_shape_says_more() -> None:
    assert classifier(NETWORKS["cnn"], longest=90).length == 90
    assert classifier(NETWORKS["cnn"].replace(length=100), longest=90).length == 100


@pytest.mark.parametrize(
    ("network", "complaint"),
    [
        (NETWORKS["hyena"], "up to 90 tokens are longer than max_seq_len 66"),
        (NETWORKS["cnn"].replace(length=80), "up to 90 tokens are longer than length 80"),
    ],
)
def test_items_longer_than_the_network_takes_are_refused(
    network: NetworkConfig, complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        classifier(network, longest=90)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("architecture: rnn", r"net\.yaml: architecture 'rnn'; cnn is allowed, or none"),
        ("architecture: cnn\nd_model: 8", r"net\.yaml: unknown key 'd_model' for ConvConfig"),
        ("d_modle: 8", "unknown key 'd_modle' for ModelConfig; did you mean 'd_model'"),
        ("architecture: 3", "architecture: .*string"),
        ("architecture: cnn\nchannels: []", "channels: .*at least 1"),
    ],
)
def test_shape_that_cannot_be_is_refused_in_one_line(
    tmp_path: Path, text: str, complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint) as caught:
        read_network(write(tmp_path / "net.yaml", text))
    assert "\n" not in str(caught.value)


def test_cnn_is_no_language_model_to_load(tmp_path: Path) -> None:
    classifier(NETWORKS["cnn"]).save_pretrained(tmp_path)
    for load in (HyenaDNA.from_pretrained, SequenceClassifier.from_pretrained):
        with pytest.raises(InputError, match="architecture 'cnn', where a HyenaDNA or Transformer"):
            load(tmp_path)


def test_hyenadna_is_no_cnn_to_load(tmp_path: Path) -> None:
    classifier(NETWORKS["hyena"]).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="not a CNN; load_classifier"):
        ConvClassifier.from_pretrained(tmp_path)


def test_unknown_architecture_is_named(tmp_path: Path) -> None:
    classifier(NETWORKS["cnn"]).save_pretrained(tmp_path)
    path = tmp_path / "config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"architecture": "rnn"}))
    with pytest.raises(InputError, match="architecture 'rnn'"):
        load_classifier(tmp_path)


def test_pretrained_model_without_head_is_no_classifier(tmp_path: Path) -> None:
    HyenaDNA(NETWORKS["hyena"]).save_pretrained(tmp_path)
    with pytest.raises(InputError, match="has no classification head"):
        load_classifier(tmp_path)


def test_interrupted_save_of_a_cnn_leaves_nothing_that_loads(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    classifier(NETWORKS["cnn"]).save_pretrained(tmp_path)

    def stop(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "write_json", stop)
    with pytest.raises(KeyboardInterrupt):
        classifier(NETWORKS["cnn"], longest=200).save_pretrained(tmp_path)
    with pytest.raises(InputError):
        load_classifier(tmp_path)
