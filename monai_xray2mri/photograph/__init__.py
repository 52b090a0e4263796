"""Photographs: reading, scale, and the feet on them as the networks see them.

Example:
    >>> from pathlib import Path
    >>> from monai_xray2mri.photograph import prepare_feet
    >>> for foot in prepare_feet(Path("photo.jpg")):  # doctest: +SKIP
    ...     foot.side, foot.grey.shape  # (256, 256), toes up, hallux at the left, black beside the foot
"""

from monai_xray2mri.runtime.lazy import lazy_names

__all__ = ["PHOTOGRAPHS", "PHOTOGRAPH_MODALITIES", "Photograph", "PreparedFoot", "prepare_feet", "read_photograph"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "PHOTOGRAPHS": "kinds",
        "PHOTOGRAPH_MODALITIES": "kinds",
        "Photograph": "record",
        "PreparedFoot": "record",
        "prepare_feet": "foot.prepare",
        "read_photograph": "reading",
    },
)
