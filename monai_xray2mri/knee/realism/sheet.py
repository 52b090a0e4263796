"""A picture of simulated knees, one row each: film, joint radiograph, MR slices and truth.

``xray2mri measure sheet --output sheet.jpg [--knees 10] [--seed 3000000]``
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import numpy as np
from PIL import Image, ImageDraw
from tqdm import tqdm

from monai_xray2mri.simulation.knee.film.film import simulate_film
from monai_xray2mri.simulation.knee.film.random_options import draw_film_options
from monai_xray2mri.simulation.knee.knee import SimulatedKnee, simulate_knee
from monai_xray2mri.simulation.knee.mri.mr import Tissue
from monai_xray2mri.types import Box

CELL: Final = 168
SLICES: Final = (18, 27, 36, 44, 56)
"""Indices of the shown slices of 80, from posterior to anterior; the truth is shown for the middle one."""
COLORS: Final = {
    Tissue.FEMUR: (205, 190, 160),
    Tissue.TIBIA: (175, 160, 135),
    Tissue.FIBULA: (140, 160, 130),
    Tissue.PATELLA: (190, 150, 140),
    Tissue.CORTEX: (250, 245, 235),
    Tissue.FEMORAL_CARTILAGE: (70, 150, 250),
    Tissue.TIBIAL_CARTILAGE: (60, 210, 220),
    Tissue.PATELLAR_CARTILAGE: (110, 120, 250),
    Tissue.MENISCUS: (200, 80, 200),
    Tissue.CRUCIATE: (240, 170, 60),
    Tissue.TENDON: (230, 200, 80),
    Tissue.MUSCLE: (130, 45, 45),
    Tissue.FAT: (60, 55, 35),
    Tissue.FAT_PAD: (80, 72, 45),
    Tissue.SKIN: (110, 85, 70),
    Tissue.VESSEL: (230, 40, 40),
    Tissue.FLUID: (90, 230, 160),
    Tissue.CYST: (255, 255, 0),
    Tissue.CRYSTALS: (255, 120, 0),
    Tissue.ATTRITION: (255, 0, 120),
}
"""Colors (RGB) of the labels; all other labels are black."""


def film_cell(seed: int) -> Image.Image:
    """The bilateral film of a patient with the boxes of both knees, RGB, two cells wide."""
    film = simulate_film(seed, options=draw_film_options(seed))
    picture = _gray(film.pixels).convert("RGB")
    factor = min(2 * CELL / picture.width, CELL / picture.height)
    picture = picture.resize((round(picture.width * factor), round(picture.height * factor)), Image.Resampling.LANCZOS)
    for box in film.boxes.values():
        _outline(picture, box, factor, (255, 210, 0))
    cell = Image.new("RGB", (2 * CELL, CELL))
    cell.paste(picture, ((2 * CELL - picture.width) // 2, (CELL - picture.height) // 2))
    return cell


def knee_cells(knee: SimulatedKnee) -> list[Image.Image]:
    """Joint radiograph with its box and lesions, five MR slices, and the labels of the middle one."""
    radiograph = _gray(knee.radiograph).convert("RGB")
    factor = CELL / radiograph.width
    radiograph = radiograph.resize((CELL, CELL), Image.Resampling.LANCZOS)
    for box in knee.truth.lesion_boxes.values():
        _outline(radiograph, box, factor, (255, 120, 0))
    cells = [radiograph]
    cells += [_gray(knee.volume[number]).convert("RGB").resize((CELL, CELL)) for number in SLICES]
    palette = np.zeros((256, 3), dtype=np.uint8)
    for tissue, color in COLORS.items():
        palette[int(tissue)] = color
    truth = Image.fromarray(palette[knee.labels[SLICES[2]]])
    return [*cells, truth.resize((CELL, CELL), Image.Resampling.NEAREST)]


def caption(knee: SimulatedKnee) -> str:
    """Seed, grades that are not 0, and joint spaces."""
    graded = " ".join(f"{stem.removeprefix('XR')}{grade}" for stem, grade in knee.grades.items() if grade)
    spaces = "/".join(f"{knee.truth.film_joint_space_mm[side]:.1f}" for side in "ML")
    return f"{knee.seed}   {graded or 'no finding'}   joint space M/L {spaces} mm"


def draw_sheet(seeds: Sequence[int], progress: bool = False) -> Image.Image:
    """The sheet: one row for each patient."""
    height = CELL + 14
    sheet = Image.new("RGB", (9 * CELL, height * len(seeds)))
    pen = ImageDraw.Draw(sheet)
    for row, seed in enumerate(tqdm(seeds, "knees", disable=not progress)):
        knee = simulate_knee(seed, visibility=1.0)
        cells = knee_cells(knee)
        sheet.paste(film_cell(seed), (0, row * height))
        for column, cell in enumerate(cells):
            sheet.paste(cell, ((2 + column) * CELL, row * height))
        pen.text((4, row * height + CELL + 1), caption(knee), fill=(230, 230, 230))
    return sheet


def _gray(pixels: np.ndarray) -> Image.Image:
    return Image.fromarray(np.rint(np.clip(pixels, 0, 1) * 255).astype(np.uint8))


def _outline(picture: Image.Image, box: Box, factor: float, color: tuple[int, int, int]) -> None:
    left, top = factor * box.left, factor * box.top
    edges = (left, top, left + factor * box.columns, top + factor * box.rows)
    ImageDraw.Draw(picture).rectangle(edges, outline=color)
