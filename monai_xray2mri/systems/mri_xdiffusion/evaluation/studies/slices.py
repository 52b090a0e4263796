"""How PSNR grows with the number of given slices, K = 1 to every second one (Table I, IX, Fig. 7 and XVII)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

from torch import Tensor

from monai_xray2mri.evaluation.methods import generate
from monai_xray2mri.evaluation.plots import COLORS, measure_summary, new_figure
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import Figure, ResultTable, Study, distinct, where
from monai_xray2mri.systems.mri_xdiffusion.evaluation.cases import BODIES, CONES, VolumeCase, domain_of_split
from monai_xray2mri.systems.mri_xdiffusion.evaluation.measures import MEASURES, SHAPES, VolumeRuler
from monai_xray2mri.systems.mri_xdiffusion.evaluation.methods import applies
from monai_xray2mri.systems.mri_xdiffusion.evaluation.setting import (
    VolumeSetting,
    condition_table,
    work_of_methods,
)

NUMBERS: Final = (1, 2, 3, 5, 10, 31, 60)
DENSE: Final = "every second"
"""1 x 1 x 2 mm to isotropic (appendix D.11), and a dense input (D.7)."""
_COST: Final[dict[int | str, int]] = {31: 2, 60: 3, DENSE: 2}
"""Volumes from many slices cost as much as so many volumes from few."""


def measure(setting: VolumeSetting, case: VolumeCase) -> Iterator[Row]:
    """A row for each method and K, one sample each."""
    ruler = VolumeRuler(case, setting.stride, setting.perceptual(case.domain))
    for name, method in setting.todo.items():
        if not applies(method, case.domain):
            yield {"method": name}
            continue
        for number in (*NUMBERS, DENSE):
            volume = generate(method, case.given(places_of(case, number)), 1, setting.seed)[0]
            yield {"method": name, "slices": str(number), **ruler.measure(volume)}


def places_of(case: VolumeCase, number: int | str) -> Tensor:
    """Places [K,10] of so many slices, or of every second one."""
    if isinstance(number, int):
        return case.even_places(number)
    along = case.box[0]
    return case.places_at(range(along.start, along.stop, 2))


def _work(split: str) -> Callable[[VolumeSetting], float]:
    def work(setting: VolumeSetting) -> float:
        volumes = sum(_COST.get(number, 1) for number in (*NUMBERS, DENSE))
        return work_of_methods(setting, domain_of_split(split), volumes)

    return work


def _tables(name: str) -> Callable[[Sequence[Row]], list[ResultTable]]:
    def tables(rows: Sequence[Row]) -> list[ResultTable]:
        """A table per method."""
        note = "One sample. X-Diffusion reports 23.10, 25.20, 29.43, 31.25, 33.27, 35.48 dB on BraTS."
        return [
            condition_table(
                where(rows, method=method), f"{name}_{place}", f"PSNR by number of slices: {method}",
                {**MEASURES, **SHAPES}, note, by="slices",
            )
            for place, method in enumerate(distinct([row for row in rows if "slices" in row], "method"))
        ]  # fmt: skip

    return tables


def draw(rows: Sequence[Row]) -> Any:
    """PSNR by K, a line per method."""
    figure, (panel,) = new_figure(1, 5.5, 3.8)
    numbers = distinct(rows, "slices")
    for color, method in enumerate(distinct([row for row in rows if "slices" in row], "method")):
        means = [measure_summary(where(rows, method=method, slices=number), "psnr").mean for number in numbers]
        panel.plot(range(len(numbers)), means, "o-", label=method, color=COLORS[color % len(COLORS)], markersize=3)
    panel.set_xticks(range(len(numbers)), numbers)
    panel.set_xlabel("slices that are given")
    panel.set_ylabel("PSNR, dB")
    panel.legend(frameon=False, fontsize=7)
    return figure


def _study(name: str, title: str, split: str, cpu: int, full: int) -> Study[VolumeSetting, VolumeCase]:
    figure = Figure(name, f"{title}: PSNR of one sample.", draw)
    return Study(
        name, title, (split,), {"cpu": cpu, "full": full}, measure, _work(split), _tables(name), compares=True,
        figures=(figure,),
    )  # fmt: skip


CONE_SLICES: Final = _study("cone_slices", "Number of slices, cones", CONES, 10, 200)
BODY_SLICES: Final = _study("body_slices", "Number of slices, bodies", BODIES, 1, 100)
