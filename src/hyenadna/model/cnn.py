"""The CNN of GenomicBenchmarks as a classifier (B batch, L length, E channels, C outputs).

The baseline that the benchmark was published with (https://doi.org/10.1186/s12863-023-01123-8): its
size depends on the length of the input, since all positions of the last convolution enter a dense
layer. Ours has an output for each class, where the published one has one for two classes.
"""

from collections.abc import Sequence
from pathlib import Path
from typing import Self

from torch import Tensor, nn
from torch.nn.functional import pad

from hyenadna.errors import InputError
from hyenadna.model import checkpoint
from hyenadna.model.config import ConvConfig, HeadConfig, Kind
from hyenadna.model.heads import Head, mark_padding
from hyenadna.settings import parse
from hyenadna.tokenizer import PAD


class ConvClassifier(nn.Module):
    """Embedding, convolutions that each halve the length, a dense layer, and a linear head."""

    def __init__(
        self,
        config: ConvConfig,
        n_outputs: int,
        *,
        classes: Sequence[str] | None = None,
        kind: Kind = "single",
    ) -> None:
        super().__init__()
        if classes is not None and len(classes) != n_outputs:
            raise InputError(f"{len(classes)} classes named for {n_outputs} outputs; name each")
        if config.length is None:
            raise InputError("the size of the CNN depends on length, tokens of the input; give it")
        self.config = config
        self.classes = None if classes is None else tuple(classes)
        self.kind: Kind = kind
        # Below that the last convolution has no position; shorter items are padded in any case.
        self.length = max(config.length, config.shortest)
        self.embedding = nn.Embedding(config.vocab_size, config.d_embedding)
        widths = (config.d_embedding, *config.channels)
        self.convolutions = nn.Sequential()
        positions = self.length
        for width, channels in zip(widths, config.channels, strict=False):
            self.convolutions.extend(_convolution(width, channels, config.kernel_size))
            positions = (positions - config.kernel_size + 1) // 2
        # The published network has no nonlinearity behind this layer.
        self.dense = nn.Linear(config.channels[-1] * positions, config.d_inner)
        self.head = Head(config.d_inner, n_outputs, kind)

    def forward(self, input_ids: Tensor, lengths: Tensor) -> Tensor:
        """Map right-padded ids (B, L) and their lengths (B,) to what the head gives, (B, C).

        Raises:
            InputError: as for `represent`.
        """
        y: Tensor = self.head(self.represent(input_ids, lengths))
        return y

    def represent(self, input_ids: Tensor, lengths: Tensor) -> Tensor:
        """Map the same to what the head is given, (B, `d_inner`).

        Raises:
            InputError: an input longer than the CNN was made for, or lengths that do not fit.
        """
        beyond = self.length - input_ids.shape[1]
        if beyond < 0:
            raise InputError(
                f"input of {input_ids.shape[1]} tokens is longer than the {self.length} that this "
                "CNN takes; cut it, or train a CNN on inputs of that length"
            )
        ids = pad(mark_padding(input_ids, lengths), (0, beyond), value=PAD)
        convolved = self.convolutions(self.embedding(ids.long()).mT)  # (B, E, positions)
        y: Tensor = self.dense(convolved.flatten(1))
        return y

    @classmethod
    def from_pretrained(cls, source: str | Path) -> Self:
        """Load what `save_pretrained` wrote.

        Raises:
            InputError: no such file, or not a whole CNN.
        """
        path = checkpoint.locate(source)
        settings = checkpoint.read_settings(path)
        if settings.get("architecture") != "cnn":
            raise InputError(f"{path}: not a CNN; load_classifier reads classifiers of any kind")
        where = f"{path.parent / checkpoint.CONFIG}"
        head = parse(HeadConfig, settings.pop("head", {}), source=where)
        config = parse(ConvConfig, settings, source=where)
        weights = checkpoint.read_tensors(path)
        bias = weights.get("head.output_transform.bias")
        if bias is None:
            raise InputError(f"{path}: has no head; is the file whole?")
        classifier = cls(config, len(bias), classes=head.classes, kind=head.kind)
        checkpoint.fill(classifier, weights, source=path)
        return classifier

    def save_pretrained(self, directory: str | Path) -> None:
        """Write `config.json` and `model.safetensors`, which `from_pretrained` reads."""
        head = HeadConfig(kind=self.kind, classes=self.classes)
        content = self.config.model_dump(mode="json")
        # Nothing is pooled here.
        content["head"] = head.model_dump(mode="json", exclude={"pooling"})
        checkpoint.write(Path(directory), content, self.state_dict())


def _convolution(width: int, channels: int, taps: int) -> list[nn.Module]:
    """Return layers that map (B, width, L) to (B, channels, (L - taps + 1) // 2)."""
    return [nn.Conv1d(width, channels, taps), nn.BatchNorm1d(channels), nn.ReLU(), nn.MaxPool1d(2)]
