"""Arithmetic of a training step: autocast in bf16 or fp16, loss scaling for fp16, TF32."""

import logging
from functools import cache

import torch
from torch import Tensor

from hyenadna.training.optimizer import Optimizers
from hyenadna.training.recipe import Recipe

_DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16, "fp16": torch.float16}

_log = logging.getLogger(__name__)


class Precision:
    """A recipe's precision on one device.

    The gradients of fp16 lose what is below 6e-8 and overflow above 65,504, so the loss, a mean, is
    scaled up before it goes back: by 2^16 at first, by half as much after every overflow, twice as
    much after 2,000 steps without one (`torch.amp.GradScaler`). A step whose gradients overflow
    must not update weights. Other precisions scale nothing, and leave it to the loop to look at
    the norm of the gradient.

    Making one sets TF32 for the whole process if the device is a GPU.
    """

    def __init__(self, recipe: Recipe, device: torch.device) -> None:
        self.device = device
        self.dtype = _DTYPES[recipe.precision]
        self._scaler = torch.amp.GradScaler(device.type) if self.dtype is torch.float16 else None
        if device.type == "cuda":
            _set_tf32(recipe.tf32)
        elif self.dtype is not torch.float32:
            _warn_of_cpu(recipe.precision)

    def autocast(self) -> torch.autocast:
        """Return a context for forward passes."""
        enabled = self.dtype is not torch.float32
        dtype = self.dtype if enabled else None
        return torch.autocast(self.device.type, dtype=dtype, enabled=enabled)

    def scale(self, loss: Tensor) -> Tensor:
        """Return what to call `backward` on for a scalar mean loss."""
        return loss if self._scaler is None else self._scaler.scale(loss)

    def unscale(self, optimizers: Optimizers) -> bool:
        """Divide gradients by the scale, in place, and say whether all of them are finite.

        Always true for fp32 and bf16, whose gradients are not looked at.
        """
        if self._scaler is None:
            return True
        overflows: list[Tensor] = []
        for optimizer in optimizers.optimizers:
            self._scaler.unscale_(optimizer)
            overflows.extend(self._scaler._found_inf_per_device(optimizer).values())
        return not any(bool(overflow) for overflow in overflows)

    def update(self) -> None:
        """Adapt the scale at the end of every step, to what `unscale` found."""
        if self._scaler is not None:
            self._scaler.update()

    def state(self) -> dict[str, float]:
        """Return what the next step depends on; nothing for fp32 and bf16."""
        if self._scaler is None:
            return {}
        state = self._scaler.state_dict()
        return {name: state[name] for name in ("scale", "_growth_tracker")}

    def load(self, state: dict[str, float]) -> None:
        """Put back what `state` returned; the start of a run is an empty one."""
        if self._scaler is not None and state:
            self._scaler.load_state_dict(self._scaler.state_dict() | state)


@cache
def _warn_of_cpu(precision: str) -> None:
    """Say it once a process."""
    _log.warning(
        "precision %s is meant for GPUs; on a CPU, fp32 is more exact and mostly faster", precision
    )


def _set_tf32(allowed: bool) -> None:
    """Choose whether fp32 products on a GPU round their factors to TF32.

    Both settings are of the kind that torch 2.8 knows and that keeps its older and newer flags in
    agreement; setting the newer ones alone makes `torch.compile`, which reads the older, fail.
    """
    torch.set_float32_matmul_precision("high" if allowed else "highest")
    torch.backends.cudnn.allow_tf32 = allowed
