"""What the result page of one foot says: pictures, angles, model, checks, warnings."""

from __future__ import annotations

from monai_xray2mri.core.wording import DISCLAIMER
from monai_xray2mri.dicom.pdf_page import Page, Picture
from monai_xray2mri.dicom.result_page import model_lines, patient_facts, remark_lines, spread_lines
from monai_xray2mri.dicom.uncertainty import SHOWN
from monai_xray2mri.systems.foot_xray_sccdm.pictures import (
    angle_lines,
    keypoint_picture,
    photograph_picture,
    radiograph_picture,
    spread_picture,
)
from monai_xray2mri.systems.foot_xray_sccdm.products import Products

_WIDTH = 1 / 3  # of the text's width


def page_of(products: Products) -> Page:
    """The page of one foot."""
    result, case = products.result, products.result.case
    first = [
        Picture("Photograph, cut out", photograph_picture(result), _WIDTH),
        Picture("Synthetic radiograph", radiograph_picture(result), _WIDTH),
        Picture("Keypoints and axes found on it", keypoint_picture(result), _WIDTH),
    ]
    rows, spread = [first], spread_picture(result)
    if spread is not None:
        rows.append([Picture(f"Standard deviation of the samples, white = {SHOWN:g} or more", spread, _WIDTH)])
    scale = "unknown" if case.foot.pixel_mm is None else f"{case.foot.pixel_mm:.3f} mm a pixel"
    columns = [
        ("Angles", [*angle_lines(result), *result.measures.remarks]),
        ("Model", model_lines(result.provenance)),
        (
            "Checks and uncertainty",
            [
                *remark_lines(result.provenance),
                f"Scale: {scale} ({case.foot.scale_source}).",
                *spread_lines(products.spread, products.product, result.provenance),
            ],
        ),
    ]
    facts = patient_facts(products.origin.header, "Photograph of", f"{case.side.word} ({case.foot.side_source})")
    return Page(f"Synthetic radiograph of the {case.title}", DISCLAIMER, facts, rows, columns)
