"""Reader of the Osteoarthritis Initiative's release: it joins radiographs, coronal T1 MR series and reading tables."""

from monai_xray2mri.runtime.lazy import lazy_names

__all__ = ["CoronalVolume", "PrepareOptions", "oai_gradings", "prepare_release", "read_coronal_t1", "read_table"]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "CoronalVolume": "series",
        "PrepareOptions": "prepare",
        "oai_gradings": "film_readings",
        "prepare_release": "prepare",
        "read_coronal_t1": "series",
        "read_table": "tables",
    },
)
