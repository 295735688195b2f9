"""Checkpoints of every known form, and what is said of those that are not whole."""

import json
from collections.abc import Callable
from pathlib import Path
from zipfile import is_zipfile

import numpy as np
import pytest
import torch
from forward_numpy import forward
from safetensors.torch import load_file
from torch import Tensor

from hyenadna.errors import InputError
from hyenadna.model import checkpoint, unpickle
from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.config import ModelConfig
from hyenadna.model.heads import SequenceClassifier

State = dict[str, Tensor]
IDS = torch.randint(7, 11, (2, 66), generator=torch.Generator().manual_seed(0))
CONFIG = ModelConfig(d_model=8, n_layer=2, d_inner=32, max_seq_len=66, filter_order=16)
FILTER_FN = "backbone.layers.0.mixer.filter_fn"
Z = f"{FILTER_FN}.pos_emb.z"


def assert_is(model: HyenaDNA, weights: State, *, shift: float = 0.05) -> None:
    """Check logits against the independent forward pass on the weights as released."""
    named = {name.removeprefix("hyena."): x.numpy() for name, x in weights.items()}
    for slot in (3, 5):
        for layer in range(2):
            mlp = f"backbone.layers.{layer}.mixer.filter_fn.implicit_filter"
            named[f"{mlp}.{slot}.freq"] = named[f"{mlp}.1.freq"]
    exact = forward(named, IDS.numpy(), l_max=66, shift=shift)
    found = model.eval()(IDS).detach().numpy()
    assert np.abs(found - exact).max() < 1e-4 * np.abs(exact).max()


def wrapped(weights: State) -> State:
    """Name weights as a Lightning run with gradient checkpointing does, metrics included."""
    renamed = {
        f"model.{n.replace('.mixer.', '.mixer.layer.').replace('.mlp.', '.mlp.layer.')}": x
        for n, x in weights.items()
    }
    metrics = ("train_torchmetrics.num_tokens.count", "val_torchmetrics.perplexity.total_log_probs")
    return renamed | {name: torch.zeros(()) for name in metrics}


@pytest.fixture(autouse=True)
def read_in_this_process(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Spare the start of a process for each pickle; `test_pickles.py` has the real thing."""

    def read(path: Path) -> State:
        out = tmp_path / "tensors.safetensors"
        unpickle.copy_tensors(path, out)
        return load_file(out)

    read_pickle = checkpoint.read_pickle
    monkeypatch.setattr(
        checkpoint, "read_pickle", lambda path: (read if is_zipfile(path) else read_pickle)(path)
    )


# Ours


def test_our_directory_comes_back(tmp_path: Path) -> None:
    model = HyenaDNA(CONFIG.replace(filter_shift=0.01)).eval()
    model.save_pretrained(tmp_path / "model")
    loaded = HyenaDNA.from_pretrained(tmp_path / "model").eval()
    assert loaded.config == model.config
    assert torch.equal(loaded(IDS), model(IDS))


def test_our_file_has_each_weight_once(tmp_path: Path) -> None:
    HyenaDNA(CONFIG).save_pretrained(tmp_path)
    names = set(load_file(tmp_path / "model.safetensors"))
    assert f"{FILTER_FN}.implicit_filter.1.freq" in names
    assert not [n for n in names if n.endswith(("3.freq", "5.freq", "pos_emb.z", "deltas"))]
    assert "lm_head.weight" not in names


def test_our_file_is_readable_as_the_umask_says(tmp_path: Path) -> None:
    HyenaDNA(CONFIG).save_pretrained(tmp_path)
    modes = {path.stat().st_mode for path in tmp_path.iterdir()}
    assert len(modes) == 1


def test_an_interrupted_save_leaves_no_mixed_pair(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    HyenaDNA(CONFIG).save_pretrained(tmp_path)

    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(checkpoint, "write_json", interrupt)
    with pytest.raises(KeyboardInterrupt):
        HyenaDNA(CONFIG.replace(filter_shift=0.05)).save_pretrained(tmp_path)
    with pytest.raises(InputError, match=r"config\.json"):
        HyenaDNA.from_pretrained(tmp_path)


def test_shift_of_ours_is_that_of_its_config_unless_told(tmp_path: Path) -> None:
    HyenaDNA(CONFIG.replace(filter_shift=0.02)).save_pretrained(tmp_path)
    assert HyenaDNA.from_pretrained(tmp_path).config.filter_shift == 0.02
    assert HyenaDNA.from_pretrained(tmp_path, filter_shift=0).config.filter_shift == 0


def test_truncated_safetensors_is_refused(tmp_path: Path) -> None:
    HyenaDNA(CONFIG).save_pretrained(tmp_path)
    file = tmp_path / "model.safetensors"
    file.write_bytes(file.read_bytes()[:-100])
    with pytest.raises(InputError, match=r"model\.safetensors: not a whole safetensors file"):
        HyenaDNA.from_pretrained(tmp_path)


# The original's


def test_lightning_checkpoint_of_a_wrapped_model(
    weights: State, write_original: Callable[..., Path]
) -> None:
    model = HyenaDNA.from_pretrained(write_original(wrapped(weights)))
    assert_is(model, weights)
    assert list(model.buffers()) == []


def test_training_and_inference_shift_are_both_to_be_had(
    weights: State, write_original: Callable[..., Path]
) -> None:
    assert_is(HyenaDNA.from_pretrained(write_original(weights), filter_shift=0), weights, shift=0)


def test_shape_is_inferred_where_no_config_is_beside(
    weights: State, write_original: Callable[..., Path]
) -> None:
    file = write_original(wrapped(weights), config=False) / "weights.ckpt"
    assert_is(HyenaDNA.from_pretrained(file), weights)


def test_finetuned_lightning_checkpoint_loads_its_head(
    weights: State, write_original: Callable[..., Path]
) -> None:
    """The original drops it, and then evaluates a random one."""
    torch.manual_seed(2)
    head = {"weight": torch.randn(3, 8), "bias": torch.randn(3)}
    decoder = {f"decoder.0.output_transform.{name}": x for name, x in head.items()}
    model = SequenceClassifier.from_pretrained(write_original(wrapped(weights) | decoder)).eval()
    assert_is(model.model, weights)
    assert model.pooling == "mean"
    pooled = model.model.hidden_states(IDS).mean(1)
    expected = pooled @ head["weight"].T + head["bias"]
    torch.testing.assert_close(model(IDS, torch.tensor([66, 66])), expected)


def test_head_alone_is_missing_from_a_pretrained_checkpoint(
    weights: State, write_original: Callable[..., Path]
) -> None:
    with pytest.raises(InputError, match="has no classification head"):
        SequenceClassifier.from_pretrained(write_original(weights))


# The `-hf` form; no pickle, so these need no process of their own


def test_hf_directory_keeps_its_own_output_layer(
    hf_weights: State, write_hf: Callable[..., Path]
) -> None:
    model = HyenaDNA.from_pretrained(write_hf(hf_weights))
    assert not model.config.tie_word_embeddings
    assert_is(model, hf_weights)
    assert list(dict(model.named_parameters())) == [
        n for n in model.state_dict() if not n.endswith("pos_emb.z")
    ]


def test_hf_base_model_without_prefix(weights: State, write_hf: Callable[..., Path]) -> None:
    kept = {n: x for n, x in weights.items() if n != "lm_head.weight"}
    model = HyenaDNA.from_pretrained(write_hf(kept, tie_word_embeddings=True))
    assert_is(model, weights)


def test_hf_classifier_takes_the_last_token(
    hf_weights: State, write_hf: Callable[..., Path]
) -> None:
    del hf_weights["lm_head.weight"]
    score = torch.randn(4, 8)
    model = SequenceClassifier.from_pretrained(write_hf(hf_weights | {"score.weight": score}))
    hidden = model.eval().model.hidden_states(IDS)
    expected = torch.stack([hidden[0, 9], hidden[1, 65]]) @ score.T
    torch.testing.assert_close(model(IDS, torch.tensor([10, 66])), expected)


def test_trained_positions_are_refused(hf_weights: State, write_hf: Callable[..., Path]) -> None:
    hf_weights[f"hyena.{Z}"][0, 40, 2] += 0.01
    with pytest.raises(InputError, match=r"layers\.0\..*z was trained away .*1\.0e-02; keep_posi"):
        HyenaDNA.from_pretrained(write_hf(hf_weights))


def test_trained_positions_are_kept_on_request(
    hf_weights: State, write_hf: Callable[..., Path], tmp_path: Path
) -> None:
    plain = HyenaDNA.from_pretrained(write_hf(hf_weights)).eval()
    (tmp_path / "released-hf").rename(tmp_path / "untouched")
    for layer in range(2):
        hf_weights[f"hyena.{Z}".replace("layers.0", f"layers.{layer}")] += 0.05
    model = HyenaDNA.from_pretrained(write_hf(hf_weights), keep_positions=True).eval()
    assert torch.equal(model.get_parameter(Z), hf_weights[f"hyena.{Z}"])
    assert not torch.allclose(model(IDS), plain(IDS), rtol=1e-2)
    model.save_pretrained(tmp_path / "kept")
    assert torch.equal(HyenaDNA.from_pretrained(tmp_path / "kept").eval()(IDS), model(IDS))


@pytest.mark.parametrize("stored", ["pos_emb.t", "modulation.deltas"])
def test_trained_time_or_decay_is_refused(
    hf_weights: State, write_hf: Callable[..., Path], stored: str
) -> None:
    hf_weights[f"hyena.{FILTER_FN}.{stored}"] *= 1.1
    with pytest.raises(InputError, match=f"{stored} was trained away .* not supported"):
        HyenaDNA.from_pretrained(write_hf(hf_weights))


def test_positions_in_half_precision_are_those_of_the_formula(
    hf_weights: State, write_hf: Callable[..., Path]
) -> None:
    halved = {n: x.half() if ".pos_emb." in n else x for n, x in hf_weights.items()}
    assert_is(HyenaDNA.from_pretrained(write_hf(halved)), hf_weights)


# Not whole, not of this model, not there


@pytest.mark.parametrize(
    ("change", "complaint"),
    [
        (lambda w: w.pop("hyena.backbone.ln_f.bias"), r"backbone\.ln_f\.bias is missing"),
        (lambda w: w.update(extra=torch.ones(1)), "extra is not of this model"),
        (
            lambda w: w.update({"hyena.backbone.ln_f.bias": torch.ones(9)}),
            r"ln_f\.bias has shape \(9,\), expected \(8,\)",
        ),
        (lambda w: w.pop(f"hyena.{FILTER_FN}.implicit_filter.1.freq"), r"1\.freq is missing"),
        (
            lambda w: w.update({f"hyena.{FILTER_FN}.implicit_filter.3.freq": torch.ones(1, 16)}),
            r"1\.freq differs between its copies",
        ),
        (
            lambda w: w.update({"backbone.ln_f.bias": torch.ones(8)}),
            r"both stand for backbone\.ln_f\.bias",
        ),
        (lambda w: [w.pop(n) for n in list(w) if "embeddings" in n], "this is not HyenaDNA"),
    ],
    ids=["missing", "unexpected", "shape", "freq missing", "freq differs", "twice", "other model"],
)
def test_each_mismatch_is_named(
    hf_weights: State,
    write_hf: Callable[..., Path],
    change: Callable[[State], object],
    complaint: str,
) -> None:
    change(hf_weights)
    with pytest.raises(InputError, match=complaint):
        HyenaDNA.from_pretrained(write_hf(hf_weights))


def test_frequency_may_be_stored_in_any_slot(
    hf_weights: State, write_hf: Callable[..., Path]
) -> None:
    moved = {
        n.replace("implicit_filter.1.freq", "implicit_filter.5.freq"): x
        for n, x in hf_weights.items()
    }
    assert_is(HyenaDNA.from_pretrained(write_hf(moved)), hf_weights)


def test_max_seq_len_of_another_model_is_named(
    hf_weights: State, write_hf: Callable[..., Path]
) -> None:
    """The original's example of 1,024 cannot load the released 1,026, without saying why."""
    with pytest.raises(InputError, match=r"\(1, 66, 5\), expected \(1, 64, 5\): is max_seq_len"):
        HyenaDNA.from_pretrained(write_hf(hf_weights, max_seq_len=64))


def test_options_that_change_the_function_are_refused(
    hf_weights: State, write_hf: Callable[..., Path]
) -> None:
    with pytest.raises(InputError, match="bidirectional: True; only models with False"):
        HyenaDNA.from_pretrained(write_hf(hf_weights, layer={"bidirectional": True}))


def test_length_that_nothing_tells_is_asked_for(
    hf_weights: State, write_hf: Callable[..., Path]
) -> None:
    bare = {n: x for n, x in hf_weights.items() if ".pos_emb." not in n}
    directory = write_hf(bare)
    (directory / "config.json").unlink()
    with pytest.raises(InputError, match="tells max_seq_len"):
        HyenaDNA.from_pretrained(directory)


def test_published_name_says_what_to_download(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(
        InputError, match=r"hyenadna-tiny-1k-seqlen .* `hyenadna convert .* tiny-1k`"
    ):
        HyenaDNA.from_pretrained("tiny-1k")


def test_published_name_is_a_directory_once_converted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    HyenaDNA(CONFIG).save_pretrained("tiny-1k")
    assert HyenaDNA.from_pretrained("tiny-1k").config == CONFIG


@pytest.mark.parametrize(
    ("name", "content", "complaint"),
    [
        ("absent", None, "no such file or directory, nor a published model"),
        ("model.safetensors", b"version https://git-lfs.github.com/spec/v1\n", "git lfs pull"),
        ("weights.ckpt", b"\x80\x02}q\x00.", "neither safetensors nor a whole zip archive"),
        ("weights.ckpt", b"", "neither safetensors nor a whole zip archive"),
    ],
    ids=["absent", "git-lfs", "legacy pickle", "empty"],
)
def test_files_that_are_no_weights_are_refused(
    tmp_path: Path, name: str, content: bytes | None, complaint: str
) -> None:
    if content is not None:
        (tmp_path / name).write_bytes(content)
    with pytest.raises(InputError, match=complaint):
        HyenaDNA.from_pretrained(tmp_path / name)


def test_directory_without_weights_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds none of model\.safetensors, weights\.ckpt"):
        HyenaDNA.from_pretrained(tmp_path)


@pytest.mark.parametrize("content", ["{", "[1]"])
def test_config_that_is_none_is_refused(tmp_path: Path, content: str) -> None:
    HyenaDNA(CONFIG).save_pretrained(tmp_path)
    (tmp_path / "config.json").write_text(content)
    with pytest.raises(InputError, match=r"config\.json: "):
        HyenaDNA.from_pretrained(tmp_path)


def test_unknown_key_in_our_config_is_named(tmp_path: Path) -> None:
    HyenaDNA(CONFIG).save_pretrained(tmp_path)
    content = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps(content | {"d_modle": 8}))
    with pytest.raises(InputError, match="unknown key 'd_modle' for ModelConfig; did you mean"):
        HyenaDNA.from_pretrained(tmp_path)


# Convert


def test_converted_directory_is_the_released_model(
    hf_weights: State, write_hf: Callable[..., Path], tmp_path: Path
) -> None:
    out = checkpoint.convert(write_hf(hf_weights), tmp_path / "ours")
    assert_is(HyenaDNA.from_pretrained(out), hf_weights)
    assert json.loads((out / "config.json").read_text())["filter_shift"] == 0.05


def test_conversion_keeps_the_head(
    hf_weights: State, write_hf: Callable[..., Path], tmp_path: Path
) -> None:
    score = torch.randn(4, 8)
    out = checkpoint.convert(write_hf(hf_weights | {"score.weight": score}), tmp_path / "ours")
    model = SequenceClassifier.from_pretrained(out)
    assert model.pooling == "last"
    assert torch.equal(model.head.output_transform.weight, score)
