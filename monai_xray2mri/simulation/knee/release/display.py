"""Positions on a film in the usual display: head up, the patient's right at the image's left.

A release may store films mirrored or rotated; Patient Orientation says so, and software that reads them restores the
usual display. The truth about a film is therefore given in the usual display.
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
        options: options of the film: how it was mirrored, then rotated counter-clockwise by quarter turns.
    """
    rows, columns = shape
    for _ in range(options.quarter_turns):  # each turn back is clockwise
        box = Box(box.left, rows - box.top - box.rows, box.columns, box.rows)
        rows, columns = columns, rows
    return Box(box.top, columns - box.left - box.columns, box.rows, box.columns) if options.mirrored else box


def displayed_point(point: Point, shape: tuple[int, ...], options: FilmOptions) -> Point:
    """A point (row, column) of a stored film in the usual display; pixel centers are whole numbers.

    Args:
        point: in pixels of the stored film.
        shape: (rows, columns) of the stored film.
        options: options of the film: how it was mirrored, then rotated counter-clockwise by quarter turns.
    """
    box = displayed_box(Box(point[0] + 0.5, point[1] + 0.5, 0.0, 0.0), shape, options)
    return box.top - 0.5, box.left - 0.5
