"""How well small classifiers distinguish real radiographs of the knee from simulated ones.

``xray2mri measure realism --real DIR --knees N [--sheet PNG]``

An area under the ROC curve of 0.5 means that the classifier cannot distinguish them, 1 that it always can. Each linear
classifier uses one family of features, so its score names the aspect in which the simulation differs. A small network
sees crops (texture), another one whole regions (outlines). Both kinds of images are normalized like the input of the
synthesis network.

The real crops are the first release of Chen et al. (Mendeley Data, doi 10.17632/56rmx5bjcr.1; 299 x 299 pixels, 8
bits). Their size in mm is not published. The femur fills 0.86 of their width, and 0.77 of a region of 110 mm around
simulated knees, whose femora have published widths. The crops are therefore taken to be 95 mm wide on the X-ray plate.
Simulated knees are cropped to the same width, 3 mm higher than a region, and have the same Kellgren-Lawrence grades.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.knee.realism.appearance import FAMILIES
from monai_xray2mri.knee.realism.discrimination import (
    FOLDS,
    NETWORKS,
    Discrimination,
    cross_validated_scores,
    discrimination,
    logistic_scores,
)
from monai_xray2mri.radiograph.knee.region import normalize_region
from monai_xray2mri.runtime.files import write_whole
from monai_xray2mri.runtime.threads import one_thread
from monai_xray2mri.simulation.knee.patient import draw_patient_knee
from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION, VALIDATION, knee_generator
from monai_xray2mri.simulation.knee.xray import radiography

REPEATS: Final = 4
_PUBLIC_MM: Final = 95.0
_PUBLIC_RAISED_MM: Final = 3.0


def load_real_regions(folder: Path) -> tuple[np.ndarray, list[str]]:
    """Read single-knee crops named ``<participant><R|L>.png`` (or .jpg) from a folder and its subfolders.

    Returns:
        Regions [N,256,256] in [-1,1] as right knees, and the participant of each.

    Raises:
        InputRefused: the folder holds no such file.
    """
    files = _crops(folder)
    if not files:
        raise InputRefused(
            f"folder {folder.name}", "must hold crops named <participant><R|L>.png", "none", "Give another --real."
        )
    regions = []
    for path in files:
        with Image.open(path) as picture:
            pixels = np.asarray(picture.convert("L"), dtype=np.float32) / 255
        regions.append(normalize_region(pixels, mirrored=path.stem.endswith("L")))
    return np.stack(regions), [path.stem[:-1] for path in files]


def _crops(folder: Path) -> list[Path]:
    return sorted(
        path for path in folder.rglob("*") if path.suffix in (".png", ".jpg") and path.stem[-1:] in ("R", "L")
    )


def grades_of(folder: Path) -> list[int] | None:
    """Kellgren-Lawrence grades of the crops of :func:`load_real_regions`, from the names of their folders (0 to 4).

    Returns:
        The grades in the same order, or None if the name of a folder is not a grade.
    """
    names = [path.parent.name for path in _crops(folder)]
    return [int(name) for name in names] if names and all(name in set("01234") for name in names) else None


def matched_seeds(grades: Sequence[int], count: int, seeds: Sequence[int] = VALIDATION) -> list[int]:
    """The first seeds whose knees have the same distribution of Kellgren-Lawrence grades as the given grades.

    Args:
        grades: grades that determine the distribution.
        count: number of seeds; rounding may give a few more or fewer.
        seeds: seeds to choose from.
    """
    missing = {grade: round(count * grades.count(grade) / len(grades)) for grade in set(grades)}
    found = []
    for seed in seeds:
        if not any(missing.values()):
            break
        grade = draw_patient_knee(seed)[1].grade("XRKL")
        if missing.get(grade):
            missing[grade] -= 1
            found.append(seed)
    return found


@one_thread()
def simulated_regions(seeds: Sequence[int]) -> np.ndarray:
    """Regions [N,256,256] in [-1,1] of simulated knees, cropped like the public crops."""
    return np.stack([as_stored(public_crop(seed)) for seed in seeds])


def public_crop(seed: int) -> np.ndarray:
    """Crop [299,299] in [0,1] of 95 mm of the film of a simulated knee, with the pose and exposure of its seed."""
    shape, pathology = draw_patient_knee(seed)
    film = knee_generator(seed, "film")
    exposure, pose = radiography.draw_exposure(film), radiography.draw_pose(shape, film)
    region = radiography.draw_region(film)
    share = _PUBLIC_MM / radiography.REGION_MM
    samples = radiography.SamplePoints(share * region.z + _PUBLIC_RAISED_MM, share * region.x, region.source)
    visible = replace(pathology, scale=0.5)
    total = radiography.attenuation(shape, visible, pose, samples, knee_generator(seed, "trabeculae"))
    reference = radiography.reference_attenuation(total)
    return np.asarray(radiography.exposed(total, exposure, reference, samples.pixel_mm, film))


def as_stored(radiograph: np.ndarray) -> np.ndarray:
    """Region [256,256] in [-1,1] of a radiograph [299,299] in [0,1] that is rounded to 8 bits like the public crops."""
    return normalize_region(np.round(radiograph * 255).astype(np.float32) / 255, mirrored=False)


@one_thread()
def compare(
    real: np.ndarray, people: Sequence[str], simulated: np.ndarray, networks: bool = True, seed: int = 0
) -> dict[str, Discrimination]:
    """How well each classifier distinguishes real from simulated regions.

    Args:
        real: [N,256,256] in [-1,1].
        people: the participant of each real region; the knees of one participant are in one fold.
        simulated: [M,256,256] in [-1,1].
        networks: whether to train the networks, too (two or three minutes).
        seed: seed of folds, training and bootstrap.

    Raises:
        InputRefused: fewer than two images of a kind per fold.
    """
    images = np.concatenate((real, simulated))
    truth = np.repeat((0.0, 1.0), (len(real), len(simulated)))
    groups = np.asarray([*people, *(f"simulated {i}" for i in range(len(simulated)))])
    if min(len(set(people)), len(simulated)) < 2 * FOLDS:
        raise InputRefused(
            "comparison of real and simulated", f"needs {2 * FOLDS} people and knees", f"{len(real)}, {len(simulated)}"
        )
    found = {}
    for name, family in FAMILIES.items():
        scores = cross_validated_scores(family(images), truth, groups, logistic_scores, REPEATS, seed)
        found[name] = discrimination(scores, truth, groups, seed)
    if networks:
        for name, scorer in NETWORKS.items():
            scores = cross_validated_scores(images, truth, groups, scorer, 1, seed)
            found[name] = discrimination(scores, truth, groups, seed)
    return found


def side_by_side(real: np.ndarray, simulated: np.ndarray, columns: int = 6, rows: int = 4) -> np.ndarray:
    """Sheet [H,W] uint8 with alternating rows of real and simulated regions; the first row is real."""
    size = real.shape[-1]
    sheet = np.zeros((rows * (size + 4), columns * (size + 4)), np.uint8)
    for row in range(rows):
        source = (real, simulated)[row % 2]
        step = max(len(source) // (columns * rows // 2), 1)
        for column in range(columns):
            region = source[(row // 2 * columns + column) * step % len(source)]
            top, left = row * (size + 4), column * (size + 4)
            sheet[top : top + size, left : left + size] = np.round((region + 1) * 127.5)
    return sheet


def report(real: Path, knees: int, networks: bool = True, sheet: Path | None = None) -> dict[str, object]:
    """How well classifiers distinguish real and simulated regions, ready for JSON.

    Args:
        real: folder of real crops; if its subfolders name grades, the simulated knees get the same distribution.
        knees: number of simulated knees, of the validation range.
        networks: whether to train the networks, too.
        sheet: PNG file of real and simulated regions to write; None writes none.

    Raises:
        InputRefused: no crops, or too few.
        UsageError: the sheet cannot be written.
    """
    regions, people = load_real_regions(real)
    grades = grades_of(real)
    seeds = VALIDATION[:knees] if grades is None else matched_seeds(grades, knees)
    simulated = simulated_regions(seeds)
    if sheet:
        write_whole(sheet, _png(side_by_side(regions, simulated)))
    found = compare(regions, people, simulated, networks)
    scores = {name: {key: round(value, 3) for key, value in vars(one).items()} for name, one in found.items()}
    return {"simulator": SIMULATOR_VERSION, "real": len(regions), "simulated": len(simulated), **scores}


def _png(sheet: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(sheet).save(buffer, "png")
    return buffer.getvalue()
