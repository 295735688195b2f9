"""Pickled checkpoints: foreign classes are stood in for, and nothing they ask for is run."""

import builtins
import collections
import enum
import functools
import os
import pathlib
import pickle
import subprocess
import sys
import types
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from hyenadna.errors import InputError
from hyenadna.model import pickles, unpickle
from hyenadna.model.pickles import read_pickle

TENSOR = torch.arange(6.0).reshape(2, 3)

FOREIGN = """
import dataclasses, enum, torch
class DictConfig:
    def __init__(self, content): self._content = content
    def __getstate__(self): return {"_content": self._content, "_metadata": Metadata()}
    def __setstate__(self, state): self.__dict__.update(state)
class AttributeDict(dict):
    pass
class Slotted:
    __slots__ = ("a",)
    def __init__(self): self.a = 1
class Stage(enum.Enum):
    TRAIN = "train"
@dataclasses.dataclass
class Metadata:
    ref_type: type = dict
    flags: dict = dataclasses.field(default_factory=dict)
class Accuracy(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.register_buffer("correct", torch.zeros(2))
def schedule(step): return step
"""


@pytest.fixture
def foreign() -> Iterator[types.ModuleType]:
    """A module that a checkpoint's writer had and its reader has not."""
    module = types.ModuleType("foreign_framework")
    sys.modules[module.__name__] = module
    exec(FOREIGN, module.__dict__)
    yield module
    sys.modules.pop(module.__name__, None)


class Calls:
    """Pickles as a call of `function`."""

    def __init__(self, function: Callable[..., Any], *arguments: Any) -> None:
        self.call = (function, arguments)

    def __reduce__(self) -> Any:
        return self.call


def copy(source: Path, tmp_path: Path) -> dict[str, torch.Tensor]:
    """What the child process does, in this one."""
    unpickle.copy_tensors(source, tmp_path / "out.safetensors")
    return load_file(tmp_path / "out.safetensors")


def hyper_parameters(foreign: Any) -> dict[str, Any]:
    return {
        "config": foreign.DictConfig({"model": foreign.DictConfig({"d_model": 8})}),
        "type": foreign.DictConfig,
        "attributes": foreign.AttributeDict(lr=6e-4, nested=foreign.AttributeDict(w=10)),
        "slotted": foreign.Slotted(),
        "by_stage": {foreign.Stage.TRAIN: 1},
        "stages": {foreign.Stage.TRAIN},
        "metadata": foreign.Metadata(),
        "metric": foreign.Accuracy(),
        "partial": functools.partial(foreign.schedule, 3),
        "default": collections.defaultdict(list, a=[1]),
        "path": pathlib.PurePosixPath("/data/hg38.fa"),
        "scalar": np.float64(0.5),
        "array": np.arange(3),
        "random": np.random.default_rng(0).bit_generator.state,
        "any": Any,
        "enum": enum.Enum,
    }


def test_checkpoint_full_of_foreign_classes_gives_its_tensors(
    tmp_path: Path, foreign: types.ModuleType
) -> None:
    source = tmp_path / "lightning.ckpt"
    content = {
        "epoch": 12,
        "pytorch-lightning_version": "1.8.6",
        "state_dict": collections.OrderedDict({"model.w": TENSOR, "model.again": TENSOR}),
        "optimizer_states": [{"state": {0: {"exp_avg": torch.ones(2)}}}],
        "hyper_parameters": hyper_parameters(foreign),
    }
    torch.save(content, source)
    del sys.modules[foreign.__name__]
    tensors = read_pickle(source)
    assert sorted(tensors) == ["model.again", "model.w"]
    assert all(torch.equal(x, TENSOR) for x in tensors.values())


def test_plain_state_dict_is_read_too(tmp_path: Path) -> None:
    torch.save({"w": torch.nn.Parameter(TENSOR)}, tmp_path / "pytorch_model.bin")
    assert torch.equal(copy(tmp_path / "pytorch_model.bin", tmp_path)["w"], TENSOR)


def nested_checkpoint(mark: Path) -> Calls:
    inner = mark.with_name("inner.ckpt")
    torch.save(Calls(os.mkdir, str(mark)), inner)
    return Calls(functools.partial(torch.load, weights_only=False), str(inner))


PAYLOADS: dict[str, Callable[[Path], Any]] = {
    "system": lambda mark: Calls(os.system, f"touch {mark}"),
    "popen": lambda mark: Calls(subprocess.Popen, ["touch", str(mark)]),
    "exec": lambda mark: Calls(builtins.exec, f"open({str(mark)!r}, 'w')"),
    "eval": lambda mark: Calls(builtins.eval, f"open({str(mark)!r}, 'w')"),
    "open": lambda mark: Calls(open, str(mark), "w"),
    "import": lambda mark: Calls(__import__, "antigravity"),
    "mkdir": lambda mark: Calls(Path.mkdir, mark),
    "map": lambda mark: Calls(list, Calls(map, Calls(getattr, Path, "mkdir"), [mark])),
    "nested load": lambda mark: Calls(pickle.loads, pickle.dumps(Calls(os.mkdir, str(mark)))),
    "torch save": lambda mark: Calls(torch.save, {}, str(mark)),
    "torch load": nested_checkpoint,
    "rebuilt by exec": lambda mark: Calls(
        torch._tensor._rebuild_from_type_v2, exec, dict, (f"open({str(mark)!r}, 'w')",), {}
    ),
    "rebuilt with state": lambda mark: Calls(
        torch._utils._rebuild_parameter_with_state,
        TENSOR,
        True,
        collections.OrderedDict(),
        {"__class__": Calls(exec, f"open({str(mark)!r}, 'w')")},
    ),
    "numpy": lambda mark: Calls(np.save, str(mark), np.zeros(1)),
}


@pytest.mark.parametrize("name", PAYLOADS)
@pytest.mark.parametrize("place", ["beside", "inside"])
def test_malicious_pickle_runs_nothing(tmp_path: Path, name: str, place: str) -> None:
    mark = tmp_path / "mark.npy"
    payload = PAYLOADS[name](mark)
    state = {"w": TENSOR} | ({"x": payload} if place == "inside" else {})
    torch.save({"state_dict": state, "hyper_parameters": payload}, tmp_path / "evil.ckpt")
    modules = set(sys.modules)
    try:
        tensors = copy(tmp_path / "evil.ckpt", tmp_path)
        assert list(tensors) == ["w"]
    except (SystemExit, TypeError):
        pass  # refused, which is as good
    assert not mark.exists()
    assert "antigravity" not in sys.modules.keys() - modules


def test_malicious_pickle_does_act_where_pickles_are_trusted(tmp_path: Path) -> None:
    """The payloads above are live: the tests that see no effect would see one."""
    mark = tmp_path / "mark"
    torch.save({"state_dict": {}, "x": PAYLOADS["exec"](mark)}, tmp_path / "evil.ckpt")
    torch.load(tmp_path / "evil.ckpt", weights_only=False)
    assert mark.exists()


def test_build_and_setitem_on_stand_ins_leave_no_trace(tmp_path: Path) -> None:
    class Builds:
        def __reduce__(self) -> Any:
            return builtins.__import__, ("os",), {"environ": {"PWNED": "1"}}, None, iter([("a", 1)])

    torch.save({"state_dict": {"w": TENSOR}, "x": Builds()}, tmp_path / "evil.ckpt")
    before = dict(vars(unpickle.Inert))
    copy(tmp_path / "evil.ckpt", tmp_path)
    assert "PWNED" not in os.environ
    assert dict(vars(unpickle.Inert)) == before


def test_malicious_pickle_in_its_own_process(tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    content = {"state_dict": {"w": TENSOR}, "x": PAYLOADS["exec"](mark)}
    torch.save(content, tmp_path / "evil.ckpt")
    assert torch.equal(read_pickle(tmp_path / "evil.ckpt")["w"], TENSOR)
    torch.save(content | {"y": PAYLOADS["system"](mark)}, tmp_path / "evil.ckpt")
    with pytest.raises(InputError, match=r"evil\.ckpt: cannot .*: .*posix\.system"):
        read_pickle(tmp_path / "evil.ckpt")
    assert not mark.exists()


def test_more_memory_than_the_file_warrants_is_refused(tmp_path: Path) -> None:
    content = {"state_dict": {"w": TENSOR}, "x": Calls(bytearray, 5 << 30)}
    torch.save(content, tmp_path / "bomb.ckpt")
    with pytest.raises(InputError, match="MemoryError"):
        read_pickle(tmp_path / "bomb.ckpt")


def test_tensor_larger_than_what_is_stored_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": {"w": torch.zeros(1).expand(1 << 40)}}, tmp_path / "bomb.ckpt")
    with pytest.raises(SystemExit, match="w claims 4398046511104 bytes, more than the file stores"):
        copy(tmp_path / "bomb.ckpt", tmp_path)


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        ({"state_dict": {"w": TENSOR.to_sparse()}}, "w is not a dense tensor"),
        ({"state_dict": {"w": TENSOR.to("meta")}}, "w is not a dense tensor"),
        ({"state_dict": {"w": 1.0}}, "holds no tensor"),
        ([TENSOR], "holds no state_dict"),
    ],
    ids=["sparse", "meta", "no tensor", "list"],
)
def test_content_that_is_no_state_dict_is_refused(
    tmp_path: Path, content: Any, complaint: str
) -> None:
    torch.save(content, tmp_path / "odd.ckpt")
    with pytest.raises(SystemExit, match=complaint):
        copy(tmp_path / "odd.ckpt", tmp_path)


def test_truncated_archive_is_refused(tmp_path: Path) -> None:
    torch.save({"state_dict": {"w": TENSOR}}, tmp_path / "cut.ckpt")
    whole = (tmp_path / "cut.ckpt").read_bytes()
    (tmp_path / "cut.ckpt").write_bytes(whole[:-50])
    with pytest.raises(InputError, match="whole zip archive"):
        read_pickle(tmp_path / "cut.ckpt")


def test_zip_that_is_no_checkpoint_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "other.zip", "w") as archive:
        archive.writestr("readme.txt", "hello")
    with pytest.raises(InputError, match=r"other\.zip: cannot be read as a checkpoint: "):
        read_pickle(tmp_path / "other.zip")


def test_reader_that_takes_too_long_is_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save({"state_dict": {"w": TENSOR}}, tmp_path / "slow.ckpt")
    monkeypatch.setattr(pickles, "TIMEOUT_SECONDS", 0.01)
    with pytest.raises(InputError, match="not read within"):
        read_pickle(tmp_path / "slow.ckpt")


def test_reader_takes_no_code_from_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.save({"state_dict": {"w": TENSOR}}, tmp_path / "weights.ckpt")
    (tmp_path / "safetensors.py").write_text("raise SystemExit('taken from here')")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    assert torch.equal(read_pickle(Path("weights.ckpt"))["w"], TENSOR)
