"""Where kernels run in tests: on a CUDA device, or else in Triton's interpreter."""

import os
from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest
import torch

# Triton asks when it is imported, and at each `@triton.jit`; pytest reads this file before that.
if not torch.cuda.is_available():
    os.environ.setdefault("TRITON_INTERPRET", "1")


@pytest.fixture(scope="session", autouse=True)
def _interpret_faster() -> None:
    """Spare the interpreter a search of all of triton.language at each call of a function.

    It makes the language its own as a kernel starts; functions that the kernel calls need not.
    """
    if os.environ.get("TRITON_INTERPRET") != "1" or find_spec("triton") is None:
        return
    from triton.runtime.interpreter import InterpretedFunction

    slowly = InterpretedFunction.__call__

    def call(self: Any, *arguments: Any, **named: Any) -> Any:
        if self.fn.__module__.startswith("hyenadna."):
            return self.rewrite()(*arguments, **named)
        return slowly(self, *arguments, **named)

    InterpretedFunction.__call__ = call


def pytest_runtest_setup(item: pytest.Item) -> None:
    if item.get_closest_marker("gpu") and not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")


@pytest.fixture
def poisoned() -> Iterator[None]:
    """Fill what torch.empty and its kin return with NaN: an element that nothing wrote shows."""
    enabled = torch.are_deterministic_algorithms_enabled()
    warn_only = torch.is_deterministic_algorithms_warn_only_enabled()
    assert torch.utils.deterministic.fill_uninitialized_memory
    # The filling is wanted here, not errors from operators that have no deterministic form.
    torch.use_deterministic_algorithms(True, warn_only=True)
    yield
    torch.use_deterministic_algorithms(enabled, warn_only=warn_only)
