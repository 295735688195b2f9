"""What was run, for programs: an RO-Crate 1.1 in JSON-LD, a CreateAction for each run."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hyenadna.report.origins import anchor, rule_of
from hyenadna.report.results import BenchRun, Results, Run

SPECIFICATION = "https://w3id.org/ro/crate/1.1"
CONTEXT = [f"{SPECIFICATION}/context", {"sha256": "https://schema.org/sha256"}]
"""The terms of RO-Crate, which has none for a checksum."""
METADATA = "ro-crate-metadata.json"

Entity = dict[str, Any]
Link = Callable[[str], str]


def of(trees: Mapping[str, Results], *, title: str, link: Link) -> Entity:
    """Describe the runs of results trees, their inputs with checksums, and what they wrote.

    Args:
        trees: results, by what paths to their files begin with.
        title: that of the page.
        link: way from the page to a file.
    """
    entities: dict[str, Entity] = {}
    for prefix, results in trees.items():
        for run in results.recorded:
            for entity in _of_run(run, prefix, link):
                entities.setdefault(entity["@id"], entity)
    finished = max((run.info.finished for of in trees.values() for run in of.runs), default="")
    by_type: dict[str, list[Entity]] = {}
    for entity in entities.values():
        by_type.setdefault(entity["@type"], []).append(entity)
    root = {
        "@id": "./",
        "@type": "Dataset",
        "name": title,
        "description": "Runs of the hyenadna workflow, each with its command, software, inputs and "
        "outputs. Paths are relative to the page that holds this.",
        "datePublished": finished,
        "hasPart": _references(by_type.get("Dataset", [])),
        "mentions": _references(by_type.get("CreateAction", [])),
    }
    descriptor = {
        "@id": METADATA,
        "@type": "CreativeWork",
        "conformsTo": {"@id": SPECIFICATION},
        "about": {"@id": "./"},
    }
    graph = [descriptor, _filled(root), *entities.values()]
    return {"@context": CONTEXT, "@graph": graph}


def _of_run(run: Run | BenchRun, prefix: str, link: Link) -> Iterator[Entity]:
    """Yield a run as an action, and the software and files that it names."""
    software = [_software(name, version) for name, version in _versions(run).items() if version]
    inputs = [_input(path, sha256) for path, sha256 in _data(run)]
    folder = {"@id": f"{link(prefix + run.path)}/", "@type": "Dataset", "name": run.path}
    yield _filled(
        {
            "@id": f"#{anchor(run, prefix)}",
            "@type": "CreateAction",
            "name": f"{rule_of(f'{run.path}/run.json')} {run.path}".strip(),
            "description": run.info.command_line,
            "instrument": _references(software),
            "object": _references(inputs),
            "result": _references([folder]),
            "startTime": run.info.started if isinstance(run, Run) else "",
            "endTime": run.info.finished if isinstance(run, Run) else run.info.date,
        }
    )
    yield from (*software, *inputs, folder)


def _versions(run: Run | BenchRun) -> dict[str, str]:
    if isinstance(run, Run):
        own = " ".join(filter(None, (run.info.version, run.info.commit)))
        return {"hyenadna": own, **run.info.packages}
    return dict(run.info.software)


def _data(run: Run | BenchRun) -> list[tuple[str, str]]:
    return [(of.path, of.sha256) for of in run.info.data] if isinstance(run, Run) else []


def _software(name: str, version: str) -> Entity:
    identifier = f"#software-{name}-{version}".replace(" ", "-")
    return {
        "@id": identifier,
        "@type": "SoftwareApplication",
        "name": name,
        "softwareVersion": version,
    }


def _input(path: str, sha256: str) -> Entity:
    """Describe a file that was read by its content: where it lies now, no record says."""
    identifier = f"#sha256-{sha256[:20]}" if sha256 else f"#file-{path}"
    return _filled({"@id": identifier, "@type": "File", "name": path, "sha256": sha256})


def _references(entities: list[Entity]) -> list[Entity]:
    return [{"@id": entity["@id"]} for entity in entities]


def _filled(entity: Entity) -> Entity:
    """Leave out what is empty."""
    return {name: value for name, value in entity.items() if value}
