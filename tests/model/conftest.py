"""Files in the released forms, with weights drawn from a seed."""

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import save_file
from torch import Tensor

sys.path.insert(0, str(Path(__file__).parents[1] / "reference"))
from forward_numpy import random_weights

SHAPE = {"d_model": 8, "n_layer": 2, "d_inner": 32}
FILTER = {"l_max": 66, "emb_dim": 5, "filter_order": 16, "num_inner_mlps": 2}
State = dict[str, Tensor]


@pytest.fixture(scope="session")
def shape() -> dict[str, int]:
    """The sizes of `weights`, as `random_weights` and `forward` name them."""
    return {**SHAPE, **FILTER}


@pytest.fixture
def weights() -> State:
    """A released model's state dict, nothing wrapped or prefixed yet."""
    return {name: torch.from_numpy(x) for name, x in random_weights(5, **SHAPE, **FILTER).items()}


@pytest.fixture
def hf_weights(weights: State) -> State:
    """The same in the `-hf` form: prefixed, one frequency, an output layer of its own."""
    torch.manual_seed(1)
    kept = {n: x for n, x in weights.items() if not n.endswith(("3.freq", "5.freq"))}
    kept["lm_head.weight"] = torch.randn(16, SHAPE["d_model"])
    return {f"hyena.{n}" if n.startswith("backbone") else n: x for n, x in kept.items()}


@pytest.fixture
def write_hf(tmp_path: Path) -> Callable[[State], Path]:
    """Write a directory in the `-hf` form."""

    def write(state: State, **changes: Any) -> Path:
        directory = tmp_path / "released-hf"
        directory.mkdir()
        save_file({name: x.clone() for name, x in state.items()}, directory / "model.safetensors")
        sizes = {**SHAPE, **FILTER}
        sizes["max_seq_len"] = sizes.pop("l_max")
        content = {
            "model_type": "hyenadna",
            "tie_word_embeddings": False,
            "activation_freq": 10,
            "hyena_order": 2,
            **sizes,
            **changes,
        }
        (directory / "config.json").write_text(json.dumps(content))
        return directory

    return write


@pytest.fixture
def write_original(tmp_path: Path) -> Callable[..., Path]:
    """Write a Lightning checkpoint, by default with the original's config.json beside it."""

    def write(state: State, *, config: bool = True, **others: Any) -> Path:
        directory = tmp_path / "released"
        directory.mkdir()
        torch.save({"epoch": 3, "state_dict": state, **others}, directory / "weights.ckpt")
        if config:
            layer = {"_name_": "hyena", "local_order": 3, "modulate": True, "w": 10, **FILTER}
            content = {**SHAPE, "vocab_size": 12, "fused_mlp": False, "layer": layer}
            (directory / "config.json").write_text(json.dumps(content))
        return directory

    return write
