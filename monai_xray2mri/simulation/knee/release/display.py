"""Places on a film as a reader sees it: head up, the patient's right at the image's left.

Films of a release may be stored mirrored or turned (Patient Orientation tells it), and readers turn them back before
they look. Truth that is to lie over what was read is given in that usual display.
"""

from __future__ import annotations

from monai_xray2mri.simulation.knee.film.film_frame import Point
from monai_xray2mri.simulation.knee.film.film_options import FilmOptions
from monai_xray2mri.types import Box


def displayed_shape(shape: tuple[int, ...], options: FilmOptions) -> tuple[int, int]:
    """(rows, columns) of a stored film [H,W] in the usual display."""
    rows, columns = shape
    return (columns, rows) if options.quarter_turns % 2 else (rows, columns)


def displayed_box(box: Box, shape: tuple[int, ...], options: FilmOptions) -> Box:
    """A box of a stored film in the usual display.

    Args:
        box: in pixels of the stored film.
        shape: (rows, columns) of the stored film.
        options: how it was stored: mirrored, then turned counter-clockwise by quarter turns.
    """
    rows, columns = shape
    for _ in range(options.quarter_turns):  # turned back clockwise
        box = Box(box.left, rows - box.top - box.rows, box.columns, box.rows)
        rows, columns = columns, rows
    return Box(box.top, columns - box.left - box.columns, box.rows, box.columns) if options.mirrored else box


def displayed_point(point: Point, shape: tuple[int, ...], options: FilmOptions) -> Point:
    """A (row, column) of a stored film, centres of pixels at whole numbers, in the usual display.

    Args:
        point: in pixels of the stored film.
        shape: (rows, columns) of the stored film.
        options: how it was stored.
    """
    box = displayed_box(Box(point[0] + 0.5, point[1] + 0.5, 0.0, 0.0), shape, options)
    return box.top - 0.5, box.left - 0.5
