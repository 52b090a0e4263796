"""The 19 radiographic features of a knee: their names, codes, files and structured reports.

Example:
    >>> from monai_xray2mri.knee.grading import one_hot, validate_grades
    >>> grading = validate_grades({"V00XRKL": 2, "XRJSM": 1})
    >>> grading.grades["XRKL"], one_hot(grading.grades).shape
    (2, (61,))
"""

from monai_xray2mri.runtime.lazy import lazy_names

__all__ = [
    "FEATURES",
    "Feature",
    "Grading",
    "one_hot",
    "read_grading_file",
    "read_grading_report",
    "select_grading",
    "validate_grades",
    "write_grading_file",
    "write_grading_report",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "FEATURES": "features",
        "Feature": "features",
        "Grading": "record",
        "one_hot": "features",
        "read_grading_file": "files",
        "read_grading_report": "report_reader",
        "select_grading": "report_reader",
        "validate_grades": "features",
        "write_grading_file": "files",
        "write_grading_report": "report_writer",
    },
)
