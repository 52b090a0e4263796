"""What every attempt at a study works with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from monai_xray2mri.hospital.archive import Archive
from monai_xray2mri.hospital.events import Events
from monai_xray2mri.hospital.holdings import Reader
from monai_xray2mri.hospital.maker import Maker
from monai_xray2mri.hospital.scratch import SCRATCH
from monai_xray2mri.hospital.settings import Settings


@dataclass(frozen=True)
class Tools:
    """What every attempt works with.

    Attributes:
        archive: Orthanc.
        reader: of what studies hold.
        maker: of results.
        settings: what the hospital chose.
        events: who is told.
        stopping: whether the worker was told to end.
        scratch: prefix of temporary folders.
    """

    archive: Archive
    reader: Reader
    maker: Maker
    settings: Settings
    events: Events
    stopping: Callable[[], bool]
    scratch: str = SCRATCH
