"""`hyenadna bench`: what is measured against what, and how long."""

import importlib
import os
import sys
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer

from hyenadna.errors import InputError

commands = typer.Typer(
    name="bench",
    help="Measure speed on this machine, beside the alternatives, in one run.",
    no_args_is_help=True,
    context_settings={"help_option_names": ["-h", "--help"]},
)

PROMISE = (
    "What the project promises of a CPU, as 'x plain' of hyenadna, forward+backward: at least 2.5 "
    "with --batch 1 --channels 256 --lengths 32768, 2.5 with --batch 1 --channels 128 "
    "--lengths 1000002, and 1.8 with --batch 8 --channels 128 --lengths 1024, all with "
    "--device cpu --against torch.fft. Plain is the formula of the original training code: rfft of "
    "twice the length in fp32, multiply, irfft. GB/s and bound count each input and output once; "
    "the bound is what a copy reaches here. A call that fails has its reason in place of a number."
)

MODEL_PROMISE = (
    "What the project promises of a CPU, as 'x plain' of hyenadna: with --model "
    "config/models/tiny-1k.yaml --batch 8 --lengths 1024, and with --model "
    "config/models/small-32k.yaml --lengths 32768, at least 2 for a training step and 3 for "
    "inference. Memory is what tensors take at most during a call beyond weights and results."
)
LOADER_PROMISE = (
    "What the project promises, as 'x plain' of hyenadna: at least 100 at 1,024 and 20 at "
    "1,000,000, and more tokens per second than a training step reads."
)


class Precision(StrEnum):
    """Type of activations; filters and weights are fp32."""

    fp32 = "fp32"
    bf16 = "bf16"
    fp16 = "fp16"


Device = Annotated[str, typer.Option(help="auto, cpu, cuda or cuda:N.")]
Dtype = Annotated[
    Precision | None,
    typer.Option(help="Type of activations.", show_default="bf16 on a GPU, fp32 on a CPU"),
]
Channels = Annotated[str, typer.Option(metavar="N,N,...", help="Widths.")]
Lengths = Annotated[
    str | None,
    typer.Option(
        metavar="N,N,...",
        help="Lengths in tokens.",
        show_default="2^10 to 2^20 and those of the published models",
    ),
]
Batch = Annotated[int, typer.Option(min=1, help="Sequences per call.")]
Repeats = Annotated[int, typer.Option(min=1, help="Most calls of each implementation.")]
Seconds = Annotated[
    float,
    typer.Option(min=0, help="Time for each implementation in each setting, 3 calls at least."),
]
Threads = Annotated[
    int | None, typer.Option(min=1, help="Threads of the CPU.", show_default="PyTorch's choice")
]
ModelFile = Annotated[
    Path | None,
    typer.Option(help="Time this model, e.g. config/models/tiny-1k.yaml, beside the formula."),
]
RecipeFile = Annotated[
    Path | None,
    typer.Option(help="With --model: say how long this recipe takes; sets what is not given."),
]
ModelChannels = Annotated[
    str | None, typer.Option(metavar="N,N,...", help="Widths.", show_default="128")
]
ModelBatch = Annotated[
    int | None, typer.Option(min=1, help="Sequences per call.", show_default="1")
]
ModelLengths = Annotated[
    str | None,
    typer.Option(
        metavar="N,N,...",
        help="Lengths in tokens.",
        show_default="2^10 to 2^19 and 1,000,000, or the longest of --model",
    ),
]
TokensFile = Annotated[
    Path | None, typer.Option(help="Token cache.", show_default="of a synthetic genome")
]
FastaFile = Annotated[
    Path | None, typer.Option(help="With --tokens: the indexed FASTA that it was made from.")
]
IntervalsFile = Annotated[
    Path | None, typer.Option(help="With --tokens: BED of splits; windows are of train.")
]
WindowLengths = Annotated[str, typer.Option(metavar="N,N,...", help="Lengths in nucleotides.")]
StepModel = Annotated[
    Path | None, typer.Option(help="Time a training step of this model beside the loader.")
]
Limit = Annotated[float, typer.Option(min=0, help="Longest call of attention, in seconds.")]
Out = Annotated[
    Path | None,
    typer.Option(
        help="Directory for measurements.tsv, written as it grows, and run.json at the end.",
        show_default="print only",
    ),
]


@commands.callback()
def _quiet() -> None:
    # PyTorch, once imported, would tell of each profile that a bench takes of a call.
    os.environ.setdefault("KINETO_LOG_LEVEL", "6")
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")


@commands.command("long-conv", epilog=PROMISE)
def long_conv(
    device: Device = "auto",
    dtype: Dtype = None,
    channels: Channels = "128,256",
    batch: Batch = 1,
    lengths: Lengths = None,
    repeats: Repeats = 100,
    seconds: Seconds = 1.0,
    threads: Threads = None,
    out: Out = None,
    against: Annotated[
        list[str] | None,
        typer.Option(
            metavar="NAME",
            help="Compare with torch.fft and this alone, e.g. 'torch.fft compiled'; repeatable.",
            show_default="all",
        ),
    ] = None,
    tune: Annotated[
        bool,
        typer.Option("--tune", help="Instead, time every plan on a GPU and keep the fastest."),
    ] = False,
) -> None:
    """Time the gated long convolution, forward and forward + backward, in turns with others."""
    widths, tokens = _integers(channels), _integers(lengths)
    from hyenadna.bench.long_conv import LENGTHS, bench
    from hyenadna.bench.session import Options
    from hyenadna.bench.timing import Effort

    options = Options(
        **_common(device, dtype, batch, threads, out),
        channels=widths,
        lengths=tokens or LENGTHS,
        effort=Effort(repeats, seconds),
        against=against or (),
    )
    if tune:
        from hyenadna.bench.tuning import tune as tune_paths

        tune_paths(options, typer.echo)
    else:
        bench(options, typer.echo)


@commands.command()
def attention(
    device: Device = "auto",
    dtype: Dtype = None,
    channels: Channels = "128,256",
    batch: Batch = 1,
    lengths: Lengths = None,
    repeats: Repeats = 100,
    seconds: Seconds = 1.0,
    threads: Threads = None,
    limit: Limit = 30.0,
    out: Out = None,
) -> None:
    """Time causal attention of the same width beside the long convolution.

    Heads have 64 channels. On a GPU, bf16 and fp16 take FlashAttention. A length whose time is to
    be expected beyond the limit, from the last and the square law, gets no number. 'x plain' is
    the time of hyenadna's long convolution over that of the row.
    """
    widths, tokens = _integers(channels), _integers(lengths)
    from hyenadna.bench.attention import bench
    from hyenadna.bench.long_conv import LENGTHS
    from hyenadna.bench.session import Options
    from hyenadna.bench.timing import Effort

    options = Options(
        **_common(device, dtype, batch, threads, out),
        channels=widths,
        lengths=tokens or LENGTHS,
        effort=Effort(repeats, seconds),
        limit=limit,
    )
    bench(options, typer.echo)


@commands.command(epilog=MODEL_PROMISE)
def model(
    model: ModelFile = None,
    recipe: RecipeFile = None,
    device: Device = "auto",
    dtype: Dtype = None,
    channels: ModelChannels = None,
    batch: ModelBatch = None,
    lengths: ModelLengths = None,
    repeats: Repeats = 100,
    seconds: Seconds = 1.0,
    threads: Threads = None,
    limit: Limit = 30.0,
    out: Out = None,
) -> None:
    """Time training of a 2-layer HyenaDNA beside a Transformer; or --model beside the formula.

    By itself: forward and backward with gradient checkpointing, as in the published comparison,
    with our long convolution, with torch.fft in its place, and with attention (FlashAttention on a
    GPU in 16 bits) in place of the operators; 'x plain' is the time of the Transformer over that of
    the row. With --model: a whole training step and inference of that model beside the original's
    algorithm written plainly, tokens/s, and the share of each part; 'x plain' is against that.
    """
    widths, tokens = _integers(channels), _integers(lengths)
    if model is None and recipe is not None:
        raise typer.BadParameter("--recipe goes with --model")
    if model is not None and widths:
        raise typer.BadParameter("--channels does not go with --model, which has its width")
    _need_pydantic("model")
    from hyenadna.bench import model as comparison
    from hyenadna.bench import step
    from hyenadna.bench.session import Options
    from hyenadna.bench.timing import Effort

    effort = Effort(repeats, seconds)
    if model is None:
        common = _common(device, dtype, batch or 1, threads, out)
        common |= {"channels": widths or [128], "lengths": tokens or comparison.LENGTHS}
        comparison.bench(Options(**common, effort=effort, limit=limit), typer.echo)
        return
    subject = step.read_subject(model, recipe)
    precision = dtype or (Precision(subject.recipe.precision) if subject.recipe else None)
    common = _common(device, precision, batch or subject.batch, threads, out)
    common |= {"channels": [subject.config.d_model], "lengths": tokens or [subject.length]}
    step.bench(subject, Options(**common, effort=effort), typer.echo)


@commands.command(epilog=LOADER_PROMISE)
def loader(
    tokens: TokensFile = None,
    fasta: FastaFile = None,
    intervals: IntervalsFile = None,
    lengths: WindowLengths = "1024,1000000",
    model: StepModel = None,
    device: Device = "auto",
    dtype: Dtype = None,
    batch: Annotated[int, typer.Option(min=1, help="Sequences per training step.")] = 1,
    repeats: Repeats = 100,
    seconds: Seconds = 1.0,
    threads: Threads = None,
    out: Out = None,
) -> None:
    """Time windows from the token cache beside the original's path, in one process each.

    The original fetches each window from the FASTA by pyfaidx, turns every second one to its
    reverse complement as a string, and looks every base up in a dictionary. 'x plain' is windows
    per second over those of that path.
    """
    windows = _integers(lengths)
    if len({tokens is None, fasta is None, intervals is None}) > 1:
        raise typer.BadParameter("--tokens, --fasta and --intervals go together")
    _need_pydantic("loader")
    from hyenadna.bench.loader import Source, bench
    from hyenadna.bench.session import Options
    from hyenadna.bench.step import read_subject
    from hyenadna.bench.timing import Effort

    options = Options(
        **_common(device, dtype, batch, threads, out),
        lengths=windows,
        effort=Effort(repeats, seconds),
    )
    source = Source(tokens, fasta, intervals) if tokens and fasta and intervals else None
    subject = read_subject(model) if model else None
    bench(options, typer.echo, source=source, subject=subject)


@commands.command()
def operators(
    device: Device = "auto",
    dtype: Dtype = None,
    channels: Channels = "128,256",
    batch: Batch = 1,
    lengths: Lengths = None,
    repeats: Repeats = 100,
    seconds: Seconds = 1.0,
    threads: Threads = None,
    out: Out = None,
    only: Annotated[
        list[str] | None,
        typer.Option(metavar="NAME", help="Time this one; repeatable.", show_default="all"),
    ] = None,
) -> None:
    """Time what else a Hyena operator does, each beside its plain form.

    short_conv is the short filters with the split and the first gate; implicit_filter the network
    that makes the taps of the long convolution, always in fp32.
    """
    widths, tokens = _integers(channels), _integers(lengths)
    from hyenadna.bench.long_conv import LENGTHS
    from hyenadna.bench.operators import bench
    from hyenadna.bench.session import Options
    from hyenadna.bench.timing import Effort

    options = Options(
        **_common(device, dtype, batch, threads, out),
        channels=widths,
        lengths=tokens or LENGTHS,
        effort=Effort(repeats, seconds),
        against=only or (),
    )
    bench(options, typer.echo)


def _need_pydantic(bench: str) -> None:
    """Refuse a bench of whole models where their settings cannot be read."""
    try:
        importlib.import_module("hyenadna.settings")
    except ModuleNotFoundError:
        raise InputError(
            f"hyenadna bench {bench} reads settings of models, which takes pydantic and pyyaml; "
            "install them, or take another bench"
        ) from None


def _integers(text: str | None) -> list[int]:
    """Read whole numbers from 1 up, between commas."""
    try:
        numbers = [int(part) for part in (text or "").split(",") if text]
    except ValueError:
        numbers = [0]
    if any(number < 1 for number in numbers):
        raise typer.BadParameter(
            f"whole numbers from 1 up, between commas, are taken; got {text!r}"
        )
    return numbers


def _common(
    device: str, dtype: Precision | None, batch: int, threads: int | None, out: Path | None
) -> dict[str, Any]:
    """Return what all sessions take from the command line as it stands."""
    from hyenadna.model.device import resolve_device

    return {
        "device": resolve_device(device),
        "dtype": dtype and dtype.value,
        "batch": batch,
        "threads": threads,
        "out": out,
        "command": ["hyenadna", *sys.argv[1:]],
    }
