"""The shipped detector on films that it has not seen."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from monai_xray2mri.errors import WeightsError
from monai_xray2mri.knee.detection import joints
from monai_xray2mri.knee.detection.joints import FILM_MM, WEIGHTS, film_view, find_joints, shipped_detector
from monai_xray2mri.knee.detection.networks.yolo import STRIDE
from monai_xray2mri.radiograph.knee.region import LEAST_CONFIDENCE
from monai_xray2mri.radiograph.knee.roi import FoundJoint
from monai_xray2mri.radiograph.resampling import resize
from monai_xray2mri.simulation.knee.film.film import simulate_film
from monai_xray2mri.simulation.knee.people.seeds import TEST
from monai_xray2mri.types import Side

LARGEST_BYTES = 3_000_000


@pytest.fixture(scope="module")
def film():
    return simulate_film(TEST[5])


def confident(pixels: np.ndarray, mm: float) -> list[FoundJoint]:
    return [joint for joint in find_joints(pixels, (mm, mm)) if joint.confidence >= LEAST_CONFIDENCE]


def test_weights_are_small_and_half_precision():
    path = Path(joints.__file__).with_name(WEIGHTS)
    assert path.stat().st_size <= LARGEST_BYTES
    state = torch.load(path, weights_only=True)
    assert {value.dtype for value in state.values() if value.is_floating_point()} == {torch.float16}
    assert not shipped_detector().training


def test_damaged_weights_are_named(monkeypatch):
    monkeypatch.setattr(joints, "WEIGHTS", "koa.pt")
    with pytest.raises(WeightsError, match=r"koa\.pt.*knee detector"):
        shipped_detector.__wrapped__()


@pytest.mark.parametrize("turned", [0, 1])
def test_both_knees_of_a_simulated_film_are_found(film, turned):
    """Its mirror image, too: which is which is told by the header."""
    pixels = film.pixels[:, ::-1] if turned else film.pixels
    mm = film.options.pixel_mm
    found = sorted(confident(pixels, mm), key=lambda joint: joint.column)
    assert len(found) == 2
    for joint, side in zip(found, (Side.LEFT, Side.RIGHT) if turned else (Side.RIGHT, Side.LEFT), strict=True):
        row, column = film.boxes[side].center
        column = pixels.shape[1] - column if turned else column
        assert np.hypot(joint.row - row * mm, joint.column - column * mm) < 15
        assert joint.prosthesis < 0.5


def test_polarity_exposure_and_size_of_pixels_do_not_matter(film):
    mm = film.options.pixel_mm
    usual = sorted(confident(film.pixels, mm), key=lambda joint: joint.column)
    coarse = resize(film.pixels, tuple(size // 2 for size in film.pixels.shape))
    for pixels, step in ((1 - film.pixels, mm), (film.pixels**1.5, mm), (3 * film.pixels - 7, mm), (coarse, 2 * mm)):
        found = sorted(confident(pixels, step), key=lambda joint: joint.column)
        assert len(found) == 2
        for one, same in zip(found, usual, strict=True):
            assert np.hypot(one.row - same.row, one.column - same.column) < 12


def test_half_a_film_shows_one_knee(film):
    half = film.pixels[:, : film.pixels.shape[1] // 2]
    (joint,) = confident(half, film.options.pixel_mm)
    row, column = (place * film.options.pixel_mm for place in film.boxes[Side.RIGHT].center)
    assert np.hypot(joint.row - row, joint.column - column) < 15


def test_a_long_film_is_looked_at_again_where_a_joint_is_suspected(monkeypatch):
    """Hips and ankles take up the grey range of a whole leg; on the band around a faint knee it is seen well."""

    def look(pixels, spacing, network, threshold):
        assert spacing == (2.0, 2.0)
        if pixels.shape[0] == 500:
            return [FoundJoint(500, 120, 110, 0.3, 0), FoundJoint(920, 120, 110, 0.06, 0)]
        return [FoundJoint(165, 122, 110, 0.9, 0), FoundJoint(165, 300, 110, 0.8, 0)] if len(pixels) == 164 else []

    monkeypatch.setattr(joints, "_look", look)
    found = find_joints(np.zeros((500, 200)), (2.0, 2.0))
    assert [(joint.row, joint.column, joint.confidence) for joint in found] == [(501, 122, 0.9), (501, 300, 0.8)]


@pytest.mark.parametrize("kind", ["black", "noise", "shafts"])
def test_nothing_is_found_where_no_knee_is(film, kind):
    shape = (700, 860)
    shafts = film.pixels[: film.pixels.shape[0] // 4]
    pixels = {"black": np.zeros(shape), "noise": np.random.default_rng(0).random(shape), "shafts": shafts}[kind]
    assert confident(pixels.astype(np.float32), 0.5) == []


def test_view_is_of_whole_cells_with_the_film_in_its_middle():
    view, (top, left) = film_view(np.random.default_rng(0).random((200, 300), np.float32), (1.0, 1.0))
    assert view.shape == (128, 160) and view.dtype == np.float32
    rows, columns = round(200 / FILM_MM), round(300 / FILM_MM)
    assert (top, left) == ((128 - rows) // 2, (160 - columns) // 2)
    assert view[:top].max() == view[top + rows :].max() == view[:, :left].max() == -1
    assert view.min() == -1 and view.max() == 1
    long, _ = film_view(np.ones((1300, 300), np.float32), (1.0, 1.0))
    assert long.shape[0] % STRIDE == 0 and long.shape[0] >= 1300 / FILM_MM


def test_real_knees_in_their_crops(shared_data):
    from tests.helpers.films import read_picture

    files = sorted((shared_data / "knee_xray_rois_raw").rglob("*.png"))[::4]
    seen = [find_joints(read_picture(file), (110 / 299, 110 / 299)) for file in files]
    sure = [found[0] for found in seen if found and found[0].confidence >= LEAST_CONFIDENCE]
    assert len(sure) >= 0.9 * len(files)
    errors = [np.hypot(joint.row - 55, joint.column - 55) for joint in sure]
    assert np.median(errors) < 8
