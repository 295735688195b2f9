"""Machine code of the kernels: no spills, and nothing grows unseen (see compiled.py)."""

import importlib.util
import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from compiled import (
    SHARED_BYTES,
    TABLE,
    Code,
    Key,
    grown,
    opcodes,
    read_table,
    too_much,
    unlike,
    write_table,
)

KEY = Key("kernels.copy", "N=4096", "2 *bf16:16, i32", warps=8, arch=90)
CODE = Code(
    registers=96,
    spills=0,
    local_bytes=0,
    shared_bytes=16_384,
    barriers=20,
    instructions=1000,
    tensor_core=0,
    triton="3.9.0",
)

needs_triton = pytest.mark.skipif(
    importlib.util.find_spec("triton") is None, reason="Triton has no wheel for this platform"
)


def check(*options: str) -> None:
    """Run the command as a person does; it compiles nothing where kernels are interpreted."""
    environment = {name: x for name, x in os.environ.items() if name != "TRITON_INTERPRET"}
    command = [sys.executable, str(TABLE.with_suffix(".py")), "--check", *options]
    done = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


@needs_triton
def test_a_small_kernel_compiles_as_recorded() -> None:
    check("--only", "short_conv fp32")


@needs_triton
@pytest.mark.slow
def test_every_kernel_compiles_as_recorded() -> None:
    check()


def test_table_reads_back_as_written(tmp_path: Path) -> None:
    codes = {KEY: CODE, replace(KEY, arch=80): replace(CODE, registers=80)}
    write_table(tmp_path / "compiled.tsv", codes)
    assert read_table(tmp_path / "compiled.tsv") == codes


@pytest.mark.parametrize("arch", SHARED_BYTES)
def test_recorded_kernels_stay_within_the_device(arch: int) -> None:
    recorded = {key: code for key, code in read_table(TABLE).items() if key.arch == arch}
    assert recorded
    assert not [what for key, code in recorded.items() for what in too_much(key, code)]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"spills": 1}, "1 spill instructions"),
        ({"local_bytes": 8}, "8 bytes of local memory"),
        ({"shared_bytes": SHARED_BYTES[90] + 1}, "bytes of shared memory"),
    ],
)
def test_limits_of_the_device_hold(change: dict[str, int], said: str) -> None:
    assert not too_much(KEY, CODE)
    (line,) = too_much(KEY, replace(CODE, **change))
    assert said in line


@pytest.mark.parametrize(
    ("name", "allowed", "excess"),
    [("registers", 104, 105), ("barriers", 21, 22), ("instructions", 1050, 1051)],
)
def test_code_may_grow_a_little(name: str, allowed: int, excess: int) -> None:
    assert not grown(replace(CODE, **{name: allowed}), CODE)
    (line,) = grown(replace(CODE, **{name: excess}), CODE)
    assert line == f"{name} grew from {getattr(CODE, name)} to {excess}"


def test_code_of_another_triton_is_not_compared() -> None:
    other = replace(CODE, triton="3.6.0", instructions=2000)
    assert not grown(other, CODE)
    assert not unlike([replace(KEY, arch=80)], {KEY: CODE}, version="3.6.0")


def test_missing_and_stale_rows_are_named() -> None:
    missing, stale = unlike([replace(KEY, constants="N=1024")], {KEY: CODE}, version="3.9.0")
    assert missing == "kernels.copy[N=1024](2 *bf16:16, i32) sm_90: not in compiled.tsv"
    assert "N=4096" in stale
    assert "nothing launches it" in stale


def test_opcodes_come_without_predicates_and_modifiers() -> None:
    listing = """
        /*0000*/                   LDC R1, c[0x0][0x28] ;
        /*0010*/              @!P0 STG.E.128 desc[UR4][R2.64], R8 ;
        /*0020*/             @!PT LDS RZ, [RZ] ;
        /*0030*/              @UP0 UIADD3 UR4, UR5, 0x1, URZ ;
    .L_x_0:
        /*0040*/                   BAR.SYNC.DEFER_BLOCKING 0x0 ;
    """
    assert opcodes(listing) == ["LDC", "STG", "LDS", "UIADD3", "BAR"]
