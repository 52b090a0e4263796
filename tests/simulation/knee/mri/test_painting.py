from __future__ import annotations

from collections.abc import Sequence

import pytest
import torch
from torch import Tensor

from monai_xray2mri.simulation.knee.anatomy.knee_anatomy import build_anatomy
from monai_xray2mri.simulation.knee.anatomy.pathology import draw_pathology
from monai_xray2mri.simulation.knee.anatomy.shape import Pose, draw_shape
from monai_xray2mri.simulation.knee.anatomy.truth import LESION_FEATURES
from monai_xray2mri.simulation.knee.mri.bone_painting import cortical_thickness
from monai_xray2mri.simulation.knee.mri.mr import Canvas, Placement, Receiver, Tissue, mr_grid
from monai_xray2mri.simulation.knee.mri.painting import KneePainter
from monai_xray2mri.simulation.knee.people.seeds import TEST, knee_generator
from monai_xray2mri.simulation.tools.lattice import Grid

SEED = TEST.start + 20
LESIONS = dict.fromkeys(LESION_FEATURES, 1)
SCLEROSIS = {"XRSCFM": 3, "XRSCTL": 3}
BONES = (Tissue.FEMUR, Tissue.TIBIA, Tissue.PATELLA, Tissue.FIBULA)


def painted(
    texture: str = "mr texture", slices: Sequence[int] | None = None, **grades: int
) -> tuple[Canvas, Tensor, Grid]:
    shape = draw_shape(knee_generator(SEED, "anatomy"))
    grid = mr_grid(Placement(), shape.scale)
    pathology = draw_pathology(grades, knee_generator(SEED, "lesions"))
    reach = float(grid.z.max()) + 2
    anatomy = build_anatomy(shape, pathology, Pose(), (-reach, reach))
    painter = KneePainter.of(anatomy, grid, knee_generator(SEED, texture))
    return *painter.slices(range(80) if slices is None else slices), grid


@pytest.fixture(scope="module")
def healthy() -> tuple[Canvas, Tensor, Grid]:
    return painted()


@pytest.fixture(scope="module")
def ill() -> tuple[Canvas, Tensor, Grid]:
    return painted(**LESIONS, **SCLEROSIS)


def median(canvas: Canvas, *tissues: Tissue) -> float:
    mask = torch.stack([canvas.labels == int(tissue) for tissue in tissues]).any(0)
    return float(canvas.signal[mask].median())


def millilitres(canvas: Canvas, tissue: Tissue) -> float:
    return float((canvas.labels == int(tissue)).sum()) * 0.625 * 0.625 * 1.5 / 1000


def test_every_tissue_is_there(healthy, ill):
    lesions = {int(Tissue.CYST), int(Tissue.CRYSTALS), int(Tissue.ATTRITION)}
    assert set(healthy[0].labels.unique().tolist()) == {int(tissue) for tissue in Tissue} - lesions
    assert set(ill[0].labels.unique().tolist()) == {int(tissue) for tissue in Tissue}


def test_contrast_is_that_of_water_excited_flash(healthy):
    canvas, _, _ = healthy
    order = (
        (Tissue.FEMORAL_CARTILAGE, Tissue.TIBIAL_CARTILAGE),
        (Tissue.MUSCLE,),
        (Tissue.FLUID,),
        BONES,
        (Tissue.MENISCUS, Tissue.TENDON),
        (Tissue.CORTEX,),
    )
    levels = [median(canvas, *tissues) for tissues in order]
    assert levels == sorted(levels, reverse=True)
    assert levels[0] > 2 * levels[3] > 4 * levels[-1]
    assert levels[1] > 2 * median(canvas, Tissue.FAT)
    assert median(canvas, Tissue.VESSEL) > levels[1]


def test_volumes_are_those_of_a_knee(healthy):
    canvas, _, _ = healthy
    for tissue, low, high in (
        (Tissue.MENISCUS, 2, 7),
        (Tissue.FEMORAL_CARTILAGE, 6, 16),
        (Tissue.TIBIAL_CARTILAGE, 2, 6),
        (Tissue.CRUCIATE, 1.2, 5),
        (Tissue.FAT_PAD, 8, 40),
        (Tissue.MUSCLE, 200, 700),
    ):
        assert low < millilitres(canvas, tissue) < high, tissue.name


def test_gray_values_along_the_slices_behave_as_in_the_papers(healthy):
    """Wang 2024a and 2024b, Fig. 4b: peak near 0.15, steep fall by 0.4, then down to the first slices' level."""
    canvas, _, grid = healthy
    _, noise_free = Receiver.draw(grid, knee_generator(SEED, "mr")).acquire(canvas.signal, range(len(grid.y)))
    profile = noise_free.mean((1, 2))
    peak = int(profile.argmax())
    assert 0.12 < peak / len(profile) < 0.22
    assert float(profile[32]) < 0.8 * float(profile[peak])
    assert float(profile[-1]) < 0.35 * float(profile[peak])
    assert float(profile[0]) < 0.6 * float(profile[peak])
    smooth = profile.unfold(0, 8, 8).mean(-1)
    assert bool((smooth[3:].diff() < 0.01).all())  # nothing rises again in front


def test_air_is_black_and_lies_around(healthy):
    canvas, _, _ = healthy
    air = canvas.labels == int(Tissue.AIR)
    assert float((canvas.signal[air] > 0.2).float().mean()) < 0.01
    assert bool(air[:, :, 0].all())
    assert bool(air[:, :, -1].all())
    assert 0.35 < float(air.float().mean()) < 0.85


def test_bones_have_a_dark_shell(healthy):
    canvas, _, _ = healthy
    middle = canvas.labels[42, 40]  # across the femoral shaft
    marrow = torch.nonzero(middle == int(Tissue.FEMUR)).flatten()
    cortex = torch.nonzero(middle == int(Tissue.CORTEX)).flatten()
    assert bool((cortex < marrow[0]).any())
    assert bool((cortex > marrow[-1]).any())
    assert float(cortical_thickness(1.0, torch.tensor(100.0))) > 3 * float(cortical_thickness(1.0, torch.tensor(0.0)))


def test_a_healthy_knee_has_no_lesions(healthy):
    assert int(healthy[1].max()) == 0


def test_each_lesion_is_coded_and_lies_in_its_compartment(ill):
    _, lesions, grid = ill
    assert lesions.dtype == torch.uint8
    for code, stem in enumerate(LESION_FEATURES, 1):
        found = lesions == code
        assert int(found.sum()) > 20, stem
        counts = found.float().sum((0, 1))
        x = float((counts * grid.x).sum() / counts.sum())
        assert (x > 8) if stem.endswith("M") else (x < -8), stem


@pytest.mark.parametrize(("kind", "brighter"), [("XRCY", True), ("XRCH", False), ("XRAT", True)])
def test_lesions_contrast_with_what_was_there(healthy, ill, kind, brighter):
    for code, stem in enumerate(LESION_FEATURES, 1):
        if not stem.startswith(kind):
            continue
        where = ill[1] == code
        change = float((ill[0].signal - healthy[0].signal)[where].mean())
        assert (change > 0.1) if brighter else (change < -0.15), stem


def test_sclerosis_darkens_the_marrow_under_the_joint(healthy, ill):
    change = ill[0].signal - healthy[0].signal
    femoral = (healthy[0].labels == int(Tissue.FEMUR)) & (ill[0].labels == int(Tissue.FEMUR))
    dark = torch.nonzero(femoral & (change < -0.1))
    assert len(dark) > 200
    assert float(ill[2].x[dark[:, 2]].mean()) > 10  # medial
    assert float(ill[2].z[dark[:, 1]].mean()) < 20


def test_the_same_slice_is_the_same_bits_and_texture_is_nuisance(healthy):
    chosen = [61, 5, 40]
    again, lesions, _ = painted(slices=chosen)
    assert torch.equal(healthy[0].signal[chosen], again.signal)
    assert torch.equal(healthy[0].labels[chosen], again.labels)
    assert lesions.shape == again.labels.shape
    other, _, _ = painted("mr texture 1", slices=chosen)
    assert not torch.equal(other.signal, again.signal)
    assert float((other.labels != again.labels).float().mean()) < 0.01


def test_hidden_lesions_change_nothing_far_from_them(healthy):
    """Twins: the same knee with and without lesions has the same bits elsewhere."""
    chosen = [30, 40]
    twin, lesions, _ = painted(slices=chosen, XRCYFM=1, XRATTM=1)
    assert int(lesions.max()) > 0
    change = (twin.signal - healthy[0].signal[chosen]).abs().amax((0, 1))
    touched = torch.nonzero(lesions.amax((0, 1))).flatten()
    assert float(change[int(touched[-1]) + 24 :].max()) == 0.0
    assert float(change[: int(touched[0]) - 24].max()) == 0.0
