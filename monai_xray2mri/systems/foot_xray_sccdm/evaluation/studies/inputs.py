"""Does the network look at its photograph? Its own and another foot's; and photographs with faults."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import torch

from monai_xray2mri.core.random_streams import case_generator
from monai_xray2mri.evaluation.records import Row
from monai_xray2mri.evaluation.study import ResultTable, Study
from monai_xray2mri.systems.foot_xray_sccdm.baselines.untrained import AnotherRadiograph
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.cases import TEST, FootCase
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.measures import FOOT_MEASURES
from monai_xray2mri.systems.foot_xray_sccdm.evaluation.setting import FootSetting, condition_table
from monai_xray2mri.systems.foot_xray_sccdm.refinement import blurred

OWN, ANOTHER = "its own photograph", "another foot's photograph"


def _noise(photograph: np.ndarray, name: str) -> np.ndarray:
    drawn = torch.randn(photograph.shape, generator=case_generator("noise on a photograph", 0, name)).numpy()
    return np.where(photograph > 0, photograph + 0.08 * drawn, 0)


def _blur(photograph: np.ndarray, name: str) -> np.ndarray:
    image = torch.from_numpy(np.ascontiguousarray(photograph, np.float32))[None, None]
    for _ in range(6):  # sigma 1 six times is sigma 2.4
        image = blurred(image)
    return image[0, 0].numpy()


def _light(photograph: np.ndarray, name: str) -> np.ndarray:
    across = np.linspace(0.5, 1.5, photograph.shape[1], dtype=np.float32)
    return photograph * across[None]


def _cropped(photograph: np.ndarray, name: str) -> np.ndarray:
    rows = np.flatnonzero(photograph.any(axis=1))
    cut = photograph.copy()
    if rows.size:
        cut[: rows[0] + round(0.12 * (rows[-1] - rows[0] + 1))] = 0
    return cut


FAULTS: Final[Mapping[str, Callable[[np.ndarray, str], np.ndarray]]] = {
    "noise, standard deviation 0.08": _noise,
    "blurred, sigma 2.4 pixels": _blur,
    "light from one side, 0.5 to 1.5": _light,
    "darker by half": lambda photograph, name: 0.5 * photograph,
    "toes cropped, 12 % of the length": _cropped,
}
"""What is done to a photograph [S,S] of a case; results are clipped to 0 to 1."""


def measure(setting: FootSetting, case: FootCase) -> Iterator[Row]:
    """A row for each photograph that the bundle is shown in the place of a foot's own."""
    ruler = setting.ruler(case)
    for name, photograph in photographs(setting, case):
        (radiograph,) = setting.drawn(case.with_photograph(photograph))
        yield {"condition": name, **ruler.intensities(radiograph), **ruler.reading(radiograph)}


def photographs(setting: FootSetting, case: FootCase) -> Iterator[tuple[str, np.ndarray]]:
    """Conditions and their photographs [S,S]."""
    own = case.photograph
    yield OWN, own
    yield ANOTHER, _another(setting, case)
    for name, change in FAULTS.items():
        yield name, change(own, case.name).clip(0, 1).astype(np.float32)


def _another(setting: FootSetting, case: FootCase) -> np.ndarray:
    """The photograph of a training foot, drawn: the one whose radiograph the method of this name gives."""
    method = setting.methods["another radiograph"]
    if not isinstance(method, AnotherRadiograph):
        raise TypeError(f"another radiograph must be the suite's own, got {type(method).__name__}")
    return method.photograph(case.given(), setting.seed)


def work(setting: FootSetting) -> float:
    """Radiographs that one foot costs."""
    return 2.0 + len(FAULTS)


def tables(rows: Sequence[Row]) -> list[ResultTable]:
    """One table."""
    note = "All against the foot's own radiograph. The photograph's checks would refuse some of these."
    return [condition_table(rows, "inputs", "Photographs that are wrong or faulty", FOOT_MEASURES, note)]


INPUTS: Final = Study(
    "inputs",
    "Photographs that are wrong or faulty",
    (TEST,),
    {"cpu": 20, "full": 200},
    measure,
    work,
    tables,
    fitted=True,
)
