"""What a system is: the contract, options, bundles, calibration, volumes, identity, wording.

Example:
    >>> from monai_xray2mri.core import Outputs
    >>> Outputs(nifti=True).label
    'corner'
"""

from monai_xray2mri.runtime.lazy import lazy_names

__all__ = ["Case", "Option", "Outputs", "Plan", "Predictor", "Result", "System", "load_network", "system_name"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Case": "system",
        "Option": "options",
        "Outputs": "system",
        "Plan": "system",
        "Predictor": "system",
        "Result": "system",
        "System": "system",
        "load_network": "bundles",
        "system_name": "bundles",
    },
)
