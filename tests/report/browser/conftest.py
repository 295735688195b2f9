"""Reports opened in Chromium: one with every section, and that of the demo where there is one."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import task_results as tasks
from chromium import missing

from hyenadna import report

ROOT = Path(__file__).parents[3]


@pytest.fixture(scope="session")
def axe() -> Any:
    """The checks of axe-core, for a page to undergo."""
    try:
        from axe_playwright_python.sync_playwright import Axe
    except ModuleNotFoundError:
        missing("needs axe-core: pip install axe-playwright-python")
    return Axe()


@pytest.fixture(scope="session")
def complete(tree: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of a tree with all that a page can show."""
    root = tree.whole(tmp_path_factory.mktemp("complete") / "results")
    promoters = tree.benchmarks["demo_promoters"]
    for seed, score in enumerate(promoters["finetune"]):
        run = root / f"finetune/tiny-demo/demo_promoters/seed{seed}"
        tasks.add_metrics(run, "test_clean", {"accuracy": score - 0.05})
        tasks.write_confusion(run, promoters["classes"], right=score)
        tasks.write_curves(run, ["promoter"], area=0.9)
        tree.run(
            root / f"paper/tiny-demo/demo_promoters/point{seed}",
            [(80, "test", "accuracy", 0.85 + 0.01 * seed)],
            stage="paper", model="tiny-demo", benchmark="demo_promoters", seed=seed,
            metric="accuracy", protocol="paper", selected_on="test",
        )  # fmt: skip
        tasks.write_predictions(run, promoters["classes"], wrong=12)
    baselines = root / "baselines/demo_promoters"
    tasks.add_metrics(baselines, "test_clean", {"majority.accuracy": 0.5, "kmer.accuracy": 0.801})
    tasks.write_leaks(baselines, items=512, duplicates=20, overlaps=31)
    (root / "probe/tiny-demo/demo_species/seed0/metrics.tsv").unlink()
    shutil.rmtree(root / "probe/tiny-demo/demo_chromatin")
    chromatin = root / "finetune/tiny-demo/demo_chromatin/seed0"
    tasks.write_targets(chromatin, {"TF": 30, "DHS": 20}, auroc=0.7)
    _prompt(tree, root)
    published = tasks.write_published(root.parent / "published")
    return report.write(root, root / "report.html", published=published)


def _prompt(tree: SimpleNamespace, root: Path) -> None:
    for seed in range(2):
        run = root / f"in_context/tiny-demo/demo_human_or_worm/soft_prompt/seed{seed}"
        tree.run(run, [(0, "test", "accuracy", 0.6)], stage="in_context", seed=seed)
        for setting, score in tasks.PROMPTS.items():
            tasks.write_prompted(run, setting, {"accuracy": score})


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report of the demo's results, which are left as they are."""
    from hyenadna.report.inputs import reading
    from hyenadna.report.page import contents

    results = ROOT / "results"
    if not (results / "report.html").is_file():
        pytest.skip("needs the results of `make demo`")
    found = reading.read(results, ROOT / "resources/published")
    out = tmp_path_factory.mktemp("demo") / "report.html"
    out.write_text(contents.render(found, contents.drawn(found), out=out), encoding="utf-8")
    return out


@pytest.fixture
def visit(chromium: Any) -> Iterator[Callable[..., Any]]:
    """A way to open a page; whatever it then complains of or asks the network for is an error."""
    contexts, complaints = [], []

    def opened(path: Path, *, fragment: str = "", before: str = "", **options: Any) -> Any:
        context = chromium.new_context(**{"viewport": {"width": 1024, "height": 900}} | options)
        contexts.append(context)
        page = context.new_page()
        if before:
            page.add_init_script(before)
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.on("dialog", lambda dialog: complaints.append(dialog.message))
        page.on("request", lambda request: _note_request(complaints, request.url, path))
        page.goto(path.as_uri() + (f"#{fragment}" if fragment else ""))
        return page

    yield opened
    for context in contexts:
        context.close()
    assert complaints == []


def _note_request(complaints: list[str], url: str, path: Path) -> None:
    if not url.startswith((path.as_uri(), "data:", "blob:")):
        complaints.append(url)
