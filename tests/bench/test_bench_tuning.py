"""Tuning forces each plan and keeps the fastest."""

import time
from contextlib import contextmanager
from dataclasses import replace

import pytest
import torch

from hyenadna.bench import tuning
from hyenadna.bench.results import Row
from hyenadna.errors import InputError
from hyenadna.ops import long_conv

CUDA = torch.device("cuda")
PLANS = ["slow", "torch.fft", "broken"]


@pytest.fixture
def written(monkeypatch):
    """Tune on the CPU as if it were a GPU, with plans of which one is slow and one fails."""
    forced = []

    @contextmanager
    def use(plan):
        forced.append(plan)
        yield
        forced.pop()

    def convolve(*given):
        if forced[-1] == "broken":
            raise RuntimeError("no such kernel")
        if forced[-1] == "slow":
            time.sleep(0.02)
        return long_conv(*given)

    tables = []
    monkeypatch.setattr(tuning, "our_long_conv", convolve)
    monkeypatch.setattr(tuning.paths, "use", use)
    monkeypatch.setattr(tuning.paths, "candidates", lambda length, taps: PLANS)
    monkeypatch.setattr(tuning.paths, "write_table", tables.append)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: "GPU")
    monkeypatch.setattr(tuning, "Session", _on_cpu(tuning.Session))
    return tables


def _on_cpu(session):
    def make(options, tell):
        return session(replace(options, device=torch.device("cpu")), tell)

    return make


def test_the_fastest_plan_of_each_shape_goes_to_the_table(written, options, said):
    tuning.tune(replace(options, device=CUDA), said.append)
    ((short,), (long,)) = written
    assert (short.plan, long.plan) == ("torch.fft", "torch.fft")
    assert (short.length, long.length) == (8, 16)
    assert (short.device, short.dtype, short.channels, short.batch) == ("GPU", "float32", 2, 1)
    assert short.seconds > 0
    assert any("no such kernel" in line for line in said)


def test_a_table_that_was_tuned_is_what_the_op_goes_by(tmp_path):
    best = Row("long_conv", "hyenadna", "torch.fft", "forward+backward", "bf16", 1, 256, 1024)
    row = tuning.table_row(replace(best, median_seconds=0.5), "GPU")
    tuning.paths.write_table([row], tmp_path / "paths.tsv")
    assert tuning.paths.read_table(tmp_path / "paths.tsv") == [row]
    assert row.dtype == "bfloat16"


def test_a_cpu_has_no_plans(options, said):
    with pytest.raises(InputError, match="--device cuda"):
        tuning.tune(options, said.append)
