"""The engine of ``xray2mri evaluate``: it runs the suites that systems hand in, measures, compares and reports.

A suite is a record of studies, a study a record of functions. The engine knows no body part::

    from monai_xray2mri.evaluation import Setting, Study, Suite, condition_table, generate

``docs/adding_a_system.md`` shows a whole suite.
"""

from monai_xray2mri.runtime.lazy import lazy_names

__all__ = [
    "CaseSource",
    "Evaluation",
    "Figure",
    "ResultTable",
    "Setting",
    "Study",
    "Suite",
    "Words",
    "condition_table",
    "generate",
    "write_results",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "CaseSource": "suite",
        "Evaluation": "evaluation",
        "Figure": "study",
        "ResultTable": "study",
        "Setting": "study",
        "Study": "study",
        "Suite": "suite",
        "Words": "suite",
        "condition_table": "conditions",
        "generate": "methods",
        "write_results": "results",
    },
)
