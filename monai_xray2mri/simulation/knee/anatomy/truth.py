"""The known truth about a simulated knee; methods are evaluated against it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Final

from monai_xray2mri.types import Box

LESION_FEATURES: Final = ("XRCYFM", "XRCYFL", "XRCYTM", "XRCYTL", "XRCHM", "XRCHL", "XRATTM", "XRATTL")
"""Features whose sites are marked in ``SimulatedKnee.lesions``: code 1 is the first of them, 0 means no lesion."""

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
    "patella",  # its center
)


@dataclass(frozen=True)
class KneeTruth:
    """Truth of one knee.

    Attributes:
        joint_space_mm: compartment ("M", "L") to the least distance of femur and tibia over the middle of the plateau,
            in mm, in the pose of the MR examination: straight and without load.
        film_joint_space_mm: the same in the projection of the radiograph: in its pose, under load, in mm of the plane
            of the joint.
        cartilage_mm: cartilage (``CARTILAGES``) to its mean thickness in mm over its weight-bearing middle.
        keypoints: name (``KEYPOINTS``) to (x, y, z) in LPS mm, the coordinates of ``SimulatedKnee.affine``.
        film_keypoints: name to (row, column) in pixels of the radiograph; pixel centers are whole numbers.
        box: square around the joint in pixels of the radiograph, as a perfect joint detector would find it.
        lesion_boxes: OAI stem to the lesion's box (top, left, rows, columns) in pixels of the radiograph; present
            lesions only.
        volumes_ml: structure ("femur", "tibia", "patella", "fibula", "femoral cartilage", ...) to its volume in ml in
            the field of view of the MR examination.
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
