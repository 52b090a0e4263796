"""From stored values to what a reader sees: modality LUT, VOI LUT or window, and one rule of polarity.

The order is that of PS3.4 N.2: stored values, Modality LUT, VOI LUT, Presentation LUT Shape. The result is bone
bright, in [0,1], whatever the file's own polarity.
"""

from __future__ import annotations

from copy import copy

import numpy as np
from pydicom import Dataset
from pydicom.pixels import apply_modality_lut, apply_voi_lut
from pydicom.uid import DigitalXRayImageStorageForProcessing

from monai_xray2mri.errors import InputRefused

_VOI_KEYWORDS = (
    "VOILUTSequence",
    "WindowCenter",
    "WindowWidth",
    "VOILUTFunction",
    "PhotometricInterpretation",
    "BitsStored",
    "PixelRepresentation",
)


def present_bone_bright(stored: np.ndarray, dataset: Dataset, name: str) -> tuple[np.ndarray, tuple[str, ...]]:
    """Apply the look-up tables of the header and turn the polarity to bone bright.

    Args:
        stored: [H,W] int32 stored values.
        dataset: the header.
        name: how messages call the file.

    Returns:
        [H,W] float32 in [0,1], padding 0; and remarks.

    Raises:
        InputRefused: a modality or VOI LUT that is not valid.
    """
    padding = _padding(stored, dataset)
    try:
        values, low, high = _transform(stored, dataset, padding)
    except Exception:  # pydicom raises many kinds for broken tables
        raise InputRefused(
            f"radiograph {name}",
            "needs valid look-up tables and windows",
            "a modality LUT, VOI LUT or window that cannot be applied",
            "Correct or remove it in the header.",
        ) from None
    scaled = np.clip((values - low) / max(high - low, 1e-12), 0, 1)
    inverted, remarks = _polarity(dataset)
    bright = 1 - scaled if inverted else scaled
    bright[padding] = 0
    return bright.astype(np.float32), remarks


def _transform(stored: np.ndarray, dataset: Dataset, padding: np.ndarray) -> tuple[np.ndarray, float, float]:
    """Apply the tables: [H,W] float64 values and the range that they may take."""
    values = np.asarray(apply_modality_lut(stored, dataset), dtype=np.float64)
    if _for_processing(dataset) and dataset.get("PixelIntensityRelationship") == "LIN":
        values = np.log1p(np.maximum(values - values[~padding].min(initial=0), 0))  # attenuation adds up in the log
    elif (voi := _voi_alone(dataset)) is not None:
        return _apply_voi(values, voi)
    shown = values[~padding] if not padding.all() else values
    return values, float(shown.min()), float(shown.max())


def _apply_voi(values: np.ndarray, voi: Dataset) -> tuple[np.ndarray, float, float]:
    """Apply a VOI LUT or, if there is none, a window, of which the first is the default one (PS3.3 C.11.2)."""
    if "VOILUTSequence" in voi:
        result = np.asarray(apply_voi_lut(np.rint(values).astype(np.int32), voi), dtype=np.float64)
        bits = int(voi.VOILUTSequence[0].LUTDescriptor[2])
        return result, 0.0, max(float(2**bits - 1), float(result.max()))
    with np.errstate(over="ignore"):  # a sigmoid far outside of its window
        limits = apply_voi_lut(np.array([-1e12, 1e12]), voi)
        return np.asarray(apply_voi_lut(values, voi), dtype=np.float64), float(limits[0]), float(limits[1])


def _voi_alone(dataset: Dataset) -> Dataset | None:
    """Copy what belongs to the VOI; None if the header has neither a table nor a complete window.

    Without the rescale slope: pydicom would scale the output range of a window with it, which turns the image over
    where the slope is negative.
    """
    has_lut = bool(dataset.get("VOILUTSequence"))
    has_window = all(dataset.get(keyword) not in (None, "", []) for keyword in ("WindowCenter", "WindowWidth"))
    if not (has_lut or has_window):
        return None
    voi = Dataset()
    for keyword in _VOI_KEYWORDS:
        if keyword in dataset and dataset.get(keyword) not in (None, "", []):
            voi[keyword] = copy(dataset[keyword])
    voi.PixelRepresentation = dataset.get("PixelRepresentation") or 0
    voi.file_meta = dataset.file_meta  # tells the byte order of a table's OW data
    return voi


def _padding(stored: np.ndarray, dataset: Dataset) -> np.ndarray:
    """Where the detector saw nothing (Pixel Padding Value and Range Limit, PS3.3 C.7.5.1.1.2): [H,W] bool."""
    value = dataset.get("PixelPaddingValue")
    if value is None or value == "":
        return np.zeros(stored.shape, dtype=bool)
    limit = dataset.get("PixelPaddingRangeLimit")
    low, high = sorted((int(value), int(value if limit in (None, "") else limit)))
    return (stored >= low) & (stored <= high)


def _polarity(dataset: Dataset) -> tuple[bool, tuple[str, ...]]:
    """Decide whether the values must be inverted so that bone is bright.

    Photometric Interpretation decides: MONOCHROME1 shows the lowest value white (PS3.3 C.7.6.3.1.2). Presentation
    LUT Shape INVERSE says the same once more for MONOCHROME1 (PS3.3 C.8.11.3.1.2), and is not applied on top of it.
    Images FOR PROCESSING are not made for display; there the sign of the pixel intensity relationship decides: +1
    means more dose, hence less bone, with higher values (PS3.3 C.8.11.3.1.2).
    """
    sign = dataset.get("PixelIntensityRelationshipSign")
    if _for_processing(dataset):
        remark = "an image FOR PROCESSING: shown without the maker's processing"
        inverted = sign == 1 if sign in (1, -1) else dataset.get("PhotometricInterpretation") == "MONOCHROME1"
        return inverted, (remark,)
    first = dataset.get("PhotometricInterpretation") == "MONOCHROME1"
    shape = str(dataset.get("PresentationLUTShape") or "").upper()
    if first and shape == "IDENTITY":
        return True, ("MONOCHROME1 contradicts Presentation LUT Shape IDENTITY: MONOCHROME1 was followed",)
    if not first and shape == "INVERSE":
        return True, ("MONOCHROME2 with Presentation LUT Shape INVERSE: inverted once",)
    return first, ()


def _for_processing(dataset: Dataset) -> bool:
    return (
        dataset.get("SOPClassUID") == DigitalXRayImageStorageForProcessing
        or str(dataset.get("PresentationIntentType") or "").upper() == "FOR PROCESSING"
    )
