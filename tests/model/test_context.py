"""Sequences shared by processes: as if one process had them whole."""

from contextlib import nullcontext
from dataclasses import dataclass

import pytest
import torch
from processes import call
from torch.nn.functional import cross_entropy

from hyenadna.errors import InputError
from hyenadna.model import context
from hyenadna.model.backbone import HyenaDNA
from hyenadna.model.config import ModelConfig
from hyenadna.model.context import ContextGroup, shard_context
from hyenadna.training.distributed import join

CONFIG = ModelConfig(
    d_model=8, n_layer=2, d_inner=16, max_seq_len=2048, filter_order=16, embed_dropout=0
)


@dataclass(frozen=True)
class Case:
    batch: int
    length: int
    dtype: torch.dtype = torch.float64
    config: ModelConfig = CONFIG
    autocast: bool = False
    share_filters: bool = False

    def inputs(self):
        generator = torch.Generator().manual_seed(self.length)
        ids = torch.randint(7, 11, (self.batch, self.length + 1), generator=generator)
        return ids[:, :-1], ids[:, 1:]

    def model(self) -> HyenaDNA:
        torch.manual_seed(0)
        model = HyenaDNA(self.config).to(self.dtype)
        with torch.no_grad():  # of the size that training leaves
            for parameter in model.parameters():
                parameter.add_(0.3 * torch.randn_like(parameter))
        return model

    def tolerance(self) -> dict[str, float]:
        if self.autocast:
            return {"rtol": 0.1, "atol": 0.05}
        if self.dtype is torch.float32:
            return {"rtol": 1e-4, "atol": 1e-5}
        return {"rtol": 1e-8, "atol": 1e-8}


CASES = {
    "short": Case(1, 16),
    "one sequence": Case(1, 1024),
    "odd batch": Case(3, 64),
    "single precision": Case(2, 2048, torch.float32),
    "recomputed": Case(2, 64, config=CONFIG.replace(checkpoint_blocks=True)),
    "learned positions": Case(2, 64, config=CONFIG.replace(learned_positions=True)),
    "shared filters": Case(4, 64, share_filters=True),
    "four taps": Case(2, 64, config=CONFIG.replace(short_filter_order=4)),
    "half precision": Case(2, 64, torch.float32, autocast=True),
}


def passes(case, model, ids, targets):
    """Return logits and the loss's terms, gradients being left in the model."""
    found = []
    with model.shared_filters(case.length) if case.share_filters else nullcontext():
        for micro_batch in zip(ids.split(2), targets.split(2), strict=True):
            found.append(one_pass(case, model, *micro_batch))
    return [torch.cat(parts) for parts in zip(*found, strict=True)]


def one_pass(case, model, ids, targets):
    with torch.autocast("cpu", dtype=torch.bfloat16, enabled=case.autocast):
        logits = model(ids)
        loss = cross_entropy(logits.mT, targets, reduction="none")
    loss.sum().backward()
    return logits.detach(), loss.detach()


def gradients(model):
    return {name: parameter.grad for name, parameter in model.named_parameters()}


def train_shares(folder, context_size):
    """Write what a process makes of its sequences and positions of all cases."""
    found = {}
    with join(context_size) as world:
        group = world.context_group()
        for name, case in CASES.items():
            model = case.model()
            shard_context(model, group)
            positions = group.positions(case.length)
            rows = slice(world.data_rank, None, world.data_size)
            shares = (x[rows, positions] for x in case.inputs())
            outputs = passes(case, model, *shares) if world.data_rank < case.batch else ()
            world.sum_gradients(list(model.parameters()))
            found[name] = (rows, positions, outputs, gradients(model))
        found["before"] = positions_before(group)
        torch.save(found, folder / f"{world.rank}.pt")


def positions_before(group):
    """Return what a process gets of the one before, and the gradients of its own three."""
    x = 10.0 * group.rank + torch.arange(3.0).view(1, 3, 1)
    x.requires_grad_()
    before = context._last_positions_before(x, 2, group)
    (before.sum() * (group.rank + 1)).backward()
    return before.flatten().tolist(), x.grad.flatten().tolist()


@pytest.fixture(scope="module", params=[(2, 2), (4, 4), (4, 2)], ids="{0[0]} by {0[1]}".format)
def shares(request, tmp_path_factory):
    """What each of some processes found, so many of which shared each sequence."""
    size, context_size = request.param
    folder = tmp_path_factory.mktemp("shares")
    call(train_shares, size, folder, context_size)
    return [torch.load(folder / f"{rank}.pt", weights_only=False) for rank in range(size)]


@pytest.mark.parametrize("name", CASES)
def test_logits_loss_and_gradients_are_those_of_one_process(shares, name):
    case = CASES[name]
    model = case.model()
    whole = passes(case, model, *case.inputs())
    for share in shares:
        rows, positions, outputs, summed = share[name]
        for output, like in zip(outputs, whole, strict=bool(outputs)):
            torch.testing.assert_close(output, like[rows, positions], **case.tolerance())
        for parameter, like in gradients(model).items():
            scale = like.abs().max()
            torch.testing.assert_close(
                summed[parameter] / scale,
                like / scale,
                **case.tolerance(),
                msg=f"{parameter}: {{}}".format,
            )


def test_each_process_gets_the_last_positions_of_the_one_before(shares):
    size = len({tuple(share["before"][0]) for share in shares})
    for rank, share in enumerate(shares):
        here = rank % size
        before, gradient = share["before"]
        assert before == ([] if here == 0 else [10 * (here - 1) + 1, 10 * (here - 1) + 2])
        assert gradient == ([0.0] * 3 if here == size - 1 else [0.0, here + 2, here + 2])


def group(size: int) -> ContextGroup:
    """A process of a group that exchanges nothing."""
    return ContextGroup(size - 1, size, None)


def test_shares_are_consecutive():
    assert [ContextGroup(c, 4, None).positions(64) for c in range(4)] == [
        slice(0, 16), slice(16, 32), slice(32, 48), slice(48, 64)
    ]  # fmt: skip


def test_lengths_that_do_not_divide_are_refused():
    with pytest.raises(InputError, match=r"66 positions .* by 4 processes \(66 % 4 = 2\)"):
        group(4).positions(66)


def test_widths_that_do_not_divide_are_refused():
    with pytest.raises(InputError, match=r"8 channels .* by 3 processes \(8 % 3 = 2\)"):
        shard_context(HyenaDNA(CONFIG), group(3))


def test_attention_is_refused():
    model = HyenaDNA(CONFIG.replace(mixer="attention"))
    with pytest.raises(InputError, match="'attention' cannot share a sequence"):
        shard_context(model, group(4))


@pytest.mark.parametrize(
    ("length", "message"),
    [(513, r"4 \* 513 = 2052 tokens is longer than max_seq_len, 2048"), (1, "fewer than the 2")],
)
def test_shares_that_do_not_fit_the_model_are_refused(length, message):
    model = HyenaDNA(CONFIG)
    shard_context(model, group(4))
    with pytest.raises(InputError, match=message):
        model(torch.full((1, length), 7))
