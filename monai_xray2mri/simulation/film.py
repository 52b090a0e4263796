"""Bilateral film of a simulated patient: 35 x 43 cm, both knees standing, and all that is on such films besides.

The right knee is the one of :func:`~monai_xray2mri.simulation.knee.simulate_knee`, in the same pose under the same
exposure; the left is a knee of its own that resembles it (``pair.py``), mirrored. One tube stands 1.83 m before the
plate above the middle between the knees, so that each knee is seen about three degrees from its inner side.

The steps: line integrals of both legs with their metal (``film_projection.py``); resampling to the plate, where the
patient may stand aslant (``film_frame.py``); lead, grid and collimator; exposure; dust and shutter (``film_parts.py``);
turning as the image is stored.

A plain film of 0.3 mm takes about as long as its projection; a film of 0.143 mm (7.4 million pixels) a few seconds
more, one of 0.1 mm (15 million) some ten (measured numbers: docs of the release, ``xray2mri benchmark simulate``).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Final

import numpy as np
import torch
from torch import Tensor

from monai_xray2mri.simulation import film_parts, radiography
from monai_xray2mri.simulation.film_frame import FilmFrame, Point
from monai_xray2mri.simulation.film_options import PROSTHESES, FilmOptions, Hardware, plain_options
from monai_xray2mri.simulation.film_projection import Standing, draw_standing, project
from monai_xray2mri.simulation.pair import draw_pair
from monai_xray2mri.simulation.radiography import MAGNIFICATION, Exposure
from monai_xray2mri.simulation.seeds import SIMULATOR_VERSION, knee_generator
from monai_xray2mri.simulation.threads import one_thread
from monai_xray2mri.types import Box, Side

_BALL_BESIDE_MM: Final = 62.0


@dataclass(frozen=True)
class SimulatedFilm:
    """A bilateral film with its truth.

    Attributes:
        pixels: [H,W] float32 in [0,1], bone bright, as the file stores them: the patient's right at the image's left
            unless the options turn or mirror the film.
        boxes: side to the square around the joint that a perfect detector finds, in these pixels.
        grades: side to the 19 grades; empty where a prosthesis leaves nothing to grade.
        seed: the patient's seed.
        hardware: side to the metal in that knee.
        keypoints: side to named places, (row, column) in these pixels, centres of pixels at whole numbers.
        options: what the film is like.
        version: version of the simulator.
    """

    pixels: np.ndarray
    boxes: Mapping[Side, Box]
    grades: Mapping[Side, Mapping[str, int]]
    seed: int
    hardware: Mapping[Side, Hardware] = field(default_factory=lambda: MappingProxyType({}))
    keypoints: Mapping[Side, Mapping[str, Point]] = field(default_factory=lambda: MappingProxyType({}))
    options: FilmOptions = field(default_factory=FilmOptions)
    version: str = SIMULATOR_VERSION


@one_thread()
def simulate_film(
    seed: int,
    grades: Mapping[Side, Mapping[str, int]] | None = None,
    visibility: float = 0.5,
    *,
    options: FilmOptions | None = None,
) -> SimulatedFilm:
    """Simulate the film of a patient.

    Args:
        seed: the patient's seed, which is the right knee's.
        grades: side to grades that replace the drawn ones.
        visibility: how far cysts, chondrocalcinosis and attrition show, 0 to 1.
        options: what the film is like; None makes a plain one
            (:func:`~monai_xray2mri.simulation.film_options.plain_options`).
            :func:`~monai_xray2mri.simulation.film_options.draw_film_options` draws films as departments make them.

    Raises:
        InputRefused: as :func:`~monai_xray2mri.simulation.knee.simulate_knee`.
    """
    options = options or plain_options(seed)
    frame = FilmFrame.of(options)
    knees = draw_pair(seed, grades, visibility, options.hardware)
    standing = draw_standing(seed)
    plate = frame.on_plate(project(knees, standing, frame.overlap_mm))  # [H,W]
    joints = {side: standing.joint(side) for side in Side}
    reference = _reference(plate, frame, joints, options)
    generator = knee_generator(seed, "bilateral film")
    _add_lead(plate, frame, joints, options, generator)
    exposure = faulty(radiography.draw_exposure(knee_generator(seed, "film")), options)
    image = radiography.exposed(plate, exposure, reference, options.pixel_mm / MAGNIFICATION, generator)  # [H,W]
    image = film_parts.shuttered(film_parts.soiled(image, options, generator), options, generator)
    pixels = film_parts.with_text(frame.stored(image), options)
    return SimulatedFilm(
        pixels=pixels.to(torch.float32).cpu().numpy(),
        boxes={side: frame.box(joint) for side, joint in joints.items()},
        grades={side: _gradings(knee.pathology.grades, options.hardware.get(side)) for side, knee in knees.items()},
        seed=seed,
        hardware=options.hardware,
        keypoints={
            side: {name: frame.keypoint(standing.canvas_point(side, place)) for name, place in knee.keypoints.items()}
            for side, knee in knees.items()
        },
        options=options,
    )


def faulty(exposure: Exposure, options: FilmOptions) -> Exposure:
    """The exposure with the fault of the options.

    ``"under"``: a tenth of the dose, noisy and too light. ``"over"``: too much of it, bone grey and soft tissue black.
    ``"flat"``: hardly any contrast. ``"saturated"``: so much contrast that bone burns out and soft tissue is black.
    """
    level, contrast, dose = {
        "none": (0.0, 1.0, 1.0),
        "under": (0.10, 0.9, 0.06),
        "over": (-0.25, 1.25, 3.0),
        "flat": (0.0, 0.45, 1.0),
        "saturated": (0.15, 2.2, 1.0),
    }[options.fault]
    if options.fault == "none":
        return exposure
    return replace(
        exposure, level=exposure.level + level, contrast=contrast * exposure.contrast, photons=dose * exposure.photons
    )


def _gradings(grades: Mapping[str, int], metal: Hardware | None) -> Mapping[str, int]:
    return {} if metal in PROSTHESES else dict(grades)


def _add_lead(
    plate: Tensor,
    frame: FilmFrame,
    joints: Mapping[Side, Point],
    options: FilmOptions,
    generator: torch.Generator,
) -> None:
    """Add, in place, what lies in the beam besides the patient."""
    right = FilmFrame(frame.pixel_mm, frame.rotation_deg).point(joints[Side.RIGHT])
    beside = right[0] * frame.pixel_mm, right[1] * frame.pixel_mm
    film_parts.add_beads(plate, options, beside, _BALL_BESIDE_MM)
    film_parts.add_markers(plate, options)
    film_parts.add_grid_lines(plate, options, generator)
    film_parts.add_collimator(plate, options)


def _reference(plate: Tensor, frame: FilmFrame, joints: Mapping[Side, Point], options: FilmOptions) -> float:
    """Typical line integral of bone, from the joints without metal if there is one, which sets the exposure."""
    upright = FilmFrame(frame.pixel_mm, frame.rotation_deg)
    free = [side for side in Side if side not in options.hardware] or list(Side)
    levels = []
    for side in free:
        box = upright.box(joints[side])
        top, left = max(int(box.top), 0), max(int(box.left), 0)
        region = plate[top : int(box.top + box.rows), left : int(box.left + box.columns)]
        levels.append(radiography.reference_attenuation(region))
    return sum(levels) / len(levels)
