"""`hyenadna download`, as rules and people call it."""

import subprocess
import sys
from pathlib import Path

from file_server import FileServer
from odd_file import CONTENT, TARGET


def download(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run the command in the working directory."""
    command = [sys.executable, "-m", "hyenadna", "download", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_command_fetches_what_it_is_given(folder: Path, server: FileServer) -> None:
    done = download(str(TARGET))
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith(f"{TARGET}: {len(CONTENT):,} bytes, sha256 ")
    assert TARGET.read_bytes() == CONTENT


def test_what_cannot_be_had_ends_with_one_line_and_exit_code_1(
    folder: Path, server: FileServer
) -> None:
    done = download(str(TARGET), "--offline")
    assert done.returncode == 1
    assert done.stderr == (
        f"hyenadna: {TARGET} is not here, offline and no mirror is given; "
        f"where there is internet: hyenadna download {TARGET}\n"
    )


def test_command_needs_neither_torch_nor_pandas(folder: Path) -> None:
    script = (
        "import sys; from hyenadna import cli, downloads, files; import hyenadna.downloads.fetch;"
        "import urllib3; assert not {'torch', 'pandas', 'numpy', 'pydantic'} & set(sys.modules)"
    )
    subprocess.run([sys.executable, "-c", script], check=True)
