"""Time and memory of the rules as one figure."""

from drawn_figures import figures_of, said, table_of

HEADER = "s\th:m:s\tmax_rss\n"


def test_time_is_summed_and_memory_is_that_of_the_largest_job(tmp_path):
    folder = tmp_path / "benchmarks/finetune"
    folder.mkdir(parents=True)
    (folder / "a.tsv").write_text(HEADER + "3600\t1:00:00\t2000\n")
    (folder / "b.tsv").write_text(HEADER + "5400\t1:30:00\t1000\n")
    figure = figures_of(tmp_path)["timings"]
    assert table_of(figure) == [["finetune", "2", "9000", "5400", "2.097152e+09"]]
    assert said(figure) == [
        "finetune: 2 jobs / 2 h 30 min in all, 1 h 30 min the longest / 2.10 GB at most"
    ]
    assert ">2 h 30 min</text>" in figure.svg
    assert ">2.10 GB</text>" in figure.svg
    assert ">hours, all jobs of a rule together</text>" in figure.svg
    assert ">GB, the largest job of a rule</text>" in figure.svg


def test_memory_that_was_not_measured_has_no_bar(tmp_path):
    folder = tmp_path / "benchmarks/finetune"
    folder.mkdir(parents=True)
    (folder / "a.tsv").write_text(HEADER + "3.5\t0:00:03\tNA\n")
    figure = figures_of(tmp_path)["timings"]
    assert ">3.5 s</text>" in figure.svg
    assert figure.svg.count(">–</text>") == 1
