"""From stored values to what a reader sees: modality LUT, VOI LUT or window, and one rule of polarity.

The order is that of PS3.4 N.2: stored values, Modality LUT, VOI LUT, Presentation LUT Shape. The result is bone
bright, in [0,1], whatever the file's own polarity. A table or window that cannot be applied, or that leaves nothing to
see of what the pixels show, is passed over with a remark that says which and why: next come the other tables, the
windows, and the range of the pixels.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

import numpy as np
from pydicom import Dataset
from pydicom.uid import DigitalXRayImageStorageForProcessing

from monai_xray2mri.radiograph.lookup_tables import Unusable, read_table
from monai_xray2mri.radiograph.stored_bits import padding_of
from monai_xray2mri.radiograph.windows import Window, rescale, windows_of

LEAST_RANGE, FEWEST_GRAYS = 0.02, 16
"""Distance of the 1st and 99th percentile of [0,1], and different values, below which a picture shows nothing."""

Shown = tuple[np.ndarray, float, float]
"""[H,W] float64 values and the range that they may take."""


def present_bone_bright(stored: np.ndarray, dataset: Dataset) -> tuple[np.ndarray, tuple[str, ...]]:
    """Apply the look-up tables of the header and turn the polarity to bone bright.

    Args:
        stored: [H,W] int32 stored values.
        dataset: the header.

    Returns:
        [H,W] float32 in [0,1], padding 0; and remarks.
    """
    padding = padding_of(stored, dataset)
    seen = padding if padding.all() else ~padding
    values, modality_remarks = _modality(stored, dataset, seen)
    (shown, low, high), voi_remarks = _voi(values, dataset, seen)
    bright = shown - low  # in place from here on: a film has 12 million pixels
    bright /= max(high - low, 1e-12)
    np.clip(bright, 0, 1, out=bright)
    inverted, remarks = _polarity(dataset)
    if inverted:
        np.subtract(1, bright, out=bright)
    bright[padding] = 0
    return bright.astype(np.float32), (*remarks, *modality_remarks, *voi_remarks)


def _modality(stored: np.ndarray, dataset: Dataset, seen: np.ndarray) -> tuple[np.ndarray, tuple[str, ...]]:
    """Apply the first Modality LUT that can be, else the rescale: [H,W] float64 values."""
    remarks = list[str]()
    for number, item in enumerate(dataset.get("ModalityLUTSequence") or [], start=1):
        try:
            table = read_table(item, _is_little_endian(dataset)).shifted(stored)
            values = table.apply(stored)
            _require_something(_by_range(values, seen), stored, seen)
        except Unusable as error:
            remarks.append(f"Modality LUT Sequence (0028,3000), item {number}, is not applied: {error}")
        else:
            return values, (*remarks, *table.remarks)
    values, rescale_remarks = rescale(stored, dataset)
    return values, (*remarks, *rescale_remarks)


def _voi(values: np.ndarray, dataset: Dataset, seen: np.ndarray) -> tuple[Shown, tuple[str, ...]]:
    """Apply the first VOI transformation that can be and shows something, else the range of the pixels.

    Args:
        values: [H,W] output of the modality LUT.
        dataset: the header.
        seen: [H,W] bool, where there is no padding.
    """
    if is_for_processing(dataset) and dataset.get("PixelIntensityRelationship") == "LIN":
        values = np.log1p(np.maximum(values - values[seen].min(initial=0), 0))  # attenuation adds up in the log
        return _by_range(values, seen), ()
    windows, remarks = windows_of(dataset)
    said = list[str]()
    for name, apply in _transformations(dataset, windows):
        try:
            shown, own_remarks = apply(values)
            _require_something(shown, values, seen)
        except Unusable as error:
            said.append(f"{name} is not applied: {error}")
        else:
            window_remarks = remarks if name.startswith("window") else ()
            return shown, (*said, *own_remarks, *window_remarks)
    return _by_range(values, seen), (*said, *remarks)


def _transformations(
    dataset: Dataset, windows: list[Window]
) -> Iterator[tuple[str, Callable[[np.ndarray], tuple[Shown, tuple[str, ...]]]]]:
    """VOI LUTs, then windows, each in its order and with what messages call it (PS3.3 C.11.2)."""

    def by_table(item: Dataset) -> Callable[[np.ndarray], tuple[Shown, tuple[str, ...]]]:
        def apply(values: np.ndarray) -> tuple[Shown, tuple[str, ...]]:
            table = read_table(item, _is_little_endian(dataset)).shifted(values)
            return (table.apply(values), 0.0, table.highest), table.remarks

        return apply

    def by_window(window: Window) -> Callable[[np.ndarray], tuple[Shown, tuple[str, ...]]]:
        def apply(values: np.ndarray) -> tuple[Shown, tuple[str, ...]]:
            window.require_usable()
            return window.apply(values, dataset), ()

        return apply

    for number, item in enumerate(dataset.get("VOILUTSequence") or [], start=1):
        yield f"VOI LUT Sequence (0028,3010), item {number},", by_table(item)
    for window in windows:
        yield str(window), by_window(window)


def _by_range(values: np.ndarray, seen: np.ndarray) -> Shown:
    shown = values[seen]
    return values, float(shown.min()), float(shown.max())


def _require_something(shown: Shown, values: np.ndarray, seen: np.ndarray) -> None:
    """Raise Unusable for a picture that shows nothing, if the values that it was made of do."""
    if not _shows_something(shown, seen) and _shows_something(_by_range(values, seen), seen):
        raise Unusable("it leaves nothing to see of what the pixels show")


def _shows_something(shown: Shown, seen: np.ndarray) -> bool:
    values, low, high = shown
    step = max(1, min(values.shape) // 256)  # a film has many more pixels than are needed
    sample = values[::step, ::step][seen[::step, ::step]]
    if sample.size < FEWEST_GRAYS or high <= low:
        return False
    first, last = np.percentile(np.clip(sample, low, high), (1, 99))
    return bool(last - first >= LEAST_RANGE * (high - low)) and len(np.unique(sample)) >= FEWEST_GRAYS


def _is_little_endian(dataset: Dataset) -> bool:
    """Byte order of a table's OW data, which the transfer syntax tells."""
    return bool(dataset.file_meta.TransferSyntaxUID.is_little_endian)


def _polarity(dataset: Dataset) -> tuple[bool, tuple[str, ...]]:
    """Decide whether the values must be inverted so that bone is bright.

    Photometric Interpretation decides: MONOCHROME1 shows the lowest value white (PS3.3 C.7.6.3.1.2). Presentation
    LUT Shape INVERSE says the same once more for MONOCHROME1 (PS3.3 C.8.11.3.1.2), and is not applied on top of it.
    Images FOR PROCESSING are not made for display; there the sign of the pixel intensity relationship decides: +1
    means more dose, hence less bone, with higher values (PS3.3 C.8.11.3.1.2).
    """
    sign = dataset.get("PixelIntensityRelationshipSign")
    if is_for_processing(dataset):
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


def is_for_processing(dataset: Dataset) -> bool:
    """Whether an image is the detector's, without the maker's processing (PS3.3 C.8.11.1.1.1)."""
    return (
        dataset.get("SOPClassUID") == DigitalXRayImageStorageForProcessing
        or str(dataset.get("PresentationIntentType") or "").upper() == "FOR PROCESSING"
    )
