"""Sheets of volumes: what is given, the truth, one view, five views, and their errors."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

import numpy as np

from monai_xray2mri.evaluation.plots import new_figure
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import PictureSheet
from monai_xray2mri.systems.mri_xdiffusion.evaluation.cases import CONES, VolumeCase, domain_of_split
from monai_xray2mri.systems.mri_xdiffusion.evaluation.setting import VolumeSetting
from monai_xray2mri.systems.mri_xdiffusion.planes import AXES, azimuth
from monai_xray2mri.systems.mri_xdiffusion.sections import ViewAverage

_VIEWS: Final = 5
_SHOWN: Final = {CONES: 3}
"""Cases on a sheet by domain; of bodies, whose views cost more, one."""
_WHITE: Final = 0.8
"""Intensity that is shown as white; volumes of knees seldom have more."""
_ERROR: Final = 0.3
"""Absolute error that is shown brightest."""
_HEADS: Final = ("given", "truth", "1 view", f"{_VIEWS} views", "error of 1 view", f"error of {_VIEWS}")


def view_sheet(study: str, split: str) -> PictureSheet[VolumeSetting, VolumeCase]:
    """The sheet of a study of views.

    Args:
        study: its name.
        split: of its cases.
    """
    count = _SHOWN.get(domain_of_split(split), 1)
    caption = (
        "The middle slice is given. Middle planes of each volume; of the first axis the plane an eighth of the "
        f"depth from the given one. Errors are absolute, brightest at {_ERROR:g}."
    )

    def draw(setting: VolumeSetting, rows: Sequence[Row], case_of: Callable[[str], VolumeCase]) -> Any:
        names = list(dict.fromkeys(str(row["case"]) for row in rows))[:count]
        return sheet(setting, [case_of(name) for name in names]) if names else None

    return PictureSheet(f"{study}_sheet", caption, draw)


def sheet(setting: VolumeSetting, cases: Sequence[VolumeCase]) -> Any:
    """A figure with three lines of pictures for each case, a line for each axis."""
    lines = [line for case in cases for line in _lines(setting, case)]
    figure, _ = new_figure(1, 1.5 * len(_HEADS), 1.55 * len(lines) + 0.2)
    figure.clear()
    panels = figure.subplots(len(lines), len(_HEADS), squeeze=False)
    for number, (row, line) in enumerate(zip(panels, lines, strict=True)):
        for panel, head, picture in zip(row, _HEADS, line, strict=True):
            panel.axis("off")
            if picture is None:
                continue
            error = head.startswith("error")
            panel.imshow(picture, cmap="magma" if error else "gray", vmin=0, vmax=_ERROR if error else _WHITE)
            if not number:
                panel.set_title(head, fontsize=7)
    return figure


def _lines(setting: VolumeSetting, case: VolumeCase) -> list[list[np.ndarray | None]]:
    given = case.given(case.even_places(1))
    views = [  # the first, of 360 degrees, is the volume's own direction
        setting.bundle.view(given, azimuth(360 * number / _VIEWS), setting.seed, f"sheet {number}")
        for number in range(_VIEWS, 0, -1)
    ]
    average = ViewAverage(case.size)
    for back, known in views:
        average.add(back, known)
    one, several = (volume.clamp(0, 1).numpy()[case.box] for volume in (views[0][0], average.volume()))
    truth = case.voxels[case.box]
    lines: list[list[np.ndarray | None]] = []
    for axis in range(len(AXES)):
        index = truth.shape[axis] // 2 - (truth.shape[axis] // 8 if axis == 0 else 0)
        shown = [np.take(volume, index, axis) for volume in (truth, one, several)]
        errors = [np.abs(volume - shown[0]) for volume in shown[1:]]
        given_picture = given.slices[0].numpy()[case.box[1], case.box[2]] if axis == 0 else None
        lines.append([given_picture, *shown, *errors])
    return lines
