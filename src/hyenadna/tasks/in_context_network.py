"""A language model that answers at the last [SEP] of a question, behind a prompt if there is one.

B batch, L length, P prompt tokens, D width, V logits, C classes.
"""

import torch
from torch import Tensor, nn
from torch.nn.functional import dropout

from hyenadna.model.backbone import HyenaDNA


class SoftPrompt(nn.Module):
    """Embeddings of no token, tuned in place of the weights of a network."""

    def __init__(self, count: int, width: int, *, dropout: float) -> None:
        super().__init__()
        self.embeddings = nn.Parameter(0.02 * torch.randn(count, width))
        self.dropout = dropout

    def forward(self) -> Tensor:
        """Return the embeddings, (P, D)."""
        return dropout(self.embeddings, self.dropout, self.training)


class Reader(nn.Module):
    """A causal network with what stands before each of its inputs."""

    def __init__(self, model: HyenaDNA, prompt: SoftPrompt | None) -> None:
        super().__init__()
        self.model = model
        self.prompt = prompt

    def forward(self, input_ids: Tensor, lengths: Tensor) -> Tensor:
        """Return logits of the token that follows each sequence, (B, V).

        Args:
            input_ids: (B, L), right-padded: the network is causal, so padding changes nothing
                before it, while padding on the left would change all states.
            lengths: (B,), tokens that are not padding.
        """
        prompt = None if self.prompt is None else self.prompt()
        hidden = self.model.hidden_states(input_ids, prompt)  # (B, P + L, D)
        before = 0 if prompt is None else len(prompt)
        rows = torch.arange(len(lengths), device=lengths.device)
        logits: Tensor = self.model.lm_head(hidden[rows, before + lengths - 1])
        return logits
