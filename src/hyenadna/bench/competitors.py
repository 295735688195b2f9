"""Gated causal convolutions to compare with (B batch, D channels, L length, K taps).

Each maker returns a function of u (B, D, L), k (D, K), skip (D,), pre_gate and post_gate, both
(B, D, L), that autograd can differentiate; or says why there is none here.
"""

import importlib
from collections.abc import Callable
from types import ModuleType
from typing import Any

import torch
from torch import Tensor
from torch.fft import irfft, rfft

from hyenadna.bench.results import NOT_INSTALLED, does_not_run
from hyenadna.bench.session import DTYPES, Case
from hyenadna.bench.timing import Unavailable
from hyenadna.ops import long_conv

Operation = Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Tensor]


def torch_fft(u: Tensor, k: Tensor, skip: Tensor, pre_gate: Tensor, post_gate: Tensor) -> Tensor:
    """Convolve between gates as the original training code does."""
    return plain_long_conv(u * pre_gate, k, skip) * post_gate


def plain_long_conv(v: Tensor, k: Tensor, skip: Tensor) -> Tensor:
    """Convolve v (B, D, L) with k (D, L) by real FFTs of twice the length, in k's type (fp32)."""
    length = v.shape[-1]
    n = 2 * length
    k_f = rfft(k, n) / n
    v_f = rfft(v.to(k.dtype), n)
    y: Tensor = irfft(v_f * k_f, n, norm="forward")[..., :length]
    return (y + v * skip[:, None]).to(v.dtype)


def _plain(case: Case) -> Operation:
    return torch_fft


def _ours(case: Case) -> Operation:
    return long_conv


def _compiled(case: Case) -> Operation:
    # Past a few shapes, a function that was compiled before would run uncompiled without a word.
    torch._dynamo.reset()
    compiled: Operation = torch.compile(torch_fft, dynamic=False)
    return compiled


def _cudnn(case: Case) -> Operation:
    """Take that of nvidia-cudnn-frontend with cuDNN 9.26 or newer."""
    _need_gpu(case)
    return _between_gates(_attribute(_imported("cudnn.ops"), "fft_causal_conv1d"))


def _subquadratic(case: Case) -> Operation:
    _need_gpu(case)
    module = _imported("subquadratic_ops_torch.fft_causal_conv1d")
    return _between_gates(_attribute(module, "fft_causal_conv1d"))


def _flash_fft_conv(case: Case) -> Operation:
    """FFTs of a power of two, no less than twice the length for the convolution to be causal."""
    _need_gpu(case)
    make = _attribute(_imported("flashfftconv"), "FlashFFTConv")
    if case.dtype == "fp32":
        raise Unavailable(does_not_run("takes fp16 and bf16 only"))
    size = max(256, 1 << (2 * case.length - 1).bit_length())
    convolve = make(size, dtype=DTYPES[case.dtype]).to(case.device)

    def operation(
        u: Tensor, k: Tensor, skip: Tensor, pre_gate: Tensor, post_gate: Tensor
    ) -> Tensor:
        y: Tensor = convolve(u, _with_skip(k, skip), pre_gate, post_gate)
        return y

    return operation


MAKERS: dict[str, Callable[[Case], Operation]] = {
    "torch.fft": _plain,
    "hyenadna": _ours,
    "torch.fft compiled": _compiled,
    "cudnn fft_causal_conv1d": _cudnn,
    "FlashFFTConv": _flash_fft_conv,
    "subquadratic-ops": _subquadratic,
}


def _between_gates(convolve: Callable[[Tensor, Tensor], Tensor]) -> Operation:
    """Put gates and skip around a convolution whose weight has the dtype of its input."""

    def operation(
        u: Tensor, k: Tensor, skip: Tensor, pre_gate: Tensor, post_gate: Tensor
    ) -> Tensor:
        return convolve(u * pre_gate, _with_skip(k, skip).to(u.dtype)) * post_gate

    return operation


def _with_skip(k: Tensor, skip: Tensor) -> Tensor:
    """Add the skip to tap 0, which costs less than adding it to the output."""
    return torch.cat([k[:, :1] + skip[:, None], k[:, 1:]], dim=1)


def _need_gpu(case: Case) -> None:
    if case.device.type != "cuda":
        raise Unavailable(does_not_run("needs a CUDA device"))


def _imported(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name == name.partition(".")[0]:
            raise Unavailable(NOT_INSTALLED) from None
        raise Unavailable(does_not_run(str(error))) from None
    except (ImportError, OSError, RuntimeError) as error:
        raise Unavailable(does_not_run(str(error))) from None


def _attribute(module: ModuleType, name: str) -> Any:
    try:
        return getattr(module, name)
    except (AttributeError, ImportError) as error:
        raise Unavailable(does_not_run(str(error))) from None
