"""Names and settings of the released checkpoints, translated into ours."""

import re
from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

from hyenadna.errors import InputError
from hyenadna.model.config import HeadConfig, ModelConfig

# Public inference code floors the decay of the filters at this; the files do not say.
INFERENCE_SHIFT = 0.05
EMBEDDING = "backbone.embeddings.word_embeddings.weight"

# (pattern, replacement), applied in this order.
_RENAMINGS = (
    (r"^(model|hyena)\.", ""),
    # Training with gradient checkpointing wrapped the two halves of a block.
    (r"\.(mixer|mlp)\.layer\.", r".\1."),
    (r"^(decoder\.0\.output_transform|score)\.", "head.output_transform."),
)
_OF_LAYER = {"l_max": "max_seq_len", "w": "activation_freq", "order": "hyena_order"}
# Options that change what is computed, with the value that every published model has.
_FIXED = {"modulate": True, "bidirectional": False, "normalized": False, "attn_layer_idx": None}


def rename(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Give weights our names; running metrics, which are none, are left out."""
    renamed: dict[str, Tensor] = {}
    for theirs, tensor in state.items():
        if "_torchmetrics." in theirs:
            continue
        name = theirs
        for pattern, replacement in _RENAMINGS:
            name = re.sub(pattern, replacement, name)
        if name in renamed:
            raise InputError(f"{theirs} and another key both stand for {name}; remove one of them")
        renamed[name] = tensor
    return renamed


def infer_shape(weights: Mapping[str, Tensor]) -> dict[str, Any]:
    """Return the fields of `ModelConfig` that the weights themselves tell."""
    if EMBEDDING not in weights:
        some = ", ".join(sorted(weights)[:3])
        raise InputError(f"no {EMBEDDING}, so this is not HyenaDNA; it has {some}")
    layers = {name.split(".")[2] for name in weights if name.startswith("backbone.layers.")}
    block = "backbone.layers.0"
    mlp = f"{block}.mixer.filter_fn.implicit_filter"
    linear = [name for name in weights if re.fullmatch(rf"{re.escape(mlp)}\.\d+\.weight", name)]
    shape = {
        "d_model": _size(weights, EMBEDDING, 1),
        "n_layer": len(layers),
        "d_inner": _size(weights, f"{block}.mlp.fc1.weight", 0),
        "short_filter_order": _size(weights, f"{block}.mixer.short_filter.weight", 2),
        "filter_order": _size(weights, f"{mlp}.0.weight", 0),
        "emb_dim": _size(weights, f"{mlp}.0.weight", 1),
        "num_inner_mlps": len(linear) - 2,
        "tie_word_embeddings": _is_tied(weights),
    }
    positions = f"{block}.mixer.filter_fn.pos_emb"
    for stored in (f"{positions}.z", f"{positions}.t"):
        if stored in weights:
            shape["max_seq_len"] = _size(weights, stored, 1)
    return shape


def translate(config: Mapping[str, Any]) -> dict[str, Any]:
    """Return the fields of `ModelConfig` that a released config.json gives.

    It may be flat (the `-hf` form) or have a `layer` section (the original form). What it says of
    training, fused kernels and data types changes no result and is left out, as is `local_order`,
    which the original never read.
    """
    layer = config.get("layer")
    layer = layer if isinstance(layer, dict) else {}
    for key, expected in _FIXED.items():
        found = layer.get(key, config.get(key, expected))
        if found != expected:
            raise InputError(f"{key}: {found}; only models with {expected} are supported")
    renamed = {_OF_LAYER.get(key, key): value for key, value in {**config, **layer}.items()}
    return {key: value for key, value in renamed.items() if key in ModelConfig.model_fields}


def head_of(state: Mapping[str, Tensor]) -> HeadConfig | None:
    """Say how the classification head in a released file pools, if there is one.

    The original averages over the sequence; the `-hf` form takes the last token.
    """
    if "score.weight" in state:
        return HeadConfig(pooling="last")
    if any("output_transform." in name for name in state):
        return HeadConfig(pooling="mean")
    return None


def _size(weights: Mapping[str, Tensor], name: str, axis: int) -> int:
    if name not in weights:
        raise InputError(f"{name} is missing; is the file whole, and a HyenaDNA checkpoint?")
    shape = weights[name].shape
    if len(shape) <= axis:
        raise InputError(f"{name} has shape {tuple(shape)}; more dimensions are expected")
    return shape[axis]


def _is_tied(weights: Mapping[str, Tensor]) -> bool:
    output = weights.get("lm_head.weight")
    return output is None or torch.equal(output, weights[EMBEDDING])
