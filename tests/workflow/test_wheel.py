"""The wheel, by itself."""

import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def run(*command: str | Path, folder: Path) -> str:
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "build", "--wheel", "--outdir", folder, ROOT, folder=folder)
    (built,) = folder.glob("hyenadna-*.whl")
    return built


@pytest.mark.slow
def test_wheel_holds_every_file_of_the_package(wheel: Path) -> None:
    source = ROOT / "src"
    files = {
        path.relative_to(source).as_posix()
        for path in source.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert files <= set(zipfile.ZipFile(wheel).namelist())


@pytest.mark.slow
def test_wheel_works_in_an_environment_of_its_own(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    install = ("-m", "pip", "--python", python, "install", "--no-deps", "--no-index", wheel)
    run(sys.executable, *install, folder=tmp_path)
    # Dependencies come from here. A path file is not read through another one, so the editable
    # install of this checkout stays out of sight.
    (site,) = (tmp_path / "venv").glob("lib/python3.*/site-packages")
    (site / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    print_home = "import hyenadna; print(hyenadna.__file__); hyenadna.HyenaDNA"
    home = run(python, "-c", print_home, folder=tmp_path)
    assert Path(home.strip()).is_relative_to(site)
    command = tmp_path / "venv" / "bin" / "hyenadna"
    assert "Usage: hyenadna" in run(command, "--help", folder=tmp_path)
    (tmp_path / "results").mkdir()
    run(command, "report", folder=tmp_path)
    assert (tmp_path / "results" / "report.html").stat().st_size > 0
