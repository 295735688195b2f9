"""A folder with tables as a checkout has them, a server of their file, and what fetches it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from file_server import FileServer, serving
from odd_file import CONTENT, RECORDED, TARGET, Fetch, write_row

from hyenadna.downloads import Downloader, Patience, Recorded, Wishes, read_sources


@pytest.fixture
def server() -> Iterator[FileServer]:
    with serving() as server:
        server.files["/odd.fa.gz"] = CONTENT
        yield server


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, server: FileServer) -> Path:
    """The folder of a run, with one file in its tables, which is the working directory."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "config").mkdir()
    (tmp_path / "config" / "genomes.tsv").write_text("genome\tsource\tsha256\n")
    write_row(f"{server.url}/odd.fa.gz")
    return tmp_path


@pytest.fixture
def fetch(folder: Path) -> Fetch:
    """A function that fetches the file of the table, and is soon out of patience."""

    def fetch(timeout: float = 5, **wishes: object) -> str:
        patience = Patience(attempts=3, timeout=timeout, pause=0.01)
        sources = read_sources(Path("config/downloads.tsv"), Path("config/genomes.tsv"))
        downloader = Downloader(Recorded(RECORDED), Wishes(patience=patience, **wishes))  # type: ignore[arg-type]
        return downloader.fetch(sources.of(TARGET))

    return fetch
