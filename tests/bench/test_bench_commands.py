"""`hyenadna bench` and `hyenadna doctor` as a user meets them."""

import subprocess
import sys

import pytest
from typer.testing import CliRunner

from hyenadna.bench.commands import commands

BARE = (
    "import sys\n"
    # Settings stand for pydantic, which typer itself may need.
    "for name in ('hyenadna.settings', 'pyfaidx', 'pysam', 'sklearn', 'umap', 'pandas'):\n"
    "    sys.modules[name] = None\n"
    "from hyenadna.cli import main\n"
    "sys.argv = ['hyenadna', *sys.argv[1:]]\n"
    "main()"
)


def bare(*arguments):
    """Run the command line where little more than torch is installed."""
    command = [sys.executable, "-c", BARE, *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_a_bench_needs_little_more_than_torch(tmp_path):
    shape = ["--channels", "64", "--lengths", "8,16", "--repeats", "2", "--threads", "1"]
    done = bare("bench", "attention", "--device", "cpu", *shape, "--out", str(tmp_path))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "run.json").is_file()
    assert "1 CPU threads" in done.stdout.splitlines()[0]


def test_doctor_needs_little_more_than_torch():
    done = bare("doctor")
    assert done.returncode == 0, done.stderr
    assert "triton " in done.stdout
    assert "cpu: " in done.stdout


def test_a_package_that_is_not_installed_has_no_version():
    from hyenadna.bench.machine import installed_version

    assert installed_version("no-such-package") is None
    assert installed_version("torch")


@pytest.mark.parametrize(
    "wrong",
    [
        ["--lengths", "0"],
        ["--lengths", "1,x"],
        ["--channels", "-1"],
        ["--dtype", "fp8"],
        ["--batch", "0"],
    ],
)
@pytest.mark.parametrize("bench", ["long-conv", "attention", "model", "operators"])
def test_wrong_usage_is_exit_code_2(bench, wrong):
    assert CliRunner().invoke(commands, [bench, *wrong]).exit_code == 2


def test_an_input_error_is_one_line_and_exit_code_1():
    done = bare("bench", "long-conv", "--device", "cpu", "--against", "fft")
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "choose torch.fft, hyenadna" in done.stderr


def test_help_says_what_is_promised_and_how_to_check_it():
    text = " ".join(CliRunner().invoke(commands, ["long-conv", "--help"]).output.split())
    for part in ("at least 2.5", "--lengths 1000002", "1.8", "--against torch.fft"):
        assert part in text
