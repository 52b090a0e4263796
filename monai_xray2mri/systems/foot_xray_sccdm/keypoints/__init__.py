"""Ten keypoints of a foot radiograph: where they are, how sure that is, and the angles between them.

Example:
    >>> from monai_xray2mri.systems.foot_xray_sccdm.keypoints import find_keypoints
    >>> found = find_keypoints(radiograph)  # doctest: +SKIP
    >>> found.points.shape, found.confidence.shape, found.angles  # doctest: +SKIP
"""

from monai_xray2mri.runtime.lazy import lazy_names

__all__ = ["Keypoints", "find_keypoints", "keypoint_completeness"]

__getattr__, __dir__ = lazy_names(
    __name__, {"Keypoints": "detector", "find_keypoints": "detector", "keypoint_completeness": "completeness"}
)
