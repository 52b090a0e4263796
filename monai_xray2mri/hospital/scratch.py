"""Temporary folders that hold a study while it is worked on."""

from __future__ import annotations

import os
import shutil
import tempfile
from pathlib import Path
from typing import Final

SCRATCH: Final = "xray2mri-hospital-"
"""Their names begin with this."""


def scratch_prefix() -> str:
    """Beginning of the names of this process' temporary folders, which tells a later worker whose they were."""
    return f"{SCRATCH}{os.getpid()}-"


def clear_scratch() -> None:
    """Remove the temporary folders of workers that were killed: they hold images of patients."""
    for folder in Path(tempfile.gettempdir()).glob(f"{SCRATCH}*-*"):
        number = folder.name.removeprefix(SCRATCH).partition("-")[0]
        alive = number.isdigit() and int(number) != os.getpid() and Path(f"/proc/{number}").exists()
        if not alive:
            shutil.rmtree(folder, ignore_errors=True)
