"""What the result page of a volume says: given slice, volume, spread, model, checks, warnings."""

from __future__ import annotations

from dataclasses import replace

from monai_xray2mri.core.pictures import montage
from monai_xray2mri.core.wording import DISCLAIMER
from monai_xray2mri.dicom.pdf_page import Page, Picture
from monai_xray2mri.dicom.result_page import model_lines, patient_facts, remark_lines, spread_lines
from monai_xray2mri.dicom.uncertainty import SHOWN
from monai_xray2mri.systems.mri_xdiffusion.preview import given_picture, squared
from monai_xray2mri.systems.mri_xdiffusion.products import Products
from monai_xray2mri.systems.mri_xdiffusion.records import Synthesis

_GIVEN_WIDTH = 0.3  # of the text's width


def page_of(synthesis: Synthesis, products: Products) -> Page:
    """The page of one volume."""
    case = synthesis.case
    caption = f"Given: slice {case.given[0].number} of {case.of}"
    first = [Picture(caption, given_picture(case), _GIVEN_WIDTH)]
    if synthesis.uncertainty is not None:
        shown = replace(synthesis.uncertainty, voxels=synthesis.uncertainty.voxels / SHOWN)
        caption = f"Uncertainty: standard deviation of the views, white = {SHOWN:g} of the intensity range or more"
        first.append(Picture(caption, montage(squared(shown), 5, 2), 1 - _GIVEN_WIDTH))
    volume = Picture("Synthetic MR volume, slices evenly spaced", montage(squared(synthesis.volume), 5, 2))
    places = [f"Slice {one.number}: {', '.join(f'{value:.1f}' for value in one.middle)}" for one in case.given]
    spread = spread_lines(products.spread, products.product, synthesis.provenance)
    columns = [
        ("Slices used (center, LPS mm)", places),
        ("Model", model_lines(synthesis.provenance)),
        ("Checks and uncertainty", [*remark_lines(synthesis.provenance), *spread]),
    ]
    side = f"{case.side.word} ({case.side_source})" if case.side else ""
    facts = patient_facts(products.origin.header, "Series of", side)
    return Page(f"Synthetic MR {case.title}", DISCLAIMER, facts, [first, [volume]], columns)
