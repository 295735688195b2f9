"""Where a file is looked for, what it was at first, and how politely it is asked for."""

import csv
import gzip
import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from file_server import FileServer
from odd_file import CONTENT, PATH, RECORDED, TARGET, Fetch, write_row

from hyenadna.downloads import Downloader, Recorded, Wishes, read_sources
from hyenadna.errors import InputError

ROOT = Path(__file__).parents[2]
OTHER = gzip.compress(b"other")


def test_checksum_that_is_not_known_is_recorded(fetch: Fetch, server: FileServer) -> None:
    fetch()
    checksum = hashlib.sha256(CONTENT).hexdigest()
    assert RECORDED.read_text() == (
        f"path\turl\tbytes\tsha256\n{PATH}\t{server.url}/odd.fa.gz\t{len(CONTENT)}\t{checksum}\n"
    )


def test_checksum_of_the_table_is_not_recorded_again(fetch: Fetch, server: FileServer) -> None:
    write_row(f"{server.url}/odd.fa.gz", sha256=hashlib.sha256(CONTENT).hexdigest())
    fetch()
    assert not RECORDED.exists()


@pytest.mark.parametrize(
    "changed", [OTHER, bytes([*CONTENT[:-1], CONTENT[-1] ^ 1])], ids=["another", "one_bit"]
)
def test_file_that_changed_at_its_address_is_refused_in_one_line(
    fetch: Fetch, server: FileServer, changed: bytes
) -> None:
    fetch()
    TARGET.unlink()
    server.files["/odd.fa.gz"] = changed
    with pytest.raises(InputError) as refused:
        fetch()
    assert "\n" not in str(refused.value)
    assert not TARGET.exists()


def test_new_address_is_recorded_anew(fetch: Fetch, server: FileServer) -> None:
    fetch()
    TARGET.unlink()
    server.files["/new.fa.gz"] = OTHER
    write_row(f"{server.url}/new.fa.gz")
    fetch()
    assert TARGET.read_bytes() == OTHER
    assert RECORDED.read_text().count(PATH) == 1


def test_jobs_at_once_record_all_their_files(folder: Path, server: FileServer) -> None:
    names = [f"f{number}" for number in range(12)]
    server.files |= {f"/{name}": name.encode() for name in names}
    rows = "".join(f"{name}\t{server.url}/{name}\t\n" for name in names)
    Path("config/downloads.tsv").write_text(f"path\turl\tsha256\n{rows}")
    sources = read_sources(Path("config/downloads.tsv"), Path("config/genomes.tsv"))
    with ThreadPoolExecutor(12) as jobs:
        list(
            jobs.map(
                lambda name: Downloader(Recorded(RECORDED), Wishes()).fetch(sources[name]), names
            )
        )
    with RECORDED.open(newline="") as file:
        assert [row["path"] for row in csv.DictReader(file, delimiter="\t")] == sorted(names)


def test_few_connections_at_once_go_to_one_server(folder: Path, server: FileServer) -> None:
    server.seconds = 0.1
    names = [f"f{number}" for number in range(8)]
    server.files |= {f"/{name}": b"x" for name in names}
    rows = "".join(f"{name}\t{server.url}/{name}\t\n" for name in names)
    Path("config/downloads.tsv").write_text(f"path\turl\tsha256\n{rows}")
    sources = read_sources(Path("config/downloads.tsv"), Path("config/genomes.tsv"))
    downloader = Downloader(Recorded(RECORDED), Wishes(connections=2))
    with ThreadPoolExecutor(8) as jobs:
        list(jobs.map(lambda name: downloader.fetch(sources[name]), names))
    assert server.busiest == 2


def test_folder_as_mirror_is_asked_first(fetch: Fetch, server: FileServer) -> None:
    mirrored = Path("mirror") / PATH
    mirrored.parent.mkdir(parents=True)
    mirrored.write_bytes(CONTENT)
    fetch(mirror="mirror")
    assert TARGET.read_bytes() == CONTENT
    assert not server.requests


def test_address_as_mirror_has_the_same_paths(fetch: Fetch, server: FileServer) -> None:
    server.files[f"/all/{PATH}"] = CONTENT
    fetch(mirror=f"{server.url}/all/", offline=True)
    assert [request.path for request in server.requests] == [f"/all/{PATH}"]
    assert TARGET.read_bytes() == CONTENT


def test_what_a_mirror_lacks_comes_from_the_network(fetch: Fetch, server: FileServer) -> None:
    Path("mirror").mkdir()
    fetch(mirror="mirror")
    assert TARGET.read_bytes() == CONTENT


def test_file_of_a_mirror_is_checked_like_any_other(fetch: Fetch, server: FileServer) -> None:
    write_row(f"{server.url}/odd.fa.gz", sha256=hashlib.sha256(CONTENT).hexdigest())
    mirrored = Path("mirror") / PATH
    mirrored.parent.mkdir(parents=True)
    mirrored.write_bytes(OTHER)
    with pytest.raises(InputError, match="has the sha256"):
        fetch(mirror="mirror")
    assert not TARGET.exists()


@pytest.mark.parametrize("mirror", ["", "mirror"])
def test_offline_names_the_command_to_give_elsewhere(
    fetch: Fetch, server: FileServer, mirror: str
) -> None:
    Path("mirror").mkdir()
    with pytest.raises(InputError, match=f"hyenadna download {TARGET}$"):
        fetch(mirror=mirror, offline=True)
    assert not server.requests


def test_mirror_that_is_nothing_is_refused(fetch: Fetch) -> None:
    with pytest.raises(InputError, match="'nowhere' is neither a folder nor an address"):
        fetch(mirror="nowhere")


def test_file_that_is_there_is_left_alone(fetch: Fetch, server: FileServer) -> None:
    fetch()
    server.requests.clear()
    assert fetch().endswith("is there already")
    assert not server.requests


def test_file_that_is_there_and_is_another_is_named(fetch: Fetch, server: FileServer) -> None:
    fetch()
    TARGET.write_bytes(OTHER)
    with pytest.raises(InputError, match="take it away to fetch it again"):
        fetch()


@pytest.mark.parametrize(
    ("row", "message"),
    [
        ("a\tftp://x/y\t\t\t", "line 2: 'ftp://x/y' is no address"),
        ("a\thttp://x/y\t\t12k\t", "bytes: '12k' is no number"),
        ("a\thttp://x/y\t\t\tabc", "sha256: 'abc' is no 64"),
        ("../a\thttp://x/y\t\t\t", "does not lie below resources/"),
        ("genomes/g.fa.gz\thttp://x/y\t\t\t", "was there before, in config/downloads.tsv"),
    ],
)
def test_row_that_cannot_be_is_refused_with_its_line(folder: Path, row: str, message: str) -> None:
    Path("config/downloads.tsv").write_text(f"path\turl\tmirror\tbytes\tsha256\n{row}\n")
    Path("config/genomes.tsv").write_text("genome\tsource\tsha256\ng\thttp://x/g\t\n")
    with pytest.raises(InputError, match=message):
        read_sources(Path("config/downloads.tsv"), Path("config/genomes.tsv"))


def test_path_without_a_row_is_refused_with_the_one_that_may_be_meant(folder: Path) -> None:
    sources = read_sources(Path("config/downloads.tsv"), Path("config/genomes.tsv"))
    with pytest.raises(InputError, match=f"did you mean {TARGET}"):
        sources.of(Path("resources/genomes/odd.fa"))


def test_tables_of_the_project_are_read() -> None:
    sources = read_sources(ROOT / "config" / "downloads.tsv", ROOT / "config" / "genomes.tsv")
    assert sources["genomes/hg38.fa.gz"].bytes == 983_659_424
    assert sources["genomes/panTro6.fa.gz"].mirror.startswith("https://hgdownload2.soe.ucsc.edu/")
    assert not [path for path in sources if "demo_human.fa" in path]


def test_interval_tables_of_the_project_are_those_that_were_published(shared_data: Path) -> None:
    sources = read_sources(ROOT / "config" / "downloads.tsv", ROOT / "config" / "genomes.tsv")
    tables = shared_data / "genomic_benchmarks" / "intervals"
    for file in tables.rglob("*.csv.gz"):
        path = f"benchmarks/genomic_benchmarks/{file.relative_to(tables)}"
        assert sources[path].sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
