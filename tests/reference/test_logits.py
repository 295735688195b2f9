"""Logits against an independent float64 forward pass, frozen and live."""

from pathlib import Path

import numpy as np
import pytest
import torch
from forward_numpy import Weights, forward, random_weights

from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.checkpoint import convert
from hyenadna.model.config import ModelConfig

FROZEN = Path(__file__).parent / "frozen"
SHAPES = {
    "deep": {"d_model": 16, "n_layer": 5, "d_inner": 64, "l_max": 130},
    "many_features": {"d_model": 8, "n_layer": 2, "d_inner": 16, "l_max": 200, "emb_dim": 9},
    "shallow_filter": {
        "d_model": 8,
        "n_layer": 2,
        "d_inner": 24,
        "l_max": 66,
        "emb_dim": 3,
        "filter_order": 24,
        "num_inner_mlps": 0,
    },
    "deep_filter": {"d_model": 8, "n_layer": 1, "d_inner": 32, "l_max": 1026, "num_inner_mlps": 3},
}


def relative_error(found: torch.Tensor, exact: np.ndarray) -> float:
    return float(np.abs(found.detach().numpy() - exact).max() / np.abs(exact).max())


def model_of(weights: Weights, shape: dict[str, int], shift: float) -> HyenaDNA:
    sizes = {"filter_order": 16, **shape}
    sizes["max_seq_len"] = sizes.pop("l_max")
    model = HyenaDNA(ModelConfig(**sizes, filter_shift=shift))
    model.load_state_dict({name: torch.from_numpy(value) for name, value in weights.items()})
    return model.eval()


@pytest.fixture(scope="module")
def converted(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return convert(FROZEN, tmp_path_factory.mktemp("frozen") / "model")


@pytest.mark.parametrize("shift", [0.0, 0.05])
@pytest.mark.parametrize("length", [1, 2, 63, 66])
def test_against_frozen_logits(converted: Path, length: int, shift: float) -> None:
    frozen = np.load(FROZEN / "logits.npz")
    model = HyenaDNA.from_pretrained(converted, filter_shift=shift).eval()
    logits = model(torch.from_numpy(frozen[f"ids_{length}"]))
    assert relative_error(logits, frozen[f"logits_{length}_{shift}"]) < 1e-4


@pytest.mark.parametrize("shift", [0.0, 0.05])
@pytest.mark.parametrize("name", SHAPES)
def test_against_numpy_for_other_shapes(name: str, shift: float) -> None:
    weights = random_weights(7, **SHAPES[name])
    ids = np.random.default_rng(1).integers(0, 12, (2, 130 if name == "deep" else 61))
    logits = model_of(weights, SHAPES[name], shift)(torch.from_numpy(ids))
    exact = forward(weights, ids, l_max=SHAPES[name]["l_max"], shift=shift)
    assert relative_error(logits, exact) < 1e-4


def test_in_double_precision_only_rounding_is_left() -> None:
    weights = random_weights(3, **SHAPES["deep"])
    ids = np.random.default_rng(2).integers(0, 12, (1, 100))
    logits = model_of(weights, SHAPES["deep"], 0.05).double()(torch.from_numpy(ids))
    assert relative_error(logits, forward(weights, ids, l_max=130, shift=0.05)) < 1e-11


def test_frozen_numbers_are_those_of_the_numpy_forward_pass() -> None:
    frozen = np.load(FROZEN / "logits.npz")
    state = torch.load(FROZEN / "weights.ckpt", weights_only=True)["state_dict"]
    weights = {name.removeprefix("model."): tensor.numpy() for name, tensor in state.items()}
    exact = forward(weights, frozen["ids_63"], l_max=66, shift=0.05)
    np.testing.assert_allclose(frozen["logits_63_0.05"], exact, rtol=1e-9)


def test_the_two_shifts_are_told_apart() -> None:
    """The original trains with one and infers with the other; they are not the same model."""
    frozen = np.load(FROZEN / "logits.npz")
    exact, other = frozen["logits_63_0.0"], frozen["logits_63_0.05"]
    assert relative_error(torch.from_numpy(other), exact) > 1e-2
