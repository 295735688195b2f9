"""Cross-entropy of a linear layer in chunks: against torch's own, and what it keeps."""

import pytest
import torch
from torch import Tensor

from hyenadna.ops import linear_cross_entropy as module
from hyenadna.ops.linear_cross_entropy import (
    linear_cross_entropy,
    linear_cross_entropy_reference,
)

IGNORED = -100


@pytest.fixture(autouse=True)
def _small_chunks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "CHUNK_ELEMENTS", 64)


def draw(tokens: int, *, dtype: torch.dtype = torch.float32) -> tuple[Tensor, ...]:
    """Return hidden states, a weight, labels of which some are ignored, and token weights."""
    torch.manual_seed(tokens)
    hidden = torch.randn(tokens, 6, dtype=dtype).requires_grad_()
    weight = torch.randn(16, 6, dtype=dtype).requires_grad_()
    labels = torch.randint(7, 12, (tokens,))
    labels[torch.rand(tokens) < 0.2] = IGNORED
    return hidden, weight, labels, torch.rand(tokens)


def saved_shapes(loss: object, *inputs: Tensor) -> list[tuple[int, ...]]:
    """Return the shapes of what a loss of (hidden, weight, labels) keeps to go back."""
    shapes: list[tuple[int, ...]] = []
    with torch.autograd.graph.saved_tensors_hooks(
        lambda x: (shapes.append(tuple(x.shape)), x)[1], lambda x: x
    ):
        loss(*inputs)  # type: ignore[operator]
    return shapes


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("tokens", [1, 3, 4, 5, 61])  # below, at and past a chunk of 4
def test_loss_and_gradients_are_those_of_torch(tokens: int, weighted: bool) -> None:
    hidden, weight, labels, token_weights = draw(tokens, dtype=torch.float64)
    given = token_weights.double() if weighted else None
    results = []
    for function in (linear_cross_entropy, linear_cross_entropy_reference):
        loss = function(hidden, weight, labels, token_weights=given)
        results.append((loss, *torch.autograd.grad(2.5 * loss, (hidden, weight))))
    torch.testing.assert_close(results[0], results[1])


def test_gradients_are_those_of_finite_differences() -> None:
    hidden, weight, labels, token_weights = draw(7, dtype=torch.float64)
    assert torch.autograd.gradcheck(
        lambda h, w: linear_cross_entropy(h, w, labels, token_weights=token_weights),
        (hidden, weight),
    )


def test_bfloat16_states_lose_nothing_but_their_own_rounding() -> None:
    hidden, weight, labels, _ = draw(61)
    rounded = hidden.detach().bfloat16().requires_grad_()
    exact = linear_cross_entropy_reference(rounded.double(), weight.double(), labels)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        loss = linear_cross_entropy(rounded, weight, labels)
    assert loss.dtype is torch.float32
    torch.testing.assert_close(loss.double(), exact, rtol=1e-6, atol=0)
    expected = torch.autograd.grad(exact, (rounded, weight))
    mine = torch.autograd.grad(loss, (rounded, weight))
    assert mine[0].dtype is torch.bfloat16
    torch.testing.assert_close(mine, expected, rtol=1e-2, atol=1e-5)


def test_states_need_not_be_contiguous() -> None:
    hidden, weight, labels, _ = draw(12)
    strided = hidden.detach().mT.contiguous().mT.requires_grad_()
    mine = torch.autograd.grad(linear_cross_entropy(strided, weight, labels), (strided, weight))
    expected = torch.autograd.grad(linear_cross_entropy(hidden, weight, labels), (hidden, weight))
    torch.testing.assert_close(mine, expected)


def test_no_number_a_class_of_each_token_is_kept() -> None:
    hidden, weight, labels, _ = draw(61)
    assert (61, 16) in saved_shapes(linear_cross_entropy_reference, hidden, weight, labels)
    shapes = saved_shapes(linear_cross_entropy, hidden, weight, labels)
    assert sorted(shapes) == [(16, 6), (61,), (61,), (61, 6)]


def test_ignored_tokens_give_nothing() -> None:
    hidden, weight, labels, _ = draw(9)
    labels[:] = IGNORED
    loss = linear_cross_entropy(hidden, weight, labels)
    gradients = torch.autograd.grad(loss, (hidden, weight))
    assert loss == 0
    assert all((gradient == 0).all() for gradient in gradients)


def test_large_logits_do_not_overflow() -> None:
    hidden, weight, labels, _ = draw(9)
    large = (1e4 * hidden).detach().requires_grad_()
    loss = linear_cross_entropy(large, weight, labels)
    (gradient,) = torch.autograd.grad(loss, large)
    torch.testing.assert_close(loss, linear_cross_entropy_reference(large, weight, labels))
    assert gradient.isfinite().all()


def test_second_derivatives_are_refused() -> None:
    hidden, weight, labels, _ = draw(5)
    loss = linear_cross_entropy(hidden, weight, labels)
    (gradient,) = torch.autograd.grad(loss, hidden, create_graph=True)
    with pytest.raises(RuntimeError, match=r"first derivatives only; use hyenadna.*_reference"):
        gradient.sum().backward()


@pytest.mark.parametrize(
    "shapes",
    [((4, 6), (16, 5), (4,)), ((4, 6), (16, 6), (3,)), ((2, 4, 6), (16, 6), (2, 4))],
    ids=["width", "labels", "batch"],
)
def test_shapes_that_do_not_fit_are_refused(shapes: tuple[tuple[int, ...], ...]) -> None:
    hidden, weight, labels = shapes
    with pytest.raises(ValueError, match=r"hidden \(N, D\), weight \(V, D\)"):
        linear_cross_entropy(torch.zeros(hidden), torch.zeros(weight), torch.zeros(labels).long())
