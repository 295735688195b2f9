"""Small checkpoints of other models, with random weights, as their authors publish them."""

import os
from itertools import product
from pathlib import Path

import pytest

os.environ["HF_HUB_OFFLINE"] = "1"  # read when the package is imported

SIZE = {
    "hidden_size": 16,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "intermediate_size": 32,
    "attn_implementation": "eager",
}


def _words(path: Path, marks: list[str], k: int, letters: str) -> int:
    words = [*marks, *map("".join, product("ATCG", repeat=k)), *letters]
    path.write_text("\n".join(words) + "\n")
    return len(words)


@pytest.fixture(scope="session")
def dnabert(tmp_path_factory) -> Path:
    """BERT over 3-mers that overlap, 22 of them at once, 24 nucleotides; with its head."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("dnabert")
    marks = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    words = _words(folder / "vocab.txt", marks, 3, "")
    config = transformers.BertConfig(vocab_size=words, max_position_embeddings=24, **SIZE)
    transformers.set_seed(9)
    transformers.BertForMaskedLM(config).save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def nucleotide_transformer(tmp_path_factory) -> Path:
    """ESM over 6-mers side by side, 7 of them at once, 42 nucleotides; with its head."""
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("nucleotide_transformer")
    marks = ["<unk>", "<pad>", "<mask>", "<cls>"]
    words = _words(folder / "vocab.txt", marks, 6, "ATCGN")
    config = transformers.EsmConfig(
        vocab_size=words,
        max_position_embeddings=10,
        pad_token_id=1,
        mask_token_id=2,
        position_embedding_type="absolute",
        emb_layer_norm_before=False,
        token_dropout=True,
        **SIZE,
    )
    transformers.set_seed(9)
    transformers.EsmForMaskedLM(config).save_pretrained(folder)
    return folder
