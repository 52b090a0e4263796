"""Which files are radiographs: one list for folders, single files, viewers and the app."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from monai_xray2mri.dicom.kinds import Kind

RADIOGRAPH_MODALITIES: Final = ("CR", "DX", "RG")
"""Modality (0008,0060) of radiographs: computed, digital, and on film (PS3.3 C.7.3.1.1.1)."""

PICTURES: Final = (".png", ".jpg", ".jpeg")
"""Ends of names of pictures."""

IMAGE_FILES: Final = (".nii.gz", ".nii", ".nrrd")
"""Ends of names of the files in which viewers hold a picture."""

RADIOGRAPHS: Final = Kind("radiographs", RADIOGRAPH_MODALITIES, PICTURES, ("PNG", "JPEG"), IMAGE_FILES, one_study=True)
"""NIfTI and NRRD count only as the one file that is given: in a folder they are more often volumes."""


def is_image_file(path: Path) -> bool:
    """Whether a file's name says NIfTI or NRRD."""
    return path.name.lower().endswith(IMAGE_FILES)
