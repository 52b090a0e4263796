"""Objects and marks on a film: lead markers, beads, grid lines, collimation, text, dust and scratches.

Lead and steel are added to the line integrals before the exposure, so its scatter, blur and noise apply to them. The
collimator removes the primary beam but not the scatter. Shutter, text, dust and scratches are added after the exposure.
"""

from __future__ import annotations

import math
from typing import Final

import torch
from torch import Tensor

from monai_xray2mri.simulation.knee.film.film_options import FILM_MM, Border, Field, FilmOptions, Marker
from monai_xray2mri.simulation.tools.lettering import coverage, polygon_strokes, stroke_distance, word_strokes

LEAD: Final = 12.0
"""Line integral of a marker, which is 1 mm of lead: 10.6 cm2/g x 11.35 g/cm3 at 45 keV (Hubbell and Seltzer, NISTIR
5632, interpolated between 14.36 cm2/g at 40 keV and 8.041 cm2/g at 50 keV)."""
STEEL_PER_MM: Final = 2.1
"""Iron at 45 keV in 1/mm: 2.67 cm2/g x 7.87 g/cm3 (same source, between 3.629 and 1.958 cm2/g)."""
CLOSED: Final = 6.0
"""Line integral of a closed collimator; the radiation that leaks through is far below the scatter."""
_PENUMBRA_MM: Final = 1.2
_LETTER_MM: Final = 13.0
_STROKE_MM: Final = 2.2
_FRAME_HALF_MM: Final = 13.0
_BALL_MM: Final = 12.7
_BEAD_MM: Final = 1.5
_TEXT_MM: Final = 5.0
_WORDS: Final = {"R": "RIGHT", "L": "LEFT"}
_INITIALS: Final = ("JK", "MT", "AB", "DN", "KS")


def add_markers(total: Tensor, options: FilmOptions) -> None:
    """Add lead markers, in place, to the line integrals [H,W] of the plate."""
    for marker in options.markers:
        for strokes, half_width in _marker_strokes(marker):
            _add_strokes(total, strokes, half_width, options.pixel_mm)


def _marker_strokes(marker: Marker) -> list[tuple[Tensor, float]]:
    """Groups of strokes [N,4] in mm of the plate, each with half the width of its strokes in mm."""
    letter, (row, column), tilt = marker.side.value, marker.place, marker.tilt_deg
    whole = word_strokes(letter, _LETTER_MM, marker.place, tilt)
    if marker.style == "word":
        return [(word_strokes(_WORDS[letter], 0.6 * _LETTER_MM, marker.place, tilt), 0.35 * _STROKE_MM)]
    if marker.style == "initials":
        below = row + 0.95 * _LETTER_MM, column
        initials = _INITIALS[int(7 * row + column) % len(_INITIALS)]
        return [(whole, _STROKE_MM / 2), (word_strokes(initials, 0.35 * _LETTER_MM, below, tilt), 0.22 * _STROKE_MM)]
    if marker.style == "ring":
        angles = [math.tau * step / 48 for step in range(48)]
        ring = [(_FRAME_HALF_MM * math.sin(angle), _FRAME_HALF_MM * math.cos(angle)) for angle in angles]
        small = word_strokes(letter, 0.75 * _LETTER_MM, marker.place, tilt)
        return [(small, 0.4 * _STROKE_MM), (polygon_strokes(ring, marker.place), 0.3 * _STROKE_MM)]
    if marker.style == "plate":
        half = _FRAME_HALF_MM
        frame = [(-half, -0.7 * half), (-half, 0.7 * half), (half, 0.7 * half), (half, -0.7 * half)]
        return [(whole, 0.4 * _STROKE_MM), (polygon_strokes(frame, marker.place, tilt), 0.35 * _STROKE_MM)]
    return [(whole, _STROKE_MM / 2)]


def _add_strokes(total: Tensor, strokes: Tensor, half_width: float, pixel_mm: float) -> None:
    places = strokes.reshape(-1, 2)
    window = _window(total, places.amin(0).tolist(), places.amax(0).tolist(), half_width + 1.0, pixel_mm)
    if window is None:
        return
    (rows, columns), (row_mm, column_mm) = window
    lead = LEAD * coverage(stroke_distance(strokes, row_mm, column_mm), half_width, pixel_mm)
    total[rows, columns] += lead.to(total.device)


def _window(
    image: Tensor, low: list[float], high: list[float], margin: float, pixel_mm: float
) -> tuple[tuple[slice, slice], tuple[Tensor, Tensor]] | None:
    """Slices of an image between two corners in mm, and the (rows, columns) of the pixel centers there in mm."""
    slices, centers = [], []
    for size, least, most in zip(image.shape, low, high, strict=True):
        start = max(int((least - margin) / pixel_mm), 0)
        stop = min(int((most + margin) / pixel_mm) + 1, size)
        if start >= stop:
            return None
        slices.append(slice(start, stop))
        centers.append((torch.arange(start, stop) + 0.5) * pixel_mm)
    return (slices[0], slices[1]), (centers[0], centers[1])


def add_beads(total: Tensor, options: FilmOptions, joint_mm: tuple[float, float], lateral_mm: float) -> None:
    """Add steel balls, in place: one of 25 mm next to the right knee, or a frame's beads between the knees.

    Args:
        total: [H,W] line integrals of the plate.
        options: options of the film.
        joint_mm: (row, column) in mm of the right knee's joint on the plate.
        lateral_mm: distance in mm of the ball from the joint, to its lateral side.
    """
    if options.beads == "ball":
        _add_ball(total, (joint_mm[0] + 6.0, joint_mm[1] - lateral_mm), _BALL_MM, options.pixel_mm)
    elif options.beads == "frame":
        for step in range(8):
            for side in (-1.0, 1.0):
                place = joint_mm[0] - 24.0 + 10.0 * step, FILM_MM[1] / 2 + 6.0 * side
                _add_ball(total, place, _BEAD_MM, options.pixel_mm)


def _add_ball(total: Tensor, middle: tuple[float, float], radius: float, pixel_mm: float) -> None:
    window = _window(total, list(middle), list(middle), radius + pixel_mm, pixel_mm)
    if window is None:
        return
    (rows, columns), (row_mm, column_mm) = window
    square = (row_mm - middle[0]).square()[:, None] + (column_mm - middle[1]).square()[None]
    path = 2 * (radius**2 - square).clamp(min=0).sqrt()
    total[rows, columns] += (STEEL_PER_MM * path).to(total.device)


def add_grid_lines(total: Tensor, options: FilmOptions, generator: torch.Generator) -> None:
    """Add the lines of an anti-scatter grid, in place: a fine wave that makes a moire pattern with the pixels."""
    if not options.grid:
        return
    period, slant, phase = torch.rand(3, generator=generator).tolist()
    rows, columns = total.shape
    across = torch.arange(columns) * options.pixel_mm
    down = torch.arange(rows) * options.pixel_mm
    angle = math.tau / (1.2 + 1.6 * period) * (across[None] + 0.02 * (slant - 0.5) * down[:, None]) + math.tau * phase
    total += (options.grid * torch.sin(angle)).to(total.device)


def inside_fields(options: FilmOptions, shape: tuple[int, int], grow_mm: float = 0.0) -> Tensor:
    """Distance [H,W] in mm to the edge of the nearest collimated field, positive inside; without fields, of the plate.

    Args:
        options: options of the film.
        shape: (rows, columns) of the plate.
        grow_mm: length in mm by which the fields are enlarged on every side.
    """
    rows = (torch.arange(shape[0]) + 0.5)[:, None] * options.pixel_mm
    columns = (torch.arange(shape[1]) + 0.5)[None] * options.pixel_mm
    fields = options.fields or (Field((-1e3, -1e3, 1e4, 1e4)),)
    inside = torch.full(shape, -math.inf)
    for one in fields:
        inside = torch.maximum(inside, _inside(one, rows, columns) + grow_mm)
    return inside


def _inside(one: Field, rows: Tensor, columns: Tensor) -> Tensor:
    """Distance [H,W] in mm to the nearest edge of one field, positive inside."""
    top, left, bottom, right = one.edges
    sine, cosine = math.sin(math.radians(one.tilt_deg)), math.cos(math.radians(one.tilt_deg))
    y, x = rows - (top + bottom) / 2, columns - (left + right) / 2
    down, across = y * cosine - x * sine, x * cosine + y * sine
    return torch.minimum((bottom - top) / 2 - down.abs(), (right - left) / 2 - across.abs())


def add_collimator(total: Tensor, options: FilmOptions) -> None:
    """Remove the primary beam outside of the fields, in place, with the penumbra of the focal spot."""
    if not options.fields:
        return
    open_share = (inside_fields(options, (total.shape[0], total.shape[1])) / _PENUMBRA_MM + 0.5).clamp(0, 1)
    # The penumbra blends doses, not line integrals: a part of the focal spot is visible there.
    leak = math.exp(-CLOSED)
    total -= torch.log(leak + (1 - leak) * open_share).to(total.device)


def shuttered(image: Tensor, options: FilmOptions, generator: torch.Generator) -> Tensor:
    """The image [H,W] with the reader's shutter: black or white outside of the fields, whose edges it finds to 2 mm."""
    grow = -1.5 + 4.0 * float(torch.rand((), generator=generator))
    border: Border = options.border
    if not options.fields or border == "unexposed":
        return image
    outside = inside_fields(options, (image.shape[0], image.shape[1]), grow) < 0
    return image.masked_fill(outside.to(image.device), 0.0 if border == "black" else 1.0)


def soiled(image: Tensor, options: FilmOptions, generator: torch.Generator) -> Tensor:
    """Add bright specks (dust keeps the plate's light from the reader) and bright scratches to an image [H,W]."""
    image = image.clone()
    height, width = (size * options.pixel_mm for size in image.shape)
    for _ in range(options.dust):
        row, column, size, slant, depth = torch.rand(5, generator=generator).tolist()
        start = torch.tensor([row * height, column * width])
        end = start + 1.2 * size * torch.tensor([math.sin(math.tau * slant), math.cos(math.tau * slant)])
        _brighten(image, torch.cat((start, end))[None], 0.15 + 0.3 * size, 0.15 + 0.35 * depth, options.pixel_mm)
    for _ in range(options.scratches):
        row, column, length, slant, depth, bend = torch.rand(6, generator=generator).tolist()
        steps = torch.linspace(0, 1, 9) * (10.0 + 50.0 * length)
        angle = math.tau * slant + 0.012 * (bend - 0.5) * steps
        points = torch.stack((row * height + steps * torch.sin(angle), column * width + steps * torch.cos(angle)), 1)
        _brighten(image, torch.cat((points[:-1], points[1:]), 1), 0.12, 0.08 + 0.2 * depth, options.pixel_mm)
    return image


def _brighten(image: Tensor, strokes: Tensor, half_width: float, amount: float, pixel_mm: float) -> None:
    places = strokes.reshape(-1, 2)
    window = _window(image, places.amin(0).tolist(), places.amax(0).tolist(), half_width + pixel_mm, pixel_mm)
    if window is None:
        return
    (rows, columns), (row_mm, column_mm) = window
    covered = coverage(stroke_distance(strokes, row_mm, column_mm), half_width, pixel_mm).to(image.device)
    image[rows, columns] = (image[rows, columns] + amount * covered).clamp_(max=1.0)


def with_text(image: Tensor, options: FilmOptions) -> Tensor:
    """Burn the text into the lower edge of the stored image [H,W], in white."""
    if not options.text:
        return image
    image = image.clone()
    row, column = image.shape[0] * options.pixel_mm - 2 * _TEXT_MM, image.shape[1] * options.pixel_mm / 2
    strokes = word_strokes(options.text, _TEXT_MM, (row, column))
    places = strokes.reshape(-1, 2)
    window = _window(image, places.amin(0).tolist(), places.amax(0).tolist(), 1.0, options.pixel_mm)
    if window is not None:
        (rows, columns), (row_mm, column_mm) = window
        covered = coverage(stroke_distance(strokes, row_mm, column_mm), 0.45, options.pixel_mm) > 0.5
        image[rows, columns] = torch.where(covered.to(image.device), 1.0, image[rows, columns])
    return image
