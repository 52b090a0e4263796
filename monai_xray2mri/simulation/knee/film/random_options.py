"""Draws the options of films as they vary in hospitals, and those of a plain film.

No publication says how often each option occurs in hospitals or in OAI. Every rate of :func:`draw_film_options` is an
estimate, high enough for most kinds to occur among a hundred films.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from types import MappingProxyType
from typing import Final, TypeVar

import torch

from monai_xray2mri.simulation.knee.film.film_options import (
    FILM_MM,
    TEXTS,
    Beads,
    Border,
    Fault,
    Field,
    FilmOptions,
    Hardware,
    Marker,
    MarkerStyle,
)
from monai_xray2mri.simulation.knee.people.seeds import knee_generator, seed_range_name
from monai_xray2mri.types import Side

_PIXELS_MM: Final = ((0.2, 0.45), (0.168, 0.35), (0.143, 0.20))
_STYLES: Final[tuple[tuple[MarkerStyle, float], ...]] = (
    ("letter", 0.40),
    ("initials", 0.20),
    ("ring", 0.15),
    ("plate", 0.15),
    ("word", 0.10),
)
_BORDERS: Final[tuple[tuple[Border, float], ...]] = (("black", 0.55), ("unexposed", 0.30), ("white", 0.15))
_FAULTS: Final[tuple[tuple[Fault, float], ...]] = (
    ("none", 0.86),
    ("under", 0.05),
    ("over", 0.04),
    ("flat", 0.03),
    ("saturated", 0.02),
)
_BEADS: Final[tuple[tuple[Beads, float], ...]] = (("none", 0.86), ("frame", 0.10), ("ball", 0.04))
_HARDWARE_SHARE: Final = 0.05
_HARDWARE: Final[tuple[tuple[Hardware, float], ...]] = (
    ("total prosthesis", 0.40),
    ("unicondylar prosthesis", 0.10),
    ("screws", 0.15),
    ("plate", 0.08),
    ("nail", 0.05),
    ("staples", 0.08),
    ("clips", 0.10),
    ("wires", 0.04),
)
_ONE_BIT_SHARES: Final = {
    "digital": 0.30,
    "ten bits": 0.25,
    "inverted": 0.25,
    "untold": 0.20,
    "no marker": 0.08,
    "both markers": 0.35,
    "one field per knee": 0.10,
    "tilted patient": 0.50,
    "turned": 0.04,
    "grid": 0.06,
    "dust": 0.08,
    "scratches": 0.04,
    "text": 0.06,
}
_PATIENT_TILT_DEG: Final = 1.5
_FIELD_TILT_DEG: Final = 0.8

_T = TypeVar("_T")


def plain_options(seed: int) -> FilmOptions:
    """Options of a plain film: an R marker, one field a little smaller than the plate, a black border, 0.3 mm pixels.

    Args:
        seed: the patient's seed.

    Raises:
        InputRefused: the seed lies outside all ranges.
    """
    draw = _Draw(seed, "plain film")
    return FilmOptions(
        markers=(Marker(Side.RIGHT, "letter", (60.0, 24.0)),),
        fields=(Field(draw.edges((27.0, 6.0), 9.0)),),
    )


def draw_film_options(
    seed: int, *, pixel_mm: float | None = None, hardware_sides: Sequence[Side] = (Side.LEFT,)
) -> FilmOptions:
    """Draw the options of a patient's film; equal arguments give equal options.

    Rotated and mirrored films always have Patient Orientation in the header.

    Args:
        seed: the patient's seed.
        pixel_mm: pixel size in mm; None draws one of 0.2, 0.168 and 0.143.
        hardware_sides: sides that may have metal. By default only the left: the right knee has an MR examination and
            grades, and metal would spoil both.

    Raises:
        InputRefused: the seed lies outside all ranges.
        UsageError: the pixel size is out of range.
    """
    draw = _Draw(seed, "film options")
    chance = {name: draw.uniform() < share for name, share in _ONE_BIT_SHARES.items()}
    drawn_pixel = draw.one_of(_PIXELS_MM)
    kind = draw.one_of(_HARDWARE)
    side = hardware_sides[int(draw.uniform() * len(hardware_sides))] if hardware_sides else None
    has_metal = draw.uniform() < _HARDWARE_SHARE and side is not None
    options = FilmOptions(
        pixel_mm=pixel_mm or drawn_pixel,
        bits=10 if chance["ten bits"] else 12,
        photometric="MONOCHROME1" if chance["inverted"] else "MONOCHROME2",
        modality="DX" if chance["digital"] else "CR",
        border=draw.one_of(_BORDERS),
        rotation_deg=_PATIENT_TILT_DEG * draw.normal() if chance["tilted patient"] else 0.0,
        fault=draw.one_of(_FAULTS),
        beads=draw.one_of(_BEADS),
        hardware=MappingProxyType({side: kind} if has_metal and side is not None else {}),
    )
    return _with_turn(_with_marks(_with_fields(options, draw, chance), draw, chance), draw, chance)


class _Draw:
    """Random numbers of one film."""

    def __init__(self, seed: int, stream: str) -> None:
        seed_range_name(seed)  # raises for seeds outside all ranges
        self._generator = knee_generator(seed, stream)

    def uniform(self) -> float:
        """A number in [0,1)."""
        value: float = torch.rand((), generator=self._generator, dtype=torch.float64).item()
        return value

    def between(self, low: float, high: float) -> float:
        """A number in [low,high)."""
        return low + (high - low) * self.uniform()

    def normal(self) -> float:
        """A standard normal number, clipped at 2.5."""
        value: float = torch.randn((), generator=self._generator, dtype=torch.float64).clamp(-2.5, 2.5).item()
        return value

    def one_of(self, choices: Sequence[tuple[_T, float]]) -> _T:
        """One of several choices, given with their probabilities, which add up to one."""
        left = self.uniform()
        for choice, share in choices:
            left -= share
            if left < 0:
                return choice
        return choices[-1][0]

    def edges(self, margin: tuple[float, float], spread: float) -> tuple[float, float, float, float]:
        """Edges of a field; each is ``margin`` (rows, columns) and up to ``spread`` mm more inside the plate."""
        top, left, bottom, right = (spread * self.uniform() for _ in range(4))
        return (
            margin[0] + top,
            margin[1] + left,
            FILM_MM[0] - margin[0] - bottom,
            FILM_MM[1] - margin[1] - right,
        )


def _with_fields(options: FilmOptions, draw: _Draw, chance: Mapping[str, bool]) -> FilmOptions:
    """Add collimated fields: one for both knees or one for each, slightly rotated."""
    top, left, bottom, right = draw.edges((draw.between(2.0, 60.0), draw.between(1.0, 14.0)), 12.0)
    tilt = _FIELD_TILT_DEG * draw.normal()
    gap = draw.between(6.0, 24.0)
    middle = FILM_MM[1] / 2 + 3.0 * draw.normal()
    edges = [(top, left, bottom, right)]
    if chance["one field per knee"]:
        edges = [(top, left, bottom, middle - gap / 2), (top, middle + gap / 2, bottom, right)]
    return replace(options, fields=tuple(Field(one, tilt) for one in edges))


def _with_marks(options: FilmOptions, draw: _Draw, chance: Mapping[str, bool]) -> FilmOptions:
    """Add markers inside the fields next to the legs, text, grid, dust and scratches."""
    style, height, inwards = draw.one_of(_STYLES), draw.uniform(), draw.between(14.0, 26.0)
    lone = Side.RIGHT if draw.uniform() < 0.75 else Side.LEFT
    text, amplitude = TEXTS[int(draw.uniform() * len(TEXTS))], draw.between(0.008, 0.03)
    dust, scratches = 2 + int(draw.uniform() * 12), 1 + int(draw.uniform() * 3)
    sides: tuple[Side, ...] = (Side.RIGHT, Side.LEFT) if chance["both markers"] else (lone,)
    top, bottom = options.fields[0].edges[0], options.fields[0].edges[2]
    left, right = options.fields[0].edges[1], options.fields[-1].edges[3]
    row = top + 18.0 + (bottom - top - 36.0) * height
    markers = tuple(
        Marker(side, style, (row, left + inwards if side is Side.RIGHT else right - inwards), 5.0 * draw.normal())
        for side in sides
    )
    return replace(
        options,
        markers=() if chance["no marker"] else markers,
        grid=amplitude if chance["grid"] else 0.0,
        dust=dust if chance["dust"] else 0,
        scratches=scratches if chance["scratches"] else 0,
        text=text if chance["text"] else "",
    )


def _with_turn(options: FilmOptions, draw: _Draw, chance: Mapping[str, bool]) -> FilmOptions:
    """Rotate or mirror some stored films; omit the orientation in the header only of films that are neither."""
    turned, mirrored = 1 + int(draw.uniform() * 3), draw.uniform() < 0.5
    if chance["turned"]:
        return replace(options, quarter_turns=turned % 4, mirrored=mirrored)
    return replace(options, orientation_told=options.modality == "DX" or not chance["untold"])
