"""The geometry of a film: from millimetres of the plate to pixels of the stored image.

There are three frames. The *canvas* is the projection of the upright patient, in mm from the plate's upper left corner.
On the *plate* the patient may be rotated by a few degrees. The *stored* image is the plate in pixels, perhaps mirrored
and rotated by quarter turns.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

import torch
from torch import Tensor
from torch.nn import functional as F

from monai_xray2mri.simulation.knee.film.film_options import FILM_MM, FilmOptions
from monai_xray2mri.simulation.knee.xray.radiography import JOINT_ROW, REGION_MM
from monai_xray2mri.types import Box

CANVAS_PIXEL_MM: Final = 0.3
"""Pixel size of the canvas at the detector. The blur of a CR leaves little finer detail, so the anatomy is projected at
this size and resampled; noise, markers and edges are computed on the film's own pixels."""
_STRIP_ROWS: Final = 512

Point = tuple[float, float]


def plate_shape(pixel_mm: float) -> tuple[int, int]:
    """(rows, columns) of a plate of 350 x 430 mm; the number of columns is even, so the midline is between two."""
    return int(FILM_MM[0] / pixel_mm), 2 * int(FILM_MM[1] / pixel_mm / 2)


@dataclass(frozen=True)
class FilmFrame:
    """How the plate of a film is sampled and stored.

    Attributes:
        pixel_mm: pixel size in mm at the detector.
        rotation_deg: clockwise rotation of the patient about the middle of the plate, in degrees.
        quarter_turns: number of counter-clockwise quarter turns of the stored image.
        mirrored: whether the stored image was mirrored left and right before the quarter turns.
    """

    pixel_mm: float
    rotation_deg: float = 0.0
    quarter_turns: int = 0
    mirrored: bool = False

    @classmethod
    def of(cls, options: FilmOptions) -> FilmFrame:
        """The frame of a film with the given options."""
        return cls(options.pixel_mm, options.rotation_deg, options.quarter_turns, options.mirrored)

    @property
    def plate(self) -> tuple[int, int]:
        """(rows, columns) of the plate, before mirroring and quarter turns."""
        return plate_shape(self.pixel_mm)

    @property
    def overlap_mm(self) -> Point:
        """Margin (rows, columns) in mm around the plate that a rotated canvas needs to fill the plate."""
        sine = abs(math.sin(math.radians(self.rotation_deg)))
        return sine * FILM_MM[1] / 2, sine * FILM_MM[0] / 2

    @property
    def orientation(self) -> tuple[str, str]:
        """Patient Orientation (0020,0020) of the stored image: the directions of its rows and of its columns."""
        opposite = {"L": "R", "R": "L", "F": "H", "H": "F"}
        row, column = ("R" if self.mirrored else "L"), "F"
        for _ in range(self.quarter_turns):
            row, column = column, opposite[row]
        return row, column

    def point(self, canvas_mm: Point) -> Point:
        """(row, column) of a canvas point in pixels of the stored image; pixel i is the interval from i to i + 1."""
        rows, columns = self.plate
        height, width = rows * self.pixel_mm, columns * self.pixel_mm
        angle = math.radians(self.rotation_deg)
        down, across = canvas_mm[0] - height / 2, canvas_mm[1] - width / 2
        row = (down * math.cos(angle) + across * math.sin(angle) + height / 2) / self.pixel_mm
        column = (across * math.cos(angle) - down * math.sin(angle) + width / 2) / self.pixel_mm
        if self.mirrored:
            column = columns - column
        for _ in range(self.quarter_turns):
            row, column = columns - column, row
            rows, columns = columns, rows
        return row, column

    def keypoint(self, canvas_mm: Point) -> Point:
        """(row, column) of a canvas point in pixels of the stored image; pixel centers are whole numbers."""
        row, column = self.point(canvas_mm)
        return row - 0.5, column - 0.5

    def box(self, joint_mm: Point) -> Box:
        """The square region around a joint at a canvas point, in pixels of the stored image.

        Its edges are parallel to those of the plate, also if the patient is rotated; a joint detector's boxes are, too.
        """
        upright = FilmFrame(self.pixel_mm, self.rotation_deg)
        row, column = upright.point(joint_mm)
        side = REGION_MM / self.pixel_mm
        middle = (row + (0.5 - JOINT_ROW) * side) * self.pixel_mm, column * self.pixel_mm
        center = FilmFrame(self.pixel_mm, 0.0, self.quarter_turns, self.mirrored).point(middle)
        return Box(center[0] - side / 2, center[1] - side / 2, side, side)

    def on_plate(self, canvas: Tensor, *, sharp: bool = False) -> Tensor:
        """Resample a canvas to the plate's pixels, with the rotation of the patient.

        Args:
            canvas: [h,w] at ``CANVAS_PIXEL_MM``; its middle is the plate's middle, its margin ``overlap_mm``.
            sharp: the canvas has sharp edges, at which cubic resampling would ring.

        Returns:
            [H,W] of the size :attr:`plate`, a new tensor.
        """
        if self.rotation_deg == 0 and canvas.shape == self.plate and self.pixel_mm == CANVAS_PIXEL_MM:
            return canvas.clone()
        rows, columns = self.plate
        angle = math.radians(self.rotation_deg)
        down = (torch.arange(rows, device=canvas.device) + 0.5 - rows / 2) * self.pixel_mm
        across = (torch.arange(columns, device=canvas.device) + 0.5 - columns / 2) * self.pixel_mm
        height, width = (size * CANVAS_PIXEL_MM for size in canvas.shape)
        plate, mode = canvas.new_empty(self.plate), "bilinear" if sharp else "bicubic"
        for top in range(0, rows, _STRIP_ROWS):
            part = down[top : top + _STRIP_ROWS, None]
            x = (across * math.cos(angle) + part * math.sin(angle)) * (2 / width)
            y = (part * math.cos(angle) - across * math.sin(angle)) * (2 / height)
            places = torch.stack((x, y), -1)[None]
            plate[top : top + _STRIP_ROWS] = F.grid_sample(
                canvas[None, None], places, mode=mode, padding_mode="border", align_corners=False
            )[0, 0]
        return plate

    def stored(self, plate: Tensor) -> Tensor:
        """Mirror and rotate an image of the plate [H,W] to the stored image."""
        mirrored = plate.flip(1) if self.mirrored else plate
        return torch.rot90(mirrored, self.quarter_turns).contiguous()
