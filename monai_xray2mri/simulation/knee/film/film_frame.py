"""Where things lie on a film: from millimetres of the plate to pixels of the stored image.

Three frames follow each other. The *canvas* is what the patient projects to, upright, in mm from the plate's upper
left corner. On the *plate* the patient may stand a few degrees aslant. The *stored* image is the plate in pixels,
perhaps mirrored and turned by quarter turns.
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
"""At the detector. A CR's own blur leaves little finer than this, so the anatomy is projected no finer and resampled;
noise, markers and edges have the film's own pixels."""
_STRIP_ROWS: Final = 512

Point = tuple[float, float]


def plate_shape(pixel_mm: float) -> tuple[int, int]:
    """(rows, columns) of a plate of 350 x 430 mm; columns are even, so that the midline lies between two."""
    return int(FILM_MM[0] / pixel_mm), 2 * int(FILM_MM[1] / pixel_mm / 2)


@dataclass(frozen=True)
class FilmFrame:
    """How the plate of a film is sampled and stored.

    :class:`~monai_xray2mri.simulation.knee.film.film_options.FilmOptions` says when which value occurs.

    Attributes:
        pixel_mm: pixel size at the detector.
        rotation_deg: of the patient on the plate, clockwise about its middle.
        quarter_turns: of the stored image, counter-clockwise.
        mirrored: whether the stored image was mirrored before it was turned.
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
        """(rows, columns) before mirroring and turning."""
        return plate_shape(self.pixel_mm)

    @property
    def overlap_mm(self) -> Point:
        """By how much (rows, columns) the canvas must reach beyond the plate, so that a turned one fills it."""
        sine = abs(math.sin(math.radians(self.rotation_deg)))
        return sine * FILM_MM[1] / 2, sine * FILM_MM[0] / 2

    @property
    def orientation(self) -> tuple[str, str]:
        """Patient Orientation (0020,0020) of the stored image: where its rows and its columns run to."""
        opposite = {"L": "R", "R": "L", "F": "H", "H": "F"}
        row, column = ("R" if self.mirrored else "L"), "F"
        for _ in range(self.quarter_turns):
            row, column = column, opposite[row]
        return row, column

    def point(self, canvas_mm: Point) -> Point:
        """(row, column) in pixels of the stored image, where pixel i reaches from i to i + 1, of a canvas point."""
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
        """The same with centres of pixels at whole numbers, as the truth of a knee has them."""
        row, column = self.point(canvas_mm)
        return row - 0.5, column - 0.5

    def box(self, joint_mm: Point) -> Box:
        """Square of the joint region around a joint at a canvas point, upright on the plate: it turns with the film.

        The region's edges stay along those of the plate where the patient stands aslant, as a detector's do.
        """
        upright = FilmFrame(self.pixel_mm, self.rotation_deg)
        row, column = upright.point(joint_mm)
        side = REGION_MM / self.pixel_mm
        middle = (row + (0.5 - JOINT_ROW) * side) * self.pixel_mm, column * self.pixel_mm
        center = FilmFrame(self.pixel_mm, 0.0, self.quarter_turns, self.mirrored).point(middle)
        return Box(center[0] - side / 2, center[1] - side / 2, side, side)

    def on_plate(self, canvas: Tensor, *, sharp: bool = False) -> Tensor:
        """Resample a canvas to the plate's pixels, turned as the patient stands.

        Args:
            canvas: [h,w] at ``CANVAS_PIXEL_MM``, its middle the plate's middle, larger by ``overlap_mm`` all round.
            sharp: the canvas has steps, about which cubic resampling would ring.

        Returns:
            [H,W] of :attr:`plate`, a new tensor.
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
        """Mirror and turn an image of the plate [H,W] as it is stored."""
        mirrored = plate.flip(1) if self.mirrored else plate
        return torch.rot90(mirrored, self.quarter_turns).contiguous()
