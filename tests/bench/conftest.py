"""Options of a bench that takes a moment, and what it says, line by line."""

from collections.abc import Callable
from typing import Any

import pytest
import torch

from hyenadna.bench import session
from hyenadna.bench.results import Row
from hyenadna.bench.session import Options
from hyenadna.bench.timing import Effort, Stopwatch


@pytest.fixture
def options() -> Options:
    """Three rounds on the CPU, of inputs that fit any cache."""
    return Options(
        device=torch.device("cpu"),
        channels=(2,),
        lengths=(8, 16),
        effort=Effort(repeats=3),
        against=("torch.fft",),
    )


@pytest.fixture
def said() -> list[str]:
    """Lines; hand `said.append` to a bench."""
    return []


@pytest.fixture
def recorded(monkeypatch: pytest.MonkeyPatch) -> Callable[..., list[Row]]:
    """Run a bench with the arguments that follow, and return the rows that it records."""

    def run(bench: Callable[..., None], *arguments: Any, **named: Any) -> list[Row]:
        rows: list[Row] = []
        record = session.Session.record

        def note(of: session.Session, new: list[Row]) -> list[Row]:
            rows.extend(new)
            return record(of, new)

        monkeypatch.setattr(session.Session, "record", note)
        bench(*arguments, **named)
        return rows

    return run


@pytest.fixture
def cuda() -> torch.device:
    """A GPU; the test skips where there is none."""
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device")
    return torch.device("cuda")


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave the process as it is, and copy nothing large."""
    monkeypatch.setattr(session, "_refuse_more_memory_than_there_is", lambda: None)
    monkeypatch.setattr(Stopwatch, "copy_bytes_per_second", lambda self: 1e9)
