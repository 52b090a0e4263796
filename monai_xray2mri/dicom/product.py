"""What a system writes, in the words and codes of DICOM, and what it was made from.

A system describes its result once, as a :class:`Product`; the modules of this room turn it into files. They know no
part of the body themselves.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import astuple, dataclass

import numpy as np
from highdicom.sr import CodedConcept
from pydicom import Dataset

from monai_xray2mri.types import Side


@dataclass(frozen=True)
class SeriesNumbers:
    """Series Numbers (0020,0011) of everything that is written for one case.

    Attributes:
        images: of the result.
        uncertainty: of the standard deviation of its samples, as images.
        report: of the structured report.
        page: of the page for people.
        uncertainty_map: of the standard deviation as a Parametric Map.
        samples: below that of the first sample: sample 3 of ``samples=9100`` is series 9103.

    Example:
        >>> SeriesNumbers(901, 911, 931, 941, 951, 9100).all(samples=2)
        (901, 911, 931, 941, 951, 9101, 9102)
    """

    images: int
    uncertainty: int
    report: int
    page: int
    uncertainty_map: int
    samples: int

    def all(self, samples: int) -> tuple[int, ...]:
        """Every number that a case with so many sample series uses."""
        *single, first = astuple(self)
        return (*single, *(first + number for number in range(1, samples + 1)))


@dataclass(frozen=True)
class ImitatedSequence:
    """The pulse sequence whose images a result imitates (PS3.3 C.8.3.1); its values are nominal, nothing was measured.

    Attributes:
        name: what people call it: ``3D FLASH``.
        scanning: Scanning Sequence (0018,0020): ``GR``.
        variant: Sequence Variant (0018,0021): ``SP``.
        acquisition: MR Acquisition Type (0018,0023): ``3D``.
        repetition_ms: Repetition Time (0018,0080) in ms.
        echo_ms: Echo Time (0018,0081) in ms.
        echo_train: Echo Train Length (0018,0091).
    """

    name: str
    scanning: str
    variant: str
    acquisition: str
    repetition_ms: float
    echo_ms: float
    echo_train: int = 1

    @property
    def words(self) -> str:
        """A sentence that says what the values are."""
        return f"Sequence, echo and repetition time are nominal, those of the imitated {self.name}."


@dataclass(frozen=True)
class Product:
    """What a system makes of one kind of case.

    Attributes:
        subject: part of the body, with its side, in capitals: ``LEFT FOOT``.
        body_part: Body Part Examined (0018,0015).
        region: code of the Anatomic Region Sequence (0008,2218).
        laterality: side of the body; None for a part without sides.
        modality: what descriptions call the result: ``MR``.
        appearance: what its images look like: ``COR T1``.
        origin: where the result comes from: ``from X-ray``.
        numbers: of its series.
        derivation: code of the Derivation Code Sequence (0008,9215).
        derivation_description: Derivation Description (0008,2111).
        forced: sentence that Image Comments (0020,4000) get if a check was overridden.
        calibrated_on: what a calibrated interval was tested on; a format string over ``provenance["interval"]``.
        patient_position: Patient Position (0018,5100).
        sequence: that is imitated; None: sequence, echo and repetition time stay without values.
        in_source_space: the result lies in the frame of reference of its source, as one made from MR slices does.
        check_order: raises ValueError if the slices of an affine [4,4] run in another direction than readers of this
            product expect; None: any direction will do.
    """

    subject: str
    body_part: str
    region: CodedConcept
    laterality: Side | None
    modality: str
    appearance: str
    origin: str
    numbers: SeriesNumbers
    derivation: CodedConcept
    derivation_description: str
    forced: str
    calibrated_on: str
    patient_position: str
    sequence: ImitatedSequence | None = None
    in_source_space: bool = False
    check_order: Callable[[np.ndarray], None] | None = None

    @property
    def images(self) -> str:
        """What the images of the result show, for their series' description."""
        return f"{self.appearance} {self.subject} {self.origin}"

    def sample(self, number: int) -> str:
        """What the images of one sample show."""
        return f"{self.appearance} {self.subject} sample {number}"


@dataclass(frozen=True)
class Origin:
    """What one result was made from, and how.

    Attributes:
        header: of the source, or its stand-in (:func:`~monai_xray2mri.dicom.source.anonymous_source`): patient, study
            and dates are taken from it, and the result refers to it.
        provenance: what determines the result. ``weights_sha256`` is needed; ``version``, ``model`` and ``options``
            are used if there. All of it enters the UIDs, so it must not hold times or anything else that differs
            between equal runs; values are texts, numbers, and lists and mappings of them.
        report: header of the structured report that was used.
        others: headers of further images that it was made from, to which it refers, too.
    """

    header: Dataset
    provenance: Mapping[str, object]
    report: Dataset | None = None
    others: Sequence[Dataset] = ()
