"""The options of one film, apart from its knees: format, markers, collimation, faults, metal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final, Literal, get_args

from monai_xray2mri.errors import UsageError
from monai_xray2mri.types import Side

FILM_MM: Final = (350.0, 430.0)
"""Height and width of the plate in mm (landscape)."""
PLAIN_PIXEL_MM: Final = 0.3
SMALLEST_PIXEL_MM: Final = 0.1

MarkerStyle = Literal["letter", "initials", "ring", "plate", "word"]
Border = Literal["black", "white", "unexposed"]
Fault = Literal["none", "under", "over", "saturated", "flat"]
Beads = Literal["none", "ball", "frame"]
Hardware = Literal["total prosthesis", "unicondylar prosthesis", "screws", "plate", "nail", "staples", "clips", "wires"]
HARDWARE: Final[tuple[Hardware, ...]] = get_args(Hardware)
PROSTHESES: Final = ("total prosthesis", "unicondylar prosthesis")
"""A knee with one of these cannot be graded."""
TEXTS: Final = ("PA", "PA WB", "STANDING", "FIXED FLEXION", "PA FLEX 10", "WB")
"""Burned-in texts; none names a person, a date or a side."""
_POLARITIES: Final = ("MONOCHROME1", "MONOCHROME2")
_REMEDIES: Final = {
    "rotation": "To store a film that is turned by 90, 180 or 270 degrees, set its quarter turns.",
    "orientation": "Keep the orientation, or make the film a CR.",
}


@dataclass(frozen=True)
class Marker:
    """A lead letter on the plate.

    Attributes:
        side: the side that the letter names.
        style: appearance of the letter.
        place: (row, column) of its middle in mm from the upper left corner of the plate.
        tilt_deg: clockwise rotation in degrees.
    """

    side: Side
    style: MarkerStyle
    place: tuple[float, float]
    tilt_deg: float = 0.0


@dataclass(frozen=True)
class Field:
    """A collimated field.

    Attributes:
        edges: (top, left, bottom, right) in mm of the plate.
        tilt_deg: clockwise rotation about the middle of the field, in degrees.
    """

    edges: tuple[float, float, float, float]
    tilt_deg: float = 0.0


@dataclass(frozen=True)
class FilmOptions:
    """Everything about a film except its knees. The default is a plain film without marker and collimation.

    Attributes:
        pixel_mm: pixel size in mm at the detector, 0.1 to 0.3. CR readers have 0.1 to 0.2. Time and memory of a film
            grow with its number of pixels (1.7 million at 0.3 mm, 15 million at 0.1 mm).
        bits: stored bits, 10 to 12.
        photometric: ``"MONOCHROME2"`` (bone has high values) or ``"MONOCHROME1"`` (bone has low values).
        modality: ``"CR"`` or ``"DX"``; it also determines the SOP class.
        markers: lead letters.
        fields: collimated fields; with none the whole plate is exposed.
        border: outside of the fields: ``"black"`` or ``"white"`` by the reader's shutter, or ``"unexposed"``.
        rotation_deg: clockwise rotation of the patient on the plate in degrees, at most 15.
        quarter_turns: number of counter-clockwise quarter turns of the stored film, 0 to 3.
        mirrored: whether the stored film is mirrored left and right, before the quarter turns.
        orientation_told: whether the header has Patient Orientation. Without it nobody can tell the sides of a rotated
            or mirrored film; DX requires it (PS3.3 C.8.11.1).
        fault: fault of the exposure.
        grid: amplitude of the lines of an anti-scatter grid, as a share of the dose; 0 for no lines.
        dust: number of dust specks on the plate.
        scratches: number of scratches.
        beads: ``"ball"``: a steel ball next to the right knee; ``"frame"``: a positioning frame's beads between the
            knees.
        text: text burned in at the lower edge, one of ``TEXTS`` or ``""``.
        hardware: side to the metal in that knee.
    """

    pixel_mm: float = PLAIN_PIXEL_MM
    bits: int = 12
    photometric: Literal["MONOCHROME1", "MONOCHROME2"] = "MONOCHROME2"
    modality: Literal["CR", "DX"] = "CR"
    markers: tuple[Marker, ...] = ()
    fields: tuple[Field, ...] = ()
    border: Border = "black"
    rotation_deg: float = 0.0
    quarter_turns: int = 0
    mirrored: bool = False
    orientation_told: bool = True
    fault: Fault = "none"
    grid: float = 0.0
    dust: int = 0
    scratches: int = 0
    beads: Beads = "none"
    text: str = ""
    hardware: Mapping[Side, Hardware] = field(default_factory=lambda: MappingProxyType({}))

    def __post_init__(self) -> None:
        """Check the options.

        Raises:
            UsageError: an option is out of its range; the message names it.
        """
        for name, found, met, rule in (
            (
                "pixel size",
                self.pixel_mm,
                SMALLEST_PIXEL_MM <= self.pixel_mm <= PLAIN_PIXEL_MM,
                "must be 0.1 to 0.3 mm",
            ),
            ("stored bits", self.bits, 10 <= self.bits <= 12, "must be 10 to 12"),
            ("photometric", self.photometric, self.photometric in _POLARITIES, _one_of(_POLARITIES)),
            ("modality", self.modality, self.modality in ("CR", "DX"), "must be CR or DX"),
            ("border", self.border, self.border in get_args(Border), _one_of(get_args(Border))),
            ("rotation", self.rotation_deg, abs(self.rotation_deg) <= 15, "must be -15 to 15 degrees"),
            ("quarter turns", self.quarter_turns, self.quarter_turns in range(4), "must be 0 to 3"),
            (
                "orientation",
                "none",
                self.orientation_told or self.modality == "CR",
                "must be in the header of a DX film",
            ),
            ("fault", self.fault, self.fault in get_args(Fault), _one_of(get_args(Fault))),
            ("grid", self.grid, 0 <= self.grid <= 0.2, "must have an amplitude of 0 to 0.2"),
            ("dust", self.dust, self.dust >= 0, "must not be negative"),
            ("scratches", self.scratches, self.scratches >= 0, "must not be negative"),
            ("beads", self.beads, self.beads in get_args(Beads), _one_of(get_args(Beads))),
            ("text", self.text, self.text in ("", *TEXTS), f"{_one_of(TEXTS)}, or empty"),
            ("hardware", self._unknown_metal, not self._unknown_metal, _one_of(HARDWARE)),
        ):
            if not met:
                raise UsageError(f"film option {name}", rule, str(found), _REMEDIES.get(name, ""))

    @property
    def _unknown_metal(self) -> str:
        return ", ".join(sorted(set(self.hardware.values()) - set(HARDWARE)))


def _one_of(choices: Sequence[str]) -> str:
    return f"must be one of: {', '.join(choices)}"
