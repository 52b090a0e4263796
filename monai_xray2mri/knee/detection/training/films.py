"""Simulated films that the joint detector is trained and judged on, kept in a folder.

The projection of both legs takes nearly all the time of a film, so each pair of legs is exposed several times: with
another collimation, other markers, faults, borders, and another tilt of the patient.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, get_args

import numpy as np
from tqdm import tqdm

from monai_xray2mri.radiograph.resampling import resize
from monai_xray2mri.runtime.files import whole_file
from monai_xray2mri.simulation.knee.film.film import SimulatedFilm, develop
from monai_xray2mri.simulation.knee.film.film_frame import FilmFrame
from monai_xray2mri.simulation.knee.film.film_options import (
    HARDWARE,
    PLAIN_PIXEL_MM,
    PROSTHESES,
    FilmOptions,
    Hardware,
)
from monai_xray2mri.simulation.knee.film.film_projection import project_legs
from monai_xray2mri.simulation.knee.film.random_options import draw_film_options
from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION, TRAINING, VALIDATION
from monai_xray2mri.types import Side

STORED_MM: Final = 1.0
"""Pixel size at which films are kept."""
LOOKS: Final = 6
"""Films made of each pair of legs."""
METAL_SHARE: Final = 0.35
"""Share of patients with metal in a knee: far more than in the population, so that the detector learns it."""
FIRST_TRAINING, FIRST_UNSEEN = TRAINING.stop - 100_000, VALIDATION.stop - 100_000
"""Patients come from the far end of their range, apart from the knees that the denoiser is trained and chosen on."""
Kind = Literal["knee", "prosthesis"]


@dataclass(frozen=True)
class Film:
    """A film and the joints on it.

    Attributes:
        pixels: [H,W] uint8, bone bright, ``STORED_MM`` per pixel.
        joints: (row, column) in mm of the middle of each joint's region.
        kinds: ``"knee"`` or ``"prosthesis"`` of each joint.
    """

    pixels: np.ndarray
    joints: tuple[tuple[float, float], ...]
    kinds: tuple[Kind, ...]


def films_of(seed: int, directory: Path) -> list[Film]:
    """The films of one patient from a folder; simulated and kept there if they are not in it yet.

    Args:
        seed: the patient's, in the range of training or validation.
        directory: the folder; made if it is missing.
    """
    path = directory / f"{SIMULATOR_VERSION}-{seed}.npz"
    if not path.exists():
        films = expose_patient(seed)
        with whole_file(path) as draft, draft.open("wb") as stream:
            np.savez_compressed(
                stream,
                pixels=np.stack([film.pixels for film in films]),
                joints=[film.joints for film in films],
                kinds=[film.kinds for film in films],
            )
    with np.load(path) as stored:
        pixels, joints, kinds = stored["pixels"], stored["joints"], stored["kinds"]
    return [
        Film(image, tuple((float(row), float(column)) for row, column in places), tuple(map(_kind, names.tolist())))
        for image, places, names in zip(pixels, joints, kinds, strict=True)
    ]


def expose_patient(seed: int, looks: int = LOOKS) -> list[Film]:
    """Films of a simulated patient as departments make them, in the usual display.

    Args:
        seed: the patient's.
        looks: how many.
    """
    hardware = draw_hardware(seed)
    options = [_look(seed, number, hardware) for number in range(looks)]
    reach = [FilmFrame.of(each).overlap_mm for each in options]
    overlap = max(one[0] for one in reach), max(one[1] for one in reach)
    legs = project_legs(seed, hardware=hardware, overlap_mm=overlap)
    return [_shrink(develop(legs, each)) for each in options]


def draw_hardware(seed: int) -> Mapping[Side, Hardware]:
    """Metal in the knees of a patient: in one or both of some, half of it a prosthesis."""
    random = np.random.default_rng(seed)
    if random.random() >= METAL_SHARE:
        return MappingProxyType({})
    sides = [side for side in Side if random.random() < 0.6] or [Side(str(random.choice(list(Side))))]
    return MappingProxyType(
        {side: random.choice(PROSTHESES if random.random() < 0.5 else HARDWARE).item() for side in sides}
    )


def _look(seed: int, number: int, hardware: Mapping[Side, Hardware]) -> FilmOptions:
    """Options of one of a patient's films: drawn by another seed of the same range, with the patient's metal."""
    other_seed = seed - 50_000 - 10_000 * number
    options = draw_film_options(other_seed, pixel_mm=PLAIN_PIXEL_MM, hardware_sides=())
    return replace(options, quarter_turns=0, mirrored=False, hardware=hardware)


def _shrink(film: SimulatedFilm) -> Film:
    factor = film.options.pixel_mm / STORED_MM
    rows, columns = (max(round(size * factor), 1) for size in film.pixels.shape)
    joints = tuple((box.center[0] * factor, box.center[1] * factor) for box in film.boxes.values())
    kinds = tuple(_kind("prosthesis" if film.hardware.get(side) in PROSTHESES else "knee") for side in film.boxes)
    return Film(np.rint(255 * resize(film.pixels, (rows, columns)).clip(0, 1)).astype(np.uint8), joints, kinds)


def _kind(name: str) -> Kind:
    return "prosthesis" if name == get_args(Kind)[1] else "knee"


def simulate_films(directory: Path, training: int = 0, unseen: int = 0, progress: bool = False) -> None:
    """Simulate what is missing of a folder of films.

    Args:
        directory: the folder; made if it is missing.
        training: patients to train on.
        unseen: patients to judge by.
        progress: show a progress bar on stderr.
    """
    seeds = [*range(FIRST_TRAINING, FIRST_TRAINING + training), *range(FIRST_UNSEEN, FIRST_UNSEEN + unseen)]
    for seed in tqdm(seeds, desc="patients", disable=not progress):
        films_of(seed, directory)
