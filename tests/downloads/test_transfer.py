"""A file comes whole from a server that cuts, stalls, is busy, lies, or has changed it."""

import gzip
import hashlib
import threading
import time
from pathlib import Path

import pytest
from file_server import BROKEN, BUSY, CUT, LIE, STALL, FileServer
from odd_file import CONTENT, TARGET, Fetch, write_row

from hyenadna.errors import InputError

PART = TARGET.with_name(f".{TARGET.name}.part")


def ranges(server: FileServer) -> list[str | None]:
    return [request.headers.get("Range") for request in server.requests]


def test_file_is_put_in_place_whole_and_nothing_is_left_beside_it(
    fetch: Fetch, server: FileServer
) -> None:
    fetch()
    assert TARGET.read_bytes() == CONTENT
    assert [path.name for path in TARGET.parent.iterdir()] == [TARGET.name]


def test_cut_connections_go_on_where_they_were(fetch: Fetch, server: FileServer) -> None:
    server.faults.extend([CUT, CUT, CUT, CUT, CUT])
    fetch()
    assert TARGET.read_bytes() == CONTENT
    starts = [int(asked.removeprefix("bytes=")[:-1]) for asked in ranges(server)[1:] if asked]
    assert len(starts) == 5
    assert starts == sorted(set(starts))
    assert starts[0] == len(CONTENT) // 2


def test_stalled_connection_ends_and_goes_on(fetch: Fetch, server: FileServer) -> None:
    server.faults.append(STALL)
    fetch(timeout=0.2)
    assert TARGET.read_bytes() == CONTENT
    assert ranges(server) == [None, f"bytes={len(CONTENT) // 2}-"]


def test_busy_server_is_asked_again_when_it_says(fetch: Fetch, server: FileServer) -> None:
    server.faults.extend([BUSY, BROKEN])
    server.retry_after = "1"
    started = time.monotonic()
    fetch()
    assert TARGET.read_bytes() == CONTENT
    assert time.monotonic() - started > 2


def test_server_that_stays_busy_is_given_up_in_one_line(fetch: Fetch, server: FileServer) -> None:
    server.faults.extend([BUSY] * 20)
    with pytest.raises(InputError, match=r"cannot be had.*answers 503") as refused:
        fetch()
    assert "\n" not in str(refused.value)
    assert len(server.requests) == 4


def test_what_an_earlier_process_left_is_gone_on_with(fetch: Fetch, server: FileServer) -> None:
    server.faults.extend([CUT, *[BUSY] * 20])
    with pytest.raises(InputError):
        fetch()
    server.faults.clear()
    server.requests.clear()
    assert PART.stat().st_size == len(CONTENT) // 2
    fetch()
    assert ranges(server) == [f"bytes={len(CONTENT) // 2}-"]
    assert TARGET.read_bytes() == CONTENT


def test_file_that_changed_between_two_attempts_starts_over(
    fetch: Fetch, server: FileServer
) -> None:
    server.faults.extend([CUT, *[BUSY] * 20])
    with pytest.raises(InputError):
        fetch()
    server.faults.clear()
    changed = gzip.compress(bytes(1000)) + CONTENT
    server.files["/odd.fa.gz"] = changed
    fetch()
    assert TARGET.read_bytes() == changed


def test_server_without_ranges_sends_all_again(fetch: Fetch, server: FileServer) -> None:
    server.ranges = False
    server.faults.append(CUT)
    fetch()
    assert TARGET.read_bytes() == CONTENT


def test_the_same_beginning_again_and_again_is_no_progress(
    fetch: Fetch, server: FileServer
) -> None:
    server.ranges = False
    server.faults.extend([CUT] * 50)
    with pytest.raises(InputError, match="gave up after 3 attempts without progress"):
        fetch()


def test_file_that_is_shorter_than_the_server_says_is_not_taken(
    fetch: Fetch, server: FileServer
) -> None:
    server.announced["/odd.fa.gz"] = len(CONTENT) + 7
    with pytest.raises(InputError, match="gave up after"):
        fetch()
    assert not TARGET.exists()


def test_half_a_file_that_passes_for_the_whole_is_found_out_by_its_size(
    fetch: Fetch, server: FileServer
) -> None:
    write_row(f"{server.url}/odd.fa.gz", size=str(len(CONTENT)))
    server.faults.append(LIE)
    with pytest.raises(InputError, match=rf"has {len(CONTENT) // 2:,} bytes, not {len(CONTENT):,}"):
        fetch()
    assert not TARGET.exists()


def test_half_a_file_that_passes_for_the_whole_is_found_out_by_its_format(
    fetch: Fetch, server: FileServer
) -> None:
    server.faults.append(LIE)
    with pytest.raises(InputError, match="is no whole gzip file"):
        fetch()
    assert not TARGET.exists()


def test_another_file_than_the_table_says_is_refused_and_not_kept(
    fetch: Fetch, server: FileServer
) -> None:
    write_row(f"{server.url}/odd.fa.gz", sha256="0" * 64)
    found = hashlib.sha256(CONTENT).hexdigest()
    with pytest.raises(InputError, match=rf"has the sha256 {found}, .*line 2 says 0000") as refused:
        fetch()
    assert "\n" not in str(refused.value)
    assert not TARGET.exists()
    assert not PART.exists()


def test_second_address_is_asked_where_the_first_one_fails(
    fetch: Fetch, server: FileServer
) -> None:
    write_row(f"{server.url}/gone.fa.gz", mirror=f"{server.url}/odd.fa.gz")
    fetch()
    assert TARGET.read_bytes() == CONTENT


def test_wrong_addresses_are_named_in_one_line(fetch: Fetch, server: FileServer) -> None:
    write_row(f"{server.url}/gone.fa.gz", mirror="http://127.0.0.1:9/odd.fa.gz")
    with pytest.raises(InputError, match=r"gone\.fa\.gz: the server answers 404.*127") as refused:
        fetch()
    assert "config/downloads.tsv, line 2" in str(refused.value)
    assert "\n" not in str(refused.value)


def test_two_processes_do_not_fetch_one_file(fetch: Fetch, server: FileServer) -> None:
    server.faults.append(STALL)
    thread = threading.Thread(target=fetch)
    thread.start()
    while not PART.exists() or not PART.stat().st_size:
        time.sleep(0.01)
    with pytest.raises(InputError, match="is being fetched by another process"):
        fetch()
    server.released.set()
    thread.join()
    assert TARGET.read_bytes() == CONTENT


def test_full_disk_is_seen_before_the_transfer(fetch: Fetch, server: FileServer) -> None:
    write_row(f"{server.url}/odd.fa.gz", size="999000000000000000")
    with pytest.raises(InputError, match=r"takes 999000000\.00 GB and its disk has"):
        fetch()
    assert not server.requests


def test_folder_that_cannot_be_written_is_named(fetch: Fetch, server: FileServer) -> None:
    Path("resources").write_text("a file")
    with pytest.raises(InputError, match=r"resources/genomes/odd.fa.gz: .*resources.*mend that"):
        fetch()


def test_speed_is_held_down(fetch: Fetch, server: FileServer) -> None:
    started = time.monotonic()
    fetch(megabytes_per_second=0.4)
    assert time.monotonic() - started > 0.9 * len(CONTENT) / 0.4e6
