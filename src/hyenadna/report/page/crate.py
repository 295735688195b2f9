"""What was run, for programs: an RO-Crate 1.1 in JSON-LD.

Each run is a CreateAction; runs that differ in their seed alone are one, whose description is the
command in a loop over the seeds.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from hyenadna.report import anchors
from hyenadna.report.inputs.results import BenchRun, Results, Run
from hyenadna.report.repeats import Repeats, together
from hyenadna.report.rules import rule_of

SPECIFICATION = "https://w3id.org/ro/crate/1.1"
CONTEXT = [f"{SPECIFICATION}/context", {"sha256": "https://schema.org/sha256"}]
"""The terms of RO-Crate, which has none for a checksum."""
METADATA = "ro-crate-metadata.json"

Entity = dict[str, Any]
LICENSE: Entity = {
    "@id": "#license",
    "@type": "CreativeWork",
    "name": "No licence is stated",
    "description": "RO-Crate requires one to be named; who publishes results chooses it.",
}
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
        for of in together(results.recorded):
            for entity in _of_runs(of, prefix, link):
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
        "license": {"@id": LICENSE["@id"]},
        "hasPart": _references(by_type.get("Dataset", [])),
        "mentions": _references(by_type.get("CreateAction", [])),
    }
    descriptor = {
        "@id": METADATA,
        "@type": "CreativeWork",
        "conformsTo": {"@id": SPECIFICATION},
        "about": {"@id": "./"},
    }
    graph = [descriptor, _filled(root), LICENSE, *entities.values()]
    return {"@context": CONTEXT, "@graph": graph}


def _of_runs(of: Repeats, prefix: str, link: Link) -> Iterator[Entity]:
    """Yield runs as one action, and the software and files that they name."""
    first = of.runs[0]
    software = [_software(name, version) for name, version in _versions(first).items() if version]
    inputs = [_input(path, sha256) for path, sha256 in _data(first)]
    paths = [of.folder] if of.whole else [run.path for run in of.runs]
    folders = [
        {"@id": f"{link(prefix + path)}/", "@type": "Dataset", "name": path} for path in paths
    ]
    times = [_times(run) for run in of.runs]
    yield _filled(
        {
            "@id": f"#{anchors.of_run(first, prefix)}",
            "@type": "CreateAction",
            "name": f"{rule_of(first.info_file)} {of.folder}".strip(),
            "description": of.line,
            "instrument": _references(software),
            "object": _references(inputs),
            "result": _references(folders),
            "startTime": min((start for start, _ in times if start), default=""),
            "endTime": max(end for _, end in times),
        }
    )
    yield from (*software, *inputs, *folders)


def _times(run: Run | BenchRun) -> tuple[str, str]:
    """Return when a run began and when it ended, empty where it does not say."""
    if isinstance(run, Run):
        return run.info.started, run.info.finished
    return "", run.info.date


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


def _references(entities: list[Entity]) -> Entity | list[Entity]:
    """Refer to entities; to a single one without a list, as RO-Crate advises."""
    found = [{"@id": entity["@id"]} for entity in entities]
    return found[0] if len(found) == 1 else found


def _filled(entity: Entity) -> Entity:
    """Leave out what is empty."""
    return {name: value for name, value in entity.items() if value}
