"""DNA models of the package transformers: Nucleotide Transformer (ESM) and DNABERT (BERT).

B batch, L nucleotides, T tokens, D width. Only architectures that the package has itself are
loaded; no code of a checkpoint is run.
"""

import importlib.util
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from hyenadna.errors import InputError
from hyenadna.files import read_json
from hyenadna.inference.embedders import Pooling
from hyenadna.inference.kmer_tokens import KmerVocabulary, Marks

MARKS = {
    # Nucleotide Transformer, unlike ESM, marks the start alone.
    "esm": Marks(pad="<pad>", unknown="<unk>", first="<cls>", last=None),
    "bert": Marks(pad="[PAD]", unknown="[UNK]", first="[CLS]", last="[SEP]"),
}
"""By architecture, the tokens of its vocabulary that are no DNA."""
_NOT_OF_THE_STATES = ("contact_head.", "pooler.")


@dataclass(frozen=True)
class Snapshot:
    """Files of one checkpoint."""

    folder: Path
    revision: str = ""
    """Commit on the hub; a folder of the user's has none."""

    @property
    def files(self) -> list[Path]:
        """What is read: settings, vocabulary and weights, these as safetensors if there are any."""
        weights = sorted(self.folder.glob("model*.safetensors*"))
        weights = weights or sorted(self.folder.glob("pytorch_model*.bin*"))
        if not weights:
            raise InputError(f"{self.folder}: no model.safetensors and no pytorch_model.bin in it")
        return [self.folder / "config.json", self.folder / "vocab.txt", *weights]


class KmerTransformer:
    """A transformer that reads k-mers; a vector is the mean over the tokens that stand for DNA."""

    poolings: tuple[Pooling, ...] = ("mean",)

    def __init__(
        self, network: nn.Module, vocabulary: KmerVocabulary, *, snapshot: Snapshot
    ) -> None:
        self.network = network.eval()
        self.vocabulary = vocabulary
        self.snapshot = snapshot
        config: Any = network.config
        marks = len(vocabulary.first) + len(vocabulary.last)
        # Positions of an ESM network count from behind the id of its padding.
        unused = vocabulary.pad + 1 if config.model_type == "esm" else 0
        self.longest = config.max_position_embeddings - unused - marks
        """Tokens that fit between the marks."""
        self.window = vocabulary.window(self.longest)
        self.width = int(config.hidden_size)
        self.parameters = sum(parameter.numel() for parameter in network.parameters())

    @classmethod
    def load(cls, source: str, *, device: torch.device) -> Self:
        """Load a checkpoint.

        Args:
            source: folder with config.json, vocab.txt and weights; or a name on the Hugging Face
                hub, owner/name or owner/name@revision, which is downloaded once.
            device: what computes.

        Raises:
            InputError: the package or a file is missing, or the network or its vocabulary is of
                another kind.
        """
        if importlib.util.find_spec("transformers") is None:
            raise InputError(
                "other models need the package transformers; install it by: "
                "pip install 'hyenadna[transformers]'"
            )
        snapshot = _find(source)
        _, vocabulary, *_ = snapshot.files
        architecture = _architecture(snapshot.folder / "config.json")
        words = KmerVocabulary.read(vocabulary, MARKS[architecture])
        network = _network(snapshot.folder, architecture)
        rows = network.config.vocab_size
        if rows < words.size:
            raise InputError(f"{vocabulary}: {words.size} tokens, but the network has {rows}")
        return cls(network.to(device), words, snapshot=snapshot)

    @property
    def settings(self) -> dict[str, Any]:
        """What it is, as plain values."""
        config: Any = self.network.config
        return {
            "architecture": config.model_type,
            "revision": self.snapshot.revision,
            "k": self.vocabulary.k,
            "overlapping": self.vocabulary.letters is None,
            "window": self.window,
            "d_model": self.width,
            "n_layer": config.num_hidden_layers,
        }

    @torch.inference_mode()
    def embed_batch(
        self, windows: Sequence[NDArray[np.uint8]], pooling: Pooling
    ) -> list[NDArray[np.float32]]:
        """Return (1, D) of each window, run together; N and unknown k-mers count as DNA."""
        assert pooling == "mean"
        rows: list[NDArray[np.int64]] = []
        owners: list[int] = []
        for owner, window in enumerate(windows):
            tokens = self.vocabulary.encode(window)
            # Single letters, for N and at the end of a run, may be more tokens than positions.
            parts = np.array_split(tokens, -(-len(tokens) // self.longest))
            rows += parts
            owners += [owner] * len(parts)
        sums = self._sums(rows).cpu().numpy()
        vectors = np.zeros((len(windows), self.width), dtype=np.float32)
        counts = np.zeros((len(windows), 1), dtype=np.float32)
        np.add.at(vectors, owners, sums)
        np.add.at(counts, (owners, 0), [len(row) for row in rows])
        return list((vectors / counts)[:, None])

    def untrained(self, seed: int) -> Self:
        """Return the same network with random weights, on the same device."""
        torch.manual_seed(seed)
        device = next(self.network.parameters()).device
        config: Any = self.network.config
        network = type(self.network)(config, add_pooling_layer=False).to(device)
        return type(self)(network, self.vocabulary, snapshot=self.snapshot)

    def _sums(self, rows: Sequence[NDArray[np.int64]]) -> Tensor:
        """Return the summed states (B, D) of rows of tokens, marks left out."""
        words = self.vocabulary
        marked = [np.concatenate([words.first, row, words.last]) for row in rows]
        padded = np.full((len(rows), max(map(len, marked))), words.pad)  # (B, T)
        real = np.zeros(padded.shape, dtype=np.int64)
        dna = np.zeros(padded.shape, dtype=np.float32)
        before = len(words.first)
        for number, (row, tokens) in enumerate(zip(rows, marked, strict=True)):
            padded[number, : len(tokens)] = tokens
            real[number, : len(tokens)] = 1
            dna[number, before : before + len(row)] = 1
        device = next(self.network.parameters()).device
        ids, mask, weight = (torch.from_numpy(of).to(device) for of in (padded, real, dna))
        states = self.network(input_ids=ids, attention_mask=mask).last_hidden_state  # (B, T, D)
        return torch.einsum("btd,bt->bd", states.float(), weight)


def _find(source: str) -> Snapshot:
    """Return a folder, or the snapshot of a name on the hub."""
    if Path(source).is_dir():
        return Snapshot(Path(source))
    from huggingface_hub import snapshot_download

    name, _, revision = source.partition("@")
    texts = ["config.json", "vocab.txt"]
    folder = Path()
    try:
        for weights in ("model*.safetensors*", "pytorch_model*.bin*"):
            wanted = {"revision": revision or None, "allow_patterns": [*texts, weights]}
            folder = Path(snapshot_download(name, **wanted))
            if any(folder.glob(weights)):
                break
    except (OSError, ValueError) as error:
        raise InputError(
            f"{source}: no such folder, and not to be had from the Hugging Face hub "
            f"({_first_line(error)}); give a folder with config.json, vocab.txt and weights, "
            "or owner/name where the hub can be reached"
        ) from error
    return Snapshot(folder, revision=folder.name)


def _architecture(path: Path) -> str:
    """Return esm or bert."""
    try:
        config = read_json(path)
    except FileNotFoundError:
        raise InputError(f"{path}: no such file; it says what the network is") from None
    except ValueError:
        raise InputError(f"{path}: not JSON") from None
    # Files of old versions name only a class, such as BertForMaskedLM.
    named = str(config.get("model_type") or "".join(config.get("architectures", [])[:1])).lower()
    found = next((name for name in MARKS if named.startswith(name)), None)
    if found is None:
        raise InputError(
            f"{path}: architecture {named!r} is not read; {' and '.join(MARKS)} are "
            "(Nucleotide Transformer, DNABERT)"
        )
    return found


def _network(folder: Path, architecture: str) -> Any:
    """Return the network without heads, every weight of it from the files."""
    import transformers
    from safetensors import SafetensorError

    transformers.utils.logging.set_verbosity_error()  # what is left over is the heads
    transformers.utils.logging.disable_progress_bar()
    name = {"esm": "EsmModel", "bert": "BertModel"}[architecture]
    try:
        network, found = getattr(transformers, name).from_pretrained(
            folder,
            add_pooling_layer=False,
            dtype=torch.float32,
            ignore_mismatched_sizes=True,  # told of below, by name
            local_files_only=True,
            output_loading_info=True,
        )
    except (OSError, ValueError, RuntimeError, SafetensorError) as error:
        raise InputError(f"{folder}: cannot be loaded ({_first_line(error)})") from error
    # By version, a weight of other shape is a name, or a name with both shapes.
    wrong = {
        key if isinstance(key, str) else key[0]
        for key in (*found["missing_keys"], *found["mismatched_keys"])
    }
    wrong = {key for key in wrong if not key.startswith(_NOT_OF_THE_STATES)}
    if wrong:
        raise InputError(
            f"{folder}: {len(wrong)} weights of an {name} are missing or of other shape, such as "
            f"{min(wrong)}; a checkpoint with code of its own (DNABERT-2, Nucleotide Transformer "
            "v2) is another network and is not read"
        )
    return network


def _first_line(error: Exception) -> str:
    return (str(error).strip() or type(error).__name__).splitlines()[0]
