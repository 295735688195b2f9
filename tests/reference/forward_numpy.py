"""HyenaDNA's forward pass in float64 numpy, written from its description, without the package.

It works on a state dict in the released key names. Convolutions are explicit sums over lags, so it
is slow; it is for short inputs. B batch, L length, D width, V logits.
"""

import math

import numpy as np

Weights = dict[str, np.ndarray]


def forward(weights: Weights, ids: np.ndarray, *, l_max: int, shift: float) -> np.ndarray:
    """Return logits (B, L, V) for ids (B, L)."""
    w = {name: np.asarray(value, dtype=np.float64) for name, value in weights.items()}
    n_layer = 1 + max(int(name.split(".")[2]) for name in w if ".layers." in name)
    x = w["backbone.embeddings.word_embeddings.weight"][ids]
    for i in range(n_layer):
        block = under(w, f"backbone.layers.{i}.")
        x = x + hyena(under(block, "mixer."), layer_norm(x, under(block, "norm1.")), l_max, shift)
        x = x + mlp(under(block, "mlp."), layer_norm(x, under(block, "norm2.")))
    return layer_norm(x, under(w, "backbone.ln_f.")) @ w["lm_head.weight"].T


def under(weights: Weights, prefix: str) -> Weights:
    """Return the weights whose names start with a prefix, which is cut off."""
    return {n[len(prefix) :]: value for n, value in weights.items() if n.startswith(prefix)}


def layer_norm(x: np.ndarray, w: Weights) -> np.ndarray:
    """Normalise each position to mean 0 and variance 1, then scale and shift."""
    centred = x - x.mean(-1, keepdims=True)
    variance = (centred**2).mean(-1, keepdims=True)
    return centred / np.sqrt(variance + 1e-5) * w["weight"] + w["bias"]


def mlp(w: Weights, x: np.ndarray) -> np.ndarray:
    """Two linear layers around GELU in its tanh form."""
    h = x @ w["fc1.weight"].T + w["fc1.bias"]
    h = 0.5 * h * (1 + np.tanh(math.sqrt(2 / math.pi) * (h + 0.044715 * h**3)))
    return h @ w["fc2.weight"].T + w["fc2.bias"]


def hyena(w: Weights, x: np.ndarray, l_max: int, shift: float) -> np.ndarray:
    """The order-2 operator on (B, L, D)."""
    length, d = x.shape[1:]
    u = x @ w["in_proj.weight"].T + w["in_proj.bias"]  # (B, L, 3 D)
    taps = w["short_filter.weight"][:, 0]  # (3 D, 3); the last tap is the present
    width = taps.shape[1]
    short = np.zeros_like(u) + w["short_filter.bias"]
    for lag in range(min(width, length)):
        short[:, lag:] += u[:, : length - lag] * taps[:, width - 1 - lag]
    x0, x1, v = short[..., :d], short[..., d : 2 * d], short[..., 2 * d :]
    v = v * x1
    k = long_filter(under(w, "filter_fn."), length, d, l_max, shift)  # (L, D)
    y = v * w["filter_fn.bias"]
    for lag in range(length):
        y[:, lag:] += k[lag] * v[:, : length - lag]
    return (y * x0) @ w["out_proj.weight"].T + w["out_proj.bias"]


def long_filter(w: Weights, length: int, d: int, l_max: int, shift: float) -> np.ndarray:
    """The first taps of the implicit filter, (L, D)."""
    n = np.arange(length)[:, None]
    t = n / (l_max - 1)
    bands = (w["implicit_filter.0.weight"].shape[1] - 1) // 2
    angle = 2 * math.pi * n / l_max * np.linspace(1e-4, bands - 1, bands)
    h = np.concatenate([t, np.cos(angle), -np.sin(angle)], axis=1)
    last = max(int(name.split(".")[1]) for name in w if name.startswith("implicit_filter."))
    for slot in range(0, last, 2):
        h = h @ w[f"implicit_filter.{slot}.weight"].T + w[f"implicit_filter.{slot}.bias"]
        h = np.sin(w[f"implicit_filter.{slot + 1}.freq"] * h)
    h = h @ w[f"implicit_filter.{last}.weight"].T
    decay = np.abs(np.linspace(math.log(1e-2) / 1.5, math.log(1e-2) / 0.3, d))
    return h * (np.exp(-t * decay) + shift)


def random_weights(
    seed: int,
    *,
    d_model: int,
    n_layer: int,
    d_inner: int,
    l_max: int,
    emb_dim: int = 5,
    filter_order: int = 16,
    num_inner_mlps: int = 2,
) -> Weights:
    """Draw fp32 weights in the released names, with all that released files store beside them.

    They are of the size that training leaves, not that of a fresh model, whose filters are almost
    zero and would hide an error in them.
    """
    rng = np.random.default_rng(seed)

    def draw(*shape: int, scale: float = 1.0, mean: float = 0.0) -> np.ndarray:
        return (mean + scale * rng.standard_normal(shape)).astype(np.float32)

    w = {"backbone.embeddings.word_embeddings.weight": draw(16, d_model)}
    for i in range(n_layer):
        block = f"backbone.layers.{i}."
        for norm in ("norm1", "norm2"):
            w[f"{block}{norm}.weight"] = draw(d_model, scale=0.3, mean=1)
            w[f"{block}{norm}.bias"] = draw(d_model, scale=0.3)
        for name, rows, columns in (
            ("mixer.in_proj", 3 * d_model, d_model),
            ("mixer.out_proj", d_model, d_model),
            ("mlp.fc1", d_inner, d_model),
            ("mlp.fc2", d_model, d_inner),
        ):
            w[f"{block}{name}.weight"] = draw(rows, columns, scale=columns**-0.5)
            w[f"{block}{name}.bias"] = draw(rows, scale=0.3)
        w[f"{block}mixer.short_filter.weight"] = draw(3 * d_model, 1, 3, scale=0.5)
        w[f"{block}mixer.short_filter.bias"] = draw(3 * d_model, scale=0.3)
        filter_fn = f"{block}mixer.filter_fn."
        w[f"{filter_fn}bias"] = draw(d_model)
        freq = draw(1, filter_order, scale=1, mean=10)
        widths = [emb_dim] + [filter_order] * (num_inner_mlps + 1)
        for slot in range(num_inner_mlps + 1):
            mlp_slot = f"{filter_fn}implicit_filter.{2 * slot}."
            rows, columns = widths[slot + 1], widths[slot]
            w[f"{mlp_slot}weight"] = draw(rows, columns, scale=0.5 * columns**-0.5)
            w[f"{mlp_slot}bias"] = draw(rows, scale=0.1)
            w[f"{filter_fn}implicit_filter.{2 * slot + 1}.freq"] = freq
        last = f"{filter_fn}implicit_filter.{2 * num_inner_mlps + 2}.weight"
        w[last] = draw(d_model, filter_order, scale=filter_order**-0.5)
        w |= {filter_fn + name: value for name, value in stored_formulas(l_max, emb_dim, d_model)}
    w["backbone.ln_f.weight"] = draw(d_model, scale=0.3, mean=1)
    w["backbone.ln_f.bias"] = draw(d_model, scale=0.3)
    w["lm_head.weight"] = w["backbone.embeddings.word_embeddings.weight"]
    return w


def stored_formulas(l_max: int, emb_dim: int, d_model: int) -> list[tuple[str, np.ndarray]]:
    """Return positions and decay as released files store them, computed in fp32 as they were."""
    t = np.linspace(0, 1, l_max, dtype=np.float32)[:, None]
    angle = (2 * math.pi * np.arange(l_max, dtype=np.float32) / l_max).astype(np.float32)[:, None]
    bands = (emb_dim - 1) // 2
    wave = np.exp(-1j * np.linspace(1e-4, bands - 1, bands, dtype=np.float32) * angle)
    z = np.concatenate([t, wave.real, wave.imag], axis=1).astype(np.float32)
    deltas = np.linspace(math.log(1e-2) / 1.5, math.log(1e-2) / 0.3, d_model, dtype=np.float32)
    return [
        ("pos_emb.z", z[None]),
        ("pos_emb.t", t[None]),
        ("modulation.deltas", deltas[None, None]),
    ]
