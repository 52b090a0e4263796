"""SCCDM's network as the engine trains it and the sampler draws from it, and the pairs it is trained on."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from monai_xray2mri.diffusion.samplers import ddim
from monai_xray2mri.diffusion.schedule import NoiseSchedule
from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.networks.pixel_codec import PixelCodec
from monai_xray2mri.systems.foot_xray_sccdm.data.pairs import Pairs, read_pairs
from monai_xray2mri.systems.foot_xray_sccdm.data.stream import PairStream, Variation
from monai_xray2mri.systems.foot_xray_sccdm.difference import radiograph_of
from monai_xray2mri.systems.foot_xray_sccdm.multiscale_unet import MultiScaleUNet
from monai_xray2mri.systems.foot_xray_sccdm.network import DifferenceDiffusion, WhiteNoise
from monai_xray2mri.systems.foot_xray_sccdm.refinement import Refinement
from monai_xray2mri.training.denoiser import ConditionalDenoising, ForwardDiffusion, WeightedSquaredError

SIZE = 32


def network(refinement: Refinement | None = None) -> DifferenceDiffusion:
    torch.manual_seed(0)
    unet = MultiScaleUNet(16, 16, width=8, multipliers=(1, 2), blocks=1, attention_levels=(1,), groups=4)
    torch.nn.init.normal_(unet.tail[2].weight, std=0.02)
    schedule = NoiseSchedule(1000, "linear", "epsilon")
    codec = PixelCodec(4, background=0.0)
    options = {"image_size": SIZE, "refinement": refinement, "steps": 4, "eta": 1.0}
    return DifferenceDiffusion(codec, unet, schedule, **options).eval()  # type: ignore[arg-type]


def pairs(number: int = 6) -> Pairs:
    rng = np.random.default_rng(0)
    photographs = rng.integers(0, 255, (number, SIZE, SIZE), dtype=np.uint8)
    return Pairs(tuple(map(str, range(number))), photographs, 255 - photographs)


def generators(number: int) -> list[torch.Generator]:
    return [torch.Generator().manual_seed(seed) for seed in range(number)]


def test_a_radiograph_depends_on_its_photograph_and_noise_alone() -> None:
    model = network()
    photographs = 2 * torch.rand(2, 1, SIZE, SIZE) - 1
    both = model.radiographs(photographs, generators(2))
    assert both.shape == photographs.shape and both.abs().max() <= 1
    alone = model.radiographs(photographs[1:], generators(2)[1:])
    torch.testing.assert_close(both[1:], alone)
    assert not torch.allclose(both[:1], model.radiographs(photographs[:1], generators(2)[1:]))


def test_the_sampler_refines_what_the_network_saw() -> None:
    photograph = 2 * torch.rand(1, 1, SIZE, SIZE) - 1
    plain, refined = (
        network(Refinement(variant)).radiographs(photograph, generators(1))  # type: ignore[arg-type]
        for variant in ("none", "paper")
    )
    assert not torch.allclose(plain, refined)
    model = network(Refinement("none"))
    noise = WhiteNoise(model.latent_shape(), generators(1)[0])
    by_hand = ddim(
        model.bind(model.condition(photograph), torch.zeros(1, 0), 1.0), noise.initial(torch.zeros(1, 0)),
        model.schedule, 4, 1.0, lambda index: noise.step(index, torch.zeros(1, 0)),
    )  # fmt: skip
    torch.testing.assert_close(radiograph_of(model.decode(by_hand), photograph), plain)


def test_the_engine_trains_it() -> None:
    """One pair by heart: the loss falls."""
    model = network()
    prepare, stream = ForwardDiffusion(model, drop_guide=0.0, drop_group=0.0), PairStream(pairs(1), 60, 8)
    module, loss = ConditionalDenoising(model), WeightedSquaredError()
    optimizer = torch.optim.Adam(module.parameters(), lr=3e-3)
    losses = []
    for number in range(60):
        torch.manual_seed(number)
        noisy, target, _, given = prepare(stream.batch(0, number))
        found = loss(module(noisy, **given), target)
        optimizer.zero_grad()
        found.backward()
        optimizer.step()
        losses.append(found.item())
    assert np.mean(losses[-8:]) < 0.8 * np.mean(losses[:4])


def test_pairs_move_together_and_batches_follow_from_their_number() -> None:
    """The radiographs are the negatives of the photographs, and stay so but for the border, where both are black."""
    stream = PairStream(pairs(), 4, 3, variation=Variation(gamma=0.0, gain=0.0), difference=False)
    batch = stream.batch(1, 2)
    middle = (batch["image"] + batch["target"])[..., 8:-8, 8:-8]
    torch.testing.assert_close(middle, torch.zeros_like(middle), atol=1e-5, rtol=0)
    assert torch.equal(stream.batch(1, 2)["image"], batch["image"])
    assert not torch.equal(stream.batch(1, 3)["image"], batch["image"])
    half = PairStream(pairs(), 4, 3).batch(0, 0)
    torch.testing.assert_close(half["target"], -half["image"])  # the radiograph is the negative of the photograph
    with pytest.raises(UsageError, match="at least one"):
        PairStream(pairs(0), 1, 1)


def test_an_outline_that_errs_changes_the_photograph_near_its_edge_alone() -> None:
    photographs = np.zeros((1, 64, 64), np.uint8)
    photographs[:, 16:48, 16:48] = 200
    floors = np.where(photographs > 0, photographs, np.uint8(90))
    still = Variation(turn_deg=0.0, scale=0.0, shift=0.0, gamma=0.0, gain=0.0, edge=2.0)
    for known in (floors, None):
        stored = Pairs(("a",), photographs, photographs, known)
        batch = PairStream(stored, 1, 16, difference=False, variation=still).batch(0, 0)
        cut = ((batch["image"] + 1) * 127.5).round()[:, 0]
        film = torch.from_numpy(photographs).float() / 127.5 - 1
        torch.testing.assert_close(batch["target"][:, 0], film.expand(16, -1, -1), atol=1e-5, rtol=0)
        assert (cut[:, 22:42, 22:42] == 200).all()
        assert not cut[:, :9].any() and not cut[:, :, 55:].any()
        ring = cut[:, 12:16, 24:40]
        assert ((ring > 60).any() and not (ring > 91).any()) if known is not None else not ring.any()
        assert (cut[:, 16:18, 24:40] == 0).any()


def write_pair(folder: Path, photograph: np.ndarray, radiograph: np.ndarray) -> None:
    folder.mkdir(parents=True)
    Image.fromarray(photograph).save(folder / "original_1.png")
    Image.fromarray(radiograph).save(folder / "xray.png")


def test_folders_of_pairs_are_read(tmp_path: Path) -> None:
    colored = np.zeros((8, 8, 3), np.uint8)
    colored[..., 0] = 255
    write_pair(tmp_path / "a", colored, np.full((8, 8), 65535, np.uint16))
    write_pair(tmp_path / "b", np.full((4, 4), 100, np.uint8), np.full((4, 4), 50, np.uint8))
    found = read_pairs(tmp_path, size=4)
    assert found.names == ("a", "b") and found.photographs.shape == (2, 4, 4)
    assert found.photographs[:, 0, 0].tolist() == [76, 100]  # 0.299 of 255
    assert found.radiographs[:, 0, 0].tolist() == [255, 50]
    assert found.floors is None
    Image.fromarray(np.full((8, 8, 3), 9, np.uint8)).save(tmp_path / "a" / "floor.png")
    uncut = read_pairs(tmp_path, size=4, floors=True).floors
    assert uncut is not None and uncut[:, 0, 0].tolist() == [9, 100]  # b: the photograph itself


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("empty", "folder for each foot"),
        ("no partner", "one picture xray"),
        ("two sizes", "one size"),
        ("no picture", "PNG"),
    ],
)
def test_pairs_that_are_none_are_refused(tmp_path: Path, fault: str, words: str) -> None:
    if fault != "empty":
        rows = 4 if fault == "two sizes" else 8
        write_pair(tmp_path / "a", np.zeros((8, 8), np.uint8), np.zeros((rows, 8), np.uint8))
    if fault == "no partner":
        (tmp_path / "a" / "xray.png").unlink()
    if fault == "no picture":
        (tmp_path / "a" / "xray.png").write_bytes(b"nothing")
    with pytest.raises(InputRefused, match=words):
        read_pairs(tmp_path)
