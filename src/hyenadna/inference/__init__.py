"""Inference: embeddings of sequences, from a FASTA or from intervals of a genome."""

from hyenadna.inference.embed import embed, embed_sequences

__all__ = ["embed", "embed_sequences"]
