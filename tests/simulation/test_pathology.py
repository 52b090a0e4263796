from __future__ import annotations

import pytest
import torch

from monai_xray2mri.simulation.grades import MAXIMAL_GRADES
from monai_xray2mri.simulation.mr import Tissue

from .conftest import film_millimetres, mr_millimetres

FEATURES = [stem for stem in MAXIMAL_GRADES if stem != "XRKL"]
HIDDEN = {"XRCY": Tissue.CYST, "XRCH": Tissue.CRYSTALS, "XRAT": Tissue.ATTRITION}
SHOWN = [stem for stem in FEATURES if stem[:4] not in HIDDEN]

# distance from the midline and height in mm between which the middle of each change must lie
PLACES = {
    "XROSF": ((30, 48), (0, 15)),
    "XROST": ((30, 48), (-12, 3)),
    "XRSCF": ((15, 30), (3, 18)),
    "XRSCT": ((15, 30), (-18, 0)),
    "XRCYF": ((15, 32), (3, 18)),
    "XRCYT": ((15, 32), (-18, 0)),
    "XRATT": ((15, 34), (-9, 2)),
    "XRCH": ((15, 30), (-5, 20)),
    "XRJS": ((4, 30), (-35, 10)),  # the lower leg tilts with the plateau
}


def place_of(stem: str) -> tuple[tuple[float, float], tuple[float, float]]:
    return next(place for prefix, place in PLACES.items() if stem.startswith(prefix))


def side_of(stem: str) -> int:
    return 1 if stem.endswith("M") else -1


@pytest.mark.parametrize("stem", FEATURES)
def test_feature_changes_the_mr_at_its_compartment(painted, stem):
    change = (painted(**{stem: MAXIMAL_GRADES[stem]})[0].signal - painted()[0].signal).abs()
    change[change < 0.03] = 0
    assert (change > 0.1).sum() > 40
    x, _, z = mr_millimetres(change)
    (nearest, farthest), (lowest, highest) = place_of(stem)
    assert nearest <= side_of(stem) * x <= farthest
    assert lowest <= z <= highest


@pytest.mark.parametrize("stem", [s for s in FEATURES if MAXIMAL_GRADES[s] == 3])
def test_higher_grade_changes_more(painted, stem):
    healthy = painted()[0].signal
    mild, severe = ((painted(**{stem: grade})[0].signal - healthy).abs().sum() for grade in (1, 3))
    assert severe > 1.3 * mild


@pytest.mark.parametrize("stem", [s for s in FEATURES if s[:4] in HIDDEN])
def test_hidden_feature_is_a_lesion_in_its_compartment(painted, stem):
    canvas, lesions = painted(**{stem: 1})
    assert torch.equal(lesions, canvas.labels == int(HIDDEN[stem[:4]]))
    assert lesions.sum() > 60
    assert mr_millimetres(lesions.float())[0] * side_of(stem) > 10


def test_healthy_knee_has_no_lesion(painted):
    assert not painted()[1].any()


def test_lesions_contrast_with_their_surroundings(painted):
    healthy = painted()[0].signal
    for stem, least in (("XRCYTM", 0.4), ("XRCHL", -0.25), ("XRATTM", 0.3)):
        canvas, lesions = painted(**{stem: 1})
        contrast = float((canvas.signal - healthy)[lesions].mean())
        assert contrast > least if least > 0 else contrast < least


def test_kellgren_lawrence_changes_nothing_of_its_own(painted):
    assert torch.equal(painted(XRKL=4)[0].signal, painted()[0].signal)


@pytest.mark.parametrize("stem", SHOWN)
def test_feature_changes_the_radiograph_at_its_compartment(projected, stem):
    change = (projected(**{stem: 3}) - projected()).abs()
    change[change < 0.02] = 0
    assert change.max() > 0.1
    x, z = film_millimetres(change)
    (nearest, farthest), (lowest, highest) = place_of(stem)
    assert nearest <= side_of(stem) * x <= farthest
    assert lowest - 3 <= z <= highest + 3


@pytest.mark.parametrize("stem", [s for s in FEATURES if s[:4] in HIDDEN])
def test_visibility_decides_what_the_radiograph_shows(projected, stem):
    healthy = projected()
    assert torch.equal(projected(visibility=0.0, **{stem: 1}), healthy)
    half, full = ((projected(visibility=v, **{stem: 1}) - healthy).abs() for v in (0.5, 1.0))
    assert half.max() > 0.02
    assert full.sum() > 1.3 * half.sum()
    assert film_millimetres(full)[0] * side_of(stem) > 10
