"""The bench of the long convolution, in small."""

import csv
import sys
import types
from dataclasses import replace
from pathlib import Path

import pytest
import torch
import yaml

from hyenadna.bench import competitors, long_conv
from hyenadna.bench.competitors import MAKERS, torch_fft
from hyenadna.bench.session import Case
from hyenadna.errors import InputError
from hyenadna.ops import long_conv_reference

MODELS = Path(__file__).parents[2] / "config" / "models"
CPU = torch.device("cpu")
CASE = Case(CPU, "fp32", 2, 3, 10)


def table(out):
    with (out / "measurements.tsv").open() as file:
        return list(csv.DictReader(file, delimiter="\t"))


def test_there_is_a_row_for_each_implementation_direction_and_shape(options, said, tmp_path):
    long_conv.bench(replace(options, channels=(2, 3), out=tmp_path), said.append)
    columns = ("implementation", "direction", "channels", "length")
    rows = {tuple(row[column] for column in columns) for row in table(tmp_path)}
    assert rows == {
        (implementation, direction, channels, length)
        for implementation in ("torch.fft", "hyenadna")
        for direction in ("forward", "forward+backward")
        for channels in "23"
        for length in ("8", "16")
    }


def test_ratios_and_bounds_follow_from_the_medians(options, said, tmp_path):
    long_conv.bench(replace(options, out=tmp_path), said.append)
    plain, ours = table(tmp_path)[:2]
    names = ("median_seconds", "low_seconds", "high_seconds", "minimal_bytes")
    number = {name: float(ours[name]) for name in names}
    ratio = float(plain["median_seconds"]) / number["median_seconds"]
    assert float(ours["ratio_to_plain"]) == pytest.approx(ratio, rel=1e-4)
    assert float(plain["ratio_to_plain"]) == 1
    bound = number["minimal_bytes"] / 1e9
    assert float(ours["fraction_of_bound"]) == pytest.approx(
        bound / number["median_seconds"], rel=1e-4
    )
    assert number["low_seconds"] <= number["median_seconds"] <= number["high_seconds"]
    assert ours["path"]
    assert not plain["path"]


def test_a_run_that_is_stopped_leaves_what_it_had(options, tmp_path):
    (tmp_path / "run.json").write_text("of an earlier run")

    def stop(line):
        if " x 16" in line:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        long_conv.bench(replace(options, out=tmp_path), stop)
    assert {row["length"] for row in table(tmp_path)} == {"8", "16"}
    assert all(row["median_seconds"] for row in table(tmp_path))
    assert not (tmp_path / "run.json").exists()


def test_what_is_printed_is_one_line_for_each_measurement(options, said):
    long_conv.bench(options, said.append)
    assert sum("torch.fft" in line and " ms " in line for line in said) == 4
    assert not any("\n" in line for line in said)


def test_what_is_not_here_is_said_once_and_has_rows_without_numbers(options, said, tmp_path):
    long_conv.bench(replace(options, against=("FlashFFTConv",), out=tmp_path), said.append)
    rows = [row for row in table(tmp_path) if row["implementation"] == "FlashFFTConv"]
    assert [row["status"] for row in rows] == ["does not run here: needs a CUDA device"] * 4
    assert not any(row["median_seconds"] or row["ratio_to_plain"] for row in rows)
    assert sum("FlashFFTConv" in line for line in said) == 2  # forward, forward+backward


def test_a_wrong_result_gets_no_number(options, said, tmp_path, monkeypatch):
    monkeypatch.setitem(MAKERS, "wrong", lambda case: lambda *given: torch_fft(*given) * 1.01)
    long_conv.bench(replace(options, against=("wrong",), out=tmp_path), said.append)
    rows = [row for row in table(tmp_path) if row["implementation"] == "wrong"]
    assert len(rows) == 4
    assert all("wrong result, relative error 1.0e-02" in row["status"] for row in rows)
    assert not any(row["median_seconds"] for row in rows)


def test_a_wrong_gradient_gets_no_number(options, said, tmp_path, monkeypatch):
    def without_gradient_of_skip(u, k, skip, pre_gate, post_gate):
        return torch_fft(u, k, skip.detach() + 0 * skip, pre_gate, post_gate)

    monkeypatch.setitem(MAKERS, "wrong", lambda case: without_gradient_of_skip)
    long_conv.bench(replace(options, against=("wrong",), out=tmp_path), said.append)
    status = {row["direction"]: row["status"] for row in table(tmp_path)[-6:]}
    rows = [row for row in table(tmp_path) if row["implementation"] == "wrong"]
    status = {row["direction"]: row["status"] for row in rows}
    assert not status["forward"]
    assert "wrong result" in status["forward+backward"]


def test_inputs_that_do_not_fit_are_rows_and_the_run_goes_on(options, said, tmp_path, monkeypatch):
    real = long_conv.inputs

    def short_only(case):
        return torch.empty(1 << 60) if case.length == 8 else real(case)

    monkeypatch.setattr(long_conv, "inputs", short_only)
    long_conv.bench(replace(options, out=tmp_path), said.append)
    status = {(row["length"], row["status"]) for row in table(tmp_path)}
    assert status == {("8", "out of memory"), ("16", "")}


def test_an_implementation_that_is_not_known_is_an_input_error(options, said):
    with pytest.raises(
        InputError, match=r"'fft' is not compared with; choose torch\.fft, hyenadna"
    ):
        long_conv.bench(replace(options, against=("fft",)), said.append)


def test_the_plain_formula_is_the_convolution():
    given = [x.detach().double() for x in long_conv.inputs(CASE)]
    torch.testing.assert_close(torch_fft(*given), long_conv_reference(*given))


@pytest.mark.parametrize("module", ["cudnn.ops", "subquadratic_ops_torch.fft_causal_conv1d"])
def test_a_bare_convolution_is_put_between_gates(monkeypatch, module):
    fake = types.ModuleType(module)
    fake.fft_causal_conv1d = lambda x, weight: long_conv_reference(x, weight)
    monkeypatch.setitem(sys.modules, module.partition(".")[0], types.ModuleType("package"))
    monkeypatch.setitem(sys.modules, module, fake)
    monkeypatch.setattr(competitors, "_need_gpu", lambda case: None)
    name = {"cudnn.ops": "cudnn fft_causal_conv1d"}.get(module, "subquadratic-ops")
    given = long_conv.inputs(CASE)
    torch.testing.assert_close(MAKERS[name](CASE)(*given), long_conv_reference(*given))


def test_flash_fft_conv_is_made_for_twice_the_length_at_least(monkeypatch):
    sizes = []

    class Fake(torch.nn.Module):
        def __init__(self, size, dtype):
            super().__init__()
            sizes.append(size)

        def forward(self, u, k, pre_gate, post_gate):
            return long_conv_reference(u, k, None, pre_gate, post_gate)

    fake = types.ModuleType("flashfftconv")
    fake.FlashFFTConv = Fake
    monkeypatch.setitem(sys.modules, "flashfftconv", fake)
    monkeypatch.setattr(competitors, "_need_gpu", lambda case: None)
    for length in (10, 1024, 1025):
        operation = MAKERS["FlashFFTConv"](replace(CASE, dtype="bf16", length=length))
    assert sizes == [256, 2048, 4096]
    given = long_conv.inputs(CASE)
    torch.testing.assert_close(operation(*given), long_conv_reference(*given))


@pytest.mark.parametrize("name", ["cudnn fft_causal_conv1d", "FlashFFTConv", "subquadratic-ops"])
def test_a_package_that_is_absent_is_not_installed(monkeypatch, name):
    for package in ("cudnn", "flashfftconv", "subquadratic_ops_torch"):
        monkeypatch.delitem(sys.modules, package, raising=False)
    monkeypatch.setattr(sys, "path", [])
    monkeypatch.setattr(competitors, "_need_gpu", lambda case: None)
    with pytest.raises(competitors.Unavailable, match=r"^not installed$"):
        MAKERS[name](replace(CASE, dtype="bf16"))


def test_bytes_count_inputs_outputs_and_gradients_once():
    case = Case(CPU, "bf16", 2, 3, 10)
    activation, weights = 2 * 2 * 3 * 10, 4 * 3 * (10 + 1)
    forward = 4 * activation + weights
    assert long_conv.row(case, "forward").minimal_bytes == forward
    both = forward + 7 * activation + 2 * weights
    assert long_conv.row(case, "forward+backward").minimal_bytes == both


def test_the_lengths_are_powers_of_two_and_those_of_the_models():
    assert {1 << power for power in range(10, 21)} <= set(long_conv.LENGTHS)
    for model in MODELS.glob("*.yaml"):
        tokens = yaml.safe_load(model.read_text()).get("max_seq_len")
        if tokens is None:  # the CNN
            continue
        # With its two special tokens, or without.
        assert {tokens, tokens - 2} & set(long_conv.LENGTHS), model.name


@pytest.mark.gpu
def test_a_gpu_also_times_replayed_graphs_and_tells_memory(cuda, options, said, tmp_path):
    long_conv.bench(replace(options, device=cuda, lengths=(1024,), out=tmp_path), said.append)
    rows = table(tmp_path)
    assert [row["status"] for row in rows] == [""] * 8
    graphs = [row["implementation"] for row in rows if not row["peak_bytes"]]
    assert graphs == ["torch.fft, CUDA graph", "hyenadna, CUDA graph"] * 2


@pytest.mark.slow
def test_the_compiled_formula_is_timed(options, said, tmp_path):
    chosen = replace(options, lengths=(64,), against=("torch.fft compiled",), out=tmp_path)
    long_conv.bench(chosen, said.append)
    rows = [row for row in table(tmp_path) if row["implementation"] == "torch.fft compiled"]
    assert [row["status"] for row in rows] == ["", ""]
