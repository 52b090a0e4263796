"""The template of all simulated knees: spline coefficients fitted to a label map of a real knee.

Each structure is a smooth signed distance: a cubic B-spline with knots 4 to 5 mm apart, which keeps the shape of the
bone and smooths the voxels of the map away. The shipped coefficients were fitted to the label map of one real right
knee (templates/README.md names source and license). ``xray2mri fit-template --labels MAP --output FILE`` fits another
template, which ``build_anatomy(template=...)`` takes (docs/simulation/anatomy.md).
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

import numpy as np
import SimpleITK as sitk
import torch
from torch import Tensor
from torch.nn import functional as F

from monai_xray2mri.errors import InputRefused
from monai_xray2mri.simulation.tools.lattice import Points

SHIPPED: Final = Path(__file__).with_name("templates") / "knee.npz"
LABELS: Final[Mapping[str, tuple[int, ...]]] = {
    "femur": (5,),
    "tibia": (6,),
    "patella": (7,),
    "fibula": (8,),
    "femoral cartilage": (1,),
    "tibial cartilage": (2, 3),
    "patellar cartilage": (4,),
    "meniscus M": (10,),
    "meniscus L": (9,),
}
"""Structures of a template, and their labels in the map to which the shipped template was fitted."""

_KNOT_MM: Final[Mapping[str, float]] = {"femur": 4.5, "tibia": 4.0, "patella": 4.0, "fibula": 4.0}
_FINE_KNOT_MM: Final = 3.0
_HOSTS: Final = {"femoral cartilage": "femur", "tibial cartilage": "tibia", "patellar cartilage": "patella"}
_UNIT_MM: Final = 0.01
_MARGIN_MM: Final = 8.0
_CLIP_MM: Final = 14.0
_PAD: Final = 24
_UPSAMPLED_MM: Final = 1.25
_FADE_MM: Final = 2.0


@dataclass(frozen=True)
class Structure:
    """One structure of a template.

    Attributes:
        coefficients: [Y,Z,X] spline coefficients in mm.
        low: position (x, y, z) of the first knot in reference mm.
        knot_mm: distance between knots in mm.
    """

    coefficients: Tensor
    low: tuple[float, float, float]
    knot_mm: float


class Template:
    """Signed distances (bones, menisci) and thicknesses (cartilages) of the template knee.

    Args:
        structures: name (one of ``LABELS``) to structure.
    """

    def __init__(self, structures: Mapping[str, Structure]) -> None:
        self.structures = dict(structures)
        self._upsampled: dict[tuple[str, torch.device], tuple[Tensor, Tensor, Tensor]] = {}

    def at(self, name: str, points: Points) -> Tensor:
        """Value [Y,Z,X] of a structure in mm. Outside the structure's box a distance grows, a thickness falls to 0.

        Args:
            name: a bone or meniscus (signed distance) or a cartilage (thickness at the nearest point of the bone).
            points: points in reference mm.
        """
        x, y, z = torch.broadcast_tensors(points.x, points.y, points.z)
        values, low, high = self._fine(name, x.device)
        place = torch.stack((x, z, y), -1)  # the order of grid_sample over [Y,Z,X]
        inside = torch.minimum(torch.maximum(place, low), high)
        unit = 2 * (inside - low) / (high - low) - 1
        found = F.grid_sample(values[None, None], unit[None], mode="bilinear", align_corners=True)[0, 0]
        outside = (place - inside).norm(dim=-1)
        return found * (1 - outside / _FADE_MM).clamp(min=0) if name in _HOSTS else found + outside

    def _fine(self, name: str, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """The spline on a fine lattice, computed once for each device, and the corners of its box as (x, z, y)."""
        if (name, device) not in self._upsampled:
            part = self.structures[name]
            axes = [
                torch.linspace(0, n - 1, int((n - 1) * part.knot_mm / _UPSAMPLED_MM) + 1)
                for n in part.coefficients.shape
            ]
            weights = [_spline(axis, n) for axis, n in zip(axes, part.coefficients.shape, strict=True)]
            planes = (weights[0] @ part.coefficients.flatten(1)).unflatten(1, part.coefficients.shape[1:])
            values = torch.matmul(torch.matmul(weights[1], planes), weights[2].T)
            low = torch.tensor([part.low[0], part.low[2], part.low[1]])
            sizes = torch.tensor(part.coefficients.shape)[[2, 1, 0]]
            high = low + part.knot_mm * (sizes - 1)
            self._upsampled[name, device] = (values.to(device), low.to(device), high.to(device))
        return self._upsampled[name, device]

    def save(self, path: Path) -> None:
        """Write the coefficients to an ``.npz`` file, rounded to 0.01 mm."""
        arrays = {
            name: np.rint(part.coefficients.numpy() / _UNIT_MM).astype(np.int16)
            for name, part in self.structures.items()
        }
        places = {name: [*part.low, part.knot_mm] for name, part in self.structures.items()}
        np.savez_compressed(path, places=json.dumps(places), **arrays)  # type: ignore[arg-type]

    @classmethod
    def load(cls, path: Path) -> Template:
        """Read what :meth:`save` wrote.

        Raises:
            InputRefused: the file is not a template.
        """
        try:
            with np.load(path, allow_pickle=False) as stored:
                places = json.loads(str(stored["places"]))
                return cls(
                    {
                        name: Structure(
                            torch.from_numpy(stored[name].astype(np.float32) * _UNIT_MM), tuple(low[:3]), low[3]
                        )
                        for name, low in places.items()
                    }
                )
        except (OSError, ValueError, KeyError) as error:
            raise InputRefused(
                str(path), "must be a knee template", type(error).__name__, "Make one with this module's command."
            ) from error


@cache
def shipped_template() -> Template:
    """The template that comes with the package."""
    return Template.load(SHIPPED)


def fit_template(
    labels: np.ndarray, spacing: tuple[float, float, float], numbers: Mapping[str, Sequence[int]] = LABELS
) -> Template:
    """Fit a template to a label map of a right knee.

    The origin of the reference frame is the middle of the femur's width, 2 mm under its lowest point, and the middle
    of the plateau from front to back.

    Args:
        labels: [Z,Y,X] integers, axes towards head, posterior and the patient's left.
        spacing: (z, y, x) distance of voxel centers in mm.
        numbers: labels of each structure of ``LABELS``.

    Raises:
        InputRefused: a structure is missing.
    """
    masks = {name: np.isin(labels, list(chosen)) for name, chosen in numbers.items()}
    for name in LABELS:
        if name not in masks or not masks[name].any():
            raise InputRefused("label map", f"must hold the {name}", f"labels {sorted(np.unique(labels).tolist())}")
    origin = knee_origin(masks["femur"], masks["tibia"], spacing)
    distances = {name: _signed_distance(mask, spacing) for name, mask in masks.items() if name not in _HOSTS}
    structures = {}
    for name, mask in masks.items():
        host = _HOSTS.get(name)
        if host:
            union = _signed_distance(mask | masks[host], spacing)
            field = (distances[host] - union).clip(0, None)
        else:
            field = distances[name].clip(-_CLIP_MM, _CLIP_MM)
        structures[name] = _fitted(field, mask, spacing, origin, _KNOT_MM.get(name, _FINE_KNOT_MM))
    return Template(structures)


def knee_origin(
    femur: np.ndarray, tibia: np.ndarray, spacing: tuple[float, float, float]
) -> tuple[float, float, float]:
    """Origin (z, y, x) of the reference frame in mm from the first voxel of two masks [Z,Y,X]."""
    z, _, x = (np.flatnonzero(femur.any(axis=other)) for other in ((1, 2), (0, 2), (0, 1)))
    below = round(z[0] - 12.0 / spacing[0])
    y = np.flatnonzero(tibia[below].any(axis=1))
    return z[0] * spacing[0] - 2.0, spacing[1] * (y[0] + y[-1]) / 2, spacing[2] * (x[0] + x[-1]) / 2


def _signed_distance(mask: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    """Signed distance [Z,Y,X] in mm; a bone that the field of view cuts is continued beyond it."""
    padded = np.pad(mask, _PAD, mode="edge")
    outside, inside = (_distance_to(part, spacing) for part in (padded, ~padded))
    # The distance map goes to the nearest voxel center on the other side, half a voxel farther than the surface.
    half = float(np.mean(spacing)) / 2
    found = np.where(padded, half - inside, outside - half)
    return np.asarray(found[_PAD:-_PAD, _PAD:-_PAD, _PAD:-_PAD])


def _distance_to(mask: np.ndarray, spacing: tuple[float, float, float]) -> np.ndarray:
    image = sitk.GetImageFromArray(mask.astype(np.uint8))
    image.SetSpacing(spacing[::-1])
    found = sitk.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=True)
    return np.asarray(sitk.GetArrayFromImage(found))


def _fitted(
    field: np.ndarray,
    mask: np.ndarray,
    spacing: tuple[float, float, float],
    origin: tuple[float, float, float],
    knot_mm: float,
) -> Structure:
    """Least-squares spline of a field over the mask and a margin."""
    voxels = np.argwhere(mask)
    low = voxels.min(0) * spacing - _MARGIN_MM
    size = np.ceil((voxels.max(0) * spacing + _MARGIN_MM - low) / knot_mm).astype(int) + 1
    coefficients = field
    for axis in range(3):
        # Where the box reaches beyond the field of view, the last plane is repeated.
        count = int((size[axis] - 1) * knot_mm / spacing[axis]) + 1
        first = low[axis] / spacing[axis]
        places = np.ceil(first) + np.arange(count)
        weights = _spline(torch.from_numpy((places - first) * spacing[axis] / knot_mm), int(size[axis]))
        taken = coefficients.take(places.clip(0, field.shape[axis] - 1).astype(int), axis)
        flat = np.moveaxis(taken, axis, 0)
        solved = np.linalg.pinv(weights.double().numpy()) @ flat.reshape(count, -1)
        coefficients = np.moveaxis(solved.reshape(-1, *flat.shape[1:]), 0, axis)
    place = tuple(float(low[i] - origin[i]) for i in (2, 1, 0))
    return Structure(torch.from_numpy(coefficients.transpose(1, 0, 2).astype(np.float32).copy()), place, knot_mm)  # type: ignore[arg-type]


def _spline(position: Tensor, count: int) -> Tensor:
    """Weights [N,count] of the cubic B-spline at N positions in units of knots, mirrored at the first and last knot."""
    knots = torch.arange(-1, count + 1)
    d = (position[:, None] - knots).abs()
    weights = torch.where(d < 1, 2 / 3 - d**2 + d**3 / 2, (2 - d).clamp(min=0) ** 3 / 6)
    folded = weights[:, 1:-1].clone()
    folded[:, 1] += weights[:, 0]
    folded[:, -2] += weights[:, -1]
    return folded


def read_label_map(path: Path) -> tuple[np.ndarray, tuple[float, float, float]]:
    """Labels [Z,Y,X], axes towards head, posterior and left, and their (z, y, x) spacing in mm.

    Raises:
        InputRefused: SimpleITK cannot read the file.
    """
    try:
        image = sitk.DICOMOrient(sitk.ReadImage(str(path)), "LPS")
    except RuntimeError as error:
        raise InputRefused(path.name, "must be a label map that SimpleITK reads", "it does not") from error
    return sitk.GetArrayFromImage(image), image.GetSpacing()[::-1]
