"""All methods on the same slices: X-Diffusion, what has no network, and what ``--method`` adds (Table I, IX and X)."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any, Final

import numpy as np

from monai_xray2mri.evaluation.bootstrap import holm, paired_p_value
from monai_xray2mri.evaluation.claims import difference, mean_by_case, participants_of
from monai_xray2mri.evaluation.methods import generate
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import ResultTable, Study, distinct, where
from monai_xray2mri.systems.mri_xdiffusion.evaluation.cases import BODIES, CONES, MASKED, VolumeCase, domain_of_split
from monai_xray2mri.systems.mri_xdiffusion.evaluation.measures import MEASURES, SHAPES, VolumeRuler
from monai_xray2mri.systems.mri_xdiffusion.evaluation.methods import NetworkMethod, applies
from monai_xray2mri.systems.mri_xdiffusion.evaluation.setting import (
    MEAN_HEAD,
    SAMPLES,
    Places,
    VolumeSetting,
    beside_middle,
    condition_table,
    orthogonal_places,
    work_of_methods,
)

TRUE: Final = "true volume"
ONE, BESIDE, ORTHOGONAL = "1 slice", "1 slice beside the middle", "2 orthogonal slices"
"""Conditions on cones; the first is one on bodies, too."""
MIRROR, WITH_MIRROR = "mirror image", "mean with mirror image"
_GIVEN: Final[dict[str, Places]] = {
    CONES: {
        ONE: lambda case: case.even_places(1),
        BESIDE: beside_middle,
        ORTHOGONAL: lambda case: orthogonal_places(case, 2),
    },
    BODIES: {
        ONE: lambda case: case.even_places(1),
        "5 slices": lambda case: case.even_places(5),
        "10 slices": lambda case: case.even_places(10),
    },
}


def measure(setting: VolumeSetting, case: VolumeCase) -> Iterator[Row]:
    """A row for each method and number of slices, and those of the truth and its mirror image."""
    ruler = VolumeRuler(case, setting.stride, setting.perceptual(case.domain))
    yield {"method": TRUE, **ruler.truth_row()}
    if case.domain == CONES:
        mirror = case.voxels[::-1]  # one middle slice cannot tell a cone from it
        yield {"method": MIRROR, **ruler.intensities(mirror)}
        yield {"method": WITH_MIRROR, **ruler.intensities((case.voxels + mirror) / 2)}
    for name, method in setting.todo.items():
        if not applies(method, case.domain):
            yield {"method": name}
            continue
        for condition, places_of in _GIVEN[case.domain].items():
            samples = SAMPLES if isinstance(method, NetworkMethod) else 1
            volumes = generate(method, case.given(places_of(case)), samples, setting.seed)
            yield {"method": name, "condition": condition, **ruler.measure(volumes[0]), **ruler.mean_of(volumes)}


def _work(split: str) -> Callable[[VolumeSetting], float]:
    def work(setting: VolumeSetting) -> float:
        domain = domain_of_split(split)
        return work_of_methods(setting, domain, len(_GIVEN[domain]), SAMPLES)

    return work


def _tables(name: str) -> Callable[[Sequence[Row]], list[ResultTable]]:
    def tables(rows: Sequence[Row]) -> list[ResultTable]:
        """A table per number of slices, and one of paired tests."""
        head = {**MEASURES, **MEAN_HEAD, **SHAPES}
        free = [row for row in rows if "condition" not in row and len(row) > 4]
        found = []
        for condition in distinct(rows, "condition"):
            chosen = [*free, *where(rows, condition=condition)]
            table = f"{name}_{condition.replace(' ', '_')}"
            found.append(condition_table(chosen, table, condition.capitalize(), head, by="method"))
        return [*found, *_tests(name, rows)]

    return tables


def _tests(name: str, rows: Sequence[Row]) -> list[ResultTable]:
    """The first network against every other method, paired by case; p corrected after Holm."""
    cells: list[list[Any]] = []
    for condition in distinct(rows, "condition"):
        chosen = where(rows, condition=condition)
        people, (main, *others) = participants_of(chosen), distinct(chosen, "method")
        own = mean_by_case(where(chosen, method=main), "psnr")
        found = {other: difference(own, mean_by_case(where(chosen, method=other), "psnr")) for other in others}
        p = holm(
            {
                other: paired_p_value(list(each.values()), [people[case] for case in each])
                for other, each in found.items()
                if each
            }
        )
        cells += [[condition, main, other, f"{np.mean(list(found[other].values())):+.2f}", p[other]] for other in p]
    note = "Sign-flip test by participant, corrected after Holm within a condition."
    head = ["given", "method", "against", "difference of PSNR dB", "p"]
    return [ResultTable(f"{name}_tests", "Paired tests", head, cells, note)] if cells else []


def comparison(name: str, title: str, split: str, cpu: int, full: int) -> Study[VolumeSetting, VolumeCase]:
    """The comparison on one split."""
    after = (MIRROR, WITH_MIRROR) if domain_of_split(split) == CONES else ()
    return Study(
        name, title, (split,), {"cpu": cpu, "full": full}, measure, _work(split), _tables(name),
        compares=True, before_methods=(TRUE,), after_methods=after,
    )  # fmt: skip


COMPARISON: Final = comparison("comparison", "Methods compared on bodies", BODIES, 2, 100)
CONES_COMPARED: Final = comparison("cones", "Methods compared on cones", CONES, 10, 1000)
MASKED_COMPARED: Final = comparison("masked_cones", "Fourier-masked cones (C.1)", MASKED, 2, 100)
SHIFTED: Final = comparison("shifted", "Knees outside the range of training", "shifted", 1, 100)
