"""The course of pretraining beside Markov chains. N logged steps."""

import math
from collections.abc import Iterator, Sequence

import numpy as np
from matplotlib.axes import Axes

from hyenadna.report import formats
from hyenadna.report.anchors import identifier
from hyenadna.report.figures.drawing import (
    FAINT,
    GRID,
    INK,
    SOFT,
    TUNED,
    Figure,
    new,
    rendered,
    spread_out,
    to_tsv,
)
from hyenadna.report.figures.marks import hover
from hyenadna.report.inputs.results import Floats, Run
from hyenadna.report.scores import markov

DRAWN_STEPS = 800
"""A curve of more steps is drawn from every second, third, … of them."""

LABELS_HIGH = 19
"""Lines of text that fit beside the curves."""

Label = tuple[float, str, str]
"""Value on the axis, text, colour."""


def curves(runs: list[Run]) -> Iterator[Figure]:
    """Draw bits per base and learning rate of each run that has logged them."""
    for run in runs:
        if len(run.metrics.curve("train", "bits_per_base")[0]):
            yield _curve(run)


def _curve(run: Run) -> Figure:
    figure, (top, bottom) = new(7.0, 4.6, ratios=(4, 1))
    labels = [*_chains(top, run), *_learning(top, run)]
    _label_right(top, sorted(label for label in labels if math.isfinite(label[0])))
    top.set_ylabel("bits per base")
    _rate(bottom, run)
    bottom.set_ylim(bottom=0)
    _mark_stages(top, bottom, run)
    bottom.set_ylabel("learning rate")
    bottom.ticklabel_format(axis="y", style="sci", scilimits=(0, 0), useMathText=False)
    bottom.set_xlabel("step")
    bottom.margins(x=0.01)
    return Figure(
        name=identifier("pretraining", run.model, run.subject, f"seed{run.seed}"),
        title=f"Pretraining of {run.model} on {run.subject}, seed {run.seed}",
        caption="Uncertainty of the next base. Thin line: each logged step; thick line: running "
        "mean; dots: validation; dashes: Markov chains fitted on the same training windows and "
        "scored on the same validation bases. 2 bits is guessing. Early steps may lie above the "
        "frame. Below: learning rate, and the length of the windows where it grows.",
        description=f"Bits per base at the end: {', '.join(text for _, text, _ in labels)}.",
        drawing=rendered(figure),
        data=to_tsv("split name step value", _drawn(run)),
        sources=(run.metrics_file,),
        model=run.model,
    )


def _drawn(run: Run) -> Iterator[Sequence[object]]:
    """Yield the points of the curves, and the height of each chain's line."""
    for split, name in (
        ("train", "bits_per_base"), ("valid", "bits_per_base"), ("train", "learning_rate"),
    ):  # fmt: skip
        steps, values = run.metrics.curve(split, name)
        thin = _thin(steps) if split == "train" else slice(None)
        for step, value in zip(steps[thin], values[thin], strict=True):
            yield split, name, int(step), value
    for order, of in markov(run, "valid").items():
        yield "valid", f"markov{order}.bits_per_base", "", math.log2(of)


def _thin(steps: Floats) -> slice:
    return slice(None, None, max(1, len(steps) // DRAWN_STEPS))


def _rate(axes: Axes, run: Run) -> None:
    steps, rates = run.metrics.curve("train", "learning_rate")
    thin = _thin(steps)
    (line,) = axes.plot(steps[thin], rates[thin], color=SOFT, linewidth=1.2)
    hover(line, _in_words(run, "learning rate", "{:.3g}", steps[thin], rates[thin]))


def _in_words(run: Run, what: str, form: str, steps: Floats, values: Floats) -> list[str]:
    """Say of each point when it was measured and what."""
    logged, tokens = run.metrics.curve("train", "tokens")
    seen = np.interp(steps, logged, tokens) if len(logged) else np.full(len(steps), np.nan)
    return [
        f"step {formats.count(step)}"
        + (f", {formats.count(of)} tokens" if math.isfinite(of) else "")
        + f"\n{what} {form.format(value)}"
        for step, of, value in zip(steps.tolist(), seen.tolist(), values.tolist(), strict=True)
    ]


def _mark_stages(top: Axes, bottom: Axes, run: Run) -> None:
    """Draw a line where windows become longer, and write how long they are."""
    steps, lengths = run.metrics.curve("train", "length")
    if not len(steps):
        return
    begins = np.flatnonzero(np.diff(lengths, prepend=0.0))
    for at in begins:
        for axes in (top, bottom):
            axes.axvline(steps[at], color=GRID, linewidth=0.8, zorder=0)
        bottom.annotate(
            f" {formats.count(int(lengths[at]))}", (steps[at], 0.04), fontsize=7, color=SOFT,
            xycoords=("data", "axes fraction"), rotation=90, va="bottom",
        )  # fmt: skip


def _chains(axes: Axes, run: Run) -> Iterator[Label]:
    """Draw a line for each Markov chain, the best one darker."""
    chains = {order: math.log2(of) for order, of in markov(run, "valid").items()}
    for order, of in chains.items():
        colour = INK if of == min(chains.values()) else SOFT
        line = axes.axhline(of, color=colour, linewidth=0.8, linestyle=(0, (4, 3)), zorder=1)
        hover(line, f"Markov chain of order {order}\n{formats.score(of)} bits per base")
        yield of, f"Markov order {order} {formats.score(of)}", colour


def _learning(axes: Axes, run: Run) -> Iterator[Label]:
    """Draw what was logged in training and validation, and frame its later part."""
    steps, bits = run.metrics.curve("train", "bits_per_base")
    valid_steps, valid = run.metrics.curve("valid", "bits_per_base")
    smooth = smoothed(bits)
    thin = _thin(steps)
    axes.plot(steps[thin], bits[thin], color=FAINT, linewidth=0.8)
    (mean,) = axes.plot(steps[thin], smooth[thin], color=TUNED, linewidth=1.8)
    form = "{:.3f} bits per base"
    hover(mean, _in_words(run, "training, running mean", form, steps[thin], smooth[thin]))
    (dots,) = axes.plot(valid_steps, valid, "o", color=INK, markersize=4, zorder=4)
    hover(dots, _in_words(run, "validation", form, valid_steps, valid))
    chains = [math.log2(of) for of in markov(run, "valid").values()]
    axes.set_ylim(*_limits(bits, smooth, valid, np.array(chains)))
    for name, values, colour in (("validation", valid, INK), ("training", smooth, TUNED)):
        if len(values):
            yield float(values[-1]), f"{name} {formats.score(float(values[-1]))}", colour


def _limits(bits: Floats, smooth: Floats, valid: Floats, chains: Floats) -> tuple[float, float]:
    """Frame what happens after the first tenth, when the fall from random weights is over."""
    later = [smooth[len(smooth) // 10 :], bits[len(bits) // 4 :], valid[len(valid) // 4 :], chains]
    values = np.concatenate(later)
    values = values[np.isfinite(values)]
    if not len(values):
        return 0.0, 2.1
    low, high = float(values.min()), float(values.max())
    margin = 0.06 * (high - low) or 0.05
    return low - margin, high + margin


def _label_right(axes: Axes, labels: list[Label]) -> None:
    """Label lines at the right edge, moved apart where they are too close."""
    low, high = axes.get_ylim()
    at = spread_out([value for value, _, _ in labels], (high - low) / LABELS_HIGH)
    for (value, text, colour), moved in zip(labels, at, strict=True):
        axes.annotate(
            text, (1.0, value), (1.035, moved), xycoords=("axes fraction", "data"),
            textcoords=("axes fraction", "data"), va="center_baseline", fontsize=8.5, color=colour,
            annotation_clip=False, arrowprops={"arrowstyle": "-", "color": GRID, "linewidth": 1},
        )  # fmt: skip


def smoothed(values: Floats) -> Floats:
    """Return the centred running mean over about a fortieth of the curve, (N,) -> (N,)."""
    kernel = np.ones(2 * (len(values) // 80) + 1)
    finite = np.isfinite(values)
    total = np.convolve(np.where(finite, values, 0.0), kernel, mode="same")
    known = np.convolve(finite.astype(float), kernel, mode="same")
    means: Floats = np.divide(total, known, out=np.full(len(values), np.nan), where=known > 0)
    return means
