"""Precisions: bf16 and fp16 follow fp32, overflows cost a step and no more, TF32 is a choice."""

import logging

import pytest
import torch
from torch import nn

from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.config import ModelConfig
from hyenadna.training import precision
from hyenadna.training.optimizer import Optimizers, build_optimizer
from hyenadna.training.precision import Precision
from hyenadna.training.recipe import Recipe

CPU = torch.device("cpu")
RECIPE = Recipe(batch_size=8, checkpoint_every=1)

BAND_NATS = 0.005
"""Most that the loss of any step may be from that of fp32, while it falls by more than 2."""


def losses(name, steps=60):
    """Losses in nats of a small network that learns to count, in one precision."""
    torch.manual_seed(0)
    model = HyenaDNA(ModelConfig(d_model=16, n_layer=2, d_inner=32, max_seq_len=64, filter_order=8))
    recipe = RECIPE.replace(precision=name, learning_rate=1e-2)
    arithmetic, optimizers = Precision(recipe, CPU), build_optimizer(model, recipe)
    ids = 7 + (torch.arange(65) + torch.arange(8)[:, None]) % 4  # (B, L + 1)
    seen = []
    while len(seen) < steps:
        torch.manual_seed(len(seen))
        optimizers.zero_grad()
        with arithmetic.autocast():
            logits = model(ids[:, :-1])
        loss = nn.functional.cross_entropy(logits.float().flatten(0, 1), ids[:, 1:].flatten())
        arithmetic.scale(loss).backward()
        if arithmetic.unscale(optimizers):
            optimizers.step()
            seen.append(loss.item())
        arithmetic.update()
    return torch.tensor(seen)


@pytest.fixture(scope="module")
def exact():
    return losses("fp32")


@pytest.mark.parametrize("name", ["bf16", "fp16"])
def test_a_short_run_follows_fp32(name, exact):
    assert exact[0] - exact[-1] > 2
    difference = (losses(name) - exact).abs().max()
    assert 0 < difference < BAND_NATS


@pytest.mark.parametrize(
    ("name", "dtype"),
    [("fp32", torch.float32), ("bf16", torch.bfloat16), ("fp16", torch.float16)],
)
def test_matrix_products_are_in_the_recipes_precision(name, dtype):
    with Precision(RECIPE.replace(precision=name), CPU).autocast():
        assert nn.Linear(2, 2)(torch.ones(1, 2)).dtype is dtype


class Scaled:
    """One weight in fp16 arithmetic, with a gradient of one's choice."""

    def __init__(self):
        self.weight = nn.Parameter(torch.zeros(()))
        self.optimizers = Optimizers(torch.optim.SGD([self.weight], lr=1.0))
        self.precision = Precision(RECIPE.replace(precision="fp16"), CPU)

    def step(self, gradient):
        """Take a step as the loop does, and say whether the weight was updated."""
        self.optimizers.zero_grad()
        self.precision.scale(gradient * self.weight).backward()
        finite = self.precision.unscale(self.optimizers)
        if finite:
            self.optimizers.step()
        self.precision.update()
        return finite


def test_gradients_lose_their_scale():
    scaled = Scaled()
    assert scaled.step(0.5)
    assert scaled.weight.item() == -0.5


def test_an_overflow_is_told_and_halves_the_scale():
    scaled = Scaled()
    assert scaled.step(1.0)
    assert not scaled.step(float("inf"))
    assert scaled.precision.state()["scale"] == 2.0**15
    assert scaled.step(1.0)
    assert scaled.weight.item() == -2.0


def test_the_scale_doubles_after_2000_steps_without_overflow():
    scaled = Scaled()
    for _ in range(2000):
        scaled.step(0.0)
    assert scaled.precision.state()["scale"] == 2.0**17


def test_the_scale_and_its_count_go_on_after_a_resume():
    before, after = Scaled(), Scaled()
    before.step(float("inf"))
    for _ in range(1990):
        before.step(0.0)
    after.precision.load(before.precision.state())
    for _ in range(10):
        after.step(0.0)
        before.step(0.0)
    assert after.precision.state() == before.precision.state()
    assert after.precision.state()["scale"] == 2.0**16


def test_a_run_that_starts_has_no_state_to_put_back():
    scaled = Scaled()
    scaled.precision.load({})
    assert scaled.precision.state()["scale"] == 2.0**16


@pytest.mark.parametrize("name", ["fp32", "bf16"])
def test_other_precisions_have_no_scale(name):
    other = Precision(RECIPE.replace(precision=name), CPU)
    loss = torch.ones(())
    assert other.scale(loss) is loss
    assert other.unscale(Optimizers())
    assert other.state() == {}


@pytest.mark.parametrize("name", ["bf16", "fp16"])
def test_a_cpu_is_warned_of_once(name, caplog):
    precision._warn_of_cpu.cache_clear()
    for _ in range(2):
        Precision(RECIPE.replace(precision=name), CPU)
    assert caplog.text.count(f"precision {name} is meant for GPUs") == 1


def test_fp32_on_a_cpu_is_not_warned_of(caplog):
    caplog.set_level(logging.DEBUG)
    Precision(RECIPE, CPU)
    assert caplog.text == ""


@pytest.fixture
def flags():
    """Settings of the whole process, put back afterwards."""
    matrices, convolutions = torch.get_float32_matmul_precision(), torch.backends.cudnn.allow_tf32
    yield
    torch.set_float32_matmul_precision(matrices)
    torch.backends.cudnn.allow_tf32 = convolutions


@pytest.mark.parametrize(("tf32", "name"), [(True, "high"), (False, "highest")])
@pytest.mark.usefixtures("flags")
def test_tf32_is_the_recipes_choice(tf32, name):
    Precision(RECIPE.replace(tf32=tf32), torch.device("cuda"))
    assert torch.get_float32_matmul_precision() == name
    assert torch.backends.cuda.matmul.allow_tf32 == tf32
    assert torch.backends.cudnn.allow_tf32 == tf32


@pytest.mark.usefixtures("flags")
def test_a_cpu_leaves_tf32_as_it_is():
    torch.set_float32_matmul_precision("high")
    Precision(RECIPE, CPU)
    assert torch.get_float32_matmul_precision() == "high"
