"""Knees that are simulated while a network trains."""

from __future__ import annotations

import pickle
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import Tensor
from torch.utils.data import DataLoader

from monai_xray2mri.errors import InputRefused, UsageError
from monai_xray2mri.knee.data.on_the_fly import SimulatedStream, _Ring, latent_deviation
from monai_xray2mri.knee.data.slices import TrainingSlices
from monai_xray2mri.knee.grading.features import FEATURES
from monai_xray2mri.simulation.knee.knee import SimulatedKnee
from monai_xray2mri.simulation.knee.people.seeds import TEST, VALIDATION
from monai_xray2mri.systems.knee_xray2mri.network import SliceDiffusion
from monai_xray2mri.training.autoencoder import CropBatch
from monai_xray2mri.training.denoiser import ForwardDiffusion
from tests.conftest import make_tiny_network

CPU = torch.device("cpu")


@pytest.fixture
def make_stream(simulated_knees: list[SimulatedKnee]) -> Callable[..., SimulatedStream]:
    """Makes streams of the three knees of the session, which the simulator made before."""

    def knees(seeds: Sequence[int]) -> list[SimulatedKnee]:
        return [simulated_knees[seed] for seed in seeds]

    def make(batches: int = 8, **options: Any) -> SimulatedStream:
        few = {"batch_size": 4, "ring": 1, "group": 1, "reuse": 2, "draws": 2, "device": "cpu", "simulate": knees}
        return SimulatedStream(range(3), batches, **{**few, **options})

    return make


def epoch_of(stream: SimulatedStream, epoch: int = 0, **options: Any) -> list[dict[str, Tensor]]:
    stream.set_epoch(epoch)
    return list(DataLoader(stream, batch_size=None, **options))


def assert_same(one: list[dict[str, Tensor]], other: list[dict[str, Tensor]]) -> None:
    assert len(one) == len(other) > 0
    for left, right in zip(one, other, strict=True):
        assert left.keys() == right.keys()
        for name in left:
            assert torch.equal(left[name], right[name]), name


def test_a_batch_holds_what_a_stored_set_holds(make_stream: Callable[..., SimulatedStream], training_set: Path) -> None:
    stored = TrainingSlices(training_set, lesion_weight=8.0)
    met = set()
    for batch in epoch_of(make_stream(reuse=1, lesion_weight=8.0), 0):
        for place, (seed, depth) in enumerate(zip(batch["knee"].tolist(), batch["place"].tolist(), strict=True)):
            item = stored[50 * seed + round(49 * depth)]
            for name in ("target", "guide", "weight"):
                assert torch.equal(batch[name][place], item[name]), name
            assert depth == pytest.approx(float(item["place"]))
            views = torch.stack([stored.view(seed, draw) for draw in range(2)])  # the boxes of the same seed
            assert (views - batch["image"][place]).abs().flatten(1).amax(dim=1).min() < 0.6 / 127.5
            met.add(seed)
    assert met == {0, 1, 2}
    collated = next(iter(DataLoader(stored, batch_size=4)))
    assert {name: value.shape for name, value in batch.items()} == {name: v.shape for name, v in collated.items()}


def test_the_simulator_is_asked_where_nothing_else_is_given(simulated_knees: list[SimulatedKnee]) -> None:
    stream = SimulatedStream(range(1), 1, device="cpu", ring=1, group=1, draws=1, batch_size=2)
    batch = next(iter(stream))
    expected = torch.from_numpy(simulated_knees[0].volume[13:63])  # [S,H,W]
    for image, depth in zip(batch["target"], batch["place"].tolist(), strict=True):
        torch.testing.assert_close((image[0] + 1) / 2, expected[round(49 * depth)], atol=0.51 / 255, rtol=0)


@pytest.mark.parametrize("workers", [1, 2])
def test_batches_do_not_depend_on_the_number_of_workers(
    make_stream: Callable[..., SimulatedStream], workers: int
) -> None:
    for epoch in (0, 1):
        alone = epoch_of(make_stream(lanes=2), epoch)
        assert len(alone) == 8
        assert_same(alone, epoch_of(make_stream(lanes=2), epoch, num_workers=workers))


def test_batches_depend_on_seed_and_epoch_alone(make_stream: Callable[..., SimulatedStream]) -> None:
    stream = make_stream()
    first, second = epoch_of(stream, 0), epoch_of(stream, 1)
    assert_same(first, epoch_of(stream, 0))
    assert_same(second, epoch_of(make_stream(), 1))  # whether or not the epoch before was seen
    assert not torch.equal(first[0]["image"], second[0]["image"])
    assert not torch.equal(first[0]["image"], epoch_of(make_stream(seed=1), 0)[0]["image"])


def test_workers_that_do_not_share_the_lanes_evenly_are_refused(make_stream: Callable[..., SimulatedStream]) -> None:
    with pytest.raises(RuntimeError, match="must be a multiple of the workers of the loader, 2"):  # torch wraps it
        epoch_of(make_stream(lanes=1), num_workers=2)


@pytest.mark.parametrize("held_out", [VALIDATION, TEST])
def test_held_out_knees_never_train(held_out: range) -> None:
    with pytest.raises(InputRefused, match="training range"):
        SimulatedStream([*range(100), held_out[0]], 8, ring=16, group=16)


@pytest.mark.parametrize("options", [{"ring": 3, "group": 2}, {"batches": 7, "lanes": 2}, {"ring": 4}])
def test_numbers_that_do_not_fit_are_refused(
    make_stream: Callable[..., SimulatedStream], options: dict[str, Any]
) -> None:
    with pytest.raises(UsageError, match="on-the-fly"):
        make_stream(**options)


def test_lesions_are_drawn_as_often_as_asked(
    make_stream: Callable[..., SimulatedStream], simulated_knees: list[SimulatedKnee]
) -> None:
    share = [
        float((torch.as_tensor(knee.lesions[13:63]) > 0).flatten(1).any(dim=1).float().mean())
        for knee in simulated_knees
    ]
    assert 0 < sum(share) / 3 < 0.5
    stream = make_stream(40, ring=3, batch_size=16, reuse=100, lesion_share=0.5, lesion_weight=1.0)
    shown = torch.cat([(batch["weight"] > 1).flatten(1).any(dim=1) for batch in epoch_of(stream)]).float()
    assert float(shown.mean()) == pytest.approx(0.5, abs=0.06)  # 640 draws: 3 standard errors
    even = make_stream(40, ring=3, batch_size=16, reuse=100, lesion_share=None, lesion_weight=1.0)
    shown = torch.cat([(batch["weight"] > 1).flatten(1).any(dim=1) for batch in epoch_of(even)]).float()
    assert float(shown.mean()) == pytest.approx(sum(share) / 3, abs=0.06)


def numbered(seeds: Sequence[int]) -> list[dict[str, Tensor]]:
    return [{"knee": torch.tensor(seed)} for seed in seeds]


def test_the_ring_moves_along_the_seeds_and_makes_each_knee_once() -> None:
    made: list[int] = []

    def make(seeds: Sequence[int]) -> list[dict[str, Tensor]]:
        made.extend(seeds)
        return numbered(seeds)

    ring = _Ring(make, range(100, 110), size=4, group=2, device=CPU)
    for start in (0, 0, 2, 4, 8):
        window = ring.at(start)
        assert list(window) == [100 + place % 10 for place in range(start, start + 4)]
        assert [int(knee["knee"]) for knee in window.values()] == list(window)
    assert list(ring.at(0)) == [100, 101, 102, 103]  # back at the start
    assert made[:10] == list(range(100, 110))
    ring.thread.shutdown()
    assert len(ring.groups) == 3 + 3  # windows of two groups and the next one, before and after the way back


def test_new_knees_are_made_while_the_old_ones_are_in_use() -> None:
    asked, go = threading.Event(), threading.Event()

    def make(seeds: Sequence[int]) -> list[dict[str, Tensor]]:
        if seeds[0] == 2:
            asked.set()
            assert go.wait(30)
        return numbered(seeds)

    ring = _Ring(make, range(10), size=2, group=2, device=CPU)
    assert list(ring.at(0)) == [0, 1]  # does not wait for knees 2 and 3
    assert asked.wait(30)  # although they are being made
    go.set()
    assert list(ring.at(2)) == [2, 3]


def test_what_fails_in_the_thread_is_heard() -> None:
    def make(seeds: Sequence[int]) -> list[dict[str, Tensor]]:
        raise InputRefused("knee", "cannot be made", str(seeds[0]))

    with pytest.raises(InputRefused, match="cannot be made"):
        _Ring(make, range(4), size=2, group=2, device=CPU).at(0)


def test_other_processes_are_sent_no_knees(make_stream: Callable[..., SimulatedStream]) -> None:
    stream = SimulatedStream(range(2), 2, device="cpu", ring=1, group=1, draws=1, batch_size=2)
    stream._rings[(0, 0)] = _Ring(numbered, range(3), 1, 1, CPU)
    assert len(pickle.dumps({**stream.__getstate__(), "_epoch": None, "simulate": None})) < 2000
    assert len(stream) == 2


def small(batch: dict[str, Tensor]) -> dict[str, Tensor]:
    """A batch at the size of the tiny network."""
    for name in ("target", "image"):
        batch[name] = torch.nn.functional.avg_pool2d(batch[name], 4)
    batch["weight"] = torch.nn.functional.max_pool2d(batch["weight"], 4)
    return batch


def test_a_batch_trains_the_denoiser_without_being_encoded_before(
    make_stream: Callable[..., SimulatedStream], tiny_network: SliceDiffusion
) -> None:
    batch = small(next(iter(make_stream())))
    tiny_network.latent_scale.fill_(2.0)
    diffusion = ForwardDiffusion(tiny_network, [feature.width for feature in FEATURES], drop_condition=0.0)
    noisy, (target, weight), _, given = diffusion(batch)
    t = given["t"]
    with torch.no_grad():
        torch.testing.assert_close(given["image_latent"], tiny_network.image_latent(batch["image"]))
        z_0 = tiny_network.encode(batch["target"])
    schedule = tiny_network.schedule
    eps = (noisy - schedule.add_noise(z_0, t, torch.zeros_like(z_0))) / schedule.add_noise(
        torch.zeros_like(z_0), t, torch.ones_like(z_0)
    )
    torch.testing.assert_close(target, schedule.target(z_0, t, eps), atol=1e-3, rtol=1e-3)
    assert given["image"].shape == (4, 1, 64, 64)
    assert weight.shape == (4, 1, 8, 8)
    assert not noisy.requires_grad
    assert given["place"].tolist() == batch["place"].tolist()


def test_the_deviation_is_that_of_the_first_knees(
    make_stream: Callable[..., SimulatedStream], training_set: Path
) -> None:
    network = make_tiny_network()
    before = float(network.latent_scale)
    deviation = latent_deviation(network, make_stream(ring=3), knees=2)
    assert float(network.latent_scale) == before
    stored = TrainingSlices(training_set)
    images = torch.stack([stored.target(number) for number in range(100)])
    with torch.no_grad():
        assert float(network.autoencoder.encode(images).std()) == pytest.approx(deviation, rel=0.01)


def test_crops_of_a_batch_train_the_autoencoder(make_stream: Callable[..., SimulatedStream]) -> None:
    batch = next(iter(make_stream(batch_size=32)))
    crop = CropBatch(size=128, image_share=0.5, scale_image=lambda films: films * 0 - 0.123)
    image, target, *_ = crop(batch)
    assert image is target
    assert image.shape == (32, 1, 128, 128)
    films = (image == -0.123).flatten(1).all(dim=1)
    assert 5 < int(films.sum()) < 27
    for one, whole in zip(image[~films], batch["target"][~films], strict=True):
        assert any(torch.equal(one, part) for part in _corners(whole, one))


def _corners(whole: Tensor, crop: Tensor) -> list[Tensor]:
    """The parts of an image whose first pixel is that of a crop."""
    size = crop.shape[-1]
    starts = (whole[0, : -size + 1, : -size + 1] == crop[0, 0, 0]).nonzero().tolist()
    return [whole[:, top : top + size, left : left + size] for top, left in starts]
