"""Nucleotides as token ids, by table; the ids are those of the released HyenaDNA tokenizer."""

import numpy as np
import numpy.typing as npt

from hyenadna.errors import InputError

TOKENS = ("[CLS]", "[SEP]", "[BOS]", "[MASK]", "[PAD]", "[RESERVED]", "[UNK]", *"ACGTN")
VOCAB = {token: number for number, token in enumerate(TOKENS)}
VOCAB_SIZE = len(VOCAB)
SEP, PAD, UNK = VOCAB["[SEP]"], VOCAB["[PAD]"], VOCAB["[UNK]"]
A, C, G, T, N = (VOCAB[letter] for letter in "ACGTN")
NUCLEOTIDES = (A, C, G, T)

_NOT_A_LETTER = 255


def _table_of_ids() -> bytes:
    table = bytearray([_NOT_A_LETTER] * 256)
    for letter in "ABCDEFGHIJKLMNOPQRSTUVWXYZ":
        table[ord(letter)] = table[ord(letter.lower())] = VOCAB.get(letter, N)
    return bytes(table)


_ID_OF_BYTE = _table_of_ids()
_COMPLEMENT = bytes([*range(A), T, G, C, A, *range(N, 256)])


def encode(sequence: str | bytes) -> npt.NDArray[np.uint8]:
    """Return token ids (L,); lower case counts as upper, letters other than A, C, G, T as N.

    Raises:
        InputError: a character is not a letter.
    """
    if isinstance(sequence, str):
        data = bytearray(sequence, "ascii", "replace")
    else:
        data = bytearray(sequence)
    # Several times faster than indexing an array by an array, and the result may be written to.
    ids = np.frombuffer(data.translate(_ID_OF_BYTE), dtype=np.uint8)
    if ids.size and ids.max() == _NOT_A_LETTER:
        position = int(ids.argmax())
        character = sequence[position : position + 1]
        raise InputError(
            f"{character!r} at position {position} of a sequence of {len(sequence)} is not a "
            "nucleotide; give letters only (A, C, G, T, N or IUPAC codes)"
        )
    return ids


def decode(ids: npt.ArrayLike) -> str:
    """Return the text of token ids (L,); special tokens are spelt out, as in "[SEP]".

    Raises:
        InputError: an id is not in the vocabulary.
    """
    numbers = np.asarray(ids).tolist()
    if numbers and not 0 <= min(numbers) <= max(numbers) < VOCAB_SIZE:
        raise InputError(
            f"token ids must lie in 0 to {VOCAB_SIZE - 1}, got {min(numbers)} to {max(numbers)}"
        )
    return "".join([TOKENS[number] for number in numbers])


def reverse_complement_ids(ids: npt.NDArray[np.integer]) -> npt.NDArray[np.uint8]:
    """Return the opposite strand of token ids (..., L), as (..., L); special tokens stay."""
    # Bytes are translated several times faster than an array indexes an array.
    backwards = bytearray(np.ascontiguousarray(ids[..., ::-1], dtype=np.uint8))
    return np.frombuffer(backwards.translate(_COMPLEMENT), dtype=np.uint8).reshape(ids.shape)


def count_letters(text: bytes) -> dict[str, int]:
    """Count the letters of a sequence that `encode` accepts.

    Args:
        text: letters as written.

    Returns:
        A, C, G, T and N in either case, `iupac` for the other letters (which become N), and
        `soft_masked` for letters in lower case, whichever they are.
    """
    letters = np.frombuffer(text, dtype=np.uint8)
    upper = letters & 0b1101_1111
    found = {letter: int(np.count_nonzero(upper == ord(letter))) for letter in "ACGTN"}
    iupac = len(letters) - sum(found.values())
    soft_masked = int(np.count_nonzero(letters >= ord("a")))
    return found | {"iupac": iupac, "soft_masked": soft_masked}
