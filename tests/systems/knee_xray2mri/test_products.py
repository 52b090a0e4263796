"""The knee's product: its series numbers, its order of slices, its codes."""

from __future__ import annotations

from itertools import chain

import numpy as np
import pytest

from monai_xray2mri.core.volumes import volume_affine
from monai_xray2mri.dicom.laterality_codes import LATERALITY_CODES, SIDE_CODES
from monai_xray2mri.systems.knee_xray2mri.options import SAMPLING_OPTIONS
from monai_xray2mri.systems.knee_xray2mri.products import SERIES_NUMBERS, check_anterior_first, knee_product
from monai_xray2mri.types import Side

MOST_SAMPLES = next(int(option.high or 99) for option in SAMPLING_OPTIONS if option.name == "samples")


def test_no_two_series_of_a_study_have_one_number() -> None:
    grading_report = 100  # default of write_grading_report
    numbers = [*chain(*(each.all(MOST_SAMPLES) for each in SERIES_NUMBERS.values())), grading_report]
    assert len(set(numbers)) == len(numbers)


def test_descriptions_fit_the_64_characters_of_dicom() -> None:
    product = knee_product(Side.RIGHT)
    for content in (product.images, product.sample(MOST_SAMPLES), f"uncertainty map {product.subject}"):
        assert len(f"SYNTHETIC {content}, not for clinical use") <= 64


def test_slices_run_from_anterior_to_posterior() -> None:
    check_anterior_first(volume_affine(4, 4, 3, 0.5, 1.5))
    with pytest.raises(ValueError, match="anterior to posterior"):
        check_anterior_first(volume_affine(4, 4, 3, 0.5, 1.5, posterior_first=True))
    with pytest.raises(ValueError, match="anterior to posterior"):
        check_anterior_first(np.eye(4))


def test_sides_are_written_in_codes_that_are_read() -> None:
    for side, code in SIDE_CODES.items():
        assert LATERALITY_CODES[code.value, code.scheme_designator] == side
    assert {code.meaning for code in SIDE_CODES.values()} == {"Right", "Left"}
