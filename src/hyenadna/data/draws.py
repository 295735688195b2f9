"""Random numbers by counter: a function of where they are used, without state or order.

B items. Words are absorbed, and numbers given out, by SplitMix64 (Steele, Lea and Flood, "Fast
splittable pseudorandom number generators", 2014).
"""

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

Words = npt.NDArray[np.uint64]

_GAMMA = np.uint64(0x9E3779B97F4A7C15)
_HALF = np.uint64(32)
_LOW = np.uint64(0xFFFFFFFF)


def absorb(words: Words, *more: Words) -> Words:
    """Return one state (B,) for each row of words, all (B,) or (1,); every word matters."""
    state = _mix(words)
    for word in more:
        state = _mix(state ^ word)
    return state


def outputs(states: Words, numbers: Sequence[int]) -> Words:
    """Return these outputs (K, B), counted from 0, of SplitMix64 generators seeded with (B,)."""
    # Arrays wrap around in silence, scalars of NumPy warn.
    return _mix(states + np.array(numbers, dtype=np.uint64)[:, None] * _GAMMA)


def below(random: Words, bounds: Words) -> npt.NDArray[np.int64]:
    """Return whole numbers (B,) in [0, bound): the upper half of the product with 64 random bits.

    Each number has probability 1 / bound to within 2^-64, as none is drawn again.
    """
    r1, r0 = random >> _HALF, random & _LOW
    b1, b0 = bounds >> _HALF, bounds & _LOW
    middle = r1 * b0 + (r0 * b0 >> _HALF)
    other = r0 * b1 + (middle & _LOW)
    upper: Words = r1 * b1 + (middle >> _HALF) + (other >> _HALF)
    return upper.astype(np.int64)


def unit(random: Words) -> npt.NDArray[np.float64]:
    """Return numbers (B,) in [0, 1), multiples of 2^-53."""
    return (random >> np.uint64(11)).astype(np.float64) * 2.0**-53


def _mix(states: Words) -> Words:
    """Advance SplitMix64 generators by a step and return what they give out."""
    z = states + _GAMMA
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed: Words = z ^ (z >> np.uint64(31))
    return mixed
