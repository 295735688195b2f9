"""What a run shows while it trains."""

import logging
import time

import pytest

from hyenadna.training.checkpoint import Progress
from hyenadna.training.progress import Display

SECONDS_A_STEP = 100.0


@pytest.fixture
def clock(monkeypatch):
    """Seconds that pass only when a test says so."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


def lines(caplog, clock, shares, *, unit="bases", shown=True):
    """Show one step for each share of the work that is done after it."""
    caplog.set_level(logging.INFO)
    with Display(len(shares), Progress(), unit=unit, shown=shown) as display:
        for step, share in enumerate(shares, 1):
            clock[0] += SECONDS_A_STEP
            display.show(step, 1.3862944, 1_000, share)
    return [record.message for record in caplog.records]


def test_a_line_has_loss_bits_speed_memory_and_time_left(caplog, clock):
    *_, line, _ = lines(caplog, clock, [0.25, 0.5, 0.75, 1.0])
    assert line.startswith("step 3/4  loss 1.3863  2.0000 bits/base  10 bases/s  ")
    assert line.endswith(" GB  0:01:40 left")


def test_time_left_counts_work_and_not_steps(caplog, clock):
    """A tenth of the work was done by the first half of the steps."""
    _, line, *_ = lines(caplog, clock, [0.05, 0.1, 0.55, 1.0])
    assert line.endswith("0:30:00 left")


def test_time_left_is_unknown_after_the_first_step(caplog, clock):
    first, *_ = lines(caplog, clock, [0.5, 1.0])
    assert first.endswith("-:--:-- left")


def test_examples_have_no_bits(caplog, clock):
    assert "bits" not in lines(caplog, clock, [0.5, 1.0], unit="examples")[0]


def test_one_process_of_many_speaks(caplog, clock):
    assert lines(caplog, clock, [0.5, 1.0], shown=False) == []
