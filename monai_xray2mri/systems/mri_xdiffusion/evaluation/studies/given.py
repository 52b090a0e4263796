"""Does the network look at what it is given? Its own slice, another's, none, the same one many times, other planes.

X-Diffusion, section 6.2 (orthogonal slices), appendix C.1 (repeated slice), and controls that the paper lacks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any, Final

import torch

from monai_xray2mri.evaluation.methods import generate
from monai_xray2mri.evaluation.metrics import psnr
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import ResultTable, Study
from monai_xray2mri.systems.mri_xdiffusion.baselines.given import GivenSlices
from monai_xray2mri.systems.mri_xdiffusion.evaluation.cases import BODIES, CONES, VolumeCase
from monai_xray2mri.systems.mri_xdiffusion.evaluation.measures import MEASURES, VolumeRuler
from monai_xray2mri.systems.mri_xdiffusion.evaluation.setting import (
    MEAN_HEAD,
    SAMPLES,
    VolumeSetting,
    beside_middle,
    condition_table,
    orthogonal_places,
    work_of,
)

OWN: Final = "its own middle slice"
ANOTHER: Final = "another volume's middle slice"
NOTHING: Final = "an empty slice"
PROJECTION: Final = "the mean over all slices, as a projection"
REPEATED: Final = (2, 5, 10)
ORTHOGONAL: Final = (2, 3)
PLACE: Final = "psnr_at_input"
PLACE_OF_MEAN: Final = "psnr_at_input_mean8"
_SAMPLED: Final = (OWN, ANOTHER)
"""Inputs of which several samples are drawn: what tells whether the network looks at its slice."""


def measure(setting: VolumeSetting, case: VolumeCase) -> Iterator[Row]:
    """A row for each kind of input: one sample each, of the own and another's slice the mean of several, too."""
    ruler = VolumeRuler(case, setting.stride)
    for name, given in inputs(setting, case):
        volumes = generate(setting.bundle, given, SAMPLES if name in _SAMPLED else 1, setting.seed)
        row = {"condition": name, **ruler.intensities(volumes[0]), **ruler.mean_of(volumes)}
        if name == OWN:
            row |= ruler.measure(volumes[0])
            row |= {PLACE: _at_input(volumes[0], case), PLACE_OF_MEAN: _at_input(volumes.mean(axis=0), case)}
        yield row


def inputs(setting: VolumeSetting, case: VolumeCase) -> Iterator[tuple[str, GivenSlices]]:
    """Name and slices of each kind of input; the place that is told is always the truth's."""
    middle = case.even_places(1)
    own = case.given(middle)
    yield OWN, own
    yield "its own slice beside the middle", case.given(beside_middle(case))
    yield ANOTHER, setting.another(case).given(middle)
    yield NOTHING, replace(own, slices=torch.zeros_like(own.slices))
    for count in REPEATED:
        yield f"its own slice {count} times", case.given(middle.repeat(count, 1))
    for count in ORTHOGONAL:
        yield f"{count} slices of one axis", case.given(case.even_places(count))
        yield f"{count} orthogonal slices", case.given(orthogonal_places(case, count))
    yield PROJECTION, projection(case, own)


def projection(case: VolumeCase, own: GivenSlices) -> GivenSlices:
    """The mean over all acquired slices in the place of a slice."""
    return replace(own, slices=torch.from_numpy(case.voxels[case.box[0]].mean(axis=0))[None])


def _at_input(volume: Any, case: VolumeCase) -> float:
    """PSNR of the input slice at its own place."""
    along = case.box[0]
    index = (along.start + along.stop) // 2
    _, rows, columns = case.box
    truth = case.voxels[index, rows, columns]
    return psnr(volume[index, rows, columns], truth, float(case.voxels[case.box].max()))


def _work(domain: str) -> Callable[[VolumeSetting], float]:
    once = 3 + len(REPEATED) + 2 * len(ORTHOGONAL)
    return lambda setting: work_of(domain, once + len(_SAMPLED) * SAMPLES)


def _tables(name: str) -> Callable[[Sequence[Row]], list[ResultTable]]:
    def tables(rows: Sequence[Row]) -> list[ResultTable]:
        head = {
            **MEASURES,
            **MEAN_HEAD,
            PLACE: "PSNR of the input slice at its place dB",
            PLACE_OF_MEAN: f"the same of the mean of {SAMPLES} dB",
        }
        note = "One sample each. The slice of another volume must be worse than the own one, or the input is ignored."
        return [condition_table(rows, name, "What is given", head, note)]

    return tables


CONE_INPUTS: Final = Study(
    "cone_inputs", "What is given, cones", (CONES,), {"cpu": 5, "full": 200}, measure, _work(CONES),
    _tables("cone_inputs"), fitted=True,
)  # fmt: skip
BODY_INPUTS: Final = Study(
    "body_inputs", "What is given, bodies", (BODIES,), {"cpu": 1, "full": 100}, measure, _work(BODIES),
    _tables("body_inputs"), fitted=True,
)  # fmt: skip
