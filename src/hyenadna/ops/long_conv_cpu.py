"""Long convolution on a CPU, by real or by right-angle Fourier transforms.

B batch, D channels, L length, K taps, F frequencies, R rows: the sequences of a channel that are
transformed together, its inputs and its filter. Memory costs a CPU more than arithmetic, and fresh
memory most: blocks of channels that fit its caches pass through one work space.

The right-angle transform multiplies polynomials modulo z^N + i. For real x of length L <= N, with
e(t) = exp(-2 pi i t), it is X_f = sum_n x_n e(n / 4N) e(f n / N). Of the inverse of a product,
times e(-n / 4N), the real part is the causal convolution; all that wrapped around is imaginary. So
it takes N complex points where zero padding takes 2L real ones, and any N from L on will do.
"""

import functools
import math
from collections.abc import Callable, Iterator, Sequence
from typing import Any, Protocol

import torch
from torch import Tensor
from torch.fft import fft, irfft, rfft

from hyenadna.ops.precision import wide, widened

# Numbers that a block transforms at a time, such that they and their spectra stay in cache.
BLOCK_ELEMENTS = 1 << 19
# Up to so many elements of the input, `composed` is faster than a registered operator.
COMPOSED_ELEMENTS = 1 << 15
# Up to so many, forward and back, blocks cost more than they save.
SMALL_FORWARD, SMALL_BACKWARD = 1 << 18, 1 << 17
# From so many tokens on, the right-angle transform is faster than the real one.
RIGHT_ANGLE_LENGTH = 1 << 14

_ALL = slice(None)
# From the spectra (R, D, *grid) of all rows, some part of the grid, to those of the results.
_Combine = Callable[[Tensor, slice], Tensor]


def path(length: int) -> str:
    """Name the transform that `forward` takes: "real" or "right-angle"."""
    return "real" if length < RIGHT_ANGLE_LENGTH else "right-angle"


def composed(
    u: Tensor, k: Tensor, skip: Tensor | None, pre_gate: Tensor | None, post_gate: Tensor | None
) -> Tensor:
    """Return `forward` in operations that autograd knows: faster where calls are all the cost."""
    length = u.shape[-1]
    n = _padded_length(length)
    v = _gated(u, pre_gate)
    y = irfft(rfft(v, n) * rfft(widened(k), n), n)[..., :length]
    if skip is not None:
        y = torch.addcmul(y, v, widened(skip)[:, None])
    return _gated(y, post_gate).to(u.dtype)


def forward(
    u: Tensor, k: Tensor, skip: Tensor | None, pre_gate: Tensor | None, post_gate: Tensor | None
) -> Tensor:
    """Return y (B, D, L) in u's dtype; arguments as in `ops.long_conv`, with k no longer than u."""
    if u.numel() <= SMALL_FORWARD:
        return composed(u, k, skip, pre_gate, post_gate).contiguous()
    batch, _, length = u.shape

    def combine(rows: Tensor, part: slice) -> Tensor:
        return rows[:batch].mul_(rows[batch])

    y = torch.empty_like(u, memory_format=torch.contiguous_format)
    transform = _transform(length, wide(u.dtype), u.device)
    for block, work in _blocks(transform, batch + 1, u):
        _fill(work[0, :batch], u, pre_gate, block)
        _fill_filter(work[0, batch], k, block)
        conv = transform.convolve(work, slice(0, batch), combine)
        _add_skip(conv, skip, u, pre_gate, block)
        _write(y, conv, post_gate, block)
    return y


def backward(
    dy: Tensor,
    u: Tensor,
    k: Tensor,
    skip: Tensor | None,
    pre_gate: Tensor | None,
    post_gate: Tensor | None,
    *,
    needs: Sequence[bool],
) -> tuple[Tensor, ...]:
    """Return the gradients of u, k, skip, pre_gate and post_gate; empty where not in `needs`."""
    inputs = (u, k, skip, pre_gate, post_gate)
    if u.numel() <= SMALL_BACKWARD:
        return _backward_at_once(dy, inputs, needs)
    du, dk, dskip, d_pre, d_post = gradients = [
        torch.empty_like(x, memory_format=torch.contiguous_format)
        if x is not None and needed
        else dy.new_empty(0)
        for x, needed in zip(inputs, needs, strict=True)
    ]
    batch, _, length = u.shape
    # Rows come in as v, g, k (g: dy times its gate) and go out as conv(v), dv, dk.
    results = slice(
        0 if d_post.numel() else batch if du.numel() or d_pre.numel() else 2 * batch,
        2 * batch + (dk.numel() > 0),
    )
    transform = _transform(length, wide(u.dtype), u.device)
    for block, work in _blocks(transform, 2 * batch + 1, u):
        _fill(work[0, :batch], u, pre_gate, block)
        _fill(work[0, batch : 2 * batch], dy, post_gate, block)
        if dskip.numel():  # dk at lag 0 is the same, but for errors of the size of all of dk
            products = work[0, :batch, :, :length] * work[0, batch : 2 * batch, :, :length]
            _channels(dskip, block).copy_(products.sum((0, 2)))
        _fill_filter(work[0, 2 * batch], k, block)
        if results.start < results.stop:
            rows = transform.convolve(work, results, _reverse(batch, results))
            dv = rows[batch - results.start :][:batch]
            if du.numel() or d_pre.numel():
                _add_skip(dv, skip, dy, post_gate, block)
            if d_post.numel():
                _add_skip(rows[:batch], skip, u, pre_gate, block)
            _write(du, dv, pre_gate, block)
            _write(d_pre, dv, u, block)
            _write(d_post, rows[:batch], dy, block)
            _write(dk, rows[-1], None, block)
    return tuple(gradients)


def _backward_at_once(
    dy: Tensor, inputs: tuple[Tensor | None, ...], needs: Sequence[bool]
) -> tuple[Tensor, ...]:
    u, k, skip, pre_gate, post_gate = inputs
    assert u is not None
    assert k is not None
    length = u.shape[-1]
    n = _padded_length(length)
    v, g = _gated(u, pre_gate), _gated(dy, post_gate)
    v_f, g_f, k_f = rfft(v, n), rfft(g, n), rfft(widened(k), n)
    weight = None if skip is None else widened(skip)[:, None]
    dk = dskip = d_pre = d_post = None
    if needs[1]:
        dk = irfft((v_f.conj_physical() * g_f).sum(0), n)[:, : k.shape[1]]
    if needs[2]:
        dskip = (v * g).sum((0, 2))
    if needs[4]:
        d_post = irfft(v_f.mul_(k_f), n)[..., :length]
        d_post = _gated(dy, d_post if weight is None else torch.addcmul(d_post, v, weight))
    dv = irfft(g_f.mul_(k_f.conj_physical_()), n)[..., :length]
    dv = dv if weight is None else torch.addcmul(dv, g, weight)
    if needs[3]:
        d_pre = dv * u
    gradients = (_gated(dv, pre_gate), dk, dskip, d_pre, d_post)
    return tuple(
        dx.to(x.dtype).contiguous()
        if x is not None and dx is not None and needed
        else dy.new_empty(0)
        for x, dx, needed in zip(inputs, gradients, needs, strict=True)
    )


@torch.no_grad()
def spectrum(k: Tensor, length: int) -> Tensor:
    """Return the frequency response (D, F) that `forward` finds for inputs of `length` tokens."""
    transform = _transform(length, wide(k.dtype), k.device)
    responses = []
    for block, work in _blocks(transform, 1, k[None]):
        _fill_filter(work[0, 0], k[:, :length], block)
        responses.append(transform.spectrum(work)[0].flatten(1))
    return torch.cat(responses)


@torch.no_grad()
def forward_with_spectrum(
    u: Tensor,
    spectrum: Tensor,
    skip: Tensor | None,
    pre_gate: Tensor | None,
    post_gate: Tensor | None,
) -> Tensor:
    """Return what `forward` does for the filter that `spectrum` (D, F) came from."""
    batch, _, length = u.shape
    y = torch.empty_like(u, memory_format=torch.contiguous_format)
    transform = _transform(length, wide(u.dtype), u.device)
    responses = spectrum.view(-1, *transform.grid)
    for block, work in _blocks(transform, batch, u):
        response = responses[block]

        def combine(rows: Tensor, part: slice, response: Tensor = response) -> Tensor:
            return rows.mul_(response[:, part])

        _fill(work[0], u, pre_gate, block)
        conv = transform.convolve(work, slice(0, batch), combine)
        _add_skip(conv, skip, u, pre_gate, block)
        _write(y, conv, post_gate, block)
    return y


def _reverse(batch: int, results: slice) -> _Combine:
    """Return what makes spectra of conv(v), dv, dk, as far as in results, of those of v, g, k."""

    def combine(rows: Tensor, part: slice) -> Tensor:
        v, g, h = rows[:batch], rows[batch : 2 * batch], rows[2 * batch]
        if results.stop > 2 * batch:
            products = v.conj_physical().mul_(g)
            dh = products.sum(0) if batch > 1 else products[0]
        if results.start == 0:
            v.mul_(h)
        g.mul_(h.conj_physical_())
        if results.stop > 2 * batch:
            h.copy_(dh)
        return rows[results]

    return combine


def fast_length(n: int) -> int:
    """Return the least length >= n that FFTs do fast: a multiple of 64, no prime factor above 5.

    Measured on CPU (MKL), per element: a length with a large prime factor takes up to eight times
    as long, and one with few factors of two up to twice.
    """
    m = -(-n // 64)
    while pow(30, m.bit_length(), m):  # 0 if and only if 2, 3 and 5 are all that divides m
        m += 1
    return 64 * m


@functools.lru_cache(maxsize=64)
def _padded_length(length: int) -> int:
    """Return what to pad a row to before a real transform; short ones need fewer factors of two."""
    least = 2 * length - 1
    if length <= 32:
        return least + 1
    return fast_length(least) if least > 512 else fast_length(8 * least) // 8


class _Transform(Protocol):
    """How rows (R, D, L) become spectra (R, D, *grid), and products of those rows again."""

    @property
    def grid(self) -> tuple[int, ...]:
        """Shape of the frequencies."""

    width: int
    """Numbers that a row takes, its zero padding included."""
    planes: int
    """Copies of the rows that the work space has room for."""

    def convolve(self, work: Tensor, wanted: slice, combine: _Combine) -> Tensor:
        """Return the `wanted` rows (R', D, width) that `combine` makes; work is spoilt.

        Args:
            work: (planes, R, D, width), of which the first plane has the rows, zero past L.
            wanted: Which rows of the work space `combine` has results for.
            combine: Takes spectra, in parts along the first dimension of the grid.
        """

    def spectrum(self, work: Tensor) -> Tensor:
        """Return the spectra (R, D, *grid) of the rows in work."""


class _Real:
    """The real transform of rows padded to twice their length."""

    planes = 1

    def __init__(self, length: int) -> None:
        self.width = _padded_length(length)
        self.grid = (self.width // 2 + 1,)

    def convolve(self, work: Tensor, wanted: slice, combine: _Combine) -> Tensor:
        y: Tensor = irfft(combine(self.spectrum(work), _ALL), self.width)
        return y

    def spectrum(self, work: Tensor) -> Tensor:
        x_f: Tensor = rfft(work[0])
        return x_f


class _RightAngle:
    """The right-angle transform of N = P Q points: a matrix of P, then rows of Q in cache.

    With n = Q a + b and f = p + P q, the exponent n / 4N + f n / N is, up to whole numbers,
    (p + 1/4) a / P + (p + 1/4) b / N + q b / Q: a real matrix (twice P, P), a factor, an FFT. The
    P groups of frequencies are independent until the way back.
    """

    planes = 3  # the rows, and the complex numbers between matrix and FFTs, real and imaginary

    def __init__(self, length: int, dtype: torch.dtype) -> None:
        self.length = length
        self.grid = p, q = _factors(length)
        self.width = p * q
        quarters = 4 * torch.arange(p)[:, None] + 1
        matrix = _turns(quarters * torch.arange(p), 4 * p)
        self.there = torch.cat([matrix.real, matrix.imag]).to(dtype)  # (2P, P)
        self.back = (torch.cat([matrix.real, -matrix.imag]).mT / self.width).to(dtype).contiguous()
        self.factor = _turns(quarters * torch.arange(q), 4 * self.width).to(dtype.to_complex())

    def convolve(self, work: Tensor, wanted: slice, combine: _Combine) -> Tensor:
        planes = self._columns(work)
        for part in self._parts(work):
            # Real parts stay as they are if all is conjugated: so forward transforms go back, too.
            product = combine(self._spectra(planes, part), part).conj_physical_()
            turned = fft(product).mul_(self.factor[part])
            planes[wanted, :, 0, part] = turned.real
            planes[wanted, :, 1, part] = turned.imag
        rows = work[0, wanted]
        count = rows.shape[0] * rows.shape[1]
        columns = planes[wanted].reshape(count, -1, self.grid[1])
        torch.bmm(self.back.expand(count, -1, -1), columns, out=rows.view(count, *self.grid))
        return rows

    def spectrum(self, work: Tensor) -> Tensor:
        planes = self._columns(work)
        return torch.cat([self._spectra(planes, part) for part in self._parts(work)], dim=-2)

    def _columns(self, work: Tensor) -> Tensor:
        """Apply the matrix to rows (R, D, N): real and imaginary parts (R, D, 2, P, Q)."""
        rows, columns = work[0], work[1:]
        rows[..., self.length :] = 0
        count = rows.shape[0] * rows.shape[1]
        torch.bmm(
            self.there.expand(count, -1, -1),
            rows.view(count, *self.grid),
            out=columns.view(count, -1, self.grid[1]),
        )
        return columns.view(*rows.shape[:2], 2, *self.grid)

    def _spectra(self, planes: Tensor, part: slice) -> Tensor:
        columns = torch.complex(planes[:, :, 0, part], planes[:, :, 1, part])
        x_f: Tensor = fft(columns.mul_(self.factor[part]))
        return x_f

    def _parts(self, work: Tensor) -> Iterator[slice]:
        p, q = self.grid
        size = max(1, BLOCK_ELEMENTS // (work[0, :, :, 0].numel() * q))
        return (slice(start, start + size) for start in range(0, p, size))


def _turns(n: Tensor, period: int) -> Tensor:
    """Return exp(-2 pi i n / period) in double precision, of whole n."""
    angle = (n % period).double() * (-2 * math.pi / period)
    return torch.polar(torch.ones_like(angle), angle)


def _factors(length: int) -> tuple[int, int]:
    """Choose P Q >= length with little to spare, P a small matrix, FFTs of Q fast."""
    least = 16 if length <= 1 << 17 else 32
    pairs = [(p, fast_length(-(-length // p))) for p in range(least, least * 3 // 2)]
    return min(pairs, key=math.prod)


@functools.lru_cache(maxsize=4)  # at a million tokens, tables of 8 MiB each
def _transform(length: int, dtype: torch.dtype, device: torch.device) -> _Transform:
    # A GPU may have been told to round the right angle's matrices, and its memory is fast.
    real = path(length) == "real" or device.type != "cpu"
    return _Real(length) if real else _RightAngle(length, dtype)


def _blocks(transform: _Transform, rows: int, like: Tensor) -> Iterator[tuple[slice, Tensor]]:
    """Cut the channels of (B, D, L) into blocks; give each work space (planes, R, block, width)."""
    channels, dtype = like.shape[1], wide(like.dtype)
    size = max(1, min(channels, BLOCK_ELEMENTS // (rows * transform.width)))
    shape = (transform.planes, rows, size, transform.width)
    work = torch.zeros(shape, dtype=dtype, device=like.device)
    for start in range(0, channels, size):
        stop = min(start + size, channels)
        if stop - start < size:
            used = work.numel() // size * (stop - start)
            work = work.view(-1)[:used].view(*work.shape[:2], stop - start, -1)
            work[0] = 0
        yield slice(start, stop) if stop - start < channels else _ALL, work


def _fill(rows: Tensor, x: Tensor, gate: Tensor | None, block: slice) -> None:
    """Set rows (B, block, width) to x (B, D, L) times the gate, in the precision of the rows."""
    rows = rows[..., : x.shape[-1]]
    _multiply(_channels(x, block), _channels(gate, block), rows)


def _fill_filter(row: Tensor, k: Tensor, block: slice) -> None:
    """Set row (block, width) to the filter k (D, K)."""
    taps = k.shape[1]
    row[:, :taps] = _channels(k, block)
    row[:, taps:] = 0


def _add_skip(
    rows: Tensor, skip: Tensor | None, x: Tensor, gate: Tensor | None, block: slice
) -> None:
    """Add skip * x * gate to rows (B, block, width).

    As one more tap of the filter it would cost nothing, and carry errors of the transforms.
    """
    if skip is not None:
        v = _gated(_channels(x, block), _channels(gate, block))
        rows[..., : x.shape[-1]].addcmul_(v, widened(_channels(skip, block))[:, None])


def _write(y: Tensor, x: Tensor, gate: Tensor | None, block: slice) -> None:
    """Set the block of y to x times the gate, rounded once; do nothing where y is empty."""
    if y.numel():
        y = _channels(y, block)
        _multiply(x[..., : y.shape[-1]], _channels(gate, block), y)


def _multiply(x: Tensor, gate: Tensor | None, product: Tensor) -> None:
    if gate is None:
        product.copy_(x)
    elif x.dtype == gate.dtype == product.dtype:
        torch.mul(x, gate, out=product)
    else:
        product.copy_(_gated(x, gate))


def _channels(x: Any, block: slice) -> Any:
    """Take channels of a tensor (B, D, L), (D, K) or (D,), and None of None."""
    if x is None or block is _ALL:
        return x
    return x[:, block] if x.ndim == 3 else x[block]


def _gated(x: Tensor, gate: Tensor | None) -> Tensor:
    return widened(x) if gate is None else widened(x) * widened(gate)
