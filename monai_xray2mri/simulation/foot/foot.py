"""A simulated foot: registered photograph and dorsoplantar radiograph, and the truth about it.

Example:
    >>> foot = simulate_foot(0, size=32)
    >>> foot.photograph.shape, foot.radiograph.shape, foot.keypoints.shape
    ((3, 32, 32), (32, 32), (10, 2))
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from monai_xray2mri.errors import UsageError
from monai_xray2mri.runtime.threads import one_thread
from monai_xray2mri.simulation.foot.frame import IMAGE_SIZE, FootFrame, frame_of
from monai_xray2mri.simulation.foot.people import foot_generator
from monai_xray2mri.simulation.foot.photograph import Camera, draw_camera, photograph
from monai_xray2mri.simulation.foot.radiograph import attenuation, draw_foot_exposure, reference_of
from monai_xray2mri.simulation.foot.shape import FootShape, draw_shape, seen_shape
from monai_xray2mri.simulation.foot.skeleton import KEYPOINTS, Skeleton, build_skeleton
from monai_xray2mri.simulation.foot.skin import COARSE_MM, Skin, build_skin
from monai_xray2mri.simulation.foot.truth import hallux_angles
from monai_xray2mri.simulation.tools.beam import exposed
from monai_xray2mri.simulation.tools.lettering import coverage, stroke_distance, word_strokes
from monai_xray2mri.simulation.tools.primitives import smoothstep

VISIBILITY: Final = 0.5
REGISTRATION_MM: Final = 1.0
LARGEST_REGISTRATION_MM: Final = 4.0
WIDE: Final = 1.6
"""Width of a photograph of a whole foot over that of the frame, in which heel and ankle do not lie."""
_FINER: Final = 2
_MARKER_SHARE: Final = 0.5
_MARKER_MM: Final = (9.0, 0.9)
"""Height of the marker's letter and half the width of its strokes."""
_BONE_MM: Final = 0.5
_AIR: Final = (0.0, 0.45)
"""Line integrals at which the reader shows black, and from which on it shows tissue."""


@dataclass(frozen=True)
class SimulatedFoot:
    """One right foot, toes up; both pictures lie in one frame.

    Attributes:
        seed: what all of it follows from.
        photograph: [3,N,N] float32 in [0,1], red, green, blue, with the floor.
        outline: [N,N] share of each pixel of the photograph that the foot covers.
        radiograph: [N,N] float32 in [0,1], bone bright.
        keypoints: [10,2] (row, column) on the radiograph in pixels, in the order of
            :data:`~monai_xray2mri.simulation.foot.skeleton.KEYPOINTS`.
        hallux_valgus: angle in degrees as measured between the keypoints.
        intermetatarsal: likewise.
        pixel_mm: size of a pixel in mm.
        bones: by name [N,N] bool, where the radiograph shows the bone.
        camera: skin, lights and camera of the photograph.
        shape: what the bones follow.
        again: by distance in mm [N,N] the same foot radiographed again, so far away in a direction that is drawn, with
            another exposure, noise and marker.
    """

    seed: int
    photograph: np.ndarray
    outline: np.ndarray
    radiograph: np.ndarray
    keypoints: np.ndarray
    hallux_valgus: float
    intermetatarsal: float
    pixel_mm: float
    bones: Mapping[str, np.ndarray]
    camera: Camera
    shape: FootShape
    again: Mapping[float, np.ndarray] = field(default_factory=dict)

    @property
    def cut_out(self) -> np.ndarray:
        """[3,N,N] the photograph, black beside the foot and where a pixel shows more than a quarter of floor."""
        inner = np.clip(4 * self.outline - 3, 0, 1)
        return np.asarray(self.photograph * inner[None], dtype=np.float32)


def simulate_foot(
    seed: int,
    *,
    visibility: float = VISIBILITY,
    registration_mm: float = REGISTRATION_MM,
    size: int = IMAGE_SIZE,
    again_mm: Sequence[float] = (),
) -> SimulatedFoot:
    """Simulate a foot; equal arguments give equal bits on one kind of processor.

    Args:
        seed: from one of the ranges of :mod:`~monai_xray2mri.simulation.foot.people`.
        visibility: how closely the skin of the photograph follows the bones, 0 to 1. At 0 it shows the angles of
            another foot, and nothing in the photograph predicts those of the bones.
        registration_mm: by how much photograph and radiograph are apart, 0 to 4 mm, in a direction that is drawn.
        size: pixels a side.
        again_mm: distances of further radiographs of the same foot.

    Raises:
        UsageError: an argument is out of range.
    """
    if not 0 <= visibility <= 1:
        raise UsageError("visibility", "must lie in 0 to 1", str(visibility))
    if not 0 <= registration_mm <= LARGEST_REGISTRATION_MM:
        raise UsageError(
            "registration error in mm", f"must lie in 0 to {LARGEST_REGISTRATION_MM:g}", str(registration_mm)
        )
    shape = draw_shape(foot_generator(seed, "shape"))
    seen = seen_shape(shape, draw_shape(foot_generator(seed, "another shape")), visibility)
    with one_thread(), torch.inference_mode():
        skeleton, shown = build_skeleton(shape), build_skeleton(seen)
        skin = build_skin(seen, shown)
        frame = _frame(skin, size)
        flesh = build_skin(shape, skeleton, COARSE_MM)
        film, volumes = _film(seed, skeleton, flesh, frame)
        moved = {distance: _moved(frame, distance, foot_generator(seed, "moved again")) for distance in again_mm}
        again = {
            distance: _film(seed, skeleton, flesh, another, " again")[0].numpy() for distance, another in moved.items()
        }
        camera = draw_camera(foot_generator(seed, "camera"))
        taken = _moved(frame, registration_mm, foot_generator(seed, "registration"))
        picture, outline = photograph(skin, shown, taken, camera, foot_generator(seed, "details"), _FINER)
    keypoints = np.array([frame.on_film(skeleton.points[name]) for name in KEYPOINTS], dtype=np.float32)
    valgus, spread = hallux_angles(keypoints)
    bones = {name: (_pooled(path > _BONE_MM) >= 0.5).numpy() for name, path in volumes.items()}
    return SimulatedFoot(
        seed, picture.numpy(), outline.numpy(), film.numpy(), keypoints, valgus, spread, frame.pixel_mm, bones,
        camera, shape, again,
    )  # fmt: skip


@dataclass(frozen=True)
class WholeFoot:
    """A photograph of a whole right foot, toes up, with its ankle and the floor around it.

    Attributes:
        photograph: [3,N,N] float32 in [0,1], red, green, blue.
        outline: [N,N] share of each pixel that the foot covers.
        points: by name (row, column) in pixels: the keypoints of the bones that the skin shows, and ``"heel"``.
        pixel_mm: size of a pixel in mm.
        grid: [3,3] takes (row, column, 1) of :attr:`SimulatedFoot.photograph` of equal size to those of this one.
    """

    photograph: np.ndarray
    outline: np.ndarray
    points: Mapping[str, tuple[float, float]]
    pixel_mm: float
    grid: np.ndarray


def photograph_whole_foot(
    seed: int, *, visibility: float = VISIBILITY, size: int = IMAGE_SIZE, wide: float = WIDE
) -> WholeFoot:
    """The foot of :func:`simulate_foot` as a camera sees it that stands further back.

    Args:
        seed: from one of the ranges of :mod:`~monai_xray2mri.simulation.foot.people`.
        visibility: see :func:`simulate_foot`.
        size: pixels a side.
        wide: width of the picture over that of :func:`simulate_foot`.
    """
    seen = seen_shape(
        draw_shape(foot_generator(seed, "shape")), draw_shape(foot_generator(seed, "another shape")), visibility
    )
    with one_thread(), torch.inference_mode():
        shown = build_skeleton(seen)
        skin = build_skin(seen, shown)
        narrow = _frame(skin, size)
        frame, camera = narrow.widened(wide), draw_camera(foot_generator(seed, "camera"))
        picture, outline = photograph(skin, shown, frame, camera, foot_generator(seed, "details"), _FINER)
    low, high = shown.bones["calcaneus"].reach
    heel = np.array([(low[0] + high[0]) / 2, (low[1] + high[1]) / 2, low[2]])
    points = {name: frame.on_photograph(place) for name, place in {**shown.points, "heel": heel}.items()}
    shift = (frame.top - narrow.top) / frame.pixel_mm, (narrow.left - frame.left) / frame.pixel_mm
    grid = np.array([[1 / wide, 0, shift[0] + 0.5 / wide - 0.5], [0, 1 / wide, shift[1] + 0.5 / wide - 0.5], [0, 0, 1]])
    return WholeFoot(picture.numpy(), outline.numpy(), points, frame.pixel_mm, grid)


def _frame(skin: Skin, size: int) -> FootFrame:
    lattice = skin.distance.lattice
    outline = (skin.distance.values < 0).any(0).numpy()
    return frame_of(outline, lattice.axis(0).numpy(), lattice.axis(2).numpy(), size)


def _film(
    seed: int, skeleton: Skeleton, skin: Skin, frame: FootFrame, time: str = ""
) -> tuple[Tensor, Mapping[str, Tensor]]:
    """The radiograph [N,N], and the finer paths in mm by name of the bone.

    Another ``time`` has another exposure, noise and marker; the bones keep their texture.
    """
    bones = skeleton.bones.values()
    total, volumes = attenuation(bones, skin.distance, frame, foot_generator(seed, "texture"), _FINER)
    exposure = draw_foot_exposure(foot_generator(seed, "exposure" + time))
    noise = foot_generator(seed, "film noise" + time)
    image = exposed(total, exposure, reference_of(total, volumes), frame.pixel_mm / _FINER, noise)
    image = image * smoothstep(total, *_AIR)
    return _with_marker(_pooled(image), frame, foot_generator(seed, "marker" + time)), volumes


def _with_marker(image: Tensor, frame: FootFrame, generator: torch.Generator) -> Tensor:
    """The film with a lead letter beside the fifth toe, on half of the films."""
    u = torch.rand(4, generator=generator).tolist()
    if u[0] >= _MARKER_SHARE:
        return image
    height, half = _MARKER_MM
    middle = frame.side * (0.10 + 0.12 * u[1]), frame.side * (0.84 + 0.08 * u[2])
    strokes = word_strokes("R", height, middle, 20.0 * (u[3] - 0.5))
    places = (torch.arange(frame.size) + 0.5) * frame.pixel_mm
    letter = coverage(stroke_distance(strokes, places, places), half, frame.pixel_mm)
    return torch.maximum(image, 0.95 * letter)


def _moved(frame: FootFrame, distance_mm: float, generator: torch.Generator) -> FootFrame:
    angle = 2 * np.pi * float(torch.rand((), generator=generator, dtype=torch.float64))
    return FootFrame(
        frame.left + distance_mm * float(np.cos(angle)), frame.top + distance_mm * float(np.sin(angle)), frame.side,
        frame.size,
    )  # fmt: skip


def _pooled(image: Tensor) -> Tensor:
    return F.avg_pool2d(image[None].float(), _FINER)[0]
