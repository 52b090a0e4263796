"""A foot of a photograph that gets a radiograph."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from pydicom import Dataset

from monai_xray2mri.photograph.record import PreparedFoot
from monai_xray2mri.types import Side


@dataclass(frozen=True)
class FootCase:
    """A foot that has passed all checks: the :class:`~monai_xray2mri.core.system.Case` of this system.

    Attributes:
        foot: as the network sees it.
    """

    foot: PreparedFoot

    @property
    def side(self) -> Side:
        """Which foot it is."""
        return self.foot.side

    @property
    def mirrored(self) -> bool:
        """Whether it was mirrored for the network, so that its result is mirrored back: a left foot."""
        return self.side is Side.LEFT

    @property
    def name(self) -> str:
        """Name of its result's folder: ``foot_right``."""
        return f"foot_{self.side.word}"

    @property
    def key(self) -> str:
        """What tells it from the other foot: ``R``."""
        return self.side.value

    @property
    def title(self) -> str:
        """What people call it: ``right foot``."""
        return f"{self.side.word} foot"

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the checks found worth knowing, each once; first what was doubted and forced."""
        doubts = (f"forced: {doubt}" for doubt in self.foot.doubts)
        return tuple(dict.fromkeys((*doubts, *self.foot.remarks)))

    @property
    def forced(self) -> bool:
        """Whether it is used although a check doubts it."""
        return bool(self.foot.doubts)

    @property
    def identity(self) -> str:
        """From which the noise follows: the photograph's SOP Instance UID or the hash of its pixels, and the side."""
        return f"{self.foot.photograph.identity} {self.side.value}"

    @property
    def header(self) -> Dataset | None:
        """DICOM header of the photograph; None for PNG and JPEG."""
        return self.foot.photograph.dataset

    def shown(self, pixels: np.ndarray) -> np.ndarray:
        """Pixels of the network's grid [256,256,...] as they are shown: those of a left foot are mirrored back."""
        return np.ascontiguousarray(pixels[:, ::-1] if self.mirrored else pixels)

    def record(self) -> dict[str, Any]:
        """What ``xray2mri check`` says of it; JSON, without patient data."""
        known = self.foot.record()
        return {
            "photograph": known["file"],
            "side": self.side.word,
            "side_source": self.foot.side_source,
            "pixel_mm": self.foot.pixel_mm,
            "scale_source": self.foot.scale_source,
            "matrix": known["matrix"],
            "forced": self.forced,
            "remarks": list(self.remarks),
        }
