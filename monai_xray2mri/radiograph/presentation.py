"""From stored values to what a reader sees: modality LUT, VOI LUT or window, and one rule of polarity.

The order is that of PS3.4 N.2: stored values, Modality LUT, VOI LUT, Presentation LUT Shape. The result is bone
bright, in [0,1], whatever the file's own polarity. A table or window that cannot be applied, or that leaves nothing to
see of what the pixels show, is passed over with a remark that says which and why: next come the other tables, the
windows, and the range of the pixels.

A film has millions of pixels of a few thousand values: all is worked out once for each stored value that occurs.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from pydicom import Dataset
from pydicom.uid import DigitalXRayImageStorageForProcessing

from monai_xray2mri.radiograph.lookup_tables import Unusable, read_table
from monai_xray2mri.radiograph.stored_bits import padding_of
from monai_xray2mri.radiograph.windows import Window, rescale, windows_of

LEAST_RANGE, FEWEST_GRAYS = 0.02, 16
"""Distance of the 1st and 99th percentile of [0,1], and different values, below which a picture shows nothing."""

Shown = tuple[np.ndarray, float, float]
"""[N] float64, what each stored value becomes, and the range that it may take."""


@dataclass(frozen=True)
class _Occurring:
    """The stored values that occur.

    Attributes:
        stored: [N] int32, rising.
        seen: [N] bool, which are no padding; all are if nothing else occurs.
        sample: [M] places in ``stored`` of pixels that lie evenly over the image: it has many more than are needed to
            tell whether it shows something.
    """

    stored: np.ndarray
    seen: np.ndarray
    sample: np.ndarray


def present_bone_bright(stored: np.ndarray, dataset: Dataset) -> tuple[np.ndarray, tuple[str, ...]]:
    """Apply the look-up tables of the header and turn the polarity to bone bright.

    Args:
        stored: [H,W] int32 stored values.
        dataset: the header.

    Returns:
        [H,W] float32 in [0,1], padding 0; and remarks.
    """
    lowest = int(stored.min())
    places = stored.astype(np.intp) - lowest
    occurs = np.zeros(int(places.max()) + 1, dtype=bool)
    occurs[places] = True
    known = (np.flatnonzero(occurs) + lowest).astype(np.int32)
    padding = padding_of(known, dataset)
    step = max(1, min(stored.shape) // 256)
    sample = np.cumsum(occurs)[places[::step, ::step].ravel()] - 1
    film = _Occurring(known, padding if padding.all() else ~padding, sample)
    values, modality_remarks = _modality(film, dataset)
    (shown, low, high), voi_remarks = _voi(values, dataset, film)
    bright = np.clip((shown - low) / max(high - low, 1e-12), 0, 1)
    inverted, remarks = _polarity(dataset)
    if inverted:
        bright = 1 - bright
    bright[padding] = 0
    table = np.zeros(len(occurs), dtype=np.float32)
    table[occurs] = bright
    return table[places], (*remarks, *modality_remarks, *voi_remarks)


def _modality(film: _Occurring, dataset: Dataset) -> tuple[np.ndarray, tuple[str, ...]]:
    """Apply the first Modality LUT that can be, else the rescale: [N] float64 values."""
    remarks = list[str]()
    for number, item in enumerate(dataset.get("ModalityLUTSequence") or [], start=1):
        try:
            table = read_table(item, _is_little_endian(dataset)).shifted(film.stored)
            values = table.apply(film.stored)
            _require_something(_by_range(values, film), film.stored, film)
        except Unusable as error:
            remarks.append(f"Modality LUT Sequence (0028,3000), item {number}, is not applied: {error}")
        else:
            return values, (*remarks, *table.remarks)
    values, rescale_remarks = rescale(film.stored, dataset)
    return values, (*remarks, *rescale_remarks)


def _voi(values: np.ndarray, dataset: Dataset, film: _Occurring) -> tuple[Shown, tuple[str, ...]]:
    """Apply the first VOI transformation that can be and shows something, else the range of the pixels.

    Args:
        values: [N] output of the modality LUT.
        dataset: the header.
        film: its stored values.
    """
    if is_for_processing(dataset) and dataset.get("PixelIntensityRelationship") == "LIN":
        values = np.log1p(np.maximum(values - values[film.seen].min(initial=0), 0))  # attenuation adds up in the log
        return _by_range(values, film), ()
    windows, remarks = windows_of(dataset)
    said = list[str]()
    for name, apply in _transformations(dataset, windows):
        try:
            shown, own_remarks = apply(values)
            _require_something(shown, values, film)
        except Unusable as error:
            said.append(f"{name} is not applied: {error}")
        else:
            window_remarks = remarks if name.startswith("window") else ()
            return shown, (*said, *own_remarks, *window_remarks)
    return _by_range(values, film), (*said, *remarks)


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


def _by_range(values: np.ndarray, film: _Occurring) -> Shown:
    shown = values[film.seen]
    return values, float(shown.min()), float(shown.max())


def _require_something(shown: Shown, values: np.ndarray, film: _Occurring) -> None:
    """Raise Unusable for a picture that shows nothing, if the values that it was made of do."""
    if not _shows_something(shown, film) and _shows_something(_by_range(values, film), film):
        raise Unusable("it leaves nothing to see of what the pixels show")


def _shows_something(shown: Shown, film: _Occurring) -> bool:
    values, low, high = shown
    sample = values[film.sample[film.seen[film.sample]]]
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
