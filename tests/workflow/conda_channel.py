"""A channel of conda packages that are links to what is installed beside this Python."""

import hashlib
import io
import json
import sys
import tarfile
from collections.abc import Mapping
from importlib.metadata import Distribution, distributions
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

# What PyPI calls otherwise.
PYPI_NAMES = {"pytorch": "torch", "matplotlib-base": "matplotlib"}
SITE = f"lib/python{sys.version_info.major}.{sys.version_info.minor}/site-packages"
Files = Mapping[str, Path | str]


def write_channel(channel: Path, pins: Mapping[str, str]) -> None:
    """Write packages of some names and versions, and of all that they need.

    An environment made of them sees those packages, and no others that are installed here.
    """
    (channel / "noarch").mkdir(parents=True)
    conda_names = {canonicalize_name(PYPI_NAMES.get(name, name)): name for name in pins}
    installed = {canonicalize_name(found.name): found for found in distributions()}
    records = {}
    waiting = list(conda_names)
    while waiting:
        pypi_name = waiting.pop()
        found = installed.get(pypi_name)
        name = conda_names.setdefault(pypi_name, pypi_name)
        depends = [need for need in needs(found) if need in installed] if found else []
        files = python() if name == "python" else links_to(found) if found else {}
        waiting += [need for need in depends if need not in conda_names]
        index = {
            "name": name,
            "version": pins.get(name, "1.0"),
            "build": "0",
            "build_number": 0,
            "depends": [conda_names.setdefault(need, need) for need in depends],
            "subdir": "noarch",
        }
        path = channel / "noarch" / f"{name}-{index['version']}-0.tar.bz2"
        records[path.name] = index | write_package(path, index, files)
    for subdir, packages in (("noarch", records), ("linux-64", {})):
        (channel / subdir).mkdir(exist_ok=True)
        index = {"info": {"subdir": subdir}, "packages": packages, "packages.conda": {}}
        (channel / subdir / "repodata.json").write_text(json.dumps(index))


def needs(found: Distribution) -> list[str]:
    """Return the names of what an installed distribution requires, without its extras."""
    requirements = map(Requirement, found.requires or [])
    return [
        canonicalize_name(requirement.name)
        for requirement in requirements
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
    ]


def links_to(found: Distribution) -> Files:
    """Return links to the modules of an installed distribution."""
    names = {
        path.parts[0] for path in found.files or [] if path.parts[0] not in ("..", "__pycache__")
    }
    return {f"{SITE}/{name}": Path(str(found.locate_file(name))) for name in sorted(names)}


def python() -> Files:
    """Return a Python that is this one and looks nowhere but in its own environment."""
    executable = Path(sys._base_executable)  # type: ignore[attr-defined]
    settings = f"home = {executable.parent}\ninclude-system-site-packages = false\n"
    return {"bin/python": executable, "bin/python3": executable, "pyvenv.cfg": settings}


def write_package(path: Path, index: Mapping[str, object], files: Files) -> dict[str, object]:
    """Write a package of links and of texts; return what a channel's list says of its file."""
    entries = [
        {"_path": name, "path_type": "softlink" if isinstance(content, Path) else "hardlink"}
        for name, content in files.items()
    ]
    about = {
        "info/index.json": json.dumps(index),
        "info/paths.json": json.dumps({"paths": entries, "paths_version": 1}),
    }
    with tarfile.open(path, "w:bz2") as archive:
        for name, content in {**about, **files}.items():
            entry = tarfile.TarInfo(name)
            if isinstance(content, Path):
                entry.type, entry.linkname = tarfile.SYMTYPE, str(content)
                archive.addfile(entry)
            else:
                entry.size = len(content.encode())
                archive.addfile(entry, io.BytesIO(content.encode()))
    data = path.read_bytes()
    return {
        "size": len(data),
        "md5": hashlib.md5(data).hexdigest(),
        "sha256": hashlib.sha256(data).hexdigest(),
    }
