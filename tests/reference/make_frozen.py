"""Write `frozen/`: a small model in the released file format, and its logits in float64.

    python tests/reference/make_frozen.py

The numbers come from `forward_numpy.py` alone. They change only if the description of the model
was misread; a change of the package is no reason to run this again.
"""

import json
from pathlib import Path

import numpy as np
import torch
from forward_numpy import forward, random_weights

FROZEN = Path(__file__).parent / "frozen"
SHAPE = {"d_model": 8, "n_layer": 2, "d_inner": 32}
FILTER = {"l_max": 66, "emb_dim": 5, "filter_order": 16, "num_inner_mlps": 2}
LENGTHS = (1, 2, 63, FILTER["l_max"])
SHIFTS = (0.0, 0.05)


def main() -> None:
    weights = random_weights(2306, **SHAPE, **FILTER)
    FROZEN.mkdir(exist_ok=True)
    state = {f"model.{name}": torch.from_numpy(value) for name, value in weights.items()}
    torch.save({"epoch": 1, "state_dict": state}, FROZEN / "weights.ckpt")
    config = {**SHAPE, "vocab_size": 12, "pad_vocab_size_multiple": 8, "layer": FILTER}
    (FROZEN / "config.json").write_text(json.dumps(config, indent=2) + "\n")
    rng = np.random.default_rng(15794)
    arrays = {}
    for length in LENGTHS:
        ids = rng.integers(0, 12, (2, length))
        arrays[f"ids_{length}"] = ids
        for shift in SHIFTS:
            logits = forward(weights, ids, l_max=FILTER["l_max"], shift=shift)
            arrays[f"logits_{length}_{shift}"] = logits
    np.savez_compressed(FROZEN / "logits.npz", **arrays)


if __name__ == "__main__":
    main()
