"""One folder per published system, named as its bundle; which system a bundle names, and how any system is run.

Example:
    >>> from monai_xray2mri.systems import find_system
    >>> find_system("knee_xray2mri").summary
    'radiograph of a knee to a synthetic coronal MR volume'
"""

from monai_xray2mri.runtime.lazy import lazy_names

__all__ = ["find_system", "load", "system_names", "system_of", "write_results"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "find_system": "registry",
        "load": "registry",
        "system_names": "registry",
        "system_of": "registry",
        "write_results": "running",
    },
)
