"""Which path the long convolution takes on a GPU: rules, the measured table, what it says."""

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from hyenadna.errors import InputError
from hyenadna.ops import paths
from hyenadna.ops.paths import Plan, Row

LENGTHS = [1, 64, 65, 128, 129, 1000, 4096, 4097, 8192, 8193, 16_384, 32_768, 65_537, 160_000]
LENGTHS += [450_000, 524_289, 1_000_002, 1 << 20]
ROW = Row("NVIDIA H100", "bfloat16", 128, 1, 1024, "one-pass row 1024 rows 2", 1e-5, "a day")


@pytest.fixture
def table(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    path = tmp_path / "paths.tsv"
    monkeypatch.setattr(paths, "TABLE", path)
    paths._table.cache_clear()
    yield path
    paths._table.cache_clear()


@pytest.mark.parametrize("length", LENGTHS)
def test_every_plan_has_room_for_the_input(length: int) -> None:
    for plan in [paths.rule(1, 128, length, length), *paths.candidates(length, length)]:
        assert plan.path in {"taps", "torch.fft"} or plan.points >= length
        assert Plan.parse(str(plan)) == plan


@pytest.mark.parametrize("length", LENGTHS)
def test_plans_keep_within_blocks_of_a_thousand_threads(length: int) -> None:
    for plan in [paths.rule(1, 128, length, length), *paths.candidates(length, length)]:
        assert plan.rows * plan.row // 16 <= 1024
        assert plan.columns * paths.padded(plan.radix or 1) <= 1024
        assert plan.row == 0 or plan.rows * plan.row // 16 >= 32
        assert plan.radix == 0 or 16 * plan.radix % plan.rows == 0


def test_short_filters_are_summed_whatever_the_length() -> None:
    assert paths.rule(1, 128, 1 << 20, 3) == Plan("taps")


def test_a_measured_plan_wins_near_its_length_on_its_device(table: Path) -> None:
    paths.write_table([ROW, replace(ROW, length=4096, plan="one-pass row 4096 rows 1")])
    plan, reason = paths._measured_or_by_rule("NVIDIA H100", "bfloat16", 1, 128, 1000, 1000)
    assert plan == Plan("one-pass", row=1024, rows=2)
    assert reason == "measured at length 1,024 on a day"
    for device, length in (("NVIDIA A100", 1000), ("NVIDIA H100", 500), ("NVIDIA H100", 1025)):
        _, reason = paths._measured_or_by_rule(device, "bfloat16", 1, 128, length, length)
        assert reason.startswith("by rule")


def test_a_row_measured_again_is_replaced(table: Path) -> None:
    paths.write_table([ROW, replace(ROW, length=2048)])
    paths.write_table([replace(ROW, seconds=2e-5)])
    assert [(row.length, row.seconds) for row in paths.read_table()] == [(1024, 2e-5), (2048, 1e-5)]


def test_a_spoilt_table_is_named(table: Path) -> None:
    paths.write_table([ROW])
    table.write_text(table.read_text().replace("1024", "a thousand"))
    with pytest.raises(InputError, match=r"paths\.tsv.*--tune"):
        paths.read_table()


def test_the_table_of_the_package_can_be_read() -> None:
    for row in paths.read_table():
        assert Plan.parse(row.plan).path


def test_a_path_is_logged_once(caplog: pytest.LogCaptureFixture) -> None:
    paths._announced.discard("some path")
    with caplog.at_level(logging.INFO):
        for _ in range(2):
            paths.announce("some path", "some path row 7", "for a reason")
    assert caplog.messages == ["long convolution: some path row 7 (for a reason)"]


def test_doubles_and_what_is_too_long_go_to_torch() -> None:
    cpu = torch.device("cpu")
    assert "fp64" in paths._not_on_kernels(cpu, torch.float64, 100, 100)
    assert "longer than" in paths._not_on_kernels(cpu, torch.float32, 1 << 21, 1 << 21)
    assert not paths._not_on_kernels(cpu, torch.float32, 3, 1 << 21)
