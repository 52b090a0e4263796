"""DICOM objects that systems write, whatever they show, and the one walker of structured-report trees.

A :class:`Product` says in the codes of DICOM what is written, an :class:`Origin` what it was made from.
"""

from monai_xray2mri.runtime.lazy import lazy_names

__all__ = [
    "Origin",
    "Product",
    "SeriesNumbers",
    "StudyFile",
    "UncertaintyMap",
    "build_mr_series",
    "build_uncertainty_series",
    "encoded",
    "is_own_result",
    "read_study",
    "walk_report",
    "write_images",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Origin": "product",
        "Product": "product",
        "SeriesNumbers": "product",
        "StudyFile": "study",
        "UncertaintyMap": "parametric_map",
        "build_mr_series": "mr_series",
        "build_uncertainty_series": "uncertainty",
        "encoded": "uids",
        "is_own_result": "own_results",
        "read_study": "study",
        "walk_report": "structured_report",
        "write_images": "synthetic_image",
    },
)
