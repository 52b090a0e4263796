"""Lead letters are removed, and nothing of the foot is."""

from __future__ import annotations

import numpy as np

from monai_xray2mri.systems.foot_xray_sccdm.lead_letter import without_lead_letters
from tests.helpers.feet import a_foot


def test_a_letter_beside_the_foot_is_removed_and_bones_beyond_its_outline_stay() -> None:
    foot, film = np.zeros((64, 64), bool), np.zeros((64, 64), np.float32)
    foot[20:60, 20:40] = True
    film[20:60, 20:40], film[10:22, 36:44] = 0.6, 0.9  # a bone that reaches beyond the outline
    plain = film.copy()
    film[4:12, 52:58], film[3, 52:58] = 0.95, 0.1  # a letter with its soft border
    np.testing.assert_array_equal(without_lead_letters(film, foot), plain)
    assert without_lead_letters(plain, foot) is plain


def test_a_true_film_loses_nothing_of_its_foot() -> None:
    foot = a_foot()
    film, shown = foot.radiograph, foot.cut_out.sum(axis=0) > 0
    cleaned = without_lead_letters(film, shown)
    bones = np.logical_or.reduce(list(foot.bones.values()))
    np.testing.assert_array_equal(cleaned[bones], film[bones])
    assert (cleaned != film).mean() < 0.02
