"""The long convolution on a CUDA device, against the same sums in float64 by torch.fft.

Needs torch, triton and pytest alone. Kernels compile on first use, many minutes in one process:
pytest -m gpu -n 8 tests/ops/test_long_conv_gpu.py
"""

import math
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.fft import irfft, rfft

from hyenadna.ops import long_conv, paths

pytestmark = pytest.mark.gpu

FP32, BF16, FP16 = torch.float32, torch.bfloat16, torch.float16
NAMES = ("u", "k", "skip", "pre_gate", "post_gate")
# One, two, odd, below, at and past block edges, lengths of models, the longest.
LENGTHS = [1, 2, 31, 33, 63, 64, 65, 127, 1000, 1024, 4096, 5000, 8192, 8193, 16_384, 32_768]
LONG = [65_537, 160_000, 450_000, 1_000_002, 1 << 20]
SOME = [1, 127, 1024, 8192, 65_537, 1_000_002]
# From here on the relative error of a tensor is a statistic; of fewer numbers it is luck.
MANY = 1000


def _device() -> torch.device:
    return torch.device("cuda")


def draw(
    batch: int, channels: int, length: int, *, dtype: torch.dtype = FP32, filters: str = "noise"
) -> list[Tensor]:
    """Return u, k, skip, pre_gate and post_gate that need gradients; filter and skip in fp32."""
    device = _device()
    generator = torch.Generator(device).manual_seed(length)

    def normal(*shape: int) -> Tensor:
        return torch.randn(*shape, generator=generator, device=device)

    wide = (batch, channels, length)
    if filters == "noise":
        k = normal(channels, length) / math.sqrt(length)
    else:
        time = torch.linspace(0, 1, length, device=device)
        rates = torch.linspace(3, 15, channels, device=device)[:, None]
        k = torch.exp(-rates * time) * (1 + torch.sin(20 * time + normal(channels, 1))) + 0.05
    streams = [(normal(*wide) + 0.5).to(dtype) for _ in range(3)]
    inputs = [streams[0], k, normal(channels), *streams[1:]]
    return [x.requires_grad_() for x in inputs]


def plain(
    u: Tensor, k: Tensor, skip: Tensor, pre_gate: Tensor | None, post_gate: Tensor | None
) -> Tensor:
    """The formula as one writes it by torch.fft, in the type of k."""
    length = u.shape[-1]
    v = u if pre_gate is None else u * pre_gate
    y = irfft(rfft(v, 2 * length) * rfft(k, 2 * length), 2 * length)[..., :length]
    y = y + skip[:, None] * v
    return y if post_gate is None else y * post_gate


def results(function: Any, inputs: Any, dy: Tensor) -> list[Tensor]:
    """Return the output and the gradients of all inputs that are there."""
    y = function(*inputs)
    return [y.detach(), *torch.autograd.grad(y, [x for x in inputs if x is not None], dy)]


def widened(inputs: Any, dtype: torch.dtype) -> list[Tensor | None]:
    return [None if x is None else x.detach().to(dtype).requires_grad_() for x in inputs]


def error(x: Tensor, exact: Tensor) -> float:
    """Relative, in the Euclidean norm."""
    return ((x.double() - exact).norm() / exact.norm()).item()


def check_parity(inputs: list[Any]) -> None:
    """Compare output and gradients with float64: at most twice what is unavoidable."""
    dy = torch.randn_like(inputs[0].detach())
    ours = results(long_conv, inputs, dy)
    exact = results(plain, widened(inputs, torch.float64), dy.double())
    single = results(plain, widened(inputs, FP32), dy.float())
    magnitudes = [None if x is None else x.detach().abs() for x in inputs]
    spread = results(plain, widened(magnitudes, torch.float64), dy.double().abs())
    names = ["y", *(name for name, x in zip(NAMES, inputs, strict=True) if x is not None)]
    for name, x, right, other, terms in zip(names, ours, exact, single, spread, strict=True):
        allowed = 2 * max(error(other, right), error(right.to(x.dtype), right))
        if right.numel() < MANY:
            allowed += torch.finfo(FP32).eps * (terms.norm() / right.norm()).item()
            allowed = max(allowed, torch.finfo(x.dtype).eps)
        found = error(x, right)
        assert found <= allowed, f"{name}: error {found:.2e}, allowed {allowed:.2e}"


@pytest.mark.parametrize("filters", ["noise", "smooth"])
@pytest.mark.parametrize("dtype", [FP32, BF16], ids=str)
@pytest.mark.parametrize("length", LENGTHS + LONG)
def test_one_sequence_is_as_exact_as_its_type_allows(
    length: int, dtype: torch.dtype, filters: str
) -> None:
    check_parity(draw(1, 128, length, dtype=dtype, filters=filters))


@pytest.mark.parametrize("dtype", [FP32, BF16], ids=str)
@pytest.mark.parametrize("length", LENGTHS + LONG)
def test_a_batch_with_an_odd_number_of_channels(length: int, dtype: torch.dtype) -> None:
    check_parity(draw(3, 5, length, dtype=dtype, filters="smooth"))


@pytest.mark.parametrize("length", SOME)
def test_one_channel(length: int) -> None:
    check_parity(draw(3, 1, length))


@pytest.mark.parametrize("length", SOME)
def test_half_precision(length: int) -> None:
    check_parity(draw(1, 128, length, dtype=FP16))


@pytest.mark.parametrize("gates", [(False, False), (True, False), (False, True)])
@pytest.mark.parametrize("length", SOME)
def test_either_gate_may_be_left_out(length: int, gates: tuple[bool, bool]) -> None:
    u, k, skip, *streams = draw(3, 5, length)
    given = [x if there else None for x, there in zip(streams, gates, strict=True)]
    check_parity([u, k, skip, *given])


@pytest.mark.parametrize("length", LENGTHS + LONG)
def test_every_length_runs_on_kernels(length: int) -> None:
    u, k, *_ = draw(1, 16, length)
    assert paths.choose(u, k.shape[1]).path in ("taps", "one-pass", "three-pass")


@pytest.mark.parametrize("length", [1000, 8000, 65_537])
def test_every_candidate_of_tuning_is_exact(length: int) -> None:
    for plan in paths.candidates(length, length):
        with paths.use(plan):
            check_parity(draw(3, 16, length))


@pytest.mark.parametrize("taps", [1, 4, 700, 3000])
@pytest.mark.parametrize("length", [1000, 65_537])
def test_filter_may_be_shorter_or_longer_than_the_input(length: int, taps: int) -> None:
    inputs = draw(1, 16, length)
    fitting = torch.zeros(16, length, device=_device())
    k = torch.randn(16, taps, device=_device()) / math.sqrt(taps)
    fitting[:, :taps] = k[:, :length]
    inputs[1] = k.requires_grad_()
    dy = torch.randn_like(inputs[0])
    y, du, dk, *_ = results(long_conv, inputs, dy)
    inputs[1] = fitting.requires_grad_()
    exact = results(plain, widened(inputs, torch.float64), dy.double())
    assert error(y, exact[0]) < 2e-6
    assert error(du, exact[1]) < 2e-6
    common = min(taps, length)
    assert error(dk[:, :common], exact[2][:, :common]) < 1e-5
    assert not dk[:, common:].any()


@pytest.mark.parametrize("length", SOME)
def test_every_element_is_written(length: int, poisoned: None) -> None:
    inputs = draw(3, 5, length, dtype=BF16)
    for x in results(long_conv, inputs, torch.ones_like(inputs[0])):
        assert x.isfinite().all()


@pytest.mark.parametrize("length", SOME)
def test_same_bits_twice(length: int) -> None:
    inputs = draw(3, 128 if length < 1 << 17 else 5, length)
    dy = torch.randn_like(inputs[0])
    first, second = (results(long_conv, inputs, dy) for _ in range(2))
    assert all(torch.equal(x, y) for x, y in zip(first, second, strict=True))


@pytest.mark.parametrize("length", SOME)
def test_views_of_one_projection_are_taken_as_they_are(length: int) -> None:
    u, k, skip, pre_gate, post_gate = draw(3, 5, length, dtype=BF16)
    post_view, pre_view, u_view = torch.cat([post_gate, pre_gate, u], 1).chunk(3, dim=1)
    y = long_conv(u, k, skip, pre_gate, post_gate)
    assert torch.equal(y, long_conv(u_view, k, skip, pre_view, post_view))
    channels_last = [x.mT.contiguous().mT for x in (u, pre_gate, post_gate)]
    assert torch.equal(y, long_conv(channels_last[0], k, skip, *channels_last[1:]))


def test_more_than_2_to_the_31_elements() -> None:
    """Offsets of the last rows do not fit in 32 bits."""
    channels, length = 2176, 1_000_000
    if torch.cuda.mem_get_info()[0] < 90 << 30:
        pytest.skip("needs 90 GiB of free device memory")
    u = torch.randn(1, channels, length, dtype=BF16, device=_device()).requires_grad_()
    k = torch.randn(channels, length, device=_device()).mul_(length**-0.5).requires_grad_()
    skip = torch.zeros(channels, device=_device())
    dy = torch.randn(1, channels, length, dtype=BF16, device=_device())
    y = long_conv(u, k)
    du, dk = torch.autograd.grad(y, (u, k), dy)
    edge = (1 << 31) // length
    for d in (0, 1, edge - 1, edge, edge + 1, channels - 1):
        row = slice(d, d + 1)
        inputs = widened([u[:, row], k[row], skip[row], None, None], torch.float64)
        exact_y, exact_du, exact_dk, _ = results(plain, inputs, dy[:, row].double())
        floor = error(exact_y.to(BF16), exact_y)
        assert error(y[:, row], exact_y) <= 2 * floor
        assert error(du[:, row], exact_du) <= 2 * floor
        assert error(dk[row], exact_dk) <= 5e-6


@pytest.mark.parametrize("dtype", [FP32, BF16], ids=str)
@pytest.mark.parametrize(
    ("batch", "channels", "length"),
    [(1, 256, 1024), (3, 16, 8192), (1, 128, 32_768), (1, 128, 450_000), (2, 16, 1 << 20)],
)
def test_memory_beyond_inputs_and_outputs_is_two_buffers(
    batch: int, channels: int, length: int, dtype: torch.dtype
) -> None:
    inputs = draw(batch, channels, length, dtype=dtype)
    dy = torch.randn_like(inputs[0])
    results(long_conv, inputs, dy)  # tables of roots are made once and stay
    # What the allocator rounds up, and a number or so per channel.
    allowed = 2 * 4 * batch * channels * length + (1 << 20)
    before = _restart_peak()
    y = long_conv(*inputs)
    assert torch.cuda.max_memory_allocated() - before - y.nbytes <= allowed
    before = _restart_peak()
    gradients = torch.autograd.grad(y, inputs, dy)
    size = sum(x.nbytes for x in gradients)
    assert torch.cuda.max_memory_allocated() - before - size <= allowed


def _restart_peak() -> int:
    torch.cuda.synchronize()
    torch.cuda.reset_peak_memory_stats()
    return torch.cuda.memory_allocated()


@pytest.mark.parametrize("length", [1024, 65_537])
def test_compiled_graph_equals_eager(length: int) -> None:
    inputs = draw(1, 16, length, dtype=BF16)
    dy = torch.randn_like(inputs[0])
    compiled = torch.compile(long_conv, fullgraph=True)
    ours, eager = results(compiled, inputs, dy), results(long_conv, inputs, dy)
    assert all(torch.equal(x, y) for x, y in zip(ours, eager, strict=True))


def test_autocast_activations_meet_fp32_filters() -> None:
    _, k, skip, *_ = draw(1, 16, 1000)
    linear = torch.nn.Linear(8, 48, device=_device())
    with torch.autocast("cuda", dtype=BF16):
        projected = linear(torch.randn(1, 1000, 8, device=_device())).mT
        post_gate, pre_gate, v = projected.chunk(3, dim=1)
        y = long_conv(v, k, skip, pre_gate, post_gate)
    assert y.dtype is BF16
    y.float().sum().backward()
    assert k.grad is not None
    assert linear.weight.grad is not None
    assert k.grad.dtype is linear.weight.grad.dtype is FP32


@pytest.mark.parametrize("length", [1024, 65_537])
def test_captured_graph_replays_on_other_numbers(length: int) -> None:
    inputs = draw(1, 16, length)
    dy = torch.randn_like(inputs[0])
    results(long_conv, inputs, dy)  # kernels are compiled and tables made before the capture
    graph = torch.cuda.CUDAGraph()
    with torch.cuda.graph(graph):
        captured = results(long_conv, inputs, dy)
    with torch.no_grad():
        for x in (*inputs, dy):
            x.normal_()
    graph.replay()
    expected = results(long_conv, inputs, dy)
    assert all(torch.equal(x, y) for x, y in zip(captured, expected, strict=True))


@pytest.mark.parametrize("length", [1024, 65_537])
def test_another_stream(length: int) -> None:
    inputs = draw(3, 5, length)
    dy = torch.randn_like(inputs[0])
    expected = results(long_conv, inputs, dy)
    stream = torch.cuda.Stream()
    stream.wait_stream(torch.cuda.current_stream())
    with torch.cuda.stream(stream):
        ours = results(long_conv, inputs, dy)
    stream.synchronize()
    assert all(torch.equal(x, y) for x, y in zip(ours, expected, strict=True))


def test_another_device_than_the_current_one() -> None:
    if torch.cuda.device_count() < 2:
        pytest.skip("needs two CUDA devices")
    inputs = draw(3, 5, 65_537)
    dy = torch.randn_like(inputs[0])
    moved = [x.detach().to("cuda:1").requires_grad_() for x in inputs]
    ours = results(long_conv, moved, dy.to("cuda:1"))
    for x, y in zip(ours, results(long_conv, inputs, dy), strict=True):
        assert torch.equal(x.to("cuda:0"), y)
