"""Tables of roots of unity for `butterflies`, each rounded once from float64 (S threads)."""

from functools import lru_cache

import torch
from torch import Tensor

# `butterflies.turn` multiplies the first four powers with the last four.
_POWERS = torch.tensor([0, 1, 2, 3, 0, 4, 8, 12], dtype=torch.float64)
_LOW = torch.tensor([1, 1, 1, 1, 0, 0, 0, 0], dtype=torch.float64)


@lru_cache(maxsize=64)
def row_roots(n: int, shifted: bool, device: torch.device) -> Tensor:
    """Return the tables of all stages of a row of n points, one after the other.

    Those of a stage of S threads are exp(-2 pi i p t / 16 S) for 8 powers p and t < S, real parts
    (8, S), then imaginary ones. `shifted` adds a quarter to the powers of the first stage.
    """
    tables: list[Tensor] = []
    threads = n // 16
    while threads:
        powers = _POWERS + 0.25 * _LOW if shifted and not tables else _POWERS
        tables.append(_planes(powers[:, None] * _range(threads) / (16 * threads)))
        threads //= 16
    return torch.cat(tables).to(device)


@lru_cache(maxsize=64)
def column_roots(row: int, radix: int, padded: int, device: torch.device) -> tuple[Tensor, Tensor]:
    """Return the tables of columns of 16 * radix points, `row` of them side by side.

    First those within a column, for `padded` threads; then exp(-2 pi i m c / N) for the parts that
    16 points and `padded` threads have in frequency m, columns c.
    """
    points = 16 * radix
    within = _planes((_POWERS + 0.25 * _LOW)[:, None] * _range(padded) / points)
    columns = _range(row) / (points * row)
    of_points = _POWERS // padded * padded + 16 * (_POWERS % padded)
    of_threads = _range(padded) + 0.25
    across = [_planes(of_points[:, None] * columns)]
    across += [_planes(m * columns) for m in of_threads]
    return within.to(device), torch.cat(across).to(device)


def _planes(turns: Tensor) -> Tensor:
    """Return exp(-2 pi i turns) as fp32 real parts, then imaginary ones, in one dimension."""
    root = torch.polar(torch.ones_like(turns), -2 * torch.pi * turns)
    return torch.stack([root.real, root.imag]).float().flatten()


def _range(n: int) -> Tensor:
    return torch.arange(n, dtype=torch.float64)
