"""The comparison with the Transformer, in small."""

from dataclasses import replace

import pytest
import torch

from hyenadna.bench import model
from hyenadna.bench.attention import Growth
from hyenadna.bench.model import TRANSFORMER, WITH_FFT
from hyenadna.bench.session import Case
from hyenadna.errors import InputError

CASE = Case(torch.device("cpu"), "fp32", 1, 64, 12)
NAMES = ("hyenadna", WITH_FFT, TRANSFORMER)


@pytest.fixture
def shape(options):
    """One head, two lengths."""
    return replace(options, channels=(64,))


def test_three_networks_are_timed_at_each_length_and_their_memory_told(shape, said, recorded):
    rows = recorded(model.bench, shape, said.append)
    assert [(row.implementation, row.length) for row in rows] == [
        (name, length) for length in (8, 16) for name in NAMES
    ]
    assert all(row.median_seconds and row.peak_bytes for row in rows)
    assert {row.operation for row in rows} == {"model"}


def test_ratios_are_to_the_transformer(shape, said, recorded):
    rows = recorded(model.bench, shape, said.append)
    assert {row.ratio_to_plain for row in rows if row.implementation == TRANSFORMER} == {1}


def test_a_transformer_beyond_the_limit_has_a_status(monkeypatch, shape, said, recorded):
    monkeypatch.setattr(Growth, "expected_seconds", lambda self, key, case, of: case.length / 10)
    rows = recorded(model.bench, replace(shape, limit=1), said.append)
    late = [(row.implementation, row.length) for row in rows if row.status]
    assert late == [(TRANSFORMER, 16)]
    assert rows[-1].status == "beyond the time limit"


def test_a_wrong_convolution_is_not_timed(monkeypatch, shape, said, recorded):
    monkeypatch.setattr(model, "plain_long_conv", lambda v, k, skip: v)
    rows = recorded(model.bench, replace(shape, lengths=(16,)), said.append)
    status = {row.implementation: row.status for row in rows}
    assert status[WITH_FFT].startswith("does not run here: wrong logits")
    assert [name for name in status if not status[name]] == ["hyenadna", TRANSFORMER]


def test_a_width_of_no_whole_number_of_heads_is_an_input_error(shape, said):
    with pytest.raises(InputError, match="100"):
        model.bench(replace(shape, channels=(128, 100)), said.append)


def test_the_transformer_is_causal_and_otherwise_the_same():
    made = model.network(CASE, TRANSFORMER)
    ids = torch.randint(7, 11, (1, 12))
    torch.testing.assert_close(made(ids)[:, :5], made(ids[:, :5]))
    ours = model.network(CASE, "hyenadna")
    names = {name for name, _ in ours.named_modules() if ".mixer" not in name}
    assert names == {name for name, _ in made.named_modules() if ".mixer" not in name}
    assert made.backbone.checkpoint_blocks
