"""How the machine is used: files, workers, devices, interruption, optional libraries, shipped weights."""

from monai_xray2mri.runtime.lazy import lazy_names

__all__ = [
    "Terminated",
    "Workers",
    "choose_device",
    "load_shipped",
    "lock_folder",
    "one_thread",
    "optional_library",
    "terminable",
    "whole_directory",
    "whole_file",
    "write_whole",
]

__getattr__, __dir__ = lazy_names(
    __name__,
    {
        "Terminated": "interruption",
        "Workers": "workers",
        "choose_device": "devices",
        "load_shipped": "shipped",
        "lock_folder": "files",
        "one_thread": "threads",
        "optional_library": "optional",
        "terminable": "interruption",
        "whole_directory": "files",
        "whole_file": "files",
        "write_whole": "files",
    },
)
