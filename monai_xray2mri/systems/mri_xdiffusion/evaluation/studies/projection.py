"""From a projection to MR: X-Diffusion beside volumes of a system that was made for radiographs (26.38 dB on DXA).

The paper gives a DXA scan in the place of a slice. Here X-Diffusion is given the mean over all slices, its own middle
slice for comparison, and volumes that ``knee_xray2mri`` generated from radiographs of the same knees stand beside
(``xray2mri measure projections`` writes them, ``--method NAME=FOLDER`` enters them). That system models 75 mm of the
knee's depth: only this part counts, for all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

from monai_xray2mri.evaluation.methods import FolderMethod, generate
from monai_xray2mri.evaluation.protocols import Method
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import ResultTable, Study
from monai_xray2mri.knee.data.arrays import ACQUIRED_SLICES, MODELED_SLICES
from monai_xray2mri.systems.mri_xdiffusion.baselines.given import Extent, GivenSlices
from monai_xray2mri.systems.mri_xdiffusion.evaluation.cases import BODIES, VolumeCase
from monai_xray2mri.systems.mri_xdiffusion.evaluation.measures import MEASURES, SHAPES, VolumeRuler
from monai_xray2mri.systems.mri_xdiffusion.evaluation.setting import (
    MEAN_HEAD,
    SAMPLES,
    VolumeSetting,
    anatomy_of,
    condition_table,
    work_of,
)
from monai_xray2mri.systems.mri_xdiffusion.evaluation.studies.given import OWN, PROJECTION, projection

_NEIGHBORS: Final = 1
"""Voxels at either end of the modelled depth that are mixed with what lies beyond."""
_SLICE_MM: Final = 1.5


def modeled_part(case: VolumeCase) -> VolumeCase:
    """A simulated knee, of which only the depth that ``knee_xray2mri`` models counts."""
    first, last = MODELED_SLICES
    edge = _NEIGHBORS * 2 / case.size
    ends = [(index - ACQUIRED_SLICES / 2) * _SLICE_MM / (case.side_mm / 2) for index in (first, last + 1)]
    low, high = -ends[1] + edge, -ends[0] - edge  # those slices count from behind, the cube's from the front
    (left, top, _), (right, bottom, _) = case.extent.low, case.extent.high
    return replace(case, extent=Extent((left, top, low), (right, bottom, high)))


def measure(setting: VolumeSetting, case: VolumeCase) -> Iterator[Row]:
    """Rows of X-Diffusion from a projection and from a slice, of the mean volume, and of entered folders."""
    anatomy_of(case)  # other volumes are refused
    ruler = VolumeRuler(modeled_part(case), setting.stride, setting.perceptual(case.domain))
    own = case.given(case.even_places(1))
    shown = {f"X-Diffusion, {PROJECTION}": projection(case, own), f"X-Diffusion, {OWN}": own}
    drawn: dict[str, tuple[Method, GivenSlices]] = {name: (setting.bundle, given) for name, given in shown.items()}
    drawn |= {"mean volume": (setting.methods["mean volume"], own)}
    drawn |= {name: (method, own) for name, method in setting.methods.items() if isinstance(method, FolderMethod)}
    for name, (method, given) in drawn.items():
        volumes = generate(method, given, SAMPLES, setting.seed)
        yield {"condition": name, **ruler.measure(volumes[0]), **ruler.mean_of(volumes)}


def work(setting: VolumeSetting) -> float:
    """Sections that one knee costs."""
    return work_of(BODIES, 2 * SAMPLES)


def tables(rows: Sequence[Row]) -> list[ResultTable]:
    """One table."""
    note = (
        "Only the depth counts that knee_xray2mri models. X-Diffusion reports 26.38 dB from DXA; what another person's "
        "volume would score there is not reported."
    )
    head = {**MEASURES, **MEAN_HEAD, **SHAPES}
    return [condition_table(rows, "projection", "From a projection", head, note)]


PROJECTIONS: Final[Study[Any, Any]] = Study(
    "projection", "From a projection", (BODIES,), {"cpu": 1, "full": 100}, measure, work, tables,
    needs_simulation=True, fitted=True,
)  # fmt: skip
