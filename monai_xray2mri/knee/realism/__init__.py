"""Measures of how realistic the simulated knees are; ``xray2mri measure`` prints them."""

from monai_xray2mri.runtime.lazy import lazy_names

__all__ = ["area_under_curve", "draw_sheet", "load_real_regions", "simulated_regions"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "area_under_curve": "discrimination",
        "draw_sheet": "sheet",
        "load_real_regions": "radiographs",
        "simulated_regions": "radiographs",
    },
)
