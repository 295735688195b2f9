"""Where the time of a network goes: the share of each of its parts, from PyTorch's profile."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from typing import Any
from unittest import mock

import torch
from torch import nn
from torch.profiler import ProfilerActivity, profile, record_function

from hyenadna.bench.timing import Call
from hyenadna.model import backbone, operator

OTHER, LOSS, OPTIMIZER = "other", "loss", "clip and optimizer"
# By the last part of a module's name; what a mixer does beside these is its projections and gates.
_OF_MODULE = {
    "embeddings": "embedding",
    "norm1": "norms",
    "norm2": "norms",
    "ln_f": "norms",
    "mixer": "projections",
    "short_filter": "short conv",
    "long_conv": "long conv",
    "filter_fn": "filters",
    "mlp": "MLP",
    "lm_head": LOSS,
}
# Functions that stand for modules in our networks, where they are called.
_OF_FUNCTION = (
    (backbone, "feed_forward", "MLP"),  # with the norm before it
    (operator, "short_conv", "short conv"),
    (operator, "long_conv", "long conv"),
    (operator, "long_conv_by_spectrum", "long conv"),
)
# By what the name of an operation has in it, wherever it is called.
_OF_OPERATION = {"hyenadna::implicit_filter": "filters", "scaled_dot_product": "attention"}
PARTS = (*dict.fromkeys((*_OF_MODULE.values(), "attention", OPTIMIZER)), OTHER)
_BACKWARD = "autograd::engine::evaluate_function: "
_PREFIX = "part: "


def part(name: str) -> record_function:
    """Return a context whose time counts for a part."""
    return record_function(f"{_PREFIX}{name}")


def shares(network: nn.Module, call: Call, device: torch.device, *, calls: int) -> dict[str, float]:
    """Profile calls and return the share of each part, which add up to 1.

    On a CPU these are shares of the time that passed, on a GPU of the time that its kernels took.
    Time of a backward pass counts for the part whose forward pass it undoes.
    """
    activities = [ProfilerActivity.CPU]
    if device.type == "cuda":
        activities.append(ProfilerActivity.CUDA)
    with _marked(network), profile(activities=activities) as taken:
        for _ in range(calls):
            with record_function(f"{_PREFIX}{OTHER}"):
                call()
                if device.type == "cuda":
                    torch.cuda.synchronize(device)
    spent = dict.fromkeys(PARTS, 0.0)
    for name, seconds in _times(list(taken.events()), on_gpu=device.type == "cuda"):
        spent[name] += seconds
    whole = sum(spent.values())
    return {name: seconds / whole for name, seconds in spent.items()}


def _times(events: list[Any], *, on_gpu: bool) -> Iterator[tuple[str, float]]:
    """Yield the part of each event and the time that it took by itself."""
    # What a kernel took is also told of the operation that launched it.
    on_host = [of for of in events if of.device_type.name == "CPU"]
    forward = _forward_parts(on_host)
    for event in on_host:
        if not on_gpu:
            yield _part_of(event, forward), event.self_cpu_time_total
        # Contexts have a span on the GPU too, of what is counted within them.
        elif not event.name.startswith(_PREFIX):
            yield _part_of(event, forward), event.self_device_time_total


def _forward_parts(events: Iterable[Any]) -> dict[tuple[int, int], str]:
    """Return the part that made each node of the graph, by thread and sequence number.

    Operations between two nodes have the number of the next, so the last to have it made it.
    """
    parts = {}
    for event in sorted(events, key=lambda of: of.time_range.start):
        if event.sequence_nr >= 0 and not event.fwd_thread:  # no step of a backward pass
            parts[event.thread, event.sequence_nr] = _part_of(event, {})
    return parts


def _part_of(event: Any, forward: dict[tuple[int, int], str]) -> str:
    """Return the part that an event, or the nearest around it that belongs to one, belongs to."""
    at = event
    while at is not None:
        if at.name.startswith(_PREFIX):
            return str(at.name).removeprefix(_PREFIX)
        if at.name.startswith(_BACKWARD):
            return forward.get((at.fwd_thread, at.sequence_nr), OTHER)
        for inside, name in _OF_OPERATION.items():
            if inside in at.name:
                return name
        at = at.cpu_parent
    return OTHER


@contextmanager
def _marked(network: nn.Module) -> Iterator[None]:
    """Have the parts of a network say in a profile when they are at work."""
    with ExitStack() as stack:
        for module, name, of in _OF_FUNCTION:
            stack.enter_context(mock.patch.object(module, name, part(of)(getattr(module, name))))
        for name, layer in network.named_modules():
            if name.rpartition(".")[2] in _OF_MODULE:
                begin, end = _hooks(_OF_MODULE[name.rpartition(".")[2]])
                stack.callback(layer.register_forward_pre_hook(begin).remove)
                # Recomputation for a backward pass may leave a module in its middle.
                stack.callback(layer.register_forward_hook(end, always_call=True).remove)
        yield


def _hooks(of: str) -> tuple[Callable[..., None], Callable[..., None]]:
    """Return what to call before and after a module that belongs to a part."""
    begun: list[ExitStack] = []

    def begin(*_: object) -> None:
        begun.append(ExitStack())
        begun[-1].enter_context(part(of))

    def end(*_: object) -> None:
        begun.pop().close()

    return begin, end
