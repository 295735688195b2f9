"""Files of embeddings: parquet or npz, written as the vectors come (D width)."""

from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from hyenadna.errors import InputError
from hyenadna.files import atomic_write

if TYPE_CHECKING:
    import pyarrow as pa

T = TypeVar("T")

ROW_GROUP = 8192
"""Rows after which a parquet file is written on."""


class Vectors(NamedTuple):
    """The embedding of a sequence, or those of the nucleotides of a stretch of it."""

    name: str
    start: int
    end: int
    values: NDArray[np.float32]
    """(1, D) for the whole stretch, or (end - start, D)."""


def check_format(path: Path) -> None:
    """Refuse a path that is neither parquet nor npz."""
    if path.suffix not in (".parquet", ".npz"):
        raise InputError(f"{path}: embeddings are written as .parquet or .npz")


def write_vectors(path: Path, vectors: Iterable[Vectors], *, width: int, per_token: bool) -> None:
    """Write embeddings atomically, never holding more than a part of them.

    Parquet: columns id, length in nucleotides (per token: position in the sequence, from 0) and
    embedding, a list of D. npz: ids (N,), lengths (N,) and embeddings, (N, D) or per token
    (sum of lengths, D), one sequence behind the other.
    """
    with atomic_write(path) as part:
        if path.suffix == ".parquet":
            _write_parquet(part, vectors, width, per_token=per_token)
        else:
            _write_npz(part, vectors, width)


def _write_parquet(part: Path, vectors: Iterable[Vectors], width: int, *, per_token: bool) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    number = "position" if per_token else "length"
    embedding = pa.list_(pa.float32(), width)
    schema = pa.schema([("id", pa.string()), (number, pa.int64()), ("embedding", embedding)])
    with parquet.ParquetWriter(part, schema) as writer:
        for group in grouped(vectors, weigh=lambda v: len(v.values), least=ROW_GROUP):
            writer.write_table(_table(group, schema))


def _table(group: list[Vectors], schema: "pa.Schema") -> "pa.Table":
    import pyarrow as pa

    per_token = "position" in schema.names
    numbers = [np.arange(v.start, v.end) if per_token else np.array([v.end]) for v in group]
    ids = [v.name for v in group for _ in v.values]
    flat = np.concatenate([v.values for v in group]).ravel()
    embeddings = pa.FixedSizeListArray.from_arrays(flat, type=schema.field("embedding").type)
    return pa.table([ids, np.concatenate(numbers), embeddings], schema=schema)


def _write_npz(part: Path, vectors: Iterable[Vectors], width: int) -> None:
    ids: list[str] = []
    lengths: list[int] = []
    rows = 0
    spool = part.with_name("spool")
    with spool.open("wb") as file:
        for vector in vectors:
            if vector.start == 0:
                ids.append(vector.name)
                lengths.append(0)
            lengths[-1] = vector.end
            rows += len(vector.values)
            file.write(np.ascontiguousarray(vector.values, dtype=np.float32).tobytes())
    embeddings = np.memmap(spool, dtype=np.float32, mode="r", shape=(rows, width))
    np.savez(part, ids=np.array(ids), lengths=np.array(lengths), embeddings=embeddings)


def grouped(items: Iterable[T], *, weigh: Callable[[T], int], least: int) -> Iterator[list[T]]:
    """Yield items in order, in groups that weigh `least` or somewhat more; the last may be less."""
    group: list[T] = []
    held = 0
    for item in items:
        group.append(item)
        held += weigh(item)
        if held >= least:
            yield group
            group, held = [], 0
    if group:
        yield group
