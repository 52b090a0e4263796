"""What the result page of one knee says: pictures, features, model, checks, warnings."""

from __future__ import annotations

from dataclasses import replace

from monai_xray2mri.core.pictures import montage
from monai_xray2mri.core.wording import DISCLAIMER
from monai_xray2mri.dicom.pdf_page import Page, Picture
from monai_xray2mri.dicom.result_page import model_lines, patient_facts, remark_lines, spread_lines
from monai_xray2mri.dicom.uncertainty import SHOWN
from monai_xray2mri.knee.grading.features import FEATURES
from monai_xray2mri.knee.grading.record import Grading
from monai_xray2mri.systems.knee_xray2mri.preview import Pictures
from monai_xray2mri.systems.knee_xray2mri.products import Products

_FILM_WIDTH, _FILM_HEIGHT = 0.34, 0.27  # of the text's width


def page_of(products: Products, pictures: Pictures | None = None) -> Page:
    """The page of one knee.

    Args:
        products: what was generated.
        pictures: of it; None draws them.
    """
    synthesis, case = products.synthesis, products.synthesis.case
    pictures = pictures or Pictures.of(synthesis)
    film = pictures.film
    width = min(_FILM_WIDTH, _FILM_HEIGHT * film.width / film.height)
    first = [Picture(f"Radiograph, {case.title} in the box", film, width)]
    if synthesis.uncertainty is not None:
        shown = replace(synthesis.uncertainty, voxels=synthesis.uncertainty.voxels / SHOWN)
        caption = f"Uncertainty: standard deviation of the samples, white = {SHOWN:g} of the intensity range or more"
        first.append(Picture(caption, montage(shown, 5, 2), 1 - _FILM_WIDTH))
    mr = Picture("Synthetic coronal MR, slices from anterior to posterior", pictures.slices)
    spread = spread_lines(products.spread, products.product, synthesis.provenance)
    columns = [
        (f"Features used ({case.grading.source})", _features(case.grading)),
        ("Model", model_lines(synthesis.provenance)),
        ("Checks and uncertainty", [*remark_lines(synthesis.provenance), *spread]),
    ]
    side = f"{case.side.word} ({case.radiograph.sides_source})"
    facts = patient_facts(products.origin.header, "Radiograph of", side)
    return Page(f"Synthetic MR of the {case.title}", DISCLAIMER, facts, [first, [mr]], columns)


def _features(grading: Grading) -> list[str]:
    known = {feature: grading.grades.get(feature.stem) for feature in FEATURES}
    lines = [f"{feature.description}: {grade}" for feature, grade in known.items() if grade is not None]
    unknown = sum(grade is None for grade in known.values())
    return [*lines, *([f"{unknown} of {len(FEATURES)} unknown"] if unknown else [])]
