"""Reads a film of the release and finds a knee on it: by the same code as the synthesis, or by the truth file."""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

import numpy as np

from monai_xray2mri.dicom.quiet import quiet
from monai_xray2mri.errors import InputRefused
from monai_xray2mri.knee.data.arrays import GEOMETRY
from monai_xray2mri.knee.data.jitter import region_with_margin
from monai_xray2mri.knee.detection.doubts import network_doubts
from monai_xray2mri.knee.detection.joints import find_joints
from monai_xray2mri.knee.oai.release import image_files
from monai_xray2mri.knee.oai.truth import true_box
from monai_xray2mri.radiograph.knee.checks import check_radiograph, check_region
from monai_xray2mri.radiograph.knee.header_checks import check_subject
from monai_xray2mri.radiograph.knee.region import find_knees
from monai_xray2mri.radiograph.reading import read_radiograph
from monai_xray2mri.radiograph.resampling import cut_box
from monai_xray2mri.radiograph.side_words import BOTH
from monai_xray2mri.types import Box, Radiograph, Side

Boxes = Literal["auto", "truth", "detector"]

REGION_MM: Final[float] = GEOMETRY["region_mm"]


@dataclass(frozen=True)
class FilmRegion:
    """A knee on a film.

    Attributes:
        pixels: [299,299] float32 in [0,1], bone bright, not mirrored.
        wide: [371,371] float32 in [0,1], the same region with a margin for random shifts in training.
        box: the region on the film, in pixels of the usual display.
        method: how it was found: ``"truth"``, ``"profile"`` or ``"whole image"``.
        spacing: (row, column) pixel size in mm at the detector; None if unknown.
        spacing_source: DICOM attribute of the pixel size.
        remarks: remarks for the user.
    """

    pixels: np.ndarray
    wide: np.ndarray
    box: Box
    method: str
    spacing: tuple[float, float] | None
    spacing_source: str
    remarks: tuple[str, ...] = ()


@quiet()
def read_film_region(release: Path, folder: Path, participant: str, side: Side, boxes: Boxes) -> FilmRegion:
    """Read a film and cut a knee out.

    Args:
        release: folder of the release; a simulated one holds truth files.
        folder: folder of the film.
        participant: participant number of seven digits; it names the truth file.
        side: side of the knee.
        boxes: ``"truth"`` takes the box of the truth file, ``"detector"`` detects the knee, ``"auto"`` takes the truth
            if there is a file, else detects.

    Raises:
        InputRefused: the film or the knee on it cannot be used, or ``boxes`` is ``"truth"`` and there is no truth file.
    """
    name = folder.relative_to(release).as_posix()
    files = image_files(folder)
    radiograph = read_radiograph(files[0], f"{name}/{files[0].name}", check_subject)
    remarks = [f"{len(files)} files in the film's folder, the first was read"] if len(files) > 1 else []
    if not radiograph.sides:
        remarks.append("the header names no side: a fixed flexion film of OAI shows both knees")
        radiograph = replace(radiograph, sides=BOTH, sides_source="protocol")
    warnings = check_radiograph(radiograph, side=side).warnings
    box = None if boxes == "detector" else true_box(release, participant, side, radiograph.pixels.shape)
    if box is None and boxes == "truth":
        raise InputRefused(
            f"radiograph {name}", "needs a truth file with the box of the knee", "none",
            "Only simulated releases have them; use --boxes detector.",
        )  # fmt: skip
    method, found = "truth", box or Box(0, 0, 0, 0)
    if box is None:
        found, method, seen = _detected(radiograph, side)
        remarks += seen
    return FilmRegion(
        cut_box(radiograph.pixels, found),
        region_with_margin(radiograph.pixels, found, mirrored=False),
        found,
        method,
        radiograph.spacing,
        radiograph.spacing_source,
        tuple(dict.fromkeys((*remarks, *radiograph.remarks, *warnings))),
    )


def _detected(radiograph: Radiograph, side: Side) -> tuple[Box, str, list[str]]:
    """Box, method and remarks of the detected knee.

    Raises:
        InputRefused: no knee is found, or the region does not look like the knee of that side.
    """
    (roi,) = find_knees(radiograph, find_joints, (side,), REGION_MM)
    check = check_region(roi, radiograph.name)
    for doubt in (*check.doubts, *network_doubts(roi, radiograph.name)):
        raise doubt
    return roi.box, roi.method, [*roi.remarks, *check.warnings]
