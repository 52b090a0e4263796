"""One knee of a study that gets a volume."""

from __future__ import annotations

from dataclasses import dataclass, field

from pydicom import Dataset

from monai_xray2mri.knee.grading.record import Grading
from monai_xray2mri.radiograph.knee.roi import KneeROI
from monai_xray2mri.types import Radiograph, Side


@dataclass(frozen=True)
class KneeCase:
    """One knee that has passed all checks: the :class:`~monai_xray2mri.core.system.Case` of this system.

    Attributes:
        radiograph: the film it lies on.
        roi: where.
        grading: its features.
        report: the structured report they come from, if any.
        film_remarks: what the checks of the film, and of the region's grey values, found worth knowing.
        forced: whether it is used although a check of the picture doubts it; the remarks say which.
    """

    radiograph: Radiograph
    roi: KneeROI
    grading: Grading = field(default_factory=Grading)
    report: Dataset | None = None
    film_remarks: tuple[str, ...] = ()
    forced: bool = False

    @property
    def side(self) -> Side:
        """Which knee it is."""
        return self.roi.side

    @property
    def name(self) -> str:
        """Name of its result's folder: ``knee_right``."""
        return f"knee_{self.side.word}"

    @property
    def key(self) -> str:
        """What tells it from the other knee: ``R``."""
        return self.side.value

    @property
    def title(self) -> str:
        """What people call it: ``right knee``."""
        return f"{self.side.word} knee"

    @property
    def remarks(self) -> tuple[str, ...]:
        """What is worth knowing of film, region and grading, each once."""
        return tuple(dict.fromkeys((*self.film_remarks, *self.roi.remarks, *self.grading.remarks)))

    def record(self) -> dict[str, object]:
        """What ``xray2mri check`` says of it; JSON, without patient data."""
        return {
            "side": self.side.word,
            "side_source": self.radiograph.sides_source,
            "radiograph": self.radiograph.name,
            "spacing_mm": self.radiograph.spacing,
            "spacing_source": self.radiograph.spacing_source,
            "region_method": self.roi.method,
            "region_mm": self.roi.width_mm,
            "confidence": self.roi.confidence,
            "prosthesis": self.roi.prosthesis,
            "forced": self.forced,
            "features_source": self.grading.source,
            "features": dict(self.grading.grades),
            "remarks": list(self.remarks),
        }
