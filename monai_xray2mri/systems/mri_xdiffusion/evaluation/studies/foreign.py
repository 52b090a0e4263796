"""Foreign data: networks on what they were not trained on (X-Diffusion, section 5.3, Table II, and 6.4).

The paper reports more on unseen knees (34.17 dB) than on its own test set (23.10 dB). A PSNR tells nothing without what
a random volume and the mean volume of the *same* data have: they stand beside.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from monai_xray2mri.evaluation.methods import generate
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import ResultTable, Study
from monai_xray2mri.systems.mri_xdiffusion.evaluation.cases import BODIES, CONES, VolumeCase
from monai_xray2mri.systems.mri_xdiffusion.evaluation.measures import MEASURES, VolumeRuler
from monai_xray2mri.systems.mri_xdiffusion.evaluation.setting import VolumeSetting, condition_table, work_of

REFERENCES: Final = ("another volume", "mean volume", "interpolation")
NUMBERS: Final = (1, 10)
_OTHER: Final = {CONES: BODIES, BODIES: CONES}


def measure(setting: VolumeSetting, case: VolumeCase) -> Iterator[Row]:
    """Rows of the case's own network, of the other one, and of references of the case's own kind."""
    for number in NUMBERS:
        given, ruler = case.given(case.even_places(number)), VolumeRuler(case)
        for name in REFERENCES:
            volume = generate(setting.methods[name], given, 1, setting.seed)[0]
            yield {"condition": f"{name}, {number} slices", **ruler.intensities(volume)}
        for domain in (case.domain, _OTHER[case.domain]):
            if not setting.bundle.knows(domain):
                continue
            seen = case.resampled(setting.bundle.networks[domain].image_size)
            slices = replace(seen.given(seen.even_places(number)), domain=domain)
            volume = generate(setting.bundle, slices, 1, setting.seed)[0]
            yield {"condition": f"network of {domain}, {number} slices", **VolumeRuler(seen).intensities(volume)}


def work(setting: VolumeSetting) -> float:
    """Sections that one case costs, of either kind: it is seen by both networks."""
    return sum(work_of(each, len(NUMBERS)) for each in (CONES, BODIES) if setting.bundle.knows(each))


def _tables(name: str) -> Callable[[Sequence[Row]], list[ResultTable]]:
    def tables(rows: Sequence[Row]) -> list[ResultTable]:
        note = "Networks see the volume at their own size; figures of one size compare among themselves."
        return [condition_table(rows, name, "Foreign data", MEASURES, note)]

    return tables


FOREIGN_CONES: Final = Study(
    "foreign_cones", "Cones for a network of bodies", (CONES,), {"cpu": 2, "full": 100}, measure, work,
    _tables("foreign_cones"), fitted=True,
)  # fmt: skip
FOREIGN_BODIES: Final = Study(
    "foreign_bodies", "Bodies for a network of cones", (BODIES,), {"cpu": 1, "full": 100}, measure, work,
    _tables("foreign_bodies"), fitted=True,
)  # fmt: skip
