"""The network that looks for metal: drawn and real metal is seen, and not in natural knees."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from monai_xray2mri.errors import DoubtfulInput, NoFrontalKnee, WeightsError
from monai_xray2mri.knee.detection import metal
from monai_xray2mri.knee.detection.doubts import network_doubts
from monai_xray2mri.knee.detection.metal import LARGEST_METAL, metal_doubts, metal_probability, shipped_metal_map
from monai_xray2mri.knee.detection.networks.metal_map import (
    CELLS,
    FEWEST_CELLS,
    METAL_SIZE,
    MetalMap,
    metal_view,
    region_logit,
)
from monai_xray2mri.knee.detection.training.drawn_metal import KINDS, draw_metal
from monai_xray2mri.radiograph.knee.roi import KneeROI
from monai_xray2mri.types import Box, Side
from tests.helpers.films import read_picture, simulated_crop


def region(pixels: np.ndarray, side: Side = Side.RIGHT, width_mm: float = 110.0) -> KneeROI:
    size = pixels.shape[0]
    return KneeROI(side, Box(0, 0, size, size), np.ascontiguousarray(pixels, np.float32), width_mm, "whole image")


def with_metal(kind: str) -> np.ndarray:
    """The middle 95 mm of a simulated knee with drawn metal of a kind."""
    crop = simulated_crop()[20:279, 20:279]
    low, high = np.percentile(crop, (0.5, 99.5))
    gray = np.clip(2 * (crop - low) / (high - low) - 1, -1, 1).astype(np.float32)
    return draw_metal(gray, np.random.default_rng(7), kind)[0]


def test_a_natural_knee_has_none() -> None:
    assert metal_doubts(region(simulated_crop())) == []
    assert metal_probability(region(simulated_crop())) < 0.5


@pytest.mark.parametrize("kind", KINDS)
def test_drawn_metal_is_seen_on_either_side(kind: str) -> None:
    (doubt,) = metal_doubts(region(with_metal(kind), width_mm=95.0), "film.dcm")
    assert isinstance(doubt, DoubtfulInput)
    assert doubt.what == "right knee of film.dcm" and doubt.rule == "must be without metal"
    assert "prosthesis" in doubt.found and "probability" in doubt.found and "natural knees" in doubt.remedy
    left = region(with_metal(kind)[:, ::-1], Side.LEFT, 95.0)
    assert metal_probability(left) == pytest.approx(
        metal_probability(region(with_metal(kind), width_mm=95.0)), abs=0.01
    )


def test_of_what_is_no_knee_that_is_named_first() -> None:
    turned = network_doubts(region(np.rot90(with_metal("total prosthesis")), width_mm=95.0))
    assert isinstance(turned[0], NoFrontalKnee) and turned[-1].rule == "must be without metal"
    assert network_doubts(region(with_metal("plate"), width_mm=95.0))[-1].rule == "must be without metal"


@pytest.mark.parametrize("folder", ["knee_xray_rois", "knee_xray_rois_299"])
def test_real_screws_are_seen_and_natural_knees_pass(shared_data: Path, folder: str) -> None:
    """The public validation crops hold three knees with metal: screws with a plate, screws, a staple."""
    crops = shared_data / folder / "val"
    implants = {file for name in ("9375300L", "9235666R", "9086204R") for file in crops.rglob(f"{name}.*")}
    assert len(implants) == 3 and all(metal_doubts(of_file(file)) for file in implants)
    natural = set(sorted(crops.rglob("*.jpg"))[::20]) - implants
    assert [file.name for file in natural if metal_doubts(of_file(file))] == []


def of_file(file: Path) -> KneeROI:
    return region(read_picture(file), Side(file.stem[-1]), 95.0)


def test_the_map_shows_where() -> None:
    random, crop = np.random.default_rng(3), np.zeros((160, 160), np.float32)
    crop[:90] = crop[98:] = 0.3
    drawn, share = draw_metal(crop + random.normal(0, 0.03, crop.shape).astype(np.float32), random, "trochlea")
    cells = shipped_metal_map()(metal_view(torch.from_numpy(drawn)[None, None], 95.0))[0, 0]
    assert cells.shape == (CELLS, CELLS)
    row, column = divmod(int(cells.argmax()), CELLS)
    assert share[round((row + 0.5) * 160 / CELLS), round((column + 0.5) * 160 / CELLS)] > 0.5


def test_a_region_has_metal_where_a_few_cells_have() -> None:
    cells = torch.full((1, 1, CELLS, CELLS), -8.0)
    cells[0, 0, 3, 5 : 5 + FEWEST_CELLS] = 4.0
    assert region_logit(cells).item() == pytest.approx(4)
    cells[0, 0, 3, 5] = -8
    assert region_logit(cells).item() == pytest.approx(3)


def test_view_is_the_middle_of_the_region_in_its_own_grey_range() -> None:
    ramp = torch.linspace(0, 1, 220).expand(220, 220)[None, None]
    view = metal_view(ramp, 110.0)
    assert view.shape == (1, 1, METAL_SIZE, METAL_SIZE)
    assert (view.min().item(), view.max().item()) == (-1, 1)
    torch.testing.assert_close(metal_view(40 * ramp - 3, 110.0), view)
    assert torch.equal(metal_view(torch.ones(1, 1, 99, 99), 95.0), -torch.ones(1, 1, METAL_SIZE, METAL_SIZE))


def test_weights_are_shipped_and_damage_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    assert not shipped_metal_map().training and 0 < LARGEST_METAL < 1
    assert Path(metal.__file__).with_name(metal.WEIGHTS).stat().st_size < 150_000
    assert MetalMap().state_dict().keys() == shipped_metal_map().state_dict().keys()
    monkeypatch.setattr(metal, "WEIGHTS", "koa.pt")
    with pytest.raises(WeightsError, match=r"koa\.pt.*metal map"):
        shipped_metal_map.__wrapped__()
