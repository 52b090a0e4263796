"""One prepared knee: a folder with volume, radiograph region and record, written whole or not at all.

::

    knees/9000296R/mri.nii.gz         modelled slices in patient space, uint8; 255 is intensity 1
                  /9000296R.png       radiograph region, 299 x 299, 16 bit, not mirrored; the name holds the side
                  /9000296R_wide.png  the region with a margin for random shifts in training, 371 x 371
                  /knee.json          sources, geometry, factor of the intensities, remarks
"""

from __future__ import annotations

import hashlib
import json
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
import SimpleITK
from PIL import Image

from monai_xray2mri.knee.data.arrays import GEOMETRY, MODELED_SLICES, knee_arrays
from monai_xray2mri.knee.grading.record import Grading
from monai_xray2mri.knee.oai.films import Boxes, FilmRegion, read_film_region
from monai_xray2mri.knee.oai.intensity import RULE, normalize
from monai_xray2mri.knee.oai.readings import KneeKey
from monai_xray2mri.knee.oai.release import Series, image_files
from monai_xray2mri.knee.oai.series import CoronalVolume, read_coronal_t1, to_patient_order
from monai_xray2mri.knee.oai.truth import truth_file
from monai_xray2mri.runtime.files import whole_directory
from monai_xray2mri.types import Side

FORMAT: Final = 1
"""Version of this layout and of the code that reads images; knees of another version are prepared again."""
VOLUME, RECORD = "mri.nii.gz", "knee.json"
NOTE: Final = "COR_T1_3D_FLASH prepared by monai_xray2mri; 255 stands for 1"
"""The field ``descrip`` of the NIfTI header (at most 79 characters)."""

Record = dict[str, Any]


@dataclass(frozen=True)
class KneeSource:
    """The sources of a knee.

    Attributes:
        release: folder of the release.
        key: participant, visit and side.
        film: its film.
        series: its T1 series.
        boxes: how the knee is found on the film (:func:`~monai_xray2mri.knee.oai.films.read_film_region`).
    """

    release: Path
    key: KneeKey
    film: Series
    series: Series
    boxes: Boxes

    def fingerprint(self) -> str:
        """A hash of path, size and time of the knee's files, of ``boxes``, and of the format and intensity rule."""
        told = [str(FORMAT), RULE, self.boxes]
        truth = truth_file(self.release, self.key.participant)
        files = [
            *image_files(self.film.folder),
            *image_files(self.series.folder),
            *([truth] if truth.is_file() else []),
        ]
        for path in files:
            status = path.stat()
            told.append(f"{path.relative_to(self.release)} {status.st_size} {status.st_mtime_ns}")
        return hashlib.sha256("\n".join(told).encode()).hexdigest()


def prepare_knee(source: KneeSource, knees: Path) -> Record:
    """Read a knee and write its folder, or return the record of a folder with the same fingerprint.

    Args:
        source: sources of the knee.
        knees: folder of all knees.

    Returns:
        The content of ``knee.json``.

    Raises:
        InputRefused: film or series cannot be used; nothing is written.
        UsageError: the folder cannot be written.
    """
    directory = knees / source.key.name
    fingerprint = source.fingerprint()
    there = read_record(directory)
    if there is not None and there.get("fingerprint") == fingerprint:
        return there
    film = source.film.folder
    region = read_film_region(source.release, film, source.key.participant, source.key.side, source.boxes)
    volume = read_coronal_t1(source.series.folder, source.key.side, source.series.name)
    voxels, factor = normalize(volume.voxels, source.series.name)
    record = _record(source, region, volume, voxels, factor, fingerprint)
    shutil.rmtree(directory, ignore_errors=True)
    with whole_directory(directory) as draft:
        _write_volume(draft / VOLUME, voxels, volume, source.key.side)
        _write_picture(draft / region_name(source.key), region.pixels)
        _write_picture(draft / _wide_name(source.key), region.wide)
        (draft / RECORD).write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
    return record


def read_record(directory: Path) -> Record | None:
    """``knee.json`` of a knee's folder; None if there is no such knee."""
    try:
        record: Record = json.loads((directory / RECORD).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return record


def region_name(key: KneeKey) -> str:
    """File name of the radiograph region; ``read_radiograph`` reads the side from it."""
    return f"{key.participant}{key.side.value}.png"


def training_arrays(directory: Path, key: KneeKey, grading: Grading) -> dict[str, np.ndarray]:
    """Arrays of a prepared knee in right-knee space, for :meth:`~monai_xray2mri.knee.data.arrays.KneeStore.write`.

    Args:
        directory: folder of the knee.
        key: participant, visit and side.
        grading: its features.
    """
    slices = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(directory / VOLUME)))[::-1]  # [S,H,W] posterior first
    wide = np.asarray(Image.open(directory / _wide_name(key)), dtype=np.float32) / 65535  # [R,R]
    if key.side is Side.LEFT:
        slices, wide = slices[..., ::-1], wide[..., ::-1]
    return knee_arrays(slices.astype(np.float32) / 255, wide, grading.grades)


def _wide_name(key: KneeKey) -> str:
    return f"{key.participant}{key.side.value}_wide.png"


def _write_volume(path: Path, voxels: np.ndarray, volume: CoronalVolume, side: Side) -> None:
    first, last = MODELED_SLICES
    affine = volume.affine.copy()
    affine[:3, 3] += first * affine[:3, 2]
    ordered, affine = to_patient_order(voxels[first : last + 1], affine, side)
    image = SimpleITK.GetImageFromArray(np.rint(ordered * 255).astype(np.uint8))
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetOrigin(affine[:3, 3].tolist())
    image.SetDirection((affine[:3, :3] / spacing).flatten().tolist())
    image.SetMetaData("ITK_FileNotes", NOTE)  # ITK writes it to descrip
    SimpleITK.WriteImage(image, str(path))


def _write_picture(path: Path, pixels: np.ndarray) -> None:
    stored = np.rint(np.clip(pixels, 0, 1) * 65535).astype(np.uint16)
    Image.fromarray(stored).save(path)


def _record(
    source: KneeSource, region: FilmRegion, volume: CoronalVolume, voxels: np.ndarray, factor: float, fingerprint: str
) -> Record:
    key = source.key
    return {
        "format": FORMAT,
        "fingerprint": fingerprint,
        "participant": key.participant,
        "visit": key.visit,
        "side": key.side.value,
        "film": {
            "folder": source.film.name,
            "barcode": source.film.barcode,
            "spacing_mm": region.spacing,
            "spacing_source": region.spacing_source,
            "box": asdict(region.box),
            "box_source": region.method,
        },
        "mri": {
            "folder": source.series.name,
            "slices": len(voxels),
            "affine_lps_mm": volume.affine.tolist(),
            "intensity_factor": factor,
            "slice_means": [round(float(value), 5) for value in voxels.mean(axis=(1, 2))],
        },
        "geometry": dict(GEOMETRY),
        "remarks": [*region.remarks, *volume.remarks],
    }
