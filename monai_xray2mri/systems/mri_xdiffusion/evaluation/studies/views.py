"""Is it the views or the averaging? N views, their mean and maximum, three planes, and N samples of one view.

X-Diffusion, section 6.1, Table V and Table XIV, and the control that the paper lacks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Final

import torch
from torch import Tensor

from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import ResultTable, Study
from monai_xray2mri.systems.mri_xdiffusion.evaluation.cases import BODIES, CONES, VolumeCase
from monai_xray2mri.systems.mri_xdiffusion.evaluation.measures import MEASURES, VolumeRuler
from monai_xray2mri.systems.mri_xdiffusion.evaluation.setting import VolumeSetting, condition_table, work_of
from monai_xray2mri.systems.mri_xdiffusion.evaluation.sheets import view_sheet
from monai_xray2mri.systems.mri_xdiffusion.planes import azimuth, plane_rotation, view_places
from monai_xray2mri.systems.mri_xdiffusion.sections import ViewAverage, turn

FEW: Final = (1, 2, 3, 5, 10)
MANY: Final = (1, 2, 3, 5, 10, 20, 31, 60)
PLANES: Final = "three planes"
CEILING: Final = "5 views of the truth (ceiling of resampling)"
MOST_SAMPLES: Final = 10
"""Largest N of which there are as many samples of one view."""
View = tuple[Tensor, Tensor]


def measure_numbers(numbers: Sequence[int]) -> Callable[[VolumeSetting, VolumeCase], Iterator[Row]]:
    """Rows of N views and of N samples of one view.

    A view of an angle is drawn once, whichever N it belongs to.
    """

    def measure(setting: VolumeSetting, case: VolumeCase) -> Iterator[Row]:
        bundle, ruler, given = setting.bundle, VolumeRuler(case), case.given(case.even_places(1))
        drawn: dict[object, View] = {}

        def view(name: object, rotation: Tensor) -> View:
            if name not in drawn:
                back, known = bundle.view(given, rotation, setting.seed, name)
                drawn[name] = back.half(), known  # 60 views of 96^3 fit into the memory
            return drawn[name]

        def aggregate(kind: str, views: Sequence[View]) -> Row:
            average = ViewAverage(case.size, kind)
            for back, known in views:
                average.add(back.float(), known)
            return ruler.intensities(average.volume().clamp(0, 1).numpy())

        for number in numbers:
            around = [view(degrees, azimuth(degrees)) for degrees in angles(number)]
            for kind in ("mean", "max"):
                yield {"views": f"{number} views, {kind}", "number": number, **aggregate(kind, around)}
            if number > MOST_SAMPLES:
                continue
            samples = [view(360.0 if one == 0 else f"sample {one}", torch.eye(3)) for one in range(number)]
            yield {"views": f"{number} samples of one view, mean", "number": number, **aggregate("mean", samples)}
        planes = [view(360.0 if axis == 0 else f"plane {axis}", plane_rotation(axis)) for axis in range(3)]
        yield {"views": PLANES, "number": 3, **aggregate("mean", planes)}
        turned = [true_view(case, azimuth(degrees)) for degrees in angles(5)]
        yield {"views": CEILING, "number": 5, **aggregate("mean", turned)}

    return measure


def true_view(case: VolumeCase, rotation: Tensor) -> View:
    """The sections of the truth in a direction, turned back: what turning loses alone."""
    volume = case.extent.sampled(torch.from_numpy(case.voxels))
    sections, known = volume.sections(view_places(rotation, case.size), case.size)
    (back, within), (share, _) = (turn(part, rotation.T) for part in (sections, known.float()))
    return back, within & (share > 0.5)


def angles(number: int) -> list[float]:
    """Azimuths i * 360 / N of section 3.2."""
    return [round(360 * place / number, 6) for place in range(1, number + 1)]


def distinct_views(numbers: Sequence[int]) -> int:
    """Views that are drawn for all N: angles, samples, two planes."""
    samples = max(number for number in numbers if number <= MOST_SAMPLES)
    return len({angle for number in numbers for angle in angles(number)}) + samples - 1 + 2


def _tables(name: str) -> Callable[[Sequence[Row]], list[ResultTable]]:
    def tables(rows: Sequence[Row]) -> list[ResultTable]:
        note = (
            "One slice is given. If N views are no better than N samples of one view, it is the averaging that helps. "
            "X-Diffusion reports 35.48, 35.94, 36.17, 37.40, 36.72, 36.35, 36.83, 36.53 dB for the mean of N = 1 to 60."
        )
        return [condition_table(rows, name, "Views and samples", MEASURES, note, by="views")]

    return tables


def _study(
    name: str, title: str, split: str, numbers: Sequence[int], cpu: int, full: int
) -> Study[VolumeSetting, VolumeCase]:
    def work(setting: VolumeSetting) -> float:
        return work_of(split, distinct_views(numbers))

    counts = {"cpu": cpu, "full": full}
    sheets = (view_sheet(name, split),) if numbers != MANY else ()
    return Study(name, title, (split,), counts, measure_numbers(numbers), work, _tables(name), sheets=sheets)


CONE_VIEWS: Final = _study("cone_views", "Views, cones", CONES, FEW, 6, 100)
CONE_MANY_VIEWS: Final = _study("cone_many_views", "Up to 60 views, cones", CONES, MANY, 2, 50)
BODY_VIEWS: Final = _study("body_views", "Views, bodies", BODIES, (1, 2, 3, 5), 1, 50)
