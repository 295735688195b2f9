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


@pytest.mark.parametrize(
    "wrong",
    [
        ["model", "--recipe", "r.yaml"],
        ["model", "--model", "m.yaml", "--channels", "64"],
        ["loader", "--tokens", "tokens"],
        ["loader", "--lengths", "0"],
    ],
)
def test_options_that_do_not_go_together_are_exit_code_2(wrong):
    assert CliRunner().invoke(commands, wrong).exit_code == 2


@pytest.mark.parametrize("bench", ["model", "loader"])
def test_a_bench_of_models_names_what_it_needs(bench):
    done = bare("bench", bench)
    assert done.returncode == 1
    assert "takes pydantic and pyyaml" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_model_is_timed_from_its_files_and_says_how_long_its_recipe_takes(tmp_path):
    shape = "{d_model: 8, n_layer: 1, d_inner: 16, max_seq_len: 20}"
    recipe = "{length: 16, steps: 10, batch_size: 4, micro_batch_size: 2, validate_every: 1, "
    recipe += "validation_tokens: 16, checkpoint_every: 1}"
    files = {"--model": shape, "--recipe": recipe}
    options = []
    for option, text in files.items():
        file = tmp_path / f"{option.strip('-')}.yaml"
        file.write_text(text)
        options += [option, str(file)]
    shown = CliRunner().invoke(
        commands, ["model", *options, "--device", "cpu", "--repeats", "3", "--out", str(tmp_path)]
    )
    assert shown.exit_code == 0, shown.output
    assert "10 steps x 4 windows x 16 tokens = 640 tokens, / " in shown.output
    assert "at 2 x 16 in fp32" in shown.output
    assert (tmp_path / "parts.tsv").is_file()


def test_an_input_error_is_one_line_and_exit_code_1():
    done = bare("bench", "long-conv", "--device", "cpu", "--against", "fft")
    assert done.returncode == 1
    assert len(done.stderr.strip().splitlines()) == 1
    assert "choose torch.fft, hyenadna" in done.stderr


@pytest.mark.parametrize(
    ("bench", "parts"),
    [
        ("long-conv", ["at least 2.5", "--lengths 1000002", "1.8", "--against torch.fft"]),
        ("model", ["at least 2 for a training step", "--lengths 32768", "3 for inference"]),
        ("loader", ["at least 100 at 1,024", "20 at 1,000,000"]),
    ],
)
def test_help_says_what_is_promised_and_how_to_check_it(bench, parts):
    text = " ".join(CliRunner().invoke(commands, [bench, "--help"]).output.split())
    for part in parts:
        assert part in text
