"""Measures of a knee in an MR volume: surfaces, joint space, lesions, edges.

Example:
    >>> from monai_xray2mri.knee.measures import joint_space_from_volume
    >>> joint_space_from_volume(volume, affine)  # least width in mm: medial "M", lateral "L"  # doctest: +SKIP
"""

from monai_xray2mri.runtime.lazy import lazy_names

__all__ = [
    "JointReading",
    "Part",
    "detect_lesions",
    "edge_agreement",
    "joint_space_from_volume",
    "read_volume",
    "region_from_volume",
    "shown_lesions",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "JointReading": "surfaces",
        "Part": "parts",
        "detect_lesions": "lesions",
        "edge_agreement": "rssim",
        "joint_space_from_volume": "joint_space",
        "read_volume": "surfaces",
        "region_from_volume": "joint_region",
        "shown_lesions": "lesions",
    },
)
