"""Compile every kernel for GPUs that are not here, and hold what comes out against a table.

Usage: python tests/ops/compiled.py --check | --update [--only WORDS]

The launchers of `compiled_variants` are called as the operators call them, on CPU tensors, with a
driver that only names an architecture: Triton specialises each launch as on the device, and hands
it over instead of compiling it. What is launched is thus what is compiled, in two processes, and
read with the disassembler of Triton's own wheel. `--check` fails on spills, on shared memory that
no device has, and where registers, barriers or instructions grew since `--update` last wrote
compiled.tsv. Not for a process with TRITON_INTERPRET=1, where there is nothing to compile.
"""

import argparse
import csv
import importlib
import io
import os
import re
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass, fields
from itertools import groupby
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from hyenadna.errors import InputError
from hyenadna.files import write_text

TABLE = Path(__file__).with_suffix(".tsv")
COMMAND = "python tests/ops/compiled.py --update"
PROCESSES = 2
# Bytes of shared memory that one block may use, by compute capability (CUDA C++ Programming Guide,
# "Technical Specifications per Compute Capability").
SHARED_BYTES = {80: 163 * 1024, 90: 227 * 1024}
MORE_REGISTERS = 8
# Instructions and barriers may grow by this share before it counts as a regression.
MORE_CODE = 0.05


@dataclass(frozen=True, order=True)
class Key:
    """What one compiled kernel is known by: all that its code depends on."""

    kernel: str
    """The last of its module's name, and its own."""
    constants: str
    """Compile-time arguments, and integers that are 1, which Triton compiles in."""
    types: str
    """Of the other arguments, in order; `:16` after those known to be divisible by 16."""
    warps: int
    arch: int
    """80 for A100, 90 for H100."""


@dataclass(frozen=True)
class Code:
    """What the compiler made of one kernel."""

    registers: int
    """Per thread."""
    spills: int
    """Instructions that read or write local memory."""
    local_bytes: int
    """Per thread."""
    shared_bytes: int
    """Per block."""
    barriers: int
    """Instructions in which a block waits for itself."""
    instructions: int
    """Without padding."""
    tensor_core: int
    """Matrix instructions among them."""
    triton: str
    """Version that compiled it."""


@dataclass(frozen=True)
class Launch:
    """A specialised launch, in the form in which it travels to another process."""

    key: Key
    module: str
    specialization: str
    """JSON of Triton's own making, that `JITFunction.preload` takes."""


class NamedDevice:
    """Stands where Triton looks for a driver; knows the architecture and launches nothing."""

    def __init__(self, arch: int) -> None:
        self.arch = arch

    def get_current_device(self) -> int:
        # Triton keeps what it compiled by device number, so each architecture needs its own.
        return self.arch

    def get_current_stream(self, device: int) -> int:
        return 0

    def get_current_target(self) -> Any:
        from triton.backends.compiler import GPUTarget

        return GPUTarget("cuda", self.arch, 32)


def record(launchers: Iterable[Callable[[], object]], arch: int) -> list[Launch]:
    """Return what `launchers` would run on a device of `arch`, each kind of launch once."""
    import triton

    launches: dict[Key, Launch] = {}

    def keep(*, fn: Any, compile: dict[str, Any], **_: Any) -> bool:
        parameters = fn.jit_function.arg_names
        name = f"{fn.module.rpartition('.')[2]}.{fn.name}"
        key = Key(name, *_described(compile, parameters), compile["num_warps"], arch)
        launches.setdefault(key, Launch(key, fn.module, compile["specialization_data"]))
        return True  # which tells Triton to leave it at that

    triton.runtime.driver.set_active(NamedDevice(arch))
    triton.knobs.runtime.jit_cache_hook = keep
    try:
        for launcher in launchers:
            launcher()
    finally:
        triton.knobs.runtime.jit_cache_hook = None
    return list(launches.values())


def _described(compile: dict[str, Any], parameters: list[str]) -> tuple[str, str]:
    """Return the constants and the types of a specialised launch as text."""
    constants = {parameters[at[0]]: value for at, value in compile["constants"].items()}
    divisible = {parameters[at[0]] for at, value in compile["configs"][0].items() if value}
    types = [
        f"{kind}:16" if name in divisible else kind
        for name, kind in compile["signature"].items()
        if kind != "constexpr"
    ]
    runs = [(kind, len(list(run))) for kind, run in groupby(types)]
    return (
        " ".join(f"{name}={getattr(value, 'value', value)}" for name, value in constants.items()),
        ", ".join(kind if count == 1 else f"{count} {kind}" for kind, count in runs),
    )


def compile_code(launch: Launch) -> Code:
    """Compile one launch and read its machine code."""
    import triton

    triton.runtime.driver.set_active(NamedDevice(launch.key.arch))
    kernel = getattr(importlib.import_module(launch.module), launch.key.kernel.split(".")[1])
    compiled = kernel.preload(launch.specialization)
    with tempfile.NamedTemporaryFile(suffix=".cubin") as file:
        file.write(compiled.asm["cubin"])
        file.flush()
        resources = _binary_tool("cuobjdump", "-res-usage", file.name)
        listing = _binary_tool("nvdisasm", "-c", file.name)
    used = {name: int(n) for name, n in re.findall(r"\b(REG|LOCAL):(\d+)", resources)}
    count = Counter(opcodes(listing))
    return Code(
        registers=used["REG"],
        spills=count["LDL"] + count["STL"],
        local_bytes=used["LOCAL"],
        shared_bytes=compiled.metadata.shared,
        barriers=count["BAR"],
        instructions=count.total() - count["NOP"],
        tensor_core=sum(n for name, n in count.items() if name.endswith("MMA")),
        triton=triton.__version__,
    )


def opcodes(listing: str) -> list[str]:
    """Return the instructions of a disassembly in order, without predicates and modifiers."""
    return re.findall(r"/\*[0-9a-f]{4,}\*/\s+(?:@!?\w+\s+)?([A-Z][A-Z0-9_]*)", listing)


def _binary_tool(name: str, *arguments: str) -> str:
    import triton

    tool = Path(triton.__file__).parent / "backends/nvidia/bin" / name
    command = [str(tool), *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


def read_table(path: Path) -> dict[Key, Code]:
    """Read compiled.tsv; empty where it is not there yet."""
    if not path.exists():
        return {}
    with path.open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file, delimiter="\t"))
    return {_parsed(Key, row): _parsed(Code, row) for row in rows}


def _parsed(kind: Any, row: dict[str, str]) -> Any:
    return kind(**{f.name: f.type(row[f.name]) for f in fields(kind)})


def write_table(path: Path, codes: dict[Key, Code]) -> None:
    """Write compiled.tsv, sorted by key."""
    text = io.StringIO()
    names = [f.name for f in (*fields(Key), *fields(Code))]
    writer = csv.DictWriter(text, names, delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows(asdict(key) | asdict(code) for key, code in sorted(codes.items(), key=_key))
    write_text(path, text.getvalue())


def _key(item: tuple[Key, Code]) -> Key:
    return item[0]


def too_much(key: Key, code: Code) -> list[str]:
    """Return how a kernel breaks the limits that hold with any version of Triton, in words."""
    limit = SHARED_BYTES[key.arch]
    found = []
    if code.spills or code.local_bytes:
        found.append(f"{code.spills} spill instructions, {code.local_bytes} bytes of local memory")
    if code.shared_bytes > limit:
        found.append(f"{code.shared_bytes} bytes of shared memory, a block has {limit}")
    return found


def grown(code: Code, recorded: Code) -> list[str]:
    """Return what grew past its allowance since the same Triton was recorded, in words."""
    if code.triton != recorded.triton:
        return []
    allowed = {
        "registers": recorded.registers + MORE_REGISTERS,
        "barriers": recorded.barriers * (1 + MORE_CODE),
        "instructions": recorded.instructions * (1 + MORE_CODE),
    }
    return [
        f"{name} grew from {getattr(recorded, name)} to {getattr(code, name)}"
        for name, most in allowed.items()
        if getattr(code, name) > most
    ]


def unlike(launched: Iterable[Key], recorded: dict[Key, Code], *, version: str) -> list[str]:
    """Return the kernels that only one of the two has; nothing if another Triton was recorded."""
    ours = {key for key, code in recorded.items() if code.triton == version}
    if recorded and not ours:
        return []
    kinds = [
        (f"not in {TABLE.name}", set(launched) - ours),
        (f"in {TABLE.name}, but nothing launches it", ours - set(launched)),
    ]
    return [f"{label(key)}: {what}" for what, keys in kinds for key in sorted(keys)]


def label(key: Key) -> str:
    """Return a key in one line."""
    return f"{key.kernel}[{key.constants}]({key.types}) sm_{key.arch}"


def compile_all(launches: list[Launch], recorded: dict[Key, Code]) -> dict[Key, Code]:
    """Compile launches side by side and say so as each is done."""

    def effort(launch: Launch) -> int:
        code = recorded.get(launch.key)
        return code.instructions if code else sys.maxsize

    codes = {}
    started = time.monotonic()
    # Forks share what is imported; no thread runs here that they would miss.
    with ProcessPoolExecutor(PROCESSES, mp_context=get_context("fork")) as pool:
        longest_first = sorted(launches, key=effort, reverse=True)
        futures = {pool.submit(compile_code, launch): launch.key for launch in longest_first}
        for future in as_completed(futures):
            key = futures[future]
            if error := future.exception():
                pool.shutdown(cancel_futures=True)
                raise RuntimeError(f"{label(key)} does not compile") from error
            codes[key] = code = future.result()
            print(
                f"{len(codes)}/{len(futures)}, {time.monotonic() - started:.0f} s: {label(key)}:"
                f" {code.registers} registers, {code.instructions} instructions",
                flush=True,
            )
    return codes


def problems(codes: dict[Key, Code], recorded: dict[Key, Code]) -> list[str]:
    """Return what is wrong with each kernel, in one line each."""
    return [
        f"{label(key)}: {what}"
        for key, code in sorted(codes.items(), key=_key)
        for what in too_much(key, code) + (grown(code, recorded[key]) if key in recorded else [])
    ]


def main() -> None:
    """Compile, then write or check the table."""
    parser = argparse.ArgumentParser(description="Compile all kernels for sm_80 and sm_90.")
    action = parser.add_mutually_exclusive_group(required=True)
    action.add_argument("--check", action="store_true", help="Compare with compiled.tsv.")
    action.add_argument("--update", action="store_true", help="Write compiled.tsv.")
    parser.add_argument("--only", default="", help="Variants whose name has these words.")
    arguments = parser.parse_args()
    if os.environ.get("TRITON_INTERPRET", "0") != "0":
        raise InputError("TRITON_INTERPRET is set, and nothing compiles under it; unset it")
    with tempfile.TemporaryDirectory() as cache:
        os.environ.setdefault("TRITON_CACHE_DIR", cache)
        found = run(arguments.only, update=arguments.update)
    if found and arguments.check:
        found.append(f"If that is how it should be, run {COMMAND} and commit {TABLE.name}.")
    sys.exit("\n".join(found) if found else None)


def run(only: str, *, update: bool) -> list[str]:
    """Compile the variants that `only` names; write the table, or return what it speaks against."""
    import torch
    import triton
    from compiled_variants import VARIANTS

    torch.set_num_threads(1)
    recorded = read_table(TABLE)
    chosen = [launcher for name, launcher in VARIANTS.items() if only in name]
    if not chosen:
        raise InputError(f"no variant has {only!r} in its name; there are {', '.join(VARIANTS)}")
    launches = [launch for arch in SHARED_BYTES for launch in record(chosen, arch)]
    codes = compile_all(launches, recorded)
    if update:
        write_table(TABLE, (recorded if only else {}) | codes)
        return problems(codes, {})
    missing = unlike(codes, recorded, version=triton.__version__)
    if only:  # then most rows are of kernels that were left out
        missing = [line for line in missing if "nothing launches" not in line]
    return problems(codes, recorded) + missing


if __name__ == "__main__":
    try:
        main()
    except InputError as error:
        sys.exit(str(error))
