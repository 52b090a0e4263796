from __future__ import annotations

import numpy as np
import pytest
import SimpleITK as sitk
import torch

from monai_xray2mri.cli import main
from monai_xray2mri.errors import InputRefused
from monai_xray2mri.simulation.knee.anatomy.template import (
    LABELS,
    Template,
    fit_template,
    knee_origin,
    read_label_map,
    shipped_template,
)
from monai_xray2mri.simulation.tools.lattice import Points

SPACING = (1.2, 1.0, 0.9)
SIZE = (90, 70, 90)


def axes() -> tuple[np.ndarray, ...]:
    z, y, x = (step * np.arange(n) for step, n in zip(SPACING, SIZE, strict=True))
    return z[:, None, None], y[None, :, None], x[None, None, :]


def ball(z: float, y: float, x: float, radius: float) -> np.ndarray:
    """Signed distance [Z,Y,X] of a ball."""
    grid = axes()
    return np.sqrt((grid[0] - z) ** 2 + (grid[1] - y) ** 2 + (grid[2] - x) ** 2) - radius


def phantom() -> np.ndarray:
    """A knee of balls and slabs: every structure of a template, each known exactly."""
    labels = np.zeros(SIZE, np.uint8)
    z, _, _ = axes()
    femur, tibia = ball(75, 35, 40, 20.0), ball(24, 35, 40, 22.0)
    labels[(femur < 2.0) & (z < 62)] = 1  # a layer of 2 mm under the femur
    labels[(tibia < 1.5) & (z > 35) & (femur >= 2.0)] = 2
    labels[femur < 0] = 5
    labels[tibia < 0] = 6
    patella = ball(75, 8, 40, 7.0)
    labels[(patella < 1.5) & (labels == 0)] = 4
    labels[patella < 0] = 7
    labels[ball(20, 55, 12, 8.0) < 0] = 8
    labels[(ball(50, 35, 58, 5.0) < 0) & (labels == 0)] = 10
    labels[(ball(50, 35, 22, 5.0) < 0) & (labels == 0)] = 9
    return labels


@pytest.fixture(scope="module")
def labels() -> np.ndarray:
    return phantom()


@pytest.fixture(scope="module")
def template(labels) -> Template:
    return fit_template(labels, SPACING)


def on_sphere(center: tuple[float, float, float], radius: float, origin: tuple[float, ...]) -> Points:
    """Points all around a ball (z, y, x) in the template's frame."""
    rng = np.random.default_rng(0)
    normal = rng.normal(size=(400, 3))
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    place = torch.tensor(np.asarray(center) + radius * normal - np.asarray(origin), dtype=torch.float32)
    return Points(place[:, 2].view(1, 1, -1), place[:, 1].view(1, 1, -1), place[:, 0].view(1, 1, -1))


def test_a_balls_distance_comes_back(labels, template):
    origin = knee_origin(labels == 5, labels == 6, SPACING)
    for name, center, radius in (("femur", (75, 35, 40), 20.0), ("tibia", (24, 35, 40), 22.0)):
        # The nearest of many voxels is nearer than the surface's mean: away from it a third of a voxel of 1 mm is lost.
        for distance, tolerance in ((-3.0, 0.35), (0.0, 0.06), (3.0, 0.35)):
            found = template.at(name, on_sphere(center, radius + distance, origin))
            assert abs(float(found.median()) - distance) < tolerance
            assert float(found.std()) < 0.2


def test_small_parts_keep_their_size(labels, template):
    origin = knee_origin(labels == 5, labels == 6, SPACING)
    for name, center, radius in (("patella", (75, 8, 40), 7.0), ("fibula", (20, 55, 12), 8.0)):
        found = template.at(name, on_sphere(center, radius, origin))
        assert abs(float(found.median())) < 0.15


def test_cartilage_has_the_thickness_of_its_layer(labels, template):
    origin = knee_origin(labels == 5, labels == 6, SPACING)
    below = on_sphere((75, 35, 40), 20.0, origin)
    thickness = template.at("femoral cartilage", below).flatten()
    bottom, top = below.z.flatten() < below.z.min() + 4, below.z.flatten() > below.z.min() + 22
    assert float(thickness[bottom].median()) == pytest.approx(2.0, abs=0.35)
    assert float(thickness[top].abs().max()) < 0.3


def test_beyond_its_box_a_distance_grows(template):
    out = torch.tensor([40.0, 60.0, 90.0]).view(1, 1, 3)
    points = Points(out, torch.zeros(1, 1, 1), torch.full((1, 1, 1), 25.0))
    found = template.at("femur", points).flatten()
    assert float(found[2] - found[1]) == pytest.approx(30.0, abs=0.5)
    assert float(template.at("femoral cartilage", points).flatten()[2]) == 0.0


def test_the_origin_lies_under_the_middle_of_the_femur(labels):
    z, y, x = knee_origin(labels == 5, labels == 6, SPACING)
    assert x == pytest.approx(40.0, abs=1.0)
    assert y == pytest.approx(35.0, abs=1.5)
    assert z == pytest.approx(55.0 - 2.0, abs=1.3)


def test_what_is_written_is_read(template, tmp_path):
    template.save(tmp_path / "own.npz")
    again = Template.load(tmp_path / "own.npz")
    points = on_sphere((0, 0, 0), 20.0, (0, 0, 0))
    assert set(again.structures) == set(LABELS)
    for name in LABELS:
        assert torch.allclose(again.at(name, points), template.at(name, points), atol=0.02)


def test_a_missing_structure_is_refused(labels):
    with pytest.raises(InputRefused, match="patella"):
        fit_template(np.where(labels == 7, 0, labels), SPACING)


def test_what_is_no_template_is_refused(tmp_path):
    (tmp_path / "wrong.npz").write_bytes(b"nothing")
    with pytest.raises(InputRefused, match=r"wrong\.npz"):
        Template.load(tmp_path / "wrong.npz")


def test_what_is_no_image_is_refused(tmp_path):
    (tmp_path / "map.nrrd").write_bytes(b"nothing")
    with pytest.raises(InputRefused, match=r"map\.nrrd"):
        read_label_map(tmp_path / "map.nrrd")


def test_the_command_fits_a_map_however_it_is_stored(labels, template, tmp_path):
    image = sitk.GetImageFromArray(labels)
    image.SetSpacing(SPACING[::-1])
    stored = sitk.DICOMOrient(image, "RPS")  # another order of axes, the same knee
    sitk.WriteImage(stored, str(tmp_path / "map.nii.gz"))
    call = ["fit-template", "--labels", str(tmp_path / "map.nii.gz"), "--output", str(tmp_path / "own.npz")]
    assert main(call) == 0
    points = on_sphere((20, 0, 0), 15.0, (0, 0, 0))
    assert torch.allclose(
        Template.load(tmp_path / "own.npz").at("femur", points), template.at("femur", points), atol=0.1
    )


def test_the_shipped_template_is_a_right_knee_in_its_frame():
    shipped = shipped_template()
    assert set(shipped.structures) == set(LABELS)

    def inside(name: str, x: float, y: float, z: float) -> bool:
        return float(shipped.at(name, Points(*(torch.tensor(v).view(1, 1, 1) for v in (x, y, z))))) < 0

    assert inside("femur", 22.0, 0.0, 15.0)
    assert inside("femur", -22.0, 0.0, 15.0)
    assert not inside("femur", 0.0, 10.0, 10.0)  # the notch
    assert inside("tibia", 0.0, 0.0, -20.0)
    assert inside("fibula", -36.0, 21.0, -20.0)
    assert not inside("fibula", 36.0, 21.0, -20.0)
    assert inside("patella", -10.5, -49.0, 36.0)


def test_the_shipped_template_is_that_of_the_shared_map(shared_data):
    labels, spacing = read_label_map(next((shared_data / "knee_anatomy").glob("*.nrrd")))
    origin = np.asarray(knee_origin(labels == 5, labels == 6, spacing))
    shipped = shipped_template()
    rng = np.random.default_rng(0)
    for name, limit in (("femur", 0.25), ("tibia", 0.25), ("patella", 0.25), ("fibula", 0.25), ("meniscus M", 0.3)):
        mask = np.isin(labels, LABELS[name])
        z, y, x = (np.flatnonzero(mask.any(axis=other)) for other in ((1, 2), (0, 2), (0, 1)))
        # Voxels whose lower neighbour is outside: the surface lies half a voxel below them.
        edge = np.argwhere(mask[1:] & ~mask[:-1])
        edge = edge[(edge[:, 0] > 3) & (edge[:, 0] < labels.shape[0] - 6)]
        place = rng.permutation(edge)[:500] * np.asarray(spacing) + (0.5 * spacing[0], 0, 0) - origin
        place = torch.tensor(place, dtype=torch.float32)
        points = Points(place[:, 2].view(1, 1, -1), place[:, 1].view(1, 1, -1), place[:, 0].view(1, 1, -1))
        assert float(shipped.at(name, points).abs().median()) < limit, name
        assert len(z) and len(y) and len(x)
