"""The device that a command runs on."""

import torch

from hyenadna.errors import InputError


def resolve_device(name: str) -> torch.device:
    """Turn "auto", "cpu", "cuda" or "cuda:1" into a device that exists; "auto" prefers a GPU.

    Raises:
        InputError: the name is not one of these or the GPU is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    kind, _, index = name.partition(":")
    if name != "cpu" and (kind != "cuda" or (":" in name and not index.isdecimal())):
        raise InputError(f"device {name!r} is not known; choose auto, cpu, cuda or cuda:<index>")
    if kind == "cuda" and int(index or 0) >= torch.cuda.device_count():
        raise InputError(
            f"device {name!r} is not available: torch {torch.__version__} sees "
            f"{torch.cuda.device_count()} GPUs here; use --device cpu or auto"
        )
    return torch.device(name)
