"""``xray2mri import-weights``, in this process."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections import namedtuple
from pathlib import Path

import pytest
import torch

from monai_xray2mri.cli import main
from monai_xray2mri.errors import ExitCode
from tests.helpers.published import TINY, Zero123, state_of, tiny_bundle


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    path = tmp_path_factory.mktemp("published") / "zero123.ckpt"
    torch.save({"state_dict": state_of(Zero123(**TINY), Zero123(**TINY)), "global_step": 105000}, path)
    return path


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    repository = Path(__file__).resolve().parents[2]
    return tiny_bundle(tmp_path_factory.mktemp("bundles") / "small", repository / "bundle" / "knee_xray2mri")


def call(*arguments: object) -> int:
    return main(["import-weights", *map(str, arguments)])


def test_weights_and_record(checkpoint: Path, small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = (checkpoint, "--bundle", small, "--size", "tiny")
    assert call(*common, "--output", tmp_path / "start") == ExitCode.DONE
    said = capsys.readouterr()
    assert said.out == f"{tmp_path / 'start' / 'model.pt'}\n"
    assert "layout zero123, moving average" in said.err
    record = json.loads((tmp_path / "start" / "model.json").read_text())
    assert record["source"] == {
        "file": "zero123.ckpt",
        "bytes": checkpoint.stat().st_size,
        "sha256": hashlib.sha256(checkpoint.read_bytes()).hexdigest(),
        "layout": "zero123",
        "unet": "moving average",
        "latent_scale": 0.18215,
        "steps": 1000,
    }
    assert (record["network"]["latent_scale"], record["network"]["steps"]) == (0.2, 2000)
    state = torch.load(tmp_path / "start" / "model.pt", weights_only=True)
    assert record["imported"]["tensors"] + len(record["own"]) == len(state)
    assert sorted(path.name for path in (tmp_path / "start").iterdir()) == ["model.json", "model.pt"]

    # Into a file, of the other weights, in half precision: the U-Net differs, the start of the own parts does not.
    other = tmp_path / "half.pt"
    assert call(*common, "--output", other, "--no-ema", "--half", "--quiet") == ExitCode.DONE
    assert capsys.readouterr().err == ""
    halved = torch.load(other, weights_only=True)
    assert halved.keys() == state.keys()
    key = "denoiser.unet.conv_in.weight"
    assert not torch.equal(halved[key], state[key].half())
    assert all(torch.equal(halved[name], state[name]) for name in record["own"])
    assert any(state[name].any() for name in record["own"] if name.startswith("denoiser.depth_embedding"))
    assert json.loads((tmp_path / "half.json").read_text())["source"]["unet"] == "last weights"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("--size", "huge"), ExitCode.USAGE, "configs/huge.json"),
        (("--size", "inference"), ExitCode.USAGE, "must exist in published checkpoints"),
        (("--output", "{0}"), ExitCode.USAGE, "must not exist yet"),
    ],
)
def test_usage_errors_write_nothing(
    arguments: tuple[str, str], code: int, words: str, checkpoint: Path, small: Path, tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    existing = tmp_path / "mine.pt"
    existing.write_bytes(b"mine")
    given = [text.format(existing) for text in arguments]
    common = ("--bundle", small, "--size", "tiny", "--output", tmp_path / "start")
    assert call(checkpoint, *common, *given) == code
    assert words in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == [existing]
    assert existing.read_bytes() == b"mine"


def test_another_file_is_refused_as_weights(
    checkpoint: Path, small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    cut = tmp_path / "cut.ckpt"
    cut.write_bytes(checkpoint.read_bytes()[:-1000])
    common = ("--bundle", small, "--size", "tiny", "--output", tmp_path / "start")
    assert call(cut, *common) == ExitCode.WEIGHTS
    assert "cut.ckpt" in capsys.readouterr().err
    assert call(tmp_path / "absent.ckpt", *common) == ExitCode.USAGE
    assert not (tmp_path / "start").exists()


def test_a_full_disk_is_noticed_before_writing(
    checkpoint: Path, small: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(2, 1, 1))
    assert call(checkpoint, "--bundle", small, "--size", "tiny", "--output", tmp_path / "start") == ExitCode.USAGE
    assert "needs room on its disk" in capsys.readouterr().err
    assert not (tmp_path / "start").exists()
