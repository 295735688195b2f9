"""What would be fetched in vain is told before anything is."""

from pathlib import Path

import pytest
from file_server import FileServer
from odd_file import CONTENT, PATH, RECORDED, TARGET, write_row

from hyenadna.downloads import Downloader, Recorded, Wishes, check_available, read_sources
from hyenadna.errors import InputError


def check(mirror: str = "", *, offline: bool = False) -> None:
    sources = read_sources(Path("config/downloads.tsv"), Path("config/genomes.tsv"))
    downloader = Downloader(Recorded(RECORDED), Wishes(mirror=mirror, offline=offline))
    check_available(list(sources.values()), downloader)


def test_file_that_is_served_is_not_fetched_to_know_it(folder: Path, server: FileServer) -> None:
    check()
    assert not server.requests
    assert not TARGET.parent.exists()


def test_wrong_address_is_named_with_its_line(folder: Path, server: FileServer) -> None:
    write_row(f"{server.url}/gone", mirror=f"{server.url}/lost")
    with pytest.raises(InputError, match=r"odd.fa.gz \(config/downloads.tsv, line 2\).*404.*404"):
        check()


def test_second_address_is_enough(folder: Path, server: FileServer) -> None:
    write_row(f"{server.url}/gone", mirror=f"{server.url}/odd.fa.gz")
    check()


def test_name_of_no_server_is_told(folder: Path) -> None:
    write_row("http://no-such-server.invalid/odd.fa.gz")
    with pytest.raises(InputError, match="there is no such server, or no internet here"):
        check()


def test_lack_of_internet_is_told_once_and_not_for_each_file(folder: Path) -> None:
    write_row("http://no-such-server.invalid/odd.fa.gz")
    with Path("config/downloads.tsv").open("a") as table:
        table.write("genomes/even.fa.gz\thttp://nor-this.invalid/even.fa.gz\t\t\t\tfree\n")
    with pytest.raises(InputError, match=r"^no internet here: 2 files are missing") as refused:
        check()
    assert "\n" not in str(refused.value)


def test_file_of_another_size_is_told(folder: Path, server: FileServer) -> None:
    write_row(f"{server.url}/odd.fa.gz", size="7")
    with pytest.raises(InputError, match=rf"has {len(CONTENT):,} bytes, not 7"):
        check()


def test_server_that_does_not_answer_now_is_left_to_the_job(folder: Path) -> None:
    write_row("http://127.0.0.1:9/odd.fa.gz")
    check()


@pytest.mark.parametrize("mirror", ["", "mirror"])
def test_offline_gives_the_commands_to_paste(folder: Path, mirror: str) -> None:
    Path("mirror").mkdir()
    with pytest.raises(
        InputError, match=f"offline.*1 file is missing.*\n  hyenadna download {TARGET}$"
    ):
        check(mirror, offline=True)


def test_offline_is_content_with_a_mirror_that_has_the_file(folder: Path) -> None:
    (Path("mirror") / PATH).parent.mkdir(parents=True)
    (Path("mirror") / PATH).write_bytes(CONTENT)
    check("mirror", offline=True)
