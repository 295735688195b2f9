"""Token ids of a whole genome in one memory-mapped file, made once.

A cache is a directory of two files: `tokens.u8`, one byte per nucleotide, contig after contig, and
`index.json`, which says where each contig lies and what was counted and checksummed.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Self

import numpy as np
import numpy.typing as npt

from hyenadna import files
from hyenadna.errors import InputError
from hyenadna.genome import Genome, check_bounds
from hyenadna.tokenizer import count_letters, encode

_BLOCK = 4 << 20  # nucleotides


class TokenCache:
    """Read-only token ids of one genome; open one with `TokenCache.open`.

    Attributes:
        contigs: length of each contig in nucleotides, in the order of the FASTA.
        counts: A, C, G, T and N as written in either case, `iupac` for other letters (which became
            N), and `soft_masked` for those in lower case, whatever their letter.
        sha256: checksum of `tokens.u8`, so of all bases and their order.
    """

    def __init__(self, directory: Path, index: dict[str, Any]) -> None:
        self.directory = directory
        self.sha256: str = index["sha256"]
        self.counts: dict[str, int] = index["counts"]
        self.contigs = {contig: length for contig, (_, length) in index["contigs"].items()}
        self._offsets = {contig: offset for contig, (offset, _) in index["contigs"].items()}
        # A shared read-only map has no file offset, so forked workers cannot disturb each other.
        tokens = np.memmap(directory / "tokens.u8", dtype=np.uint8, mode="r")
        self._tokens = tokens.view(np.ndarray)

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).open, (self.directory,)

    @classmethod
    def build(cls, fasta: Path, out: Path) -> Self:
        """Write the cache of an indexed FASTA to the directory `out`; memory stays constant.

        Raises:
            InputError: the FASTA or its index is not fit to be read.
        """
        genome = Genome(fasta)
        counts: Counter[str] = Counter()
        digest = hashlib.sha256()
        index = out / "index.json"
        with files.atomic_write(out / "tokens.u8") as part:
            with part.open("wb") as file:
                for text, ids in _encoded_blocks(genome):
                    counts.update(count_letters(text))
                    digest.update(ids.data)
                    file.write(ids.data)
            # Without its index the directory is no cache: old tokens and new never mix.
            index.unlink(missing_ok=True)
        lengths = genome.contigs
        ends = np.cumsum(list(lengths.values())).tolist()
        content = {
            "fasta": fasta.name,
            "fasta_sha256": files.sha256(fasta),
            "sha256": digest.hexdigest(),
            "contigs": {
                contig: [end - length, length]
                for (contig, length), end in zip(lengths.items(), ends, strict=True)
            },
            "counts": dict(counts),
        }
        files.write_json(index, content)
        return cls.open(out)

    @classmethod
    def open(cls, directory: Path, *, verify: bool = False) -> Self:
        """Open a cache; `verify` reads it all once and compares its checksum.

        Raises:
            InputError: there is none, or its tokens are not those that its index describes.
        """
        remedy = f"make it with: hyenadna tokenize FASTA {directory}"
        try:
            index = files.read_json(directory / "index.json")
            expected = sum(length for _, length in index["contigs"].values())
            checksum, _ = index["sha256"], index["counts"]
            size = (directory / "tokens.u8").stat().st_size
        except FileNotFoundError as error:
            raise InputError(f"{error.filename}: no such file; {remedy}") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise InputError(f"{directory / 'index.json'}: not a token index; {remedy}") from None
        if size != expected:
            raise InputError(
                f"{directory / 'tokens.u8'}: {size} bytes where the index has {expected} "
                f"nucleotides; {remedy}"
            )
        if verify and files.sha256(directory / "tokens.u8") != checksum:
            raise InputError(f"{directory / 'tokens.u8'}: damaged, checksum differs; {remedy}")
        return cls(directory, index)

    def window(self, contig: str, start: int, end: int) -> npt.NDArray[np.uint8]:
        """Return token ids (end - start,) of [start, end), a read-only view.

        Raises:
            InputError: the contig or an end of the interval does not exist.
        """
        check_bounds(contig, start, end, self.contigs, source=self.directory)
        offset = self._offsets[contig]
        return self._tokens[offset + start : offset + end]


def _encoded_blocks(genome: Genome) -> Iterator[tuple[bytes, npt.NDArray[np.uint8]]]:
    """Yield the genome piece by piece, as written and as token ids."""
    for contig, length in genome.contigs.items():
        for start in range(0, length, _BLOCK):
            end = min(start + _BLOCK, length)
            text = genome.read(contig, start, end).encode("ascii", "replace")
            try:
                ids = encode(text)
            except InputError as error:
                raise InputError(f"{genome.fasta}: {contig}:{start}-{end}: {error}") from None
            yield text, ids
