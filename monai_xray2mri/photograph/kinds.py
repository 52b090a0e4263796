"""Which files are photographs: one list for folders, single files and the app."""

from __future__ import annotations

from typing import Final

from monai_xray2mri.dicom.kinds import Kind

PHOTOGRAPH_MODALITIES: Final = ("XC",)
"""Modality (0008,0060) of photographs: External-camera Photography (PS3.3 C.7.3.1.1.1)."""

PHOTOGRAPHS: Final = Kind(
    "photographs", PHOTOGRAPH_MODALITIES, (".png", ".jpg", ".jpeg"), ("PNG", "JPEG"), one_study=True
)
