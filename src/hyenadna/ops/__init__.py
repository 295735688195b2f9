"""Operations with a readable reference and, where it pays, a fast form."""

from hyenadna.ops.long_conv import (
    FilterSpectrum,
    filter_spectrum,
    long_conv,
    long_conv_by_spectrum,
    long_conv_reference,
)
from hyenadna.ops.short_conv import short_conv, short_conv_reference

__all__ = [
    "FilterSpectrum",
    "filter_spectrum",
    "long_conv",
    "long_conv_by_spectrum",
    "long_conv_reference",
    "short_conv",
    "short_conv_reference",
]
