"""Checkpoints are read without running what is in them."""

from __future__ import annotations

import pickle
import shutil
import zipfile
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from safetensors.torch import save_file

from monai_xray2mri.errors import UsageError, WeightsError
from monai_xray2mri.networks.published.archive import open_checkpoint, refusing_damage


class Callback:
    """Lightning keys the state of a callback by its class."""

    def __init__(self) -> None:
        self.best = 0.5


class Runs:
    """Does something when it is unpickled."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self.call = function, arguments

    def __reduce__(self) -> Any:
        return self.call


def save(path: Path, content: Any) -> Path:
    torch.save(content, path)
    return path


def test_tensors_come_as_they_were_saved(tmp_path: Path) -> None:
    whole = torch.randn(6, 4)
    state = {
        "whole": whole,
        "shared": whole[2:, ::2],
        "turned": whole.T,
        "half": torch.randn(3).half(),
        "brain": torch.randn(3).bfloat16(),
        "number": torch.tensor(7),
        "nothing": torch.zeros(0, 3),
        "parameter": torch.nn.Parameter(torch.ones(2)),
    }
    stored = open_checkpoint(save(tmp_path / "model.ckpt", {"state_dict": OrderedDict(state), "epoch": 3}))
    assert set(stored) == set(state)
    for name, tensor in state.items():
        assert stored[name].shape == tensor.shape
        read = stored[name].read()
        assert read.dtype == tensor.dtype
        assert torch.equal(read, tensor), name
    stored["whole"].read().zero_()  # a private mapping: the file stays as it is
    assert torch.equal(stored["whole"].read(), whole)


def test_a_bare_state_dict_and_safetensors_are_read_too(tmp_path: Path) -> None:
    state = {"a.weight": torch.randn(3, 2), "b": torch.randn(4)}
    save_file(state, tmp_path / "model.safetensors")
    for path in (save(tmp_path / "bare.pt", state), tmp_path / "model.safetensors"):
        stored = open_checkpoint(path)
        assert {name: tensor.shape for name, tensor in stored.items()} == {"a.weight": (3, 2), "b": (4,)}
        assert all(torch.equal(stored[name].read(), state[name]) for name in state)


def test_lightning_s_leftovers_become_inert(tmp_path: Path) -> None:
    content = {
        "state_dict": {"weight": torch.ones(2)},
        "callbacks": {Callback: {"best_model_score": torch.tensor(0.1), "best": np.float64(0.1)}},
        "hyper_parameters": {"callback": Callback(), "path": Path("runs"), "device": torch.device("cpu"), "of": {1, 2}},
    }
    assert torch.equal(open_checkpoint(save(tmp_path / "model.ckpt", content))["weight"].read(), torch.ones(2))


@pytest.mark.parametrize("place", ["beside", "key", "within"])
def test_code_in_a_pickle_is_refused_and_not_run(place: str, tmp_path: Path) -> None:
    made = tmp_path / "made"
    bomb = Runs(Path.mkdir, made)
    state: dict[Any, Any] = {"weight": torch.ones(2)}
    content = {"beside": {"state_dict": state, "x": bomb}, "key": {"state_dict": state, bomb: 1},
               "within": {"state_dict": {**state, "x": [bomb]}}}[place]  # fmt: skip
    path = save(tmp_path / "model.ckpt", content)
    with pytest.raises(WeightsError, match=r"the pickle calls .*not run"):
        open_checkpoint(path)
    assert not made.exists()
    torch.load(path, weights_only=False)  # the same file, trusted, does it
    assert made.exists()


@pytest.mark.parametrize("function", [eval, exec, getattr, __import__, pickle.loads, torch.load])
def test_no_function_of_another_kind_is_called(function: Any, tmp_path: Path) -> None:
    content = {"state_dict": {"weight": torch.ones(2)}, "x": Runs(function, "1")}
    with pytest.raises(WeightsError, match=f"calls .*{function.__name__}, which is not a part of tensors"):
        open_checkpoint(save(tmp_path / "model.ckpt", content))


def rewritten(path: Path, entry: str, change: Any) -> Path:
    """The archive with the bytes of one entry changed, its checksums right."""
    result = path.with_name("rewritten.ckpt")
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(result, "w") as new:
        for info in old.infolist():
            content = old.read(info)
            new.writestr(info.filename, change(content) if info.filename.endswith(entry) else content)
    return result


@pytest.mark.parametrize(
    ("name", "words"),
    [
        (b"torch._utils\n_rebuild_tensor_v2\n", "sets the attribute __code__ of a function"),
        (b"os\nsystem\n", r"data\.pkl is damaged"),
        (b"collections\nOrderedDict\n", r"data\.pkl is damaged"),
    ],
)
def test_a_pickle_cannot_change_what_reads_it(name: bytes, words: str, tmp_path: Path) -> None:
    """BUILD sets attributes of anything that a pickle can name; of ours nothing can be set."""
    path = save(tmp_path / "model.ckpt", {"state_dict": {"weight": torch.ones(2)}})
    program = b"\x80\x02c" + name + b"N}X\x08\x00\x00\x00__code__K\x01s\x86b."
    with pytest.raises(WeightsError, match=words):
        open_checkpoint(rewritten(path, "data.pkl", lambda _: program))


def test_tensors_beyond_their_storage_are_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "model.ckpt", {"weight": torch.ones(5, 3)})
    with pytest.raises(WeightsError, match="reaches beyond its storage"):
        open_checkpoint(
            rewritten(path, "data.pkl", lambda program: program.replace(b"K\x05K\x03\x86", b"K\x09K\x03\x86"))
        )


def test_damage_is_refused(tmp_path: Path) -> None:
    path = save(tmp_path / "model.ckpt", {"weight": torch.arange(1000.0)})
    content = path.read_bytes()
    (tmp_path / "short.ckpt").write_bytes(content[: len(content) // 2])
    with pytest.raises(WeightsError, match="not a zip file"):
        open_checkpoint(tmp_path / "short.ckpt")
    (tmp_path / "empty.ckpt").write_bytes(b"")
    (tmp_path / "text.ckpt").write_text("<html>not found</html>")
    for name in ("empty", "text"):
        with pytest.raises(WeightsError, match="zip format"):
            open_checkpoint(tmp_path / f"{name}.ckpt")
    place = content.index(torch.arange(1000.0).numpy().tobytes()) + 40
    (tmp_path / "flipped.ckpt").write_bytes(content[:place] + b"\xff" + content[place + 1 :])
    stored = open_checkpoint(tmp_path / "flipped.ckpt")
    with pytest.raises(WeightsError, match=r"checksum of .*data/0"), refusing_damage(tmp_path / "flipped.ckpt"):
        stored["weight"].read()
    torch.save({"weight": torch.ones(2)}, tmp_path / "old.ckpt", _use_new_zipfile_serialization=False)
    with pytest.raises(WeightsError, match="zip format"):
        open_checkpoint(tmp_path / "old.ckpt")
    with pytest.raises(WeightsError, match="pickle data was truncated"):
        open_checkpoint(rewritten(path, "data.pkl", lambda program: program[:-20]))
    with pytest.raises(WeightsError, match="big-endian"):
        open_checkpoint(rewritten(path, "byteorder", lambda _: b"big"))
    with pytest.raises(WeightsError, match="is not its storage"):
        open_checkpoint(rewritten(path, "data/0", lambda numbers: numbers[:-4]))
    with pytest.raises(WeightsError, match="no state dict"):
        open_checkpoint(save(tmp_path / "list.ckpt", [torch.ones(2)]))


def test_no_file_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="no such file"):
        open_checkpoint(tmp_path / "absent.ckpt")


def test_the_same_archive_under_another_folder_is_read(tmp_path: Path) -> None:
    """Lightning names the archive's folder ``archive``, others after the file."""
    path = save(tmp_path / "model.ckpt", {"weight": torch.ones(2)})
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(tmp_path / "other.ckpt", "w") as new:
        for info in old.infolist():
            new.writestr("archive/" + info.filename.partition("/")[2], old.read(info))
    shutil.copy(tmp_path / "other.ckpt", path)
    assert torch.equal(open_checkpoint(path)["weight"].read(), torch.ones(2))
