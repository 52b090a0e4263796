"""Radiographs: reading, polarity, geometry, side; below ``knee/`` the region around a knee joint and its checks.

Example:
    >>> from pathlib import Path
    >>> from monai_xray2mri.radiograph import read_radiograph
    >>> film = read_radiograph(Path("knee.dcm"))  # doctest: +SKIP
    >>> film.pixels.min() >= 0 and film.pixels.max() <= 1  # bone bright  # doctest: +SKIP
    True
"""

from monai_xray2mri.runtime.lazy import lazy_names

__all__ = [
    "RADIOGRAPHS",
    "RADIOGRAPH_MODALITIES",
    "radiograph_from_dataset",
    "read_radiograph",
    "sides_of",
    "sides_to_use",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "RADIOGRAPHS": "kinds",
        "RADIOGRAPH_MODALITIES": "kinds",
        "radiograph_from_dataset": "reading",
        "read_radiograph": "reading",
        "sides_of": "laterality",
        "sides_to_use": "laterality",
    },
)
