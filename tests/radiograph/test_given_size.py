"""A size that the user tells holds where a picture has none of its own."""

from __future__ import annotations

import numpy as np
import pytest

from monai_xray2mri.errors import UsageError
from monai_xray2mri.radiograph.given_size import with_given_size
from monai_xray2mri.systems.knee_xray2mri.options import knee_request
from monai_xray2mri.types import Radiograph


def picture(spacing: tuple[float, float] | None = None) -> Radiograph:
    source = "ImagerPixelSpacing" if spacing else "none"
    return Radiograph(np.zeros((200, 250), np.float32), spacing, source, (), "none", "film.png")


@pytest.mark.parametrize(("width", "spacing"), [(100.0, None), (None, 0.4)])
def test_a_picture_gets_the_size_that_is_given(width, spacing):
    given = with_given_size(picture(), width, spacing)
    assert given.spacing == pytest.approx((0.4, 0.4)) and given.spacing_source == "given"
    assert given.remarks == ("pixel spacing 0.4000 mm as given, so that the picture is 100 mm wide",)


def test_the_spacing_of_a_header_is_kept_with_a_remark():
    kept = with_given_size(picture((0.2, 0.2)), 95.0, None)
    assert kept.spacing == (0.2, 0.2)
    assert kept.remarks == ("the size given is not used: ImagerPixelSpacing tells it",)


def test_nothing_given_changes_nothing():
    film = picture()
    assert with_given_size(film, None, None) is film


def test_only_one_of_the_two_may_be_given():
    assert knee_request(width_mm=95.0).width_mm == 95.0
    with pytest.raises(UsageError, match="exclude each other"):
        knee_request(width_mm=95.0, pixel_spacing=0.3)
    with pytest.raises(UsageError, match=r"width_mm: must be within 20\.\.1500"):
        knee_request(width_mm=5.0)
