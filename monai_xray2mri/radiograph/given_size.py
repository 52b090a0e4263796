"""The size of a picture that has no pixel spacing, as the user tells it."""

from __future__ import annotations

from dataclasses import replace

from monai_xray2mri.types import Radiograph


def with_given_size(radiograph: Radiograph, width_mm: float | None, pixel_spacing: float | None) -> Radiograph:
    """The radiograph with the pixel spacing that a user tells, where it has none of its own.

    Args:
        radiograph: as it was read.
        width_mm: of the whole picture as it is shown.
        pixel_spacing: in mm; only one of the two is given.
    """
    if width_mm is None and pixel_spacing is None:
        return radiograph
    if radiograph.spacing is not None:
        remark = f"the size given is not used: {radiograph.spacing_source} tells it"
        return replace(radiograph, remarks=(*radiograph.remarks, remark))
    columns = radiograph.pixels.shape[1]
    spacing = width_mm / columns if width_mm is not None else pixel_spacing or 0.0
    remark = f"pixel spacing {spacing:.4f} mm as given, so that the picture is {spacing * columns:.0f} mm wide"
    return replace(
        radiograph, spacing=(spacing, spacing), spacing_source="given", remarks=(*radiograph.remarks, remark)
    )
