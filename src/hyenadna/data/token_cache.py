"""Token ids of a whole genome in memory-mapped files, made once.

A cache is a directory of three files: `tokens.u8`, one byte per nucleotide, contig after contig;
`soft_mask.u1`, one bit per nucleotide in the same order, the first in the highest bit of a byte,
set where the FASTA has lower case; and `index.json`, which says where each contig lies and what was
counted and checksummed. Shapes: B windows, L nucleotides.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple, Self

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

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
        offsets: position of the first nucleotide of each contig, counted through all contigs.
        sha256: checksum of `tokens.u8`, so of all bases and their order.
        soft_mask_sha256: checksum of `soft_mask.u1`, none if the cache was made before there was
            one.
    """

    def __init__(self, directory: Path, index: dict[str, Any]) -> None:
        self.directory = directory
        self.sha256: str = index["sha256"]
        self.counts: dict[str, int] = index["counts"]
        self.soft_mask_sha256: str | None = index.get("soft_mask_sha256")
        self.contigs = {contig: length for contig, (_, length) in index["contigs"].items()}
        self.offsets = {contig: offset for contig, (offset, _) in index["contigs"].items()}
        self._tokens = _map(directory / "tokens.u8")
        if self.soft_mask_sha256 is not None:
            self._packed_mask = _map(directory / "soft_mask.u1")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self).open, (self.directory,)

    @classmethod
    def build(cls, fasta: Path, out: Path) -> Self:
        """Write the cache of an indexed FASTA to the directory `out`; memory stays constant.

        Raises:
            InputError: the FASTA or its index is not fit to be read.
        """
        genome = Genome(fasta)
        tokens, mask, index = (out / name for name in ("tokens.u8", "soft_mask.u1", "index.json"))
        with files.atomic_write(tokens) as tokens_part, files.atomic_write(mask) as mask_part:
            found = _write(genome, tokens_part, mask_part)
            # Without its index the directory is no cache: old files and new never mix.
            index.unlink(missing_ok=True)
        lengths = genome.contigs
        ends = np.cumsum(list(lengths.values())).tolist()
        content = {
            "fasta": fasta.name,
            "fasta_sha256": files.sha256(fasta),
            "sha256": found.sha256,
            "soft_mask_sha256": found.mask_sha256,
            "contigs": {
                contig: [end - length, length]
                for (contig, length), end in zip(lengths.items(), ends, strict=True)
            },
            "counts": dict(found.counts),
        }
        files.write_json(index, content)
        return cls.open(out)

    @classmethod
    def open(cls, directory: Path, *, verify: bool = False) -> Self:
        """Open a cache; `verify` reads it all once and compares its checksums.

        Raises:
            InputError: there is none, or its files are not those that its index describes.
        """
        remedy = f"make it with: hyenadna tokenize FASTA {directory}"
        try:
            index = files.read_json(directory / "index.json")
            bases = sum(length for _, length in index["contigs"].values())
            checksums, sizes = {"tokens.u8": index["sha256"]}, {"tokens.u8": bases}
            if mask_checksum := index.get("soft_mask_sha256"):
                checksums["soft_mask.u1"], sizes["soft_mask.u1"] = mask_checksum, -(-bases // 8)
            _ = index["counts"]
            found = {name: (directory / name).stat().st_size for name in sizes}
        except FileNotFoundError as error:
            raise InputError(f"{error.filename}: no such file; {remedy}") from None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise InputError(f"{directory / 'index.json'}: not a token index; {remedy}") from None
        for name, checksum in checksums.items():
            if found[name] != sizes[name]:
                raise InputError(
                    f"{directory / name}: {found[name]} bytes where the {bases} nucleotides of "
                    f"the index fill {sizes[name]}; {remedy}"
                )
            if verify and files.sha256(directory / name) != checksum:
                raise InputError(f"{directory / name}: damaged, checksum differs; {remedy}")
        return cls(directory, index)

    def window(self, contig: str, start: int, end: int) -> npt.NDArray[np.uint8]:
        """Return token ids (end - start,) of [start, end), a read-only view.

        Raises:
            InputError: the contig or an end of the interval does not exist.
        """
        check_bounds(contig, start, end, self.contigs, source=self.directory)
        offset = self.offsets[contig]
        return self._tokens[offset + start : offset + end]

    def soft_mask(self, contig: str, start: int, end: int) -> npt.NDArray[np.bool_]:
        """Return (end - start,), true where the FASTA has [start, end) in lower case.

        Raises:
            InputError: as for `window`, or the cache was made without a soft mask.
        """
        check_bounds(contig, start, end, self.contigs, source=self.directory)
        masked = self.soft_mask_rows(np.array([self.offsets[contig] + start]), end - start)
        return masked.ravel()

    def token_rows(self, starts: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.uint8]:
        """Copy the token ids (B, length) of stretches that begin at `starts` (B,).

        Starts are positions in the whole genome (`offsets`). That a stretch stays on its contig
        is for the caller to see to.
        """
        return _rows(self._tokens, starts, length)

    def check_soft_mask(self) -> None:
        """Refuse a cache that was made without a soft mask."""
        if self.soft_mask_sha256 is None:
            raise InputError(
                f"{self.directory}: this cache was made without the soft mask; make it again with: "
                f"hyenadna tokenize FASTA {self.directory}"
            )

    def soft_mask_rows(self, starts: npt.NDArray[np.int64], length: int) -> npt.NDArray[np.bool_]:
        """Unpack the soft mask (B, length) of stretches, as `token_rows` takes them.

        Raises:
            InputError: the cache was made without a soft mask.
        """
        self.check_soft_mask()
        packed = self._packed_mask
        # Enough bytes for a stretch that begins at the last bit of its first byte.
        width = min((length + 14) // 8, len(packed))
        first = np.minimum(starts // 8, len(packed) - width)
        bits = np.unpackbits(_rows(packed, first, width), axis=1)  # (B, 8 width)
        shifted = sliding_window_view(bits, length, axis=1)  # (B, shifts, length)
        masked: npt.NDArray[np.uint8] = shifted[np.arange(len(starts)), starts - 8 * first]
        return masked.view(np.bool_)


class _Written(NamedTuple):
    counts: Counter[str]
    sha256: str
    mask_sha256: str


def _write(genome: Genome, tokens: Path, mask: Path) -> _Written:
    """Write both files in one pass over the genome, a block in memory at a time."""
    counts: Counter[str] = Counter()
    digest, mask_digest = hashlib.sha256(), hashlib.sha256()
    waiting = np.empty(0, dtype=np.bool_)  # bits that do not fill a byte yet
    with tokens.open("wb") as file, mask.open("wb") as mask_file:
        for text, ids in _encoded_blocks(genome):
            counts.update(count_letters(text))
            digest.update(ids.data)
            file.write(ids.data)
            lower = np.frombuffer(text, dtype=np.uint8) >= ord("a")
            bits = np.concatenate([waiting, lower])
            whole = len(bits) // 8 * 8
            packed, waiting = np.packbits(bits[:whole]), bits[whole:]
            mask_digest.update(packed.data)
            mask_file.write(packed.data)
        last = np.packbits(waiting)
        mask_digest.update(last.data)
        mask_file.write(last.data)
    return _Written(counts, digest.hexdigest(), mask_digest.hexdigest())


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


def _map(path: Path) -> npt.NDArray[np.uint8]:
    # A shared read-only map has no file offset, so forked workers cannot disturb each other.
    return np.memmap(path, dtype=np.uint8, mode="r").view(np.ndarray)


def _rows(
    stream: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], length: int
) -> npt.NDArray[np.uint8]:
    """Copy (B, length) pieces of a stream that begin at `starts` (B,)."""
    # A row of the view is copied at once: 10 times faster than an index for each element.
    return sliding_window_view(stream, length)[starts]
