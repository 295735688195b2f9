"""Inference: embeddings of sequences, from a FASTA or from intervals of a genome."""

from hyenadna.inference.embed import embed, embed_sequences, read_sequences
from hyenadna.inference.embedders import HyenaEmbedder, load_embedder

__all__ = ["HyenaEmbedder", "embed", "embed_sequences", "load_embedder", "read_sequences"]
