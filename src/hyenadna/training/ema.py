"""Exponential moving average of a model's weights."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor, nn

from hyenadna.training import checkpoint
from hyenadna.training.checkpoint import Tensors

_UPDATES = "updates"


class WeightAverage:
    """The average of a model's weights after every step, in fp32, recent ones weighing most.

    After t updates, the weights of update i count (1 - decay) decay^(t - i) / (1 - decay^t), as in
    Adam's corrected moments (arXiv:1412.6980, section 3): the weights that training started from
    count nothing, and after one update the average is the weights.
    """

    def __init__(self, model: nn.Module, decay: float) -> None:
        self.model = model
        self.decay = decay
        self.updates = 0
        self._averages = {name: _copy(x) for name, x in checkpoint.model_tensors(model).items()}

    @property
    def tensors(self) -> Tensors:
        """The averaged weights, named as by `checkpoint.model_tensors`; fp32, not copied."""
        return dict(self._averages)

    @torch.no_grad()
    def update(self) -> None:
        """Take in the weights that the model has now."""
        self.updates += 1
        share = (1 - self.decay) / (1 - self.decay**self.updates)
        for name, tensor in checkpoint.model_tensors(self.model).items():
            average = self._averages[name]
            if average.is_floating_point():
                average.lerp_(tensor.to(average.dtype), share)
            else:
                average.copy_(tensor)

    def state(self) -> Tensors:
        """Return the averaged weights and the number of updates, for a checkpoint."""
        return {**self._averages, _UPDATES: torch.tensor(self.updates)}

    def load(self, state: Mapping[str, Tensor]) -> None:
        """Put back what `state` returned."""
        self.updates = int(state[_UPDATES])
        for name, average in self._averages.items():
            average.copy_(state[name])

    @contextmanager
    def applied(self) -> Iterator[None]:
        """Have the averaged weights in the model, and its own back afterwards, to the bit."""
        own = {name: x.clone() for name, x in checkpoint.model_tensors(self.model).items()}
        checkpoint.restore_model(self.model, self._averages)
        try:
            yield
        finally:
            checkpoint.restore_model(self.model, own)


def _copy(tensor: Tensor) -> Tensor:
    copy = tensor.detach().clone()
    return copy.float() if copy.is_floating_point() else copy
