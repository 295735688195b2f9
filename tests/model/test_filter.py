"""The implicit filter: formulas, truncation, what is stored."""

import math

import pytest
import torch

from hyenadna.model.config import ModelConfig
from hyenadna.model.filter import ImplicitFilter
from hyenadna.ops.implicit_filter import decay_rates, positional_features

CONFIG = ModelConfig(d_model=6, n_layer=1, d_inner=8, max_seq_len=130, filter_order=16)
CPU = torch.device("cpu")


def trained(config: ModelConfig) -> ImplicitFilter:
    """A filter with weights of the size that training leaves."""
    torch.manual_seed(0)
    implicit = ImplicitFilter(config)
    with torch.no_grad():
        for parameter in implicit.implicit_filter.parameters():
            parameter.add_(0.3 * torch.randn_like(parameter))
    return implicit


def test_shorter_input_sees_the_start_of_the_same_filter() -> None:
    implicit = trained(CONFIG)
    torch.testing.assert_close(implicit(17), implicit(130)[:, :17])


def test_features_are_fractions_of_the_longest_input() -> None:
    features = positional_features(torch.arange(130), features=5, max_length=130)
    angle = 2 * math.pi * 129 / 130
    expected = [1.0, math.cos(1e-4 * angle), math.cos(angle)]
    expected += [-math.sin(1e-4 * angle), -math.sin(angle)]
    torch.testing.assert_close(features[129].tolist(), expected)


def test_features_are_exact_at_a_million_tokens() -> None:
    angle = 2 * math.pi * 1_000_001 / 1_000_002
    position = torch.tensor([1_000_001])
    features = positional_features(position, features=5, max_length=1_000_002)
    assert features[0].tolist() == pytest.approx(
        [1, math.cos(1e-4 * angle), math.cos(angle), -math.sin(1e-4 * angle), -math.sin(angle)],
        abs=1e-12,
    )


def test_decay_reaches_one_percent_as_designed() -> None:
    rates = decay_rates(CONFIG.d_model, CPU)
    assert rates[0].item() == pytest.approx(3.0701, abs=1e-4)
    assert rates[-1].item() == pytest.approx(15.3506, abs=1e-4)


def test_shift_is_the_floor_of_the_decay() -> None:
    shifted, plain = trained(CONFIG.replace(filter_shift=0.05)), trained(CONFIG)
    time = torch.arange(130) / 129
    decay = torch.exp(-time * decay_rates(CONFIG.d_model, CPU)[:, None].float())
    torch.testing.assert_close(shifted(130) - plain(130), plain(130) / decay * 0.05)


def test_positions_and_decay_are_never_stored() -> None:
    names = set(ImplicitFilter(CONFIG).state_dict())
    assert names == {
        "bias",
        "implicit_filter.0.weight",
        "implicit_filter.0.bias",
        "implicit_filter.1.freq",
        "implicit_filter.2.weight",
        "implicit_filter.2.bias",
        "implicit_filter.4.weight",
        "implicit_filter.4.bias",
        "implicit_filter.6.weight",
    }


def test_all_sines_share_one_frequency() -> None:
    implicit = trained(CONFIG)
    implicit(130).sum().backward()
    frequencies = [n for n, _ in implicit.named_parameters() if n.endswith("freq")]
    assert frequencies == ["implicit_filter.1.freq"]
    assert implicit.get_parameter(frequencies[0]).grad is not None


def test_autocast_does_not_narrow_the_filter() -> None:
    implicit = trained(CONFIG)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        narrowed = implicit(130)
    torch.testing.assert_close(narrowed, implicit(130), rtol=0, atol=0)


def test_learned_positions_start_from_their_formula() -> None:
    config = CONFIG.replace(learned_positions=True)
    learned, computed = trained(config), trained(CONFIG)
    computed.load_state_dict(learned.state_dict())
    torch.testing.assert_close(learned(130), computed(130), rtol=1e-4, atol=1e-5)
    assert dict(learned.named_parameters())["pos_emb.z"].shape == (1, 130, 5)
