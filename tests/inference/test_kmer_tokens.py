"""Tokens of other models: the same words as their own tokenizers make."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest

from hyenadna.errors import InputError
from hyenadna.inference.kmer_tokens import KmerVocabulary
from hyenadna.inference.other_models import MARKS
from hyenadna.tokenizer import encode

SEQUENCES = [
    "ACGTACGT",
    "ACGTANACGTACGTNNTTTTTTA",
    "NACGTAC",
    "A",
    "ACG",
    "NNNN",
    "TTTTTTTTTTTTGGGGGGN",
    "acgtaRcgtacgtaa",
]


def kmers(k: int) -> list[str]:
    return ["".join(word) for word in product("ATCG", repeat=k)]


def write(path: Path, words: list[str]) -> Path:
    path.write_text("\n".join(words) + "\n")
    return path


def overlapping(tmp_path: Path, k: int) -> KmerVocabulary:
    """As of DNABERT."""
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    return KmerVocabulary.read(write(tmp_path / "vocab.txt", marks + kmers(k)), MARKS["bert"])


def side_by_side(tmp_path: Path) -> KmerVocabulary:
    """As of Nucleotide Transformer."""
    marks = ["<unk>", "<pad>", "<mask>", "<cls>"]
    words = [*marks, *kmers(6), "A", "T", "C", "G", "N"]
    return KmerVocabulary.read(write(tmp_path / "vocab.txt", words), MARKS["esm"])


def spelt(tmp_path: Path, tokens: np.ndarray) -> list[str]:
    words = (tmp_path / "vocab.txt").read_text().split()
    return [words[token] for token in tokens]


def test_overlapping_kmers_start_at_every_nucleotide(tmp_path):
    tokens = overlapping(tmp_path, 3).encode(encode("ACGTNAAAC"))
    assert spelt(tmp_path, tokens) == ["ACG", "CGT", "[UNK]", "[UNK]", "[UNK]", "AAA", "AAC"]


@pytest.mark.parametrize("k", [3, 4, 5, 6])
def test_the_vocabulary_says_k(tmp_path, k):
    words = overlapping(tmp_path, k)
    assert (words.k, words.letters) == (k, None)
    assert words.window(510) == 509 + k
    assert len(words.encode(encode("ACGT" * 10))) == 40 - k + 1


def test_a_sequence_shorter_than_a_kmer_is_one_unknown_kmer(tmp_path):
    assert spelt(tmp_path, overlapping(tmp_path, 6).encode(encode("ACGTA"))) == ["[UNK]"]


def test_kmers_side_by_side_start_anew_behind_n(tmp_path):
    tokens = side_by_side(tmp_path).encode(encode("ACGTACGTNTTTTTTA"))
    assert spelt(tmp_path, tokens) == ["ACGTAC", "G", "T", "N", "TTTTTT", "A"]


def test_the_window_holds_as_many_kmers_as_there_are_positions(tmp_path):
    words = side_by_side(tmp_path)
    assert words.window(999) == 5994
    assert len(words.encode(encode("ACGTTG" * 999))) == 999


@pytest.mark.parametrize("sequence", SEQUENCES)
def test_tokens_against_those_of_the_esm_tokenizer(tmp_path, sequence):
    transformers = pytest.importorskip("transformers")
    tokens = side_by_side(tmp_path).encode(encode(sequence))
    tokenizer = transformers.EsmTokenizer(str(tmp_path / "vocab.txt"), eos_token=None)
    # Its letters are upper case and A, C, G, T and N alone.
    expected = tokenizer(sequence.upper().replace("R", "N"))["input_ids"]
    assert [3, *tokens] == expected


@pytest.mark.parametrize("k", [3, 6])
@pytest.mark.parametrize("sequence", [of for of in SEQUENCES if len(of) >= 6])
def test_tokens_against_those_of_the_bert_tokenizer(tmp_path, sequence, k):
    transformers = pytest.importorskip("transformers")
    tokens = overlapping(tmp_path, k).encode(encode(sequence))
    tokenizer = transformers.BertTokenizer(str(tmp_path / "vocab.txt"), do_lower_case=False)
    upper = sequence.upper().replace("R", "N")
    text = " ".join(upper[i : i + k] for i in range(len(upper) - k + 1))
    assert [2, *tokens, 3] == tokenizer(text)["input_ids"]


@pytest.mark.parametrize(
    "words", [["[PAD]", "AC", "##GT"], ["[PAD]", *kmers(3)[:-1]], ["A", "C", "G", "T"], ["A" * 30]]
)
def test_other_vocabularies_are_refused(tmp_path, words):
    with pytest.raises(InputError, match="not a vocabulary of all k-mers"):
        KmerVocabulary.read(write(tmp_path / "vocab.txt", words), MARKS["bert"])


def test_a_vocabulary_of_the_other_architecture_is_refused(tmp_path):
    overlapping(tmp_path, 3)
    with pytest.raises(InputError, match="no token '<pad>', which this architecture needs"):
        KmerVocabulary.read(tmp_path / "vocab.txt", MARKS["esm"])
