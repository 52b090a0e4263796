"""Simulated films that the knee detector is trained and judged on, kept in a folder.

The projection of both legs takes nearly all the time of a film, so each pair of legs is exposed several times: with
another collimation, other markers, faults, borders, and another tilt of the patient.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, get_args

import numpy as np
from tqdm import tqdm

from monai_xray2mri.radiograph.resampling import resize
from monai_xray2mri.simulation.knee.film.film import SimulatedFilm, develop
from monai_xray2mri.simulation.knee.film.film_frame import FilmFrame
from monai_xray2mri.simulation.knee.film.film_options import (
    HARDWARE,
    PLAIN_PIXEL_MM,
    PROSTHESES,
    FilmOptions,
    Hardware,
    draw_film_options,
)
from monai_xray2mri.simulation.knee.film.film_projection import project_legs
from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION, TRAINING, VALIDATION
from monai_xray2mri.types import Side

STORED_MM: Final = 1.0
"""Pixel size at which films are kept."""
LOOKS: Final = 6
"""Films made of each pair of legs."""
METAL_SHARE: Final = 0.35
"""Share of patients with metal in a knee: far more than people have, since the detector shall know it."""
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
        films = simulated(seed)
        directory.mkdir(parents=True, exist_ok=True)
        beside = path.with_suffix(".part.npz")
        np.savez_compressed(
            beside,
            pixels=np.stack([film.pixels for film in films]),
            joints=[film.joints for film in films],
            kinds=[film.kinds for film in films],
        )
        beside.rename(path)
    with np.load(path) as stored:
        pixels, joints, kinds = stored["pixels"], stored["joints"], stored["kinds"]
    return [
        Film(image, tuple((float(row), float(column)) for row, column in places), tuple(map(_kind, names.tolist())))
        for image, places, names in zip(pixels, joints, kinds, strict=True)
    ]


def simulated(seed: int, looks: int = LOOKS) -> list[Film]:
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
    return [_kept(develop(legs, each)) for each in options]


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
    """Options of one of a patient's films: those of a stranger of the same range, with the patient's metal."""
    stranger = seed - 50_000 - 10_000 * number
    options = draw_film_options(stranger, pixel_mm=PLAIN_PIXEL_MM, hardware_sides=())
    return replace(options, quarter_turns=0, mirrored=False, hardware=hardware)


def _kept(film: SimulatedFilm) -> Film:
    factor = film.options.pixel_mm / STORED_MM
    rows, columns = (max(round(size * factor), 1) for size in film.pixels.shape)
    joints = tuple((box.centre[0] * factor, box.centre[1] * factor) for box in film.boxes.values())
    kinds = tuple(_kind("prosthesis" if film.hardware.get(side) in PROSTHESES else "knee") for side in film.boxes)
    return Film(np.rint(255 * resize(film.pixels, (rows, columns)).clip(0, 1)).astype(np.uint8), joints, kinds)


def _kind(name: str) -> Kind:
    return "prosthesis" if name == get_args(Kind)[1] else "knee"


def main(arguments: Sequence[str] | None = None) -> int:
    """Command line: simulate what is missing of a folder of films."""
    parser = argparse.ArgumentParser(description="Simulated films for the knee detector.")
    parser.add_argument("directory", type=Path)
    parser.add_argument("--training", type=int, default=0, metavar="N", help="patients to train on")
    parser.add_argument("--unseen", type=int, default=0, metavar="N", help="patients to judge by")
    options = parser.parse_args(arguments)
    seeds = [FIRST_TRAINING + number for number in range(options.training)]
    seeds += [FIRST_UNSEEN + number for number in range(options.unseen)]
    for seed in tqdm(seeds, desc="patients", disable=None):
        films_of(seed, options.directory)
    return 0


if __name__ == "__main__":
    sys.exit(main())
