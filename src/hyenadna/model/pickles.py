"""Tensors of pickled checkpoints, read in a process of their own that runs nothing they ask for."""

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from torch import Tensor

from hyenadna.errors import InputError
from hyenadna.model import unpickle

TIMEOUT_SECONDS = 900
# The child gets no more of our environment than torch needs to be found and loaded.
KEPT_VARIABLES = ("PATH", "HOME", "TMPDIR", "LD_LIBRARY_PATH")


def read_pickle(path: Path) -> dict[str, Tensor]:
    """Return the tensors of the state dict in a checkpoint written by torch.save.

    Raises:
        InputError: the file is not a whole zip archive of the present format, needs more than it
            should, or holds no state dict.
    """
    from safetensors.torch import load_file

    if not zipfile.is_zipfile(path):
        raise InputError(
            f"{path}: neither safetensors nor a whole zip archive as torch.save has written since "
            "version 1.6; download it again, or, if it is older, save it anew with torch.save"
        )
    with tempfile.TemporaryDirectory(prefix="hyenadna-") as workspace:
        out = Path(workspace) / "tensors.safetensors"
        _run_child(path, out)
        return load_file(out)


def _run_child(path: Path, out: Path) -> None:
    command = [sys.executable, "-IWignore", unpickle.__file__, str(path.resolve()), str(out)]
    environment = {name: os.environ[name] for name in KEPT_VARIABLES if name in os.environ}
    threads = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1", "CUDA_VISIBLE_DEVICES": ""}
    try:
        child = subprocess.run(
            [*command, *(entry for entry in sys.path if Path(entry).is_absolute())],
            env={**environment, **threads},
            cwd=out.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise InputError(
            f"{path}: not read within {TIMEOUT_SECONDS} s; is it a checkpoint?"
        ) from None
    if child.returncode:
        # The exception, after a traceback that is indented and before any frames of C++.
        lines = [line for line in child.stderr.splitlines() if line[:1].strip(" ")]
        reasons = [line for line in lines if not line.startswith("Traceback")]
        reason = reasons[0] if reasons else f"its reader ended with code {child.returncode}"
        raise InputError(f"{path}: cannot be read as a checkpoint: {reason}")
