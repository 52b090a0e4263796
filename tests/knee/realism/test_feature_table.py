from __future__ import annotations

import pytest

from monai_xray2mri.knee.realism.feature_table import FEATURES, MEASURES, effects, table
from monai_xray2mri.simulation.knee.people.grades import MAXIMAL_GRADES
from monai_xray2mri.simulation.knee.people.seeds import TEST


@pytest.fixture(scope="module")
def found():
    return effects([TEST.start + 20], ("XRJSM", "XRCYTL"))


def test_every_grade_of_a_feature_has_its_numbers(found):
    assert set(found) == {*(("XRJSM", grade) for grade in range(4)), ("XRCYTL", 1)}
    for (stem, _), numbers in found.items():
        assert numbers.shape == (1, len(MEASURES["XRJS" if stem == "XRJSM" else "XRCY"][1]))


def test_numbers_stand_under_their_names(found):
    names = MEASURES["XRJS"][1]
    widths = [found["XRJSM", grade][0][names.index("width lying, mm")] for grade in range(4)]
    assert widths == sorted(widths, reverse=True)
    lesion = dict(zip(MEASURES["XRCY"][1], found["XRCYTL", 1][0], strict=True))
    assert lesion["at visibility 0"] == 0
    assert 0 < lesion["at visibility 0.5"] < lesion["film, mean change"]
    assert lesion["film, x mm"] < -8
    assert lesion["MR, mean change"] > 0.1


def test_the_table_is_markdown(found):
    lines = table(found).splitlines()
    assert "## Joint space narrowing" in lines
    rows = [line for line in lines if line.startswith("| XR")]
    assert len(rows) == 5
    assert len({line.count("|") for line in rows if "XRJSM" in line}) == 1


def test_every_feature_but_the_one_that_follows_has_a_row():
    assert set(FEATURES) == set(MAXIMAL_GRADES) - {"XRKL"}
