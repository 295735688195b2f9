"""What this machine is: its devices, how they compute, and the packages that are installed."""

import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import torch

from hyenadna.ops import paths


def installed_version(package: str) -> str | None:
    """Return the version of a package, None where it is not installed."""
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def devices() -> list[torch.device]:
    """Return the CPU and each GPU."""
    gpus = [torch.device("cuda", index) for index in range(torch.cuda.device_count())]
    return [torch.device("cpu"), *gpus]


def device_name(device: torch.device) -> str:
    """Return the product name of a device."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    except OSError:
        lines = []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def describe_device(device: torch.device) -> list[str]:
    """Return lines on a device and on how the long convolution is computed there."""
    about = f"{device}: {device_name(device)}, "
    if device.type == "cuda":
        capability = ".".join(map(str, torch.cuda.get_device_capability(device)))
        memory = torch.cuda.get_device_properties(device).total_memory / 2**30
        about += f"compute capability {capability}, {memory:.0f} GiB"
    else:
        about += f"{torch.get_num_threads()} threads"
    return [about, *(f"  {line}" for line in paths.explain(device))]
