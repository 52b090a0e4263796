"""What is known about a simulated knee and no reader could measure as well: the truth that methods are judged by."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from monai_xray2mri.types import Box

LESION_FEATURES: Final = ("XRCYFM", "XRCYFL", "XRCYTM", "XRCYTL", "XRCHM", "XRCHL", "XRATTM", "XRATTL")
"""Features whose sites are marked in ``SimulatedKnee.lesions``: code 1 is the first of them, 0 is none."""

COMPARTMENTS: Final = ("M", "L")
CARTILAGES: Final = ("FM", "FL", "TM", "TL", "P")
"""Femoral and tibial cartilage of the medial and lateral compartment, and the patella's."""

KEYPOINTS: Final = (
    "medial condyle",  # lowest point of the condyle
    "lateral condyle",
    "medial plateau",  # middle of the plateau
    "lateral plateau",
    "medial femoral margin",  # outermost point of the condyle near the joint line
    "lateral femoral margin",
    "medial tibial margin",
    "lateral tibial margin",
    "medial spine",  # tips of the intercondylar eminence
    "lateral spine",
    "notch",  # top of its outline, seen along the rays
    "fibular head",  # its tip
    "patella",  # its centre
)


@dataclass(frozen=True)
class KneeTruth:
    """Truth of one knee.

    Attributes:
        joint_space_mm: compartment ("M", "L") to the least distance of femur and tibia over the middle of the
            plateau, in mm, unloaded and straight as in the MR examination.
        film_joint_space_mm: the same as the radiograph shows it: under load, in the film's pose, in mm in the joint
            plane.
        cartilage_mm: one of ``CARTILAGES`` to the mean thickness in mm over its weight-bearing middle.
        keypoints: one of ``KEYPOINTS`` to (x, y, z) in LPS mm, the coordinates of ``SimulatedKnee.affine``.
        film_keypoints: the same to (row, column) in pixels of the radiograph, centres of pixels at whole numbers.
        box: square around the joint in pixels of the radiograph that a perfect detector would have cut out.
        lesion_boxes: feature to its box (top, left, rows, columns) in pixels of the radiograph, where it is present.
        volumes_ml: structure ("femur", "tibia", "patella", "fibula", "femoral cartilage", ...) to volume in the MR's
            field of view.
    """

    joint_space_mm: Mapping[str, float] = field(default_factory=dict)
    film_joint_space_mm: Mapping[str, float] = field(default_factory=dict)
    cartilage_mm: Mapping[str, float] = field(default_factory=dict)
    keypoints: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    film_keypoints: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    box: Box = field(default_factory=lambda: Box(0.0, 0.0, 0.0, 0.0))
    lesion_boxes: Mapping[str, Box] = field(default_factory=dict)
    volumes_ml: Mapping[str, float] = field(default_factory=dict)

    def as_record(self) -> dict[str, Any]:
        """The truth as plain numbers, ready for JSON."""
        return asdict(self)
