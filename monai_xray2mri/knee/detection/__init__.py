"""What small networks say of a radiograph: where its knee joints are, whether a region shows a knee, and its KOA grade.

Example:
    >>> from monai_xray2mri.knee.detection import shipped_classifier
    >>> shipped_classifier().training
    False
"""

from monai_xray2mri.runtime.lazy import lazy_names

__all__ = [
    "Likeness",
    "find_joints",
    "grading_from_koa",
    "judge_region",
    "koa_probability",
    "likeness_doubts",
    "metal_doubts",
    "metal_probability",
    "shipped_classifier",
    "shipped_detector",
    "shipped_judge",
    "shipped_metal_map",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Likeness": "likeness",
        "find_joints": "joints",
        "grading_from_koa": "koa",
        "judge_region": "likeness",
        "koa_probability": "koa",
        "likeness_doubts": "likeness",
        "metal_doubts": "metal",
        "metal_probability": "metal",
        "shipped_classifier": "koa",
        "shipped_detector": "joints",
        "shipped_judge": "likeness",
        "shipped_metal_map": "metal",
    },
)
