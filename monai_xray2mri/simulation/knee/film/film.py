"""Bilateral film of a simulated patient: 35 x 43 cm, both knees standing, with markers, collimation, dust and metal.

The right knee is the one of :func:`~monai_xray2mri.simulation.knee.knee.simulate_knee`, in the same pose with the same
exposure. The left one is another knee that resembles it (``pair.py``), mirrored. One tube stands 1.83 m in front of the
plate, centered between the knees, so its rays pass each knee about three degrees obliquely, from the medial side.

The steps:

1. line integrals of both legs with their metal (``film_projection.py``)
2. resampling to the plate, on which the patient may be rotated (``film_frame.py``)
3. lead, grid and collimator (``film_parts.py``)
4. exposure
5. dust and shutter (``film_parts.py``)
6. mirroring and rotation of the stored image

On one CPU thread the projection of both legs takes about 4 s at any pixel size. The other steps take 0.1 s at 0.3 mm,
0.7 s at 0.143 mm (7.4 million pixels) and 2.4 s at 0.1 mm (15 million), with at most 1.2 GB of memory.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any, Final

import numpy as np
import torch
from torch import Tensor

from monai_xray2mri.errors import UsageError
from monai_xray2mri.runtime.threads import one_thread
from monai_xray2mri.simulation.knee.film import film_parts
from monai_xray2mri.simulation.knee.film.film_frame import CANVAS_PIXEL_MM, FilmFrame, Point
from monai_xray2mri.simulation.knee.film.film_options import FILM_MM, FilmOptions, Hardware
from monai_xray2mri.simulation.knee.film.film_projection import Legs, project_legs
from monai_xray2mri.simulation.knee.film.random_options import plain_options
from monai_xray2mri.simulation.knee.people.seeds import SIMULATOR_VERSION, knee_generator
from monai_xray2mri.simulation.knee.xray import radiography
from monai_xray2mri.simulation.knee.xray.radiography import MAGNIFICATION, Exposure
from monai_xray2mri.types import Box, Side

_BALL_BESIDE_MM: Final = 62.0


@dataclass(frozen=True)
class SimulatedFilm:
    """A bilateral film with its truth.

    Attributes:
        pixels: [H,W] float32 in [0,1], bone bright, as the file stores them. The patient's right is at the image's
            left unless the options rotate or mirror the film.
        boxes: side to the square around the joint that a perfect joint detector finds, in these pixels.
        grades: side to the 19 grades; empty for a knee with a prosthesis, which cannot be graded.
        seed: the patient's seed.
        hardware: side to the metal in that knee.
        keypoints: side to named points (row, column) in these pixels; pixel centers are whole numbers.
        options: options of the film.
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
        visibility: how visible cysts, chondrocalcinosis and attrition are, 0 to 1.
        options: options of the film; None makes a plain film
            (:func:`~monai_xray2mri.simulation.knee.film.random_options.plain_options`).
            :func:`~monai_xray2mri.simulation.knee.film.random_options.draw_film_options` draws the variety of films in
            hospitals.

    Raises:
        InputRefused: as :func:`~monai_xray2mri.simulation.knee.knee.simulate_knee`.
    """
    options = options or plain_options(seed)
    overlap = FilmFrame.of(options).overlap_mm
    return develop(project_legs(seed, grades, visibility, hardware=options.hardware, overlap_mm=overlap), options)


@one_thread()
def develop(legs: Legs, options: FilmOptions) -> SimulatedFilm:
    """Make a film of legs that are projected already.

    Args:
        legs: both legs with the metal that the options name, on a canvas large enough for the options' rotation.
        options: options of the film.

    Raises:
        UsageError: the legs have other metal, or the canvas is too small.
    """
    frame = FilmFrame.of(options)
    _check_fit(legs, frame, options)
    plate = frame.on_plate(legs.canvas)  # [H,W]
    joints = {side: legs.standing.joint(side) for side in Side}
    reference = _reference(plate, frame, joints)
    if legs.metal is not None:
        plate += frame.on_plate(legs.metal, sharp=True)
    generator = knee_generator(legs.seed, "bilateral film")
    _add_lead(plate, frame, joints, options, generator)
    exposure = faulty(radiography.draw_exposure(knee_generator(legs.seed, "film")), options)
    image = radiography.exposed(plate, exposure, reference, options.pixel_mm / MAGNIFICATION, generator)  # [H,W]
    image = film_parts.shuttered(film_parts.soiled(image, options, generator), options, generator)
    pixels = film_parts.with_text(frame.stored(image), options)
    return SimulatedFilm(
        pixels=pixels.to(torch.float32).cpu().numpy(),
        boxes={side: frame.box(joint) for side, joint in joints.items()},
        grades=legs.grades,
        seed=legs.seed,
        hardware=legs.hardware,
        keypoints={
            side: {name: frame.keypoint(place) for name, place in places.items()}
            for side, places in legs.keypoints.items()
        },
        options=options,
    )


def _check_fit(legs: Legs, frame: FilmFrame, options: FilmOptions) -> None:
    if dict(options.hardware) != dict(legs.hardware):
        raise UsageError("film option hardware", "must name the metal that the legs were projected with")
    room = [size * CANVAS_PIXEL_MM - length for size, length in zip(legs.canvas.shape, FILM_MM, strict=True)]
    if any(beyond < 2 * overlap - 1.0 for beyond, overlap in zip(room, frame.overlap_mm, strict=True)):
        raise UsageError("film option rotation", "needs legs on a larger canvas", f"{options.rotation_deg} degrees")


def faulty(exposure: Exposure, options: FilmOptions) -> Exposure:
    """The exposure with the fault of the options.

    ``"under"``: a sixteenth of the dose, noisy and too light. ``"over"``: too high a dose, bone grey and soft tissue
    black. ``"flat"``: almost no contrast. ``"saturated"``: bone white, soft tissue black, no grey values between them.
    """
    changed: dict[str, Any] = {
        "none": {},
        "under": {"level": exposure.level + 0.10, "photons": 0.06 * exposure.photons},
        "over": {"level": exposure.level - 0.30, "contrast": 1.25 * exposure.contrast, "photons": 3 * exposure.photons},
        "flat": {"contrast": 0.4 * exposure.contrast},
        "saturated": {"level": 1.3, "contrast": 0.9, "corner": 60.0, "flattening": 0.0},
    }[options.fault]
    return replace(exposure, **changed)


def _add_lead(
    plate: Tensor,
    frame: FilmFrame,
    joints: Mapping[Side, Point],
    options: FilmOptions,
    generator: torch.Generator,
) -> None:
    """Add markers, beads, grid lines and collimator to the plate [H,W], in place."""
    right = FilmFrame(frame.pixel_mm, frame.rotation_deg).point(joints[Side.RIGHT])
    beside = right[0] * frame.pixel_mm, right[1] * frame.pixel_mm
    film_parts.add_beads(plate, options, beside, _BALL_BESIDE_MM)
    film_parts.add_markers(plate, options)
    film_parts.add_grid_lines(plate, options, generator)
    film_parts.add_collimator(plate, options)


def _reference(plate: Tensor, frame: FilmFrame, joints: Mapping[Side, Point]) -> float:
    """Typical line integral of bone, the mean of both joints; it sets the exposure of the film."""
    upright = FilmFrame(frame.pixel_mm, frame.rotation_deg)
    levels = []
    for joint in joints.values():
        box = upright.box(joint)
        top, left = max(int(box.top), 0), max(int(box.left), 0)
        region = plate[top : int(box.top + box.rows), left : int(box.left + box.columns)]
        levels.append(radiography.reference_attenuation(region))
    return sum(levels) / len(levels)
