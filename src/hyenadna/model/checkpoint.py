"""Model directories of ours, and the released checkpoints, read and written."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file
from safetensors.torch import save as serialise
from torch import Tensor, nn

from hyenadna.errors import InputError
from hyenadna.files import atomic_write, read_json, write_json
from hyenadna.model import released
from hyenadna.model.config import HeadConfig, ModelConfig
from hyenadna.model.pickles import read_pickle
from hyenadna.settings import parse

WEIGHTS, CONFIG = "model.safetensors", "config.json"
# What a directory may hold: ours or the `-hf` form, the original form, an older `-hf` form.
_WEIGHT_FILES = (WEIGHTS, "weights.ckpt", "pytorch_model.bin")
# Names by which the released models are known, and those they are published under.
_PUBLISHED = {
    "tiny-1k": "hyenadna-tiny-1k-seqlen",
    "tiny-1k-d256": "hyenadna-tiny-1k-seqlen-d256",
    "tiny-16k-d128": "hyenadna-tiny-16k-seqlen-d128",
    "small-32k": "hyenadna-small-32k-seqlen",
    "medium-160k": "hyenadna-medium-160k-seqlen",
    "medium-450k": "hyenadna-medium-450k-seqlen",
    "large-1m": "hyenadna-large-1m-seqlen",
}


@dataclass(frozen=True)
class Checkpoint:
    """Shape and weights of a model by our names, with those of its classification head if any."""

    source: Path
    config: ModelConfig
    weights: dict[str, Tensor]
    head: HeadConfig | None
    head_weights: dict[str, Tensor]


def load(
    source: str | Path, *, filter_shift: float | None = None, keep_positions: bool = False
) -> Checkpoint:
    """Read a checkpoint of any known form.

    Args:
        source: a directory or file, ours or released.
        filter_shift: in place of what config.json says, or of 0.05 where it says nothing.
        keep_positions: keep stored positional features as weights rather than refuse those that
            were trained away from their formula.

    Raises:
        InputError: no such file, or not a whole HyenaDNA checkpoint.
    """
    path = locate(source)
    settings = read_settings(path)
    if "architecture" in settings:
        raise InputError(
            f"{path}: a classifier of architecture {settings['architecture']!r}, where a HyenaDNA "
            "or Transformer network is expected; it has no part that could be taken from there"
        )
    state = read_tensors(path)
    try:
        weights = released.rename(state)
        fields, head = _settle(settings, weights, released.head_of(state))
        if keep_positions:
            fields["learned_positions"] = any(name.endswith("pos_emb.z") for name in weights)
        if filter_shift is not None:
            fields["filter_shift"] = filter_shift
        config = parse(ModelConfig, fields, source=CONFIG)
    except InputError as error:
        raise InputError(f"{path}: {error}") from None
    if config.tie_word_embeddings:
        weights["lm_head.weight"] = weights[released.EMBEDDING]
    head_weights = {name: weights.pop(name) for name in list(weights) if name.startswith("head.")}
    return Checkpoint(path, config, weights, head, head_weights)


def fill(module: nn.Module, weights: Mapping[str, Tensor], *, source: Path) -> None:
    """Load weights into a module: each of its parameters and nothing else.

    Raises:
        InputError: keys are missing, unknown or of another shape; each is named.
    """
    expected = module.state_dict()
    complaints = [
        f"{name} has shape {tuple(tensor.shape)}, expected {tuple(expected[name].shape)}"
        for name, tensor in weights.items()
        if name in expected and tensor.shape != expected[name].shape
    ]
    if not complaints:
        try:
            found = module.load_state_dict(weights, strict=False)
        except InputError as error:
            raise InputError(f"{source}: {error}") from None
        complaints = [f"{name} is missing" for name in found.missing_keys]
        complaints += [f"{name} is not of this model" for name in found.unexpected_keys]
    if complaints:
        raise InputError(
            f"{source}: {'; '.join(complaints)}; check that the file is whole and that {CONFIG} "
            "beside it is of the same model"
        )


def save(
    directory: Path,
    config: ModelConfig,
    weights: Mapping[str, Tensor],
    head: HeadConfig | None = None,
) -> None:
    """Write a network with its head, if it has one, as `write` does."""
    stored = {
        name: tensor
        for name, tensor in weights.items()
        if not (name == "lm_head.weight" and config.tie_word_embeddings)
    }
    content: dict[str, Any] = config.model_dump(mode="json")
    if head is not None:
        content["head"] = head.model_dump(mode="json")
    write(directory, content, stored)


def write(directory: Path, content: Mapping[str, Any], weights: Mapping[str, Tensor]) -> None:
    """Write `config.json` and `model.safetensors` such that both or neither can be loaded."""
    stored = {name: tensor.detach().cpu().contiguous() for name, tensor in weights.items()}
    directory.mkdir(parents=True, exist_ok=True)
    with atomic_write(directory / WEIGHTS) as part:
        # Not save_file, whose files their owner alone may read, whatever the umask.
        part.write_bytes(serialise(stored, metadata={"format": "pt"}))
        # Weights without a config.json do not load, so an interruption leaves no mixed pair.
        (directory / CONFIG).unlink(missing_ok=True)
    write_json(directory / CONFIG, content)


def convert(
    source: str | Path,
    out: Path,
    *,
    filter_shift: float | None = None,
    keep_positions: bool = False,
) -> Path:
    """Write a checkpoint of any known form, with its head if it has one, as a directory of ours.

    Args:
        source, filter_shift, keep_positions: as for `load`.
        out: directory to write.

    Returns:
        `out`.
    """
    from hyenadna.model.backbone import HyenaDNA
    from hyenadna.model.heads import SequenceClassifier

    checkpoint = load(source, filter_shift=filter_shift, keep_positions=keep_positions)
    kind = HyenaDNA if checkpoint.head is None else SequenceClassifier
    kind.from_checkpoint(checkpoint).save_pretrained(out)
    return out


def locate(source: str | Path) -> Path:
    """Return the file of weights that `source` is or holds.

    Raises:
        InputError: there is none.
    """
    path = Path(source)
    if path.is_file():
        return path
    if path.is_dir():
        for name in _WEIGHT_FILES:
            if (path / name).is_file():
                return path / name
        raise InputError(f"{path}: holds none of {', '.join(_WEIGHT_FILES)}; give the file")
    if str(source) in _PUBLISHED:
        raise InputError(
            f"{source}: no such directory here; download {_PUBLISHED[str(source)]} of LongSafari "
            f"from Hugging Face and run `hyenadna convert DOWNLOADED_DIRECTORY {source}`"
        )
    names = ", ".join(_PUBLISHED)
    raise InputError(f"{source}: no such file or directory, nor a published model ({names})")


def read_tensors(path: Path) -> dict[str, Tensor]:
    """Return the tensors of a file of weights, by name.

    Raises:
        InputError: it is no whole file of a known form.
    """
    with path.open("rb") as file:
        start = file.read(9)
    if start == b"version h":
        raise InputError(f"{path}: a git-lfs pointer, not the weights; run `git lfs pull` there")
    # A safetensors file starts with the length of its JSON header, in eight bytes.
    if start[8:] != b"{":
        return read_pickle(path)
    try:
        return load_file(path)
    except SafetensorError as error:
        raise InputError(f"{path}: not a whole safetensors file: {error}") from None


def read_settings(weights: Path) -> dict[str, Any]:
    """Return what config.json beside a file of weights holds, nothing if it is not there.

    Raises:
        InputError: it is no JSON mapping.
    """
    path = weights.parent / CONFIG
    if not path.is_file():
        return {}
    try:
        content = read_json(path)
    except ValueError as error:
        raise InputError(f"{path}: not JSON: {error}") from None
    if not isinstance(content, dict):
        raise InputError(f"{path}: a mapping of keys to values is expected")
    return content


def _settle(
    settings: dict[str, Any], weights: dict[str, Tensor], released_head: HeadConfig | None
) -> tuple[dict[str, Any], HeadConfig | None]:
    """Return the fields of `ModelConfig` and of the head: as config.json says, else inferred."""
    # Only our config.json knows this field, and it lists all others.
    if "filter_shift" in settings:
        fields = dict(settings)
        described = fields.pop("head", None)
        head = None if described is None else parse(HeadConfig, described, source=CONFIG)
        return fields, head
    inferred = released.infer_shape(weights)
    fields = {"filter_shift": released.INFERENCE_SHIFT} | inferred | released.translate(settings)
    # Some files say that the output layer is untied and have none, since a head replaces it.
    untied = "lm_head.weight" in weights and not fields["tie_word_embeddings"]
    fields["tie_word_embeddings"] = inferred["tie_word_embeddings"] and not untied
    if "max_seq_len" not in fields:
        raise InputError(f"no tensor and no {CONFIG} beside it tells max_seq_len; get its {CONFIG}")
    bias = "head.output_transform.bias"
    if released_head is not None and bias not in weights:
        weights[bias] = torch.zeros(len(weights["head.output_transform.weight"]))
    return fields, released_head
