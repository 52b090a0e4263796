"""Texture and outlines of MR slices in numbers: simulated knees beside a real coronal series.

Two things give a simulation away that its anatomy does not: marrow that is blotchy or flat, and outlines that are drawn
with one pen. The first is measured by the coefficient of variation of marrow in patches of 8 mm, the second by the
power of the in-plane spectrum in octaves between 0.04 and 0.64 cycles/mm, over the squared mean signal.

A real series of another sequence has other contrasts between the tissues, and with them another power in every octave.
The same knees are therefore also painted with the contrast of the real series' kind, T1-weighted without fat
suppression.

``xray2mri measure texture --real DIR --marrow FILE.csv`` prints both as JSON.
"""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, Final

import numpy as np
import pydicom

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.knee.data.arrays import PIXEL_MM
from monai_xray2mri.knee.oai.release import image_files
from monai_xray2mri.knee.oai.series import overlap_matrix
from monai_xray2mri.runtime.optional import optional_library
from monai_xray2mri.simulation.knee.mri.contrast import T1_TURBO_SPIN_ECHO, WATER_EXCITED_FLASH, Contrast
from monai_xray2mri.simulation.knee.mri.mr import Tissue
from monai_xray2mri.simulation.knee.patient import Patient
from monai_xray2mri.simulation.knee.people.seeds import SEED_RANGES, SIMULATOR_VERSION

PATCH_MM: Final = 8.0
WINDOW_MM: Final = 110.0
"""Side of the square over which the spectrum is taken; a Hann window keeps its border out."""
OCTAVES: Final = (0.04, 0.08, 0.16, 0.32, 0.64)
"""Borders of the bands in cycles/mm."""
MIDDLE: Final = range(24, 56, 2)
"""Slices of a simulated knee that are looked at: condyles, notch and plateau."""
_MARGIN_MM: Final = 2.0
_CONTRASTS: Final = {"water-excited FLASH": WATER_EXCITED_FLASH, "T1 turbo spin echo": T1_TURBO_SPIN_ECHO}


@dataclass(frozen=True)
class Look:
    """What slices look like.

    Attributes:
        variation: coefficient of variation of marrow in each patch.
        power: [N,4] of each slice, in the bands between ``OCTAVES``, over the squared mean signal.
    """

    variation: Sequence[float]
    power: Sequence[np.ndarray]

    def record(self) -> dict[str, Any]:
        """Ready for JSON: 10th, 50th and 90th percentile of the variation, mean power by band."""
        percentiles = np.percentile(self.variation, (10, 50, 90)).round(4).tolist()
        bands = [f"{low} to {high}/mm" for low, high in pairwise(OCTAVES)]
        means = np.mean(self.power, axis=0).round(5).tolist()
        return {
            "patches": len(self.variation),
            "marrow_variation": dict(zip(("10 %", "50 %", "90 %"), percentiles, strict=True)),
            "slices": len(self.power),
            "power": dict(zip(bands, means, strict=True)),
        }


def variation(patch: np.ndarray) -> float:
    """Coefficient of variation of a patch: standard deviation over mean."""
    return float(patch.std() / patch.mean())


def octave_power(image: np.ndarray, center: tuple[int, int]) -> np.ndarray:
    """Power [4] of an image [H,W] with pixels of 0.625 mm, in the bands between ``OCTAVES``.

    Args:
        image: intensities of any scale.
        center: row and column of the middle of the window, which may reach beyond the image's border.
    """
    side = round(WINDOW_MM / PIXEL_MM)
    padded = np.pad(np.asarray(image, float), side // 2)
    part = padded[center[0] : center[0] + side, center[1] : center[1] + side]
    weights = np.outer(np.hanning(side), np.hanning(side))
    mean = (part * weights).sum() / weights.sum()
    power = np.abs(np.fft.fft2((part - mean) * weights)) ** 2 / ((weights**2).sum() * part.size)
    frequency = np.fft.fftfreq(side, PIXEL_MM)
    radius = np.hypot(frequency[:, None], frequency[None, :])
    bands = [power[(radius >= low) & (radius < high)].sum() for low, high in pairwise(OCTAVES)]
    return np.array(bands) / mean**2


def real_look(folder: Path, marrow: Path) -> Look:
    """The look of a real coronal series.

    Args:
        folder: its DICOM files, with any names; one slice each.
        marrow: table with the columns ``slice`` (from 1 in the order of Instance Number), ``row`` and ``column``
            (pixels from 0): middles of patches of 8 mm that lie in marrow. Their slices are measured, around their
            mean.

    Raises:
        InputRefused: a file is no image, or the table names what is not there.
    """
    images = {number: image for number, image in _read_slices(folder)}
    patches = _read_patches(marrow, images.keys())
    scale = {number: spacing / PIXEL_MM for number, (_, spacing) in images.items()}
    resampled = {number: _resampled(*images[number]) for number in {patch[0] for patch in patches}}
    places = [(n, round(row * scale[n]), round(column * scale[n])) for n, row, column in patches]
    half = round(PATCH_MM / PIXEL_MM) // 2
    found = [variation(resampled[n][r - half : r + half + 1, c - half : c + half + 1]) for n, r, c in places]
    middle = round(np.mean([r for _, r, _ in places])), round(np.mean([c for _, _, c in places]))
    return Look(found, [octave_power(image, middle) for image in resampled.values()])


def _read_slices(folder: Path) -> Iterable[tuple[int, tuple[np.ndarray, float]]]:
    """Number of each slice in the order of Instance Number, from 1, its pixels and their size in mm."""
    read = []
    for path in image_files(folder):
        try:
            dataset = pydicom.dcmread(path)
            pixels = dataset.pixel_array.astype(np.float32)
            order, spacing = int(dataset.InstanceNumber), float(dataset.PixelSpacing[0])
        except Exception as error:  # pydicom raises many kinds
            raise InputRefused(f"file {path.name}", "must be a slice of an MR series", type(error).__name__) from error
        read.append((order, pixels, spacing))
    read.sort(key=lambda each: each[0])
    return ((number, (pixels, spacing)) for number, (_, pixels, spacing) in enumerate(read, 1))


def _resampled(pixels: np.ndarray, spacing: float) -> np.ndarray:
    """Pixels [H,W] brought to 0.625 mm by averaging."""
    sizes = [round(count * spacing / PIXEL_MM) for count in pixels.shape]
    rows, columns = (
        overlap_matrix(count, spacing, size, size * PIXEL_MM) for count, size in zip(pixels.shape, sizes, strict=True)
    )
    return np.asarray(rows @ pixels @ columns.T)


def _read_patches(table: Path, slices: Iterable[int]) -> list[tuple[int, int, int]]:
    try:
        with table.open(newline="") as lines:
            found = [tuple(int(row[name]) for name in ("slice", "row", "column")) for row in csv.DictReader(lines)]
    except (OSError, KeyError, TypeError, ValueError) as error:
        rule = "must have whole numbers in the columns slice, row and column"
        raise InputRefused(f"table {table.name}", rule, f"{error}") from error
    if not found or (missing := {patch[0] for patch in found} - set(slices)):
        rule = "must name patches in slices of the series"
        raise InputRefused(f"table {table.name}", rule, f"slices {sorted(missing)}" if found else "no patch")
    return found  # type: ignore[return-value]


def simulated_look(seeds: Iterable[int], contrast: Contrast) -> Look:
    """The look of simulated knees, as acquired.

    Args:
        seeds: of the knees.
        contrast: the sequence.

    Raises:
        UsageError: SciPy is not installed.
    """
    erosion = optional_library("scipy.ndimage").binary_erosion
    reach = 2 * round(_MARGIN_MM / PIXEL_MM) + 1
    patch = round(PATCH_MM / PIXEL_MM)
    found: list[float] = []
    power = []
    for seed in seeds:
        made = Patient.draw(seed).scan(contrast=contrast).slices(MIDDLE)
        marrow = np.isin(made.labels.numpy(), (Tissue.FEMUR, Tissue.TIBIA))
        marrow = erosion(marrow, np.ones((1, reach, reach)))
        for image, inside in zip(made.volume.numpy(), marrow, strict=True):
            power.append(octave_power(image, (image.shape[0] // 2, image.shape[1] // 2)))
            for row in range(0, image.shape[0] - patch, patch):
                for column in range(0, image.shape[1] - patch, patch):
                    place = slice(row, row + patch), slice(column, column + patch)
                    if inside[place].all():
                        found.append(variation(image[place]))
    return Look(found, power)


def report(real: Path, marrow: Path, split: str, knees: int) -> dict[str, Any]:
    """Both looks, ready for JSON.

    Args:
        real: see :func:`real_look`.
        marrow: see :func:`real_look`.
        split: name of a seed range.
        knees: number of knees, from the start of the range.

    Raises:
        InputRefused: see :func:`real_look`.
        UsageError: SciPy is not installed.
    """
    seeds = SEED_RANGES[split][:knees]
    return {
        "simulator": SIMULATOR_VERSION,
        "split": split,
        "knees": len(seeds),
        "real": real_look(real, marrow).record(),
        "simulated": {name: simulated_look(seeds, contrast).record() for name, contrast in _CONTRASTS.items()},
    }
