"""The Hyena operator in inference: filter spectra are kept, and never stale."""

import pytest
import torch

from hyenadna.model import operator
from hyenadna.model.config import ModelConfig
from hyenadna.model.operator import HyenaOperator

CONFIG = ModelConfig(d_model=6, n_layer=1, d_inner=8, max_seq_len=130, filter_order=16)


@pytest.fixture
def mixer() -> HyenaOperator:
    torch.manual_seed(0)
    return HyenaOperator(CONFIG).eval()


def evaluations(mixer: HyenaOperator, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Return a list that grows by the length of each filter that is evaluated."""
    lengths: list[int] = []
    forward = mixer.filter_fn.forward

    def counted(length: int) -> torch.Tensor:
        lengths.append(length)
        return forward(length)

    monkeypatch.setattr(mixer.filter_fn, "forward", counted)
    return lengths


def test_inference_equals_training(mixer: HyenaOperator) -> None:
    x = torch.randn(2, 100, 6)
    expected = mixer(x).detach()
    with torch.no_grad():
        torch.testing.assert_close(mixer(x), expected)
        torch.testing.assert_close(mixer(x[:1]), expected[:1])


@pytest.mark.parametrize("block", [1, 36, 100])  # of 1, 3 and 8 positions
def test_long_inputs_are_projected_in_blocks(
    mixer: HyenaOperator, monkeypatch: pytest.MonkeyPatch, block: int
) -> None:
    x = torch.randn(2, 100, 6)
    expected = mixer.streams(x)
    monkeypatch.setattr(operator, "_AT_ONCE", 0)
    monkeypatch.setattr(operator, "_BLOCK", block)
    with torch.no_grad():
        torch.testing.assert_close(mixer.streams(x), expected)


def test_filters_are_evaluated_once_a_length(
    mixer: HyenaOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = evaluations(mixer, monkeypatch)
    with torch.inference_mode():
        for length in (100, 100, 90, 90):
            mixer(torch.randn(1, length, 6))
    assert lengths == [100, 90]


def test_a_changed_weight_is_seen(mixer: HyenaOperator) -> None:
    x = torch.randn(1, 50, 6)
    with torch.no_grad():
        before = mixer(x)
        mixer.filter_fn.bias.add_(1)
        after = mixer(x)
    torch.testing.assert_close(after, mixer(x).detach())
    assert not torch.allclose(before, after)


def test_a_spectrum_too_large_for_the_memory_is_not_kept(
    mixer: HyenaOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operator, "_memory", lambda device: 64 * 100)
    lengths = evaluations(mixer, monkeypatch)
    with torch.no_grad():
        for _ in range(2):
            mixer(torch.randn(1, 100, 6))
    assert lengths == [100, 100]
    assert mixer._spectrum is None


def test_training_keeps_no_spectrum(mixer: HyenaOperator) -> None:
    with torch.no_grad():
        mixer(torch.randn(1, 20, 6))
        assert mixer._spectrum is not None
        mixer.train()
        mixer(torch.randn(1, 20, 6))
    assert mixer._spectrum is None


def test_setting_evaluation_again_keeps_the_spectrum(
    mixer: HyenaOperator, monkeypatch: pytest.MonkeyPatch
) -> None:
    lengths = evaluations(mixer, monkeypatch)
    with torch.no_grad():
        for _ in range(2):
            mixer.eval()(torch.randn(1, 20, 6))
    assert lengths == [20]


def test_inference_can_be_compiled_whole(mixer: HyenaOperator) -> None:
    x = torch.randn(1, 40, 6)
    compiled = torch.compile(mixer, fullgraph=True, backend="aot_eager")
    with torch.no_grad():
        torch.testing.assert_close(compiled(x), mixer(x))
