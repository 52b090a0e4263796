"""Error against the distance from the input slice (X-Diffusion, Fig. XV)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np

from monai_xray2mri.evaluation.methods import generate
from monai_xray2mri.evaluation.plots import COLORS, new_figure
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import Figure, ResultTable, Study, distinct, where
from monai_xray2mri.systems.mri_xdiffusion.evaluation.cases import BODIES, CONES, VolumeCase, domain_of_split
from monai_xray2mri.systems.mri_xdiffusion.evaluation.measures import error_by_distance
from monai_xray2mri.systems.mri_xdiffusion.evaluation.methods import applies
from monai_xray2mri.systems.mri_xdiffusion.evaluation.setting import VolumeSetting, work_of_methods

_SHOWN: Final = 8


def measure(setting: VolumeSetting, case: VolumeCase) -> Iterator[Row]:
    """The curve of each method, one middle slice given, one sample."""
    along, given = case.box[0], case.given(case.even_places(1))
    index = (along.start + along.stop) // 2
    for name, method in setting.todo.items():
        if not applies(method, case.domain):
            yield {"method": name}
            continue
        curve = error_by_distance(generate(method, given, 1, setting.seed)[0], case, index)
        yield {"method": name, "errors": [float(f"{value:.4g}") for value in curve]}


def _work(split: str) -> Callable[[VolumeSetting], float]:
    def work(setting: VolumeSetting) -> float:
        return work_of_methods(setting, domain_of_split(split), 1)

    return work


def curves(rows: Sequence[Row]) -> dict[str, np.ndarray]:
    """Method to its mean curve, up to the distance that all cases have."""
    known = [row for row in rows if "errors" in row]
    found = {}
    for name in distinct(known, "method"):
        errors = [row["errors"] for row in where(known, method=name)]
        shortest = min(map(len, errors))
        found[name] = np.mean([each[:shortest] for each in errors], axis=0)
    return found


def _tables(name: str) -> Callable[[Sequence[Row]], list[ResultTable]]:
    def tables(rows: Sequence[Row]) -> list[ResultTable]:
        found = curves(rows)
        if not found:
            return []
        places = np.linspace(0, min(map(len, found.values())) - 1, _SHOWN).round().astype(int)
        cells = [[method, *(f"{curve[place]:.5f}" for place in places)] for method, curve in found.items()]
        note = "Mean squared error of the sections at so many voxels from the input slice, both sides averaged."
        head = ["method", *(f"{place}" for place in places)]
        return [ResultTable(name, "Error by distance from the input slice", head, cells, note)]

    return tables


def draw(rows: Sequence[Row]) -> Any:
    """A line per method."""
    figure, (panel,) = new_figure(1, 5.5, 3.8)
    for color, (method, curve) in enumerate(curves(rows).items()):
        panel.plot(curve, label=method, color=COLORS[color % len(COLORS)])
    panel.set_xlabel("distance from the input slice, voxels")
    panel.set_ylabel("mean squared error")
    panel.legend(frameon=False, fontsize=7)
    return figure


def _study(name: str, title: str, split: str, cpu: int, full: int) -> Study[VolumeSetting, VolumeCase]:
    caption = "Mean squared error by the distance from the one slice that is given."
    return Study(
        name, title, (split,), {"cpu": cpu, "full": full}, measure, _work(split), _tables(name), compares=True,
        figures=(Figure(name, caption, draw),),
    )  # fmt: skip


CONE_DISTANCE: Final = _study("cone_distance", "Error by distance, cones", CONES, 10, 1000)
BODY_DISTANCE: Final = _study("body_distance", "Error by distance, bodies", BODIES, 2, 100)
