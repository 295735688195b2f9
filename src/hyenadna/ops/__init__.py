"""Operations with a readable reference and, where it pays, a fast form."""

from hyenadna.ops.long_conv import long_conv, long_conv_reference

__all__ = ["long_conv", "long_conv_reference"]
