"""The long convolution as an operator of PyTorch: what autograd, compilers and autocast see."""

import os
import socket
from collections.abc import Callable
from itertools import product
from typing import Any

import pytest
import torch
from torch import Tensor, nn
from torch._subclasses import FakeTensorMode
from torch.nn.parallel import DistributedDataParallel
from torch.utils.checkpoint import checkpoint

from hyenadna.ops import long_conv, long_conv_cpu, long_conv_reference

BATCH, CHANNELS, LENGTH = 2, 3, 33
# Which of skip, pre_gate and post_gate are given.
FORMS = list(product([False, True], repeat=3))
OP = torch.ops.hyenadna.long_conv.default
BACKWARD = torch.ops.hyenadna.long_conv_backward.default
CONTRACT = (
    "test_schema",
    "test_autograd_registration",
    "test_faketensor",
    "test_aot_dispatch_dynamic",
)


@pytest.fixture(autouse=True)
def _as_an_operator(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take inputs as small as these through the operator too."""
    monkeypatch.setattr(long_conv_cpu, "COMPOSED_ELEMENTS", 0)


def inputs(
    form: tuple[bool, ...] = (True, True, True),
    *,
    dtype: torch.dtype = torch.float32,
    requires_grad: bool = True,
) -> list[Any]:
    """Return u, k, skip, pre_gate and post_gate, None where `form` leaves one out."""
    generator = torch.Generator().manual_seed(0)
    wide, given = (BATCH, CHANNELS, LENGTH), (True, True, *form)
    shapes: list[tuple[int, ...]] = [wide, (CHANNELS, LENGTH), (CHANNELS,), wide, wide]
    drawn = [torch.randn(shape, generator=generator).to(dtype) for shape in shapes]
    return [
        x.requires_grad_(requires_grad) if g else None for x, g in zip(drawn, given, strict=True)
    ]


def gradients(function: Callable[..., Tensor], arguments: list[Any]) -> tuple[Tensor, ...]:
    """Return the output and the gradients of the arguments that need one."""
    y = function(*arguments)
    needing = [x for x in arguments if x is not None and x.requires_grad]
    return y.detach(), *torch.autograd.grad(y.square().sum(), needing)


@pytest.mark.parametrize("form", FORMS)
def test_forward_keeps_the_contract_of_operators(form: tuple[bool, ...]) -> None:
    torch.library.opcheck(OP, tuple(inputs(form)), test_utils=CONTRACT)


@pytest.mark.parametrize("needs", [(True,) * 5, (True, False, True, False, True), (False,) * 5])
def test_backward_keeps_the_contract_of_operators(needs: tuple[bool, ...]) -> None:
    dy = torch.randn(BATCH, CHANNELS, LENGTH)
    arguments = (dy, *inputs(requires_grad=False), list(needs))
    torch.library.opcheck(BACKWARD, arguments, test_utils=CONTRACT)


@pytest.mark.parametrize("form", FORMS)
def test_gradients_of_half_precision_streams_and_fp32_filters_keep_it(
    form: tuple[bool, ...],
) -> None:
    dy = torch.randn(BATCH, CHANNELS, LENGTH).bfloat16()
    given = inputs(form, requires_grad=False)
    mixed = [x.bfloat16() if x is not None and x.ndim == 3 else x for x in given]
    arguments = (dy, *mixed, [x is not None for x in mixed])
    torch.library.opcheck(BACKWARD, arguments, test_utils=CONTRACT)


@pytest.mark.parametrize("backend", ["aot_eager", pytest.param("inductor", marks=pytest.mark.slow)])
def test_compiled_graph_equals_eager(backend: str) -> None:
    arguments = inputs()

    def operator(*xs: Any) -> Tensor:
        return long_conv(*xs) * 2

    compiled = torch.compile(operator, fullgraph=True, backend=backend)
    torch.testing.assert_close(gradients(compiled, arguments), gradients(operator, arguments))


def test_export_keeps_one_operator() -> None:
    class Module(nn.Module):
        def forward(self, u: Tensor, k: Tensor) -> Tensor:
            return long_conv(u, k)

    u, k, *_ = inputs(requires_grad=False)
    program = torch.export.export(Module(), (u, k))
    targets = [node.target for node in program.graph.nodes if node.op == "call_function"]
    assert targets.count(OP) == 1
    torch.testing.assert_close(program.module()(u, k), long_conv(u, k))


@pytest.mark.parametrize(
    ("streams", "filters"),
    [
        (torch.float32, torch.float32),
        (torch.float64, torch.float64),
        (torch.bfloat16, torch.float32),
        (torch.float32, torch.float16),
    ],
)
def test_shapes_and_types_are_known_without_computing(
    streams: torch.dtype, filters: torch.dtype
) -> None:
    drawn = zip(inputs(), (streams, filters, filters, streams, streams), strict=True)
    arguments = [x.detach().to(dtype).requires_grad_() for x, dtype in drawn]
    with FakeTensorMode() as mode:
        fakes = [mode.from_tensor(x) for x in arguments]
        expected = [long_conv(*fakes)]
        expected += torch.autograd.grad(expected[0].sum(), fakes)
    computed = gradients(long_conv, arguments)
    for fake, real in zip(expected, computed, strict=True):
        assert (fake.shape, fake.dtype, fake.stride()) == (real.shape, real.dtype, real.stride())
    assert [x.dtype for x in computed] == [streams, *(x.dtype for x in arguments)]


def test_output_is_contiguous_whatever_the_strides_of_the_input() -> None:
    projected = torch.randn(BATCH, LENGTH, 3 * CHANNELS).mT
    post_gate, pre_gate, u = projected.chunk(3, dim=1)
    _, k, *_ = inputs(requires_grad=False)
    y = long_conv(u, k, pre_gate=pre_gate, post_gate=post_gate)
    assert y.is_contiguous()
    torch.library.opcheck(OP, (u, k, None, pre_gate, post_gate), test_utils=CONTRACT)


def test_autocast_activations_meet_fp32_filters() -> None:
    _, k, skip, *_ = inputs()
    linear = nn.Linear(4, 3 * CHANNELS)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        projected = linear(torch.randn(BATCH, LENGTH, 4)).mT
        post_gate, pre_gate, u = projected.chunk(3, dim=1)
        y = long_conv(u, k, skip, pre_gate, post_gate)
    exact = long_conv_reference(*(x.double() for x in (u, k, skip, pre_gate, post_gate)))
    assert u.dtype is y.dtype is torch.bfloat16
    torch.testing.assert_close(y.double(), exact, rtol=2**-8, atol=1e-5)
    y.float().sum().backward()
    assert k.grad.dtype is skip.grad.dtype is linear.weight.grad.dtype is torch.float32


def test_checkpointed_gradients_are_the_same_bits() -> None:
    arguments = inputs()

    def recomputed(*xs: Any) -> Tensor:
        y: Tensor = checkpoint(long_conv, *xs, use_reentrant=False)
        return y

    kept, again = gradients(long_conv, arguments), gradients(recomputed, arguments)
    assert all(torch.equal(x, y) for x, y in zip(kept, again, strict=True))


def test_same_bits_twice() -> None:
    first, second = gradients(long_conv, inputs()), gradients(long_conv, inputs())
    assert all(torch.equal(x, y) for x, y in zip(first, second, strict=True))


@pytest.mark.parametrize("position", range(5))
def test_one_gradient_alone_is_the_one_among_all(position: int) -> None:
    everything = gradients(long_conv, inputs())
    arguments = inputs(requires_grad=False)
    arguments[position].requires_grad_()
    _, alone = gradients(long_conv, arguments)
    torch.testing.assert_close(alone, everything[1 + position])


def test_second_derivatives_are_refused_by_the_name_of_what_has_them() -> None:
    arguments = inputs()
    y = long_conv(*arguments)
    (du,) = torch.autograd.grad(y.square().sum(), arguments[0], create_graph=True)
    with pytest.raises(RuntimeError, match="long_conv_reference"):
        du.sum().backward()


@pytest.mark.parametrize(
    ("position", "shape"),
    [
        (0, (CHANNELS, LENGTH)),
        (1, (CHANNELS + 1, LENGTH)),
        (1, (CHANNELS, 0)),
        (1, (LENGTH,)),
        (2, (CHANNELS + 1,)),
        (2, (CHANNELS, 1)),
        (3, (BATCH, CHANNELS, LENGTH + 1)),
        (4, (1, CHANNELS, LENGTH)),
    ],
)
def test_shapes_that_do_not_fit_are_named_in_one_line(
    position: int, shape: tuple[int, ...]
) -> None:
    arguments = inputs(requires_grad=False)
    arguments[position] = torch.zeros(shape)
    with pytest.raises(ValueError, match="long_conv takes") as error:
        long_conv(*arguments)
    assert "\n" not in str(error.value)
    assert str(shape) in str(error.value)


class Mixer(nn.Module):
    """One trained filter with its skip."""

    def __init__(self) -> None:
        super().__init__()
        _, k, skip, *_ = inputs()
        self.k, self.skip = nn.Parameter(k.detach()), nn.Parameter(skip.detach())

    def forward(self, u: Tensor) -> Tensor:
        return long_conv(u, self.k, self.skip)


def step(module: nn.Module, u: Tensor) -> None:
    module(u).square().mean().backward()


def train_apart(rank: int, port: int, u: Tensor, expected: list[Tensor]) -> None:
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    torch.distributed.init_process_group("gloo", rank=rank, world_size=2)
    try:
        model = Mixer()
        step(DistributedDataParallel(model), u[rank : rank + 1])
        torch.testing.assert_close([x.grad for x in model.parameters()], expected)
    finally:
        torch.distributed.destroy_process_group()


def test_two_processes_find_the_gradient_of_one() -> None:
    u, *_ = inputs(requires_grad=False)
    model = Mixer()
    step(model, u)
    expected = [x.grad for x in model.parameters()]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    torch.multiprocessing.spawn(train_apart, (port, u, expected), nprocs=2)
