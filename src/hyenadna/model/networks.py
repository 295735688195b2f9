"""Networks of every architecture as classifiers with one interface (B batch, L length, C outputs).

All map ids (B, L) and lengths (B,) to (B, C), have `head`, `kind`, `classes` and `save_pretrained`;
those with a backbone that may be pretrained have it as `model`.
"""

from collections.abc import Sequence
from pathlib import Path

from pydantic import ConfigDict

from hyenadna.errors import InputError
from hyenadna.model import checkpoint
from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.cnn import ConvClassifier
from hyenadna.model.config import ConvConfig, Kind, ModelConfig, Pooling
from hyenadna.model.heads import SequenceClassifier
from hyenadna.settings import Settings, read_yaml

NetworkConfig = ModelConfig | ConvConfig
Classifier = SequenceClassifier | ConvClassifier


class _Architecture(Settings):
    model_config = ConfigDict(extra="ignore")

    architecture: str | None = None


def read_network(path: Path) -> NetworkConfig:
    """Read the shape of a network from YAML: a CNN's if it says so, else a `ModelConfig`.

    Raises:
        InputError: as for `read_yaml`, or another architecture.
    """
    architecture = read_yaml(_Architecture, path).architecture
    if architecture is None:
        return read_yaml(ModelConfig, path)
    if architecture != "cnn":
        raise InputError(
            f"{path}: architecture {architecture!r}; cnn is allowed, or none for HyenaDNA and, "
            "with mixer: attention, the Transformer"
        )
    return read_yaml(ConvConfig, path)


def build_classifier(
    network: NetworkConfig | HyenaDNA,
    n_outputs: int,
    *,
    pooling: Pooling,
    classes: Sequence[str] | None,
    kind: Kind,
    longest: int,
) -> Classifier:
    """Make a classifier of a network, pretrained, or of a shape with random weights.

    Args:
        network: a pretrained model, or the shape of one to make.
        n_outputs: classes or targets.
        pooling: what represents a sequence; the CNN flattens, whatever this is.
        classes: names of the outputs.
        kind: what the outputs are.
        longest: tokens of the longest item, which the CNN's size depends on.

    Raises:
        InputError: `longest` is more than the network takes.
    """
    if isinstance(network, ConvConfig):
        config = network if network.length else network.replace(length=longest)
        _check_longest(longest, config.length, "length")
        return ConvClassifier(config, n_outputs, classes=classes, kind=kind)
    model = HyenaDNA(network) if isinstance(network, ModelConfig) else network
    _check_longest(longest, model.config.max_seq_len, "max_seq_len")
    return SequenceClassifier(model, n_outputs, pooling=pooling, classes=classes, kind=kind)


def load_classifier(source: str | Path) -> Classifier:
    """Load a classifier of any architecture that `save_pretrained` wrote, or a released one.

    Raises:
        InputError: no such file, no classifier, or of an architecture that is not known.
    """
    path = checkpoint.locate(source)
    if checkpoint.read_settings(path).get("architecture") == "cnn":
        return ConvClassifier.from_pretrained(source)
    return SequenceClassifier.from_pretrained(source)


def _check_longest(longest: int, limit: int | None, field: str) -> None:
    if limit is not None and longest > limit:
        raise InputError(
            f"items of up to {longest} tokens are longer than {field} {limit} of the network; cut "
            "them (max_length), or choose a network with longer context"
        )
