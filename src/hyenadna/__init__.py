"""HyenaDNA: long-range language models of DNA at single-nucleotide resolution."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hyenadna.genome import Genome
    from hyenadna.model.backbone import HyenaDNA
    from hyenadna.model.config import ModelConfig
    from hyenadna.model.heads import SequenceClassifier
    from hyenadna.tokenizer import decode, encode

__version__ = "0.1.0"
__all__ = ["Genome", "HyenaDNA", "ModelConfig", "SequenceClassifier", "decode", "encode"]

_HOMES = {
    "Genome": "hyenadna.genome",
    "HyenaDNA": "hyenadna.model.backbone",
    "ModelConfig": "hyenadna.model.config",
    "SequenceClassifier": "hyenadna.model.heads",
    "decode": "hyenadna.tokenizer",
    "encode": "hyenadna.tokenizer",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use, so that `hyenadna --help` does not wait for torch."""
    if name not in _HOMES:
        raise AttributeError(f"module 'hyenadna' has no attribute {name!r}")
    return getattr(import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
