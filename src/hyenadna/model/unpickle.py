"""Copy the tensors of a pickled checkpoint to safetensors: run as a script, in its own process.

Only torch and safetensors are needed. Pickles are programs: this one is read by torch's restricted
interpreter, in which every name that it does not know stands for an inert class.
"""

import pickle
import resource
import sys
from pathlib import Path
from typing import NoReturn, Self

GIB = 1 << 30
CPU_SECONDS = 600


class _PassesForDict(type):
    """Lets torch put items into stand-ins of dict subclasses: it compares types by ==."""

    def __eq__(cls, other: object) -> bool:
        return other is cls or other is dict

    def __hash__(cls) -> int:
        return id(cls)


class Inert(metaclass=_PassesForDict):
    """Stands for any class or function that a pickle names: called and filled to no effect."""

    def __new__(cls, *_: object) -> Self:
        """Take any arguments and keep none."""
        return object.__new__(cls)

    def __init__(self, *_: object) -> None:
        pass

    def __setstate__(self, _: object) -> None:
        pass

    def __setitem__(self, _: object, __: object) -> None:
        pass


def copy_tensors(source: Path, out: Path) -> None:
    """Write the tensors of the state dict in `source` to the safetensors file `out`."""
    import torch
    from safetensors.torch import save_file

    unknown = torch.serialization.get_unsafe_globals_in_checkpoint(source)
    try:
        with torch.serialization.safe_globals([(Inert, name) for name in unknown]):
            content = torch.load(source, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # torch wraps its reason in advice to trust the file and load all of it.
        lines = [line.strip() for line in str(error).splitlines()]
        refuse(next((line for line in lines if line and "weights_only" not in line), lines[0]))
    state = content.get("state_dict", content) if isinstance(content, dict) else None
    if not isinstance(state, dict):
        refuse("holds no state_dict")
    plain = (torch.Tensor, torch.nn.Parameter)
    tensors = {k: v for k, v in state.items() if isinstance(k, str) and type(v) in plain}
    if not tensors:
        refuse("holds no tensor in its state_dict")
    for name, tensor in tensors.items():
        if tensor.layout is not torch.strided or tensor.is_quantized or tensor.is_meta:
            refuse(f"{name} is not a dense tensor")
        if tensor.nbytes > tensor.untyped_storage().nbytes():
            refuse(f"{name} claims {tensor.nbytes} bytes, more than the file stores for it")
    save_file({name: tensor.detach().clone() for name, tensor in tensors.items()}, out)


def refuse(reason: str) -> NoReturn:
    """End the process, giving the reason on its standard error."""
    raise SystemExit(reason)


def _limit_resources(file_size: int) -> None:
    memory = 4 * GIB + 4 * file_size
    for kind, limit in (
        (resource.RLIMIT_DATA, memory),
        (resource.RLIMIT_FSIZE, memory),
        (resource.RLIMIT_CPU, CPU_SECONDS),
        (resource.RLIMIT_CORE, 0),
    ):
        _, highest = resource.getrlimit(kind)
        if highest == resource.RLIM_INFINITY or limit < highest:
            resource.setrlimit(kind, (limit, limit))


if __name__ == "__main__":
    _source, _out, *_paths = sys.argv[1:]
    # `python -I` leaves out the directories that the parent may have its torch from.
    sys.path += _paths
    _limit_resources(Path(_source).stat().st_size)
    copy_tensors(Path(_source), Path(_out))
