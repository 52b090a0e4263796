"""The feet of a photograph, checked and brought into the frame of the networks."""

from __future__ import annotations

from pathlib import Path

from monai_xray2mri.photograph.record import PreparedFoot
from monai_xray2mri.types import Side


def prepare_feet(
    path: Path | str,
    *,
    side: Side | str | None = None,
    pixel_mm: float | None = None,
    force: bool = False,
    name: str | None = None,
) -> tuple[PreparedFoot, ...]:
    """The feet of a photograph from above: PNG, JPEG or VL Photographic DICOM.

    Args:
        path: the file.
        side: of the foot: ``"R"`` or ``"L"``. Of a photograph of both feet it selects one.
        pixel_mm: size of a pixel of the photograph at the floor, in mm.
        force: take a picture that an automatic check doubts; what was doubted is recorded.
        name: how messages call the file; its own name if None.

    Returns:
        One foot or two, right before left.

    Raises:
        UsageError: there is no such file, or an argument is out of range.
        DoubtfulInput: a check doubts the picture, and ``force`` is not set.
        InputRefused: the picture cannot be read or used.
    """
    raise NotImplementedError
