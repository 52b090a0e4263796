"""Xray2MRI: a knee radiograph to an MR volume (Wang 2024a, 2024b)."""

from monai_xray2mri.runtime.lazy import lazy_names

__all__ = ["SYSTEM", "KneeCase", "KneeRequest", "KneeResult", "KneeSampling", "Xray2MRI", "plan_study"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "SYSTEM": "system",
        "KneeCase": "plan",
        "KneeRequest": "options",
        "KneeResult": "result",
        "KneeSampling": "options",
        "Xray2MRI": "predictor",
        "plan_study": "plan",
    },
)
