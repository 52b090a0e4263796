"""Cartilage thickness over the joint surfaces, and the menisci between them, in reference mm."""

from __future__ import annotations

import torch
from torch import Tensor

from monai_xray2mri.simulation.anatomy import Bone
from monai_xray2mri.simulation.fields import Points, smoothstep
from monai_xray2mri.simulation.pathology import CONDYLE_X, Pathology
from monai_xray2mri.simulation.shape import KneeShape


def femoral_cartilage_thickness(shape: KneeShape, pathology: Pathology, bone: Bone) -> Tensor:
    """Thickness [Y,Z,X] in mm of the femoral cartilage over the nearest surface; 0 off the joint surface."""
    points = bone.points
    thickness = _cartilage_across(shape, pathology, points.x) * smoothstep(bone.articular, -6.0, -2.5)
    # Ends of the joint surface: the trochlea's upper rim in front, the condyles' upper rim behind.
    rim = torch.where(points.y < -20, 40.0 + 0.0 * points.z, 34.0 + 0.0 * points.z)
    return thickness * smoothstep(points.z - rim, 4.0, -4.0)


def tibial_cartilage_thickness(shape: KneeShape, pathology: Pathology, bone: Bone) -> Tensor:
    """Thickness [Y,Z,X] in mm of the tibial cartilage; 0 on the eminence and outside the plateaus."""
    points = bone.points
    thickness = _cartilage_across(shape, pathology, points.x)
    inside = torch.maximum(
        1 - _compartment_radius(points, 1.0).clamp(max=1), 1 - _compartment_radius(points, -1.0).clamp(max=1)
    )
    return thickness * smoothstep(inside, 0.0, 0.25) * smoothstep(bone.articular, -3.0, -1.0)


def _cartilage_across(shape: KneeShape, pathology: Pathology, x: Tensor) -> Tensor:
    """Cartilage thickness on either bone, over x: each takes a little under half of the joint space."""
    medial = 0.46 * shape.cartilage * pathology.narrowed(shape.joint_space[0], "M")
    lateral = 0.46 * shape.cartilage * pathology.narrowed(shape.joint_space[1], "L")
    share = smoothstep(x, -12.0, 12.0)
    return lateral + share * (medial - lateral)


def _compartment_radius(points: Points, side: float) -> Tensor:
    """Elliptic radius about the centre of a plateau, 1 at its rim; ``side`` +1 medial, -1 lateral."""
    semi_x, semi_y, y = (14.5, 22.0, 0.0) if side > 0 else (14.0, 19.5, 1.0)
    return (((points.x - side * CONDYLE_X) / semi_x).square() + ((points.y - y) / semi_y).square()).sqrt_()


def meniscus_ring(points: Points, side: float) -> Tensor:
    """Signed distance-like field of a meniscus seen from above: a ring that is open towards the spines."""
    radius = _compartment_radius(points, side)
    ring = ((radius - 0.86).abs() - 0.27) * 16.0
    return torch.maximum(ring, 9.0 - side * points.x)
