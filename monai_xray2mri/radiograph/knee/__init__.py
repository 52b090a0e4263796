"""The region around a knee joint on a radiograph, and what forbids using it.

``header_checks`` asks the header, ``checks`` header, pixels and region; ``region`` cuts the region out and turns it
into what the networks see; ``joint`` and ``quality`` measure it.
"""

from monai_xray2mri.runtime.lazy import lazy_names

__all__ = ["KneeROI", "check_radiograph", "check_region", "find_knees", "network_input"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "KneeROI": "roi",
        "check_radiograph": "checks",
        "check_region": "checks",
        "find_knees": "region",
        "network_input": "region",
    },
)
